"""Windows over axes of named sizes give what they give over axes of numbers."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import ShapeError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("size", "stride", "dilation"), [(3, 2, 1), (2, 2, 1), (5, 3, 1), (3, 2, 2), (4, 4, 1), (3, 1, 1)])
def test_same_padding_of_a_named_axis(size: int, stride: int, dilation: int) -> None:
    kernel = gx.constant(RNG.normal(size=(size, 3, 2)))

    def built(x: gx.Tensor) -> list[gx.Tensor]:
        y = [gx.nn.conv1d(x, kernel, strides=stride, padding="same", dilation=dilation)]
        if dilation == 1:
            y += [pool(x, size, strides=stride, padding="same") for pool in (gx.nn.max_pool1d, gx.nn.avg_pool1d)]
        return [*y, gx.grad(sum((gx.sum(t**3) for t in y), start=gx.constant(0.0)), x)]

    named = gx.tensor("x", ("n", "T", 3))
    outputs = built(named)
    f = gx.compile(outputs, dtype="float64")
    for length in (1, 2, 3, 4, 7, 12):
        value = RNG.normal(size=(2, length, 3))
        plain = gx.tensor("x", (2, length, 3))
        want = gx.evaluate(built(plain), {plain: value})
        for ours, compiled, other in zip(gx.evaluate(outputs, {named: value}), f(value), want, strict=True):
            np.testing.assert_allclose(ours, other, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(compiled, other, rtol=1e-10, atol=1e-12)


def test_a_stride_beyond_the_window_says_what_it_needs() -> None:
    with pytest.raises(gx.ShapeError, match="axis whose size is a number, not T"):
        gx.nn.conv1d(gx.tensor("x", ("n", "T", 3)), gx.constant(np.ones((2, 3, 2))), strides=3, padding="same")


def test_a_dimension_that_may_be_negative_is_compared_as_such() -> None:
    x, i = gx.tensor("x", ("T",)), gx.indices("i")
    beyond = x.shape[0] - 3
    y = gx.define("y", (i,), sympy.Piecewise((x[i], i - beyond >= 0), (0, True)))
    for length in (2, 3, 5):
        np.testing.assert_array_equal(gx.evaluate(y, {x: np.ones(length)}), (np.arange(length) - (length - 3) >= 0).astype(float))


X = gx.tensor("x", ("n", "h", 6, 2))
SHORT: dict[str, tuple[gx.Tensor, int, str]] = {  # the least height that will do, and what is said of a smaller one
    "convolution": (gx.nn.conv2d(X, gx.constant(np.ones((4, 2, 2, 3)))), 4, "a window of 4 does not fit axis 1 of h"),
    "dilation": (gx.nn.conv2d(X, gx.constant(np.ones((3, 2, 2, 3))), dilation=3), 7, "a window of 7 does not fit"),
    "numbers": (gx.nn.conv2d(X, gx.constant(np.ones((6, 2, 2, 3))), padding=[(1, 1), (0, 0)], strides=2), 4, "a window of 6 does not fit"),
    "largest": (gx.nn.max_pool2d(X, 3, strides=1), 3, "max_pool2d of x.*: a window of 3 does not fit"),
    "mean": (gx.nn.avg_pool2d(X, 3), 3, "avg_pool2d of x.*: a window of 3 does not fit"),
    "transposed": (gx.nn.conv2d_transpose(X, gx.constant(np.ones((1, 1, 3, 2))), padding=[(2, 2), (0, 0)]), 4, "crops more than there is on axis 1"),
}


@pytest.mark.parametrize("target", ["evaluate", "cpu", "numpy"])
@pytest.mark.parametrize("name", SHORT)
def test_an_axis_that_is_too_short_when_arrays_come(name: str, target: str) -> None:
    y, least, text = SHORT[name]
    run = (lambda a: gx.evaluate(y, {X: a})) if target == "evaluate" else gx.compile(y, inputs=[X], target=target)
    assert run(np.ones((1, least, 6, 2))).shape[0] == 1
    for height in range(least):
        with pytest.raises(ShapeError, match=text):
            run(np.ones((1, height, 6, 2)))


def test_windows_that_keep_the_size_keep_none_too() -> None:
    y = gx.nn.conv2d(X, gx.constant(np.ones((3, 3, 2, 3))), padding="same", strides=2)
    assert gx.compile(y)(np.ones((1, 0, 6, 2))).shape == gx.evaluate(y, {X: np.ones((1, 0, 6, 2))}).shape == (1, 0, 3, 3)
