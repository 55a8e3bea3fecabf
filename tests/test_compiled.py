"""Compiled against evaluated: values and gradients of the table's operations, and of random programs."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import graphc as gx
from tests.operations import ROWS, ROWS_OF_FLOATS
from tests.rows.row import Row
from tests.test_operations import floats, weighted_loss
from tests.test_random_programs import Program, loss_of, programs

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}


def some(rows: list[Row], one_in: int) -> list[Row]:
    """The first two rows of every operation, and of the others one in so many, the same each time."""
    seen: dict[str, int] = {}
    kept: list[Row] = []
    for row in rows:
        seen[row.name] = seen.get(row.name, 0) + 1
        if seen[row.name] <= 2 or zlib.crc32(row.id.encode()) % one_in == 0:
            kept.append(row)
    return kept


def reading(row: Row, gradients: bool) -> tuple[list[gx.Tensor], list[gx.Tensor], list[Any]]:
    """What a row computes: its value and, where they are wanted and right, its gradients; its inputs; their arrays."""
    tensors, arrays = row.tensors(), row.arrays()
    y = row.make(*tensors)
    outputs = [y]
    if gradients and row in ROWS_OF_FLOATS and (row.smooth or row.gradient is not None):
        loss, _ = weighted_loss(row, y, arrays)
        outputs += gx.grad(loss, floats(row, tensors), unconnected="zero")
    return outputs, tensors, arrays


def compare(row: Row, target: str, dtype: str, *, gradients: bool = True) -> None:
    outputs, tensors, arrays = reading(row, gradients)
    kept = [a.copy() for a in arrays]
    f = gx.compile(outputs, inputs=tensors, target=target, dtype=dtype)
    values = f(*arrays)
    wanted = gx.evaluate(outputs, dict(zip(tensors, arrays, strict=True)), dtype=dtype)
    for value, want in zip(values, wanted, strict=True):
        assert (value.shape, value.dtype) == (want.shape, want.dtype)
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(value, want)
            continue
        scale = np.abs(want[np.isfinite(want)]).max(initial=1.0)
        np.testing.assert_allclose(value, want, rtol=TOLERANCE[dtype] * row.tolerance, atol=TOLERANCE[dtype] * row.tolerance * scale)
    for a, b in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.id)
def test_the_numpy_target_gives_what_the_evaluator_gives(row: Row) -> None:
    compare(row, "numpy", "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.id)
def test_a_kernel_gives_what_the_evaluator_gives(row: Row, dtype: str) -> None:
    compare(row, "cpu", dtype, gradients=False)


@pytest.mark.parametrize("row", some(ROWS_OF_FLOATS, 5), ids=lambda r: r.id)
def test_a_kernel_of_gradients(row: Row) -> None:
    compare(row, "cpu", "float64")


@given(programs())
@settings(max_examples=25)
def test_a_random_program_compiled(program: Program) -> None:
    loss, _ = loss_of(program)
    outputs = [loss, *program.tensors, *gx.grad(loss, program.inputs)]
    f = gx.compile(outputs, inputs=program.inputs, dtype="float64")
    values = f(*program.arrays)
    wanted = gx.evaluate(outputs, dict(zip(program.inputs, program.arrays, strict=True)))
    for value, want in zip(values, wanted, strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-10, atol=1e-10, err_msg="\n".join(program.text))


@given(programs(kinked=True))
@settings(max_examples=60)
def test_a_random_program_as_numpy_source(program: Program) -> None:
    f = gx.compile(program.tensors, inputs=program.inputs, target="numpy", dtype="float64")
    wanted = gx.evaluate(program.tensors, dict(zip(program.inputs, program.arrays, strict=True)))
    for value, want in zip(f(*program.arrays), wanted, strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-10, atol=1e-10, err_msg="\n".join(program.text))
