"""Convolution and pooling layers against PyTorch, names and errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc.errors import DeclarationError

rng = np.random.default_rng(4)
IMAGE = rng.normal(size=(2, 7, 6, 4))
SEQUENCE = rng.normal(size=(2, 9, 4))


def channels_first(a):
    return np.moveaxis(a, -1, 1)


@pytest.mark.parity
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}, {"padding": "same"}], ids=str)
def test_convolutions(options):
    torch = pytest.importorskip("torch")
    theirs = {{"strides": "stride", "dilation_rate": "dilation"}.get(k, k): v for k, v in options.items()}
    for layer, data, function in (
        (K.Conv2D(6, (3, 3), activation="relu", bias_initializer="ones", **options), IMAGE, torch.nn.functional.conv2d),
        (K.Conv1D(6, 3, activation="relu", bias_initializer="ones", **options), SEQUENCE, torch.nn.functional.conv1d),
    ):
        x = K.Input(data.shape[1:])
        y = layer(x)
        kernel, bias = layer.get_weights()
        weight = np.moveaxis(kernel, (-1, -2), (0, 1))
        expected = function(torch.tensor(channels_first(data)), torch.tensor(weight.copy()), torch.tensor(bias), **theirs).relu().numpy()
        np.testing.assert_allclose(channels_first(gx.evaluate(y, {x: data})), expected, rtol=1e-9, atol=1e-12)
        assert layer.weights[0].name in ("conv2d/kernel", "conv1d/kernel")


POOLS = {
    "max": (K.MaxPooling2D(2), "max_pool2d", IMAGE, {"kernel_size": 2}),
    "max strides": (K.MaxPooling2D((3, 2), strides=1), "max_pool2d", IMAGE, {"kernel_size": (3, 2), "stride": 1}),
    "average": (K.AveragePooling2D((2, 3)), "avg_pool2d", IMAGE, {"kernel_size": (2, 3)}),
    "max 1": (K.MaxPooling1D(3), "max_pool1d", SEQUENCE, {"kernel_size": 3}),
    "average 1": (K.AveragePooling1D(2, strides=3), "avg_pool1d", SEQUENCE, {"kernel_size": 2, "stride": 3}),
}


@pytest.mark.parity
@pytest.mark.parametrize("row", POOLS)
def test_pools(row):
    torch = pytest.importorskip("torch")
    layer, name, data, options = POOLS[row]
    x = K.Input(data.shape[1:])
    expected = getattr(torch.nn.functional, name)(torch.tensor(channels_first(data)), **options).numpy()
    np.testing.assert_allclose(channels_first(gx.evaluate(layer(x), {x: data})), expected, rtol=1e-12)


def test_global_pools():
    x, s = K.Input((7, 6, 4)), K.Input((9, 4))
    np.testing.assert_allclose(gx.evaluate(K.GlobalAveragePooling2D()(x), {x: IMAGE}), IMAGE.mean((1, 2)))
    np.testing.assert_allclose(gx.evaluate(K.GlobalMaxPooling2D(keepdims=True)(x), {x: IMAGE}), IMAGE.max((1, 2), keepdims=True))
    np.testing.assert_allclose(gx.evaluate(K.GlobalAveragePooling1D()(s), {s: SEQUENCE}), SEQUENCE.mean(1))
    np.testing.assert_allclose(gx.evaluate(K.GlobalMaxPooling1D()(s), {s: SEQUENCE}), SEQUENCE.max(1))


def test_errors():
    with pytest.raises(DeclarationError, match=r"Conv2D\(filters=0\)"):
        K.Conv2D(0, 3)
    with pytest.raises(DeclarationError, match=r"kernel_size=\(3, 3, 3\) of Conv2D: .*or 2 of them"):
        K.Conv2D(3, (3, 3, 3))
    with pytest.raises(DeclarationError, match=r"4 channels, and 3 groups"):
        K.Conv2D(3, 3, groups=3)(K.Input((7, 6, 4)))
