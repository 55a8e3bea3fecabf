"""Every operation of the table against NumPy, against finite differences, and against itself read another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.operations import ROWS, ROWS_OF_FLOATS
from tests.rows.row import SIZES, Row

Array = np.ndarray[Any, Any]

rows = pytest.mark.parametrize("row", ROWS, ids=lambda r: r.id)
float_rows = pytest.mark.parametrize("row", ROWS_OF_FLOATS, ids=lambda r: r.id)
smooth_rows = pytest.mark.parametrize("row", [r for r in ROWS_OF_FLOATS if r.smooth], ids=lambda r: r.id)
kinked_rows = pytest.mark.parametrize("row", [r for r in ROWS_OF_FLOATS if r.gradient is not None], ids=lambda r: r.id)


def weighted_loss(row: Row, y: gx.Tensor, arrays: list[Array]) -> tuple[gx.Tensor, Array]:
    """``sum(y * w)`` for a fixed ``w``, and ``w``."""
    rng = np.random.default_rng(7)
    w = rng.uniform(0.5, 1.5, row.expected(arrays).shape)
    return gx.sum(y * gx.constant(w)), w


def floats(row: Row, values: list[Any]) -> list[Any]:
    return [v for v, a in zip(values, row.args, strict=True) if a.kind == "float"]


def central_differences(row: Row, arrays: list[Array], w: Array) -> list[Array]:
    """The gradients of ``sum(value(arrays) * w)`` from NumPy alone."""
    found: list[Array] = []
    for position, arg in enumerate(row.args):
        if arg.kind != "float":
            continue
        gradient = np.zeros_like(arrays[position])
        for place in np.ndindex(gradient.shape):
            step = 1e-5 * max(1.0, abs(float(arrays[position][place])))
            ends = []
            for sign in (1, -1, 2, -2):
                moved = [a.copy() for a in arrays]
                moved[position][place] += sign * step
                ends.append(float(np.sum(row.expected(moved) * w)))
            gradient[place] = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * step)
        found.append((gradient + gradient.T) / 2 if arg.symmetric else gradient)
    return found


@rows
def test_its_value_is_that_of_numpy(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    kept = [a.copy() for a in arrays]
    y = row.make(*tensors)
    value = gx.evaluate(y, dict(zip(tensors, arrays, strict=True)))
    np.testing.assert_allclose(value, row.expected(arrays), rtol=1e-10 * row.tolerance, atol=1e-12 * row.tolerance)
    for a, b in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(a, b)


@rows
def test_its_shape_and_dtype_are_as_declared(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    y = row.make(*tensors)
    value = gx.evaluate(y, dict(zip(tensors, arrays, strict=True)))
    declared = tuple(e if isinstance(e, int) else e.evaluate(SIZES) for e in y.shape)
    assert declared == value.shape == row.expected(arrays).shape
    assert y.dtype == row.dtype
    assert value.dtype == {"float": np.float64, "int": np.int64, "bool": np.bool_}[y.dtype]


@rows
def test_its_value_in_single_precision(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    value = gx.evaluate(row.make(*tensors), dict(zip(tensors, arrays, strict=True)), dtype="float32")
    with np.errstate(over="ignore"):
        single = [a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
        expected = row.expected(single).astype(value.dtype)
    np.testing.assert_allclose(value, expected, rtol=2e-5 * row.tolerance, atol=2e-5 * row.tolerance)


@smooth_rows
def test_its_gradient_is_that_of_finite_differences(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    loss, w = weighted_loss(row, row.make(*tensors), arrays)
    variables = floats(row, tensors)
    gradients = gx.grad(loss, variables, unconnected="zero")
    assert [g.shape for g in gradients] == [v.shape for v in variables]
    values = gx.evaluate(gradients, dict(zip(tensors, arrays, strict=True)))
    for value, expected in zip(values, central_differences(row, arrays, w), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6 * row.tolerance, atol=1e-6 * row.tolerance)


@pytest.mark.parametrize("row", [r for r in ROWS_OF_FLOATS if r.smooth][::9], ids=lambda r: r.id)
def test_the_public_checker_agrees(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    loss, _ = weighted_loss(row, row.make(*tensors), arrays)
    report = gx.check_gradients(loss, floats(row, tensors), at=dict(zip(tensors, arrays, strict=True)))
    assert report.ok, str(report)


@kinked_rows
def test_its_gradient_at_kinks_and_ties(row: Row) -> None:
    assert row.gradient is not None
    tensors, arrays = row.tensors(), row.arrays()
    loss, w = weighted_loss(row, row.make(*tensors), arrays)
    values = gx.evaluate(gx.grad(loss, floats(row, tensors), unconnected="zero"), dict(zip(tensors, arrays, strict=True)))
    for value, expected in zip(values, row.gradient(*arrays, w), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)


@smooth_rows
def test_its_second_derivative_along_two_directions(row: Row) -> None:
    tensors, arrays = row.tensors(), row.arrays()
    variables, values = floats(row, tensors), floats(row, arrays)
    loss, _ = weighted_loss(row, row.make(*tensors), arrays)
    rng = np.random.default_rng(11)
    weights = [rng.uniform(0.5, 1.5, v.shape) for v in values]
    first = gx.grad(loss, variables, unconnected="zero")
    slope = sum((gx.sum(g * gx.constant(w)) for g, w in zip(first, weights, strict=True)), start=gx.constant(0.0))
    second = gx.grad(slope, variables, unconnected="zero")
    fixed = dict(zip(tensors, arrays, strict=True))
    exact = gx.evaluate(second, fixed)
    for _ in range(2):
        way = [rng.uniform(-1, 1, v.shape) for v in values]
        if any(a.symmetric for a in row.args):
            way = [(u + u.T) / 2 for u in way]
        step = 1e-5
        ends = [
            float(gx.evaluate(slope, fixed | {t: v + s * step * u for t, v, u in zip(variables, values, way, strict=True)})) for s in (1, -1, 2, -2)
        ]
        numeric = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * step)
        along = float(sum(np.sum(e * u) for e, u in zip(exact, way, strict=True)))
        np.testing.assert_allclose(along, numeric, rtol=2e-6 * row.tolerance, atol=2e-6 * row.tolerance)
