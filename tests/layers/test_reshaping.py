"""Layers without weights that move, repeat, add and cut off; convolutions by channel and their adjoints; norms of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K

RNG = np.random.default_rng(8)
IMAGE, SEQUENCE, ROW = RNG.normal(size=(2, 6, 7, 4)), RNG.normal(size=(2, 9, 4)), RNG.normal(size=(2, 5))


def by_channel(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1)


def normal(x: np.ndarray, axes: Any, epsilon: float = 1e-3) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


# A layer, what it is called on, and what NumPy makes of that.
ROWS: dict[str, tuple[Any, np.ndarray, Any]] = {
    "permute": (lambda: K.Permute((3, 1, 2)), IMAGE, lambda x: x.transpose(0, 3, 1, 2)),
    "repeat": (lambda: K.RepeatVector(3), ROW, lambda x: np.repeat(x[:, None], 3, 1)),
    "zeros around a sequence": (lambda: K.ZeroPadding1D((2, 0)), SEQUENCE, lambda x: np.pad(x, ((0, 0), (2, 0), (0, 0)))),
    "zeros around": (lambda: K.ZeroPadding2D(), IMAGE, lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))),
    "zeros by axis": (lambda: K.ZeroPadding2D((2, 1)), IMAGE, lambda x: np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0)))),
    "zeros by side": (lambda: K.ZeroPadding2D(((1, 0), (0, 3))), IMAGE, lambda x: np.pad(x, ((0, 0), (1, 0), (0, 3), (0, 0)))),
    "a cut sequence": (lambda: K.Cropping1D(2), SEQUENCE, lambda x: x[:, 2:-2]),
    "a cut image": (lambda: K.Cropping2D(((1, 0), (2, 3))), IMAGE, lambda x: x[:, 1:, 2:-3]),
    "cut to nothing": (lambda: K.Cropping2D(((3, 3), (0, 0))), IMAGE, lambda x: x[:, 3:3]),
    "a longer sequence": (lambda: K.UpSampling1D(3), SEQUENCE, lambda x: np.repeat(x, 3, 1)),
    "a larger image": (lambda: K.UpSampling2D((2, 3)), IMAGE, lambda x: np.repeat(np.repeat(x, 2, 1), 3, 2)),
    "a layer norm": (lambda: K.LayerNormalization(), IMAGE, lambda x: normal(x, -1)),
    "a layer norm of places": (lambda: K.LayerNormalization(axis=[1, 2]), IMAGE, lambda x: normal(x, (1, 2))),
    "a layer norm of rows": (lambda: K.LayerNormalization(axis=1), SEQUENCE, lambda x: normal(x, 1)),
    "groups": (lambda: K.GroupNormalization(2), IMAGE, lambda x: normal(x.reshape(2, 6, 7, 2, 2), (1, 2, 4)).reshape(x.shape)),
    "a group a channel": (lambda: K.GroupNormalization(-1), IMAGE, lambda x: normal(x, (1, 2))),
    "one group": (lambda: K.GroupNormalization(1), SEQUENCE, lambda x: normal(x, (1, 2))),
    "root mean squares": (lambda: K.RMSNormalization(), SEQUENCE, lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)),
    "unit length": (lambda: K.UnitNormalization(axis=1), SEQUENCE, lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)),
    "masking": (lambda: K.Masking(), np.array([[[1.0, 0.0], [0.0, 0.0]]]), lambda x: x),
}


@pytest.mark.parametrize("row", ROWS)
def test_numbers(row: str) -> None:
    make, data, wanted = ROWS[row]
    x, layer = K.Input(data.shape[1:]), make()
    y = layer(x)
    np.testing.assert_allclose(gx.evaluate(y, {x: data}), wanted(data), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gx.compile(y, dtype="float64")(data), wanted(data), rtol=1e-9, atol=1e-12)
    assert [int(e) for e in y.shape[1:]] == list(wanted(data).shape[1:])


@pytest.mark.parametrize("row", [r for r in ROWS if r not in ("cut to nothing", "masking")])
def test_slopes_that_differences_confirm(row: str) -> None:
    make, data, _ = ROWS[row]
    small = data[(slice(1), *(slice(6) for _ in data.shape[1:-1]))]
    x = K.Input(small.shape[1:])
    report = gx.check_gradients(gx.sum(gx.sin(make()(x))), wrt=[x], at={x: small})
    assert report.ok, report


@pytest.mark.parametrize("row", ROWS)
def test_in_a_model_that_is_trained_saved_and_drawn(row: str, tmp_path: Path) -> None:
    make, data, wanted = ROWS[row]
    if wanted(data).size == 0:
        pytest.skip("nothing is left to learn from")
    model = gx.Sequential([K.Input(data.shape[1:]), make(), K.Flatten(), K.Dense(1)])
    model.compile("adam", "mse")
    losses = model.fit(data, data.reshape(len(data), -1)[:, :1], epochs=5, verbose=0, seed=2).history["loss"]
    assert losses[-1] <= losses[0]
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(data), model.predict(data))
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    assert gx.draw(model, view="layer").svg


def test_straight_lines_between_pixels() -> None:
    torch = pytest.importorskip("torch")
    x = K.Input(IMAGE.shape[1:])
    wanted = torch.nn.functional.interpolate(torch.tensor(by_channel(IMAGE)), scale_factor=(3, 2), mode="bilinear")
    np.testing.assert_allclose(by_channel(gx.evaluate(K.UpSampling2D((3, 2), interpolation="bilinear")(x), {x: IMAGE})), wanted, rtol=1e-9)


@pytest.mark.parametrize("layer", [K.UpSampling2D(2), K.ZeroPadding2D(1), K.Permute((2, 1, 3)), K.Cropping2D(1)], ids=lambda layer: layer.name)
def test_sizes_may_be_names(layer: K.Layer) -> None:
    x, y = K.Input(("h", "w", 2)), K.Input((5, 4, 2), name="y")
    data = RNG.normal(size=(3, 5, 4, 2))
    np.testing.assert_array_equal(gx.evaluate(layer(x), {x: data}), gx.evaluate(layer(y), {y: data}))


# Convolutions ----------------------------------------------------------------------------------------------------------


def weights_of(layer: Any) -> list[np.ndarray]:
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    return layer.get_weights()


@pytest.mark.parity
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"strides": (3, 2)}, {"strides": 4}], ids=str)
def test_adjoints_of_convolutions(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    x = K.Input(IMAGE.shape[1:])
    layer = K.Conv2DTranspose(3, (3, 3), activation="tanh", **options)
    y = layer(x)
    kernel, bias = weights_of(layer)
    weight = torch.tensor(np.moveaxis(kernel, (3, 2), (0, 1)).copy())
    wanted = torch.nn.functional.conv_transpose2d(
        torch.tensor(by_channel(IMAGE)), weight, torch.tensor(bias), stride=options.get("strides", 1)
    ).tanh()
    got = by_channel(gx.evaluate(y, {x: IMAGE}))
    rows, columns = wanted.shape[2:]  # what a stride longer than the window leaves at the end, Keras keeps
    np.testing.assert_allclose(got[:, :, :rows, :columns], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_an_adjoint_of_a_sequence_is_that_of_an_image_of_one_row(stride: int) -> None:
    x, z = K.Input((9, 4), name="x"), K.Input((1, 9, 4), name="z")
    narrow, wide = K.Conv1DTranspose(3, 3, strides=stride, padding="same"), K.Conv2DTranspose(3, (1, 3), strides=(1, stride), padding="same")
    y, w = narrow(x), wide(z)
    kernel, bias = weights_of(narrow)
    wide.set_weights([kernel[None], bias])
    assert kernel.shape == (3, 3, 4)
    assert y.shape[1] == 9 * stride
    np.testing.assert_allclose(gx.evaluate(y, {x: SEQUENCE}), gx.evaluate(w, {z: SEQUENCE[:, None]})[:, 0], rtol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"padding": "same"}, {"dilation_rate": 2}, {"depth_multiplier": 3}], ids=str)
def test_convolutions_by_channel(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    given = {{"strides": "stride", "dilation_rate": "dilation"}.get(k, k): v for k, v in options.items() if k != "depth_multiplier"}
    for layer, mixed, data, function in (
        (K.DepthwiseConv2D(3, **options), K.SeparableConv2D(5, 3, **options), IMAGE, torch.nn.functional.conv2d),
        (K.DepthwiseConv1D(3, **options), K.SeparableConv1D(5, 3, **options), SEQUENCE, torch.nn.functional.conv1d),
    ):
        x = K.Input(data.shape[1:])
        y, z = layer(x), mixed(x)
        kernel, bias = weights_of(layer)
        assert kernel.shape == (*(3,) * (data.ndim - 2), 4, options.get("depth_multiplier", 1))
        weight = torch.tensor(np.moveaxis(kernel.reshape(*kernel.shape[:-2], -1), -1, 0)[:, None].copy())
        wanted = function(torch.tensor(by_channel(data)), weight, torch.tensor(bias), groups=4, **given).numpy()
        np.testing.assert_allclose(by_channel(gx.evaluate(y, {x: data})), wanted, rtol=1e-9, atol=1e-12)
        shape = (*(1,) * (data.ndim - 2), kernel.shape[-1] * 4, 5)
        assert [w.name.split("/")[1] for w in mixed.weights] == ["depthwise_kernel", "pointwise_kernel", "bias"]
        assert mixed.weights[1].shape == shape
        mixed.set_weights([kernel, point := RNG.normal(size=shape), shift := RNG.normal(size=5)])
        whole = np.moveaxis(wanted - bias.reshape(-1, *(1,) * (data.ndim - 2)), 1, -1) @ point.reshape(shape[-2:]) + shift
        np.testing.assert_allclose(gx.evaluate(z, {x: data}), whole, rtol=1e-9, atol=1e-12)


CONVOLUTIONS: dict[str, tuple[Any, np.ndarray]] = {
    "transposed": (lambda: K.Conv2DTranspose(2, 3, strides=2, padding="same"), IMAGE), "transposed 1": (lambda: K.Conv1DTranspose(2, 3), SEQUENCE),
    "depthwise": (lambda: K.DepthwiseConv2D(3, depth_multiplier=2), IMAGE), "separable": (lambda: K.SeparableConv2D(2, 3), IMAGE),
    "causal": (lambda: K.Conv1D(2, 3, padding="causal", dilation_rate=2), SEQUENCE),
}  # fmt: skip


@pytest.mark.parametrize("row", CONVOLUTIONS)
def test_convolutions_in_a_model_that_is_trained_saved_and_drawn(row: str, tmp_path: Path) -> None:
    make, data = CONVOLUTIONS[row]
    pool = K.GlobalAveragePooling2D() if data.ndim == 4 else K.GlobalMaxPooling1D()
    model = gx.Sequential([K.Input(data.shape[1:]), make(), pool, K.Dense(1)])
    model.compile(gx.optimizers.Adam(0.01), "mse", dtype="float64")
    losses = model.fit(data, data.mean((1, -1)).reshape(2, -1)[:, :1], epochs=5, verbose=0, seed=2).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(data), model.predict(data))
    x = model.inputs[0]
    np.testing.assert_allclose(model.predict(data), gx.evaluate(model.outputs[0], {x: data}), rtol=1e-7, atol=1e-10)
    assert gx.draw(model).svg


def test_a_causal_convolution_sees_nothing_of_what_comes() -> None:
    x = K.Input((9, 4))
    y = K.Conv1D(3, 3, padding="causal", dilation_rate=2)(x)
    later = SEQUENCE.copy()
    later[:, 5:] += 1
    first, second = gx.evaluate(y, {x: SEQUENCE}), gx.evaluate(y, {x: later})
    assert first.shape == (2, 9, 3)
    np.testing.assert_array_equal(first[:, :5], second[:, :5])
    assert (first[:, 5] != second[:, 5]).all()


# Merging, masking, dropping ----------------------------------------------------------------------------------------------


def test_products_of_two_tensors() -> None:
    a, b = K.Input((9, 4), name="a"), K.Input((3, 4), name="b")
    other = RNG.normal(size=(2, 3, 4))
    wanted = SEQUENCE @ other.transpose(0, 2, 1)
    np.testing.assert_allclose(gx.evaluate(K.Dot(axes=2)([a, b]), {a: SEQUENCE, b: other}), wanted, rtol=1e-12)
    lengths = np.linalg.norm(SEQUENCE, axis=2)[:, :, None] * np.linalg.norm(other, axis=2)[:, None]
    np.testing.assert_allclose(gx.evaluate(K.dot([a, b], axes=(-1, -1), normalize=True), {a: SEQUENCE, b: other}), wanted / lengths, rtol=1e-12)
    c = K.Input((5,), name="c")
    np.testing.assert_allclose(gx.evaluate(K.Dot(1)([c, c]), {c: ROW}), (ROW**2).sum(1, keepdims=True), rtol=1e-12)


FUNCTIONS = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "average": lambda a, b: (a + b) / 2,
    "maximum": np.maximum, "minimum": np.minimum, "concatenate": lambda a, b: np.concatenate([a, b], -1),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_merging_by_a_function(name: str) -> None:
    a, b = K.Input((5,), name="a"), K.Input((5,), name="b")
    other = RNG.normal(size=(2, 5))
    np.testing.assert_allclose(gx.evaluate(getattr(K, name)([a, b]), {a: ROW, b: other}), FUNCTIONS[name](ROW, other), rtol=1e-12)


def test_moments_of_a_value_are_left_out() -> None:
    x, y = K.Input((4, 2)), K.Input((2, 2), name="y")
    layer = K.GRU(3)
    data = RNG.normal(size=(1, 4, 2))
    data[0, 1] = data[0, 3] = -1.0
    got = gx.evaluate(layer(K.Masking(-1.0)(x)), {x: data})
    np.testing.assert_allclose(got, gx.evaluate(layer(y), {y: data[:, [0, 2]]}), rtol=1e-12)


def test_masks_of_what_is_put_one_after_the_other() -> None:
    a, b = (K.Input((2, 3), name=n) for n in "ab")
    left, right = np.array([[[1.0] * 3, [0.0] * 3]]), np.array([[[0.0] * 3, [4.0] * 3]])
    y = K.GlobalAveragePooling1D()(K.Concatenate(axis=1)([K.Masking()(a), K.Masking()(b)]))
    np.testing.assert_allclose(gx.evaluate(y, {a: left, b: right}), [[2.5] * 3])


@pytest.mark.parametrize(("layer", "data"), [(K.SpatialDropout1D(0.5), np.ones((4, 9, 20))), (K.SpatialDropout2D(0.5), np.ones((4, 3, 2, 20)))])
def test_whole_channels_are_dropped(layer: Any, data: np.ndarray) -> None:
    x = K.Input(data.shape[1:])
    got = gx.evaluate(layer(x), {x: data}, seed=4)
    flat = got.reshape(4, -1, 20)
    np.testing.assert_array_equal(flat, np.broadcast_to(flat[:, :1], flat.shape))
    assert 10 < (flat[:, 0] == 0).sum() < 70
    np.testing.assert_array_equal(gx.evaluate(gx.inference(layer(x)), {x: data}), data)


MISUSES: list[tuple[Any, Any, str]] = [
    (lambda: K.Permute((0, 1)), gx.DeclarationError, r"Permute\(dims=\(0, 1\)\)"),
    (lambda: K.Permute((2, 1))(K.Input((3,))), gx.ShapeError, "orders 2 axes after the batch"),
    (lambda: K.RepeatVector(0), gx.DeclarationError, "n=0"),
    (lambda: K.RepeatVector(2)(K.Input((3, 4))), gx.ShapeError, r"vectors \(batch, features\)"),
    (lambda: K.ZeroPadding2D((1, 2, 3)), gx.DeclarationError, r"ZeroPadding2D\(padding=\(1, 2, 3\)\)"),
    (lambda: K.ZeroPadding1D(-1), gx.DeclarationError, r"ZeroPadding1D\(padding="),
    (lambda: K.ZeroPadding2D(1)(K.Input((3, 4))), gx.ShapeError, "takes 4 axes"),
    (lambda: K.Cropping1D(5)(K.Input((9, 4))), gx.ShapeError, "cuts off 5 and 5 of an axis of 9"),
    (lambda: K.UpSampling2D(2, interpolation="cubic"), gx.DeclarationError, "interpolation='cubic'"),
    (lambda: K.UpSampling2D(2, interpolation="bilinear")(K.Input(("h", 4, 1))), gx.ShapeError, "use interpolation='nearest'"),
    (lambda: K.Conv2D(3, 3, data_format="channels_first"), gx.DeclarationError, "channels stand last"),
    (lambda: K.Conv2DTranspose(3, 3, output_padding=1), gx.DeclarationError, "output_padding=1"),
    (lambda: K.Conv2DTranspose(3, 3, dilation_rate=2), gx.DeclarationError, "dilation_rate and groups are 1"),
    (lambda: K.DepthwiseConv2D(3)(K.Input((5, 5, "c"))), gx.DeclarationError, "channels stand last"),
    (lambda: K.GroupNormalization(3)(K.Input((5, 4))), gx.DeclarationError, "4 channels cannot be split into 3 groups"),
    (lambda: K.LayerNormalization(axis=5)(K.Input((5, 4))), gx.DeclarationError, "axis 5 of its input is missing"),
    (lambda: K.Dot(0)([K.Input((3,), name="a"), K.Input((3,), name="b")]), gx.DeclarationError, "the axis 0 is the batch"),
]


@pytest.mark.parametrize(("make", "error", "text"), MISUSES)
def test_misuses_are_told(make: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make()
