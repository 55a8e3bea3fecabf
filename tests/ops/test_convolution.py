"""A transposed convolution is the adjoint of the convolution with the same kernel, strides, padding, dilation and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx

OPTIONS: list[dict[str, Any]] = [
    {"padding": 1},
    {"padding": ((0, 1), (2, 1)), "strides": 2},
    {"padding": 0, "strides": 3},
    {"padding": (2, 0), "strides": (1, 2), "dilation": (2, 1)},
    {"groups": 2},
    {"groups": 2, "strides": 2, "padding": 1, "dilation": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_transpose_is_the_adjoint(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    groups = options.get("groups", 1)
    x, k = gx.tensor("x", ("n", 4, 3, 4)), gx.tensor("k", (3, 2, 6 // groups, 4))
    y = gx.nn.conv2d_transpose(x, k, **options)
    z = gx.tensor("z", y.shape)
    forward = gx.nn.conv2d(z, k, **options)
    assert forward.shape == x.shape
    adjoint = gx.grad(gx.sum(forward * x), z)
    at = {x: rng.normal(size=(2, 4, 3, 4)), k: rng.normal(size=k.shape), z: np.zeros((2, *y.shape[1:]))}
    values = gx.evaluate([y, adjoint], at)
    np.testing.assert_allclose(*values, atol=1e-12)
    assert np.abs(values[0]).max() > 0
    assert gx.check_gradients(gx.sum(y**2), at={x: at[x], k: at[k]}).ok
    np.testing.assert_allclose(gx.compile(y, inputs=[x, k])(at[x], at[k]), values[0], atol=1e-5)


def test_more_cropped_than_there_is() -> None:
    with pytest.raises(gx.ShapeError, match="crops more than there is on axis 1"):
        gx.nn.conv2d_transpose(gx.tensor("x", ("n", 2, 2, 4)), gx.tensor("k", (3, 2, 6, 4)), padding=3)
    with pytest.raises(gx.DeclarationError, match="it is 'valid', 'same', a number"):
        gx.nn.conv2d_transpose(gx.tensor("x", ("n", 2, 2, 4)), gx.tensor("k", (3, 2, 6, 4)), padding=-1)
