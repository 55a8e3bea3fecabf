"""Reductions across rows: the form is chosen by what is large, and rows taken several at a time give the evaluator's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import ir
from graphc.runtime import compile

TOLERANCE = {"float32": 3e-5, "float64": 1e-12}
X, Y = gx.tensor("x", ("n", "m", "k")), gx.tensor("y", ("n", "m", "k"))
ROW, COLUMN = gx.tensor("row", ("n", "m")), gx.tensor("column", ("k",))
OF_ROWS = gx.reshape(ROW, ("n", "m", 1))


def long_formula() -> Any:
    result = X
    for number in range(14):
        result = result * (0.9 + 0.01 * number) + Y * (0.5 - 0.01 * number)
    return result


SUMS = {
    "sum": [gx.sum(X, axis=(0, 1))],
    "of what rows have of their own": [gx.sum((X - OF_ROWS) / (2 + OF_ROWS * OF_ROWS) * Y, axis=(0, 1)), gx.sum(Y, axis=(0, 1))],
    "of what columns have": [gx.sum(gx.where(X > COLUMN, Y, 0.0), axis=0), gx.sum(X * Y * COLUMN, axis=1)],
    "extremes": [gx.max(X * Y, axis=1), gx.min(X - OF_ROWS, axis=(0, 1))],
    "product": [gx.prod(1 + 0.1 * X, axis=(0, 1))],
    "along rows, less what rows have": [gx.sum(-2 * (X - OF_ROWS / 64) * OF_ROWS, axis=2)],
    "a long formula": [gx.sum(long_formula(), axis=(0, 1))],
    "whole numbers": [gx.sum(X > 0, axis=(0, 1))],
}
SIZES = [(1, 1, 1), (1, 2, 3), (3, 1, 6), (2, 2, 10), (1, 5, 16), (7, 1, 17), (1, 8, 30), (3, 3, 33), (4, 5, 64), (2, 17, 70), (33, 1, 5), (0, 3, 4)]


def given(sizes: Sequence[int], outputs: Any) -> dict[Any, Any]:
    rng = np.random.default_rng(sum(sizes))
    known = dict(zip("nmk", sizes, strict=True))
    inputs = [t for t in gx.leaves(outputs).values() if t.kind == "input"]
    return {t: rng.normal(size=[known[str(e)] for e in t.shape]) for t in inputs}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", SUMS)
def test_the_numbers_are_the_evaluators(case: str, dtype: str) -> None:
    outputs = SUMS[case]
    f = compile(outputs, dtype=dtype)
    for sizes in SIZES:
        if case == "extremes" and 0 in sizes:
            continue
        arrays = given(sizes, outputs)
        got, want = f(*[arrays[t] for t in f.inputs]), gx.evaluate(outputs, arrays, dtype=dtype)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * max(sizes) * 4, err_msg=str(sizes))


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 23])
def test_rows_that_are_left_over_count_once(rows: int) -> None:
    x = gx.tensor("x", (rows, 5))
    array = np.arange(5.0 * rows).reshape(rows, 5)
    np.testing.assert_array_equal(compile(gx.sum(x, axis=0))(array), array.sum(axis=0))


def innermost(body: Sequence[ir.Statement]) -> list[ir.Loop]:
    loops = [s for s in body if isinstance(s, ir.Loop)]
    return [x for loop in loops for x in (innermost(loop.body) or [loop])]


def reading(outputs: list[Any]) -> list[ir.Loop]:
    """The innermost loops that read something."""
    kernels = [call.kernel for call in compile(outputs).program.calls]
    return [loop for kernel in kernels for loop in innermost(kernel.body) if any(isinstance(s, ir.Load) for s in loop.body)]


@pytest.mark.parametrize("case", ["sum", "of what rows have of their own", "along rows, less what rows have"])
def test_the_innermost_loop_runs_along_memory(case: str) -> None:
    loops = reading(SUMS[case])
    assert loops
    for loop in loops:
        steps = {c for s in loop.body if isinstance(s, ir.Load) for v, c in s.place.terms if v == loop.variable}
        assert steps == {1}


def test_several_rows_are_read_at_once_and_few_of_a_long_formula() -> None:
    def rows(case: str) -> int:
        longest = max(reading(SUMS[case]), key=lambda loop: len(loop.body))
        return sum(isinstance(s, ir.Accumulate) for s in longest.body)

    assert rows("sum") == 8
    assert rows("a long formula") <= 2


def test_rows_that_ids_choose_are_read_one_by_one() -> None:
    ids, table = gx.tensor("ids", ("n",), dtype="int"), gx.tensor("table", (3, 6))
    f = compile(gx.sum(gx.take(table, ids), axis=0))
    np.testing.assert_allclose(f(*[{ids: [0, 2, 2], table: np.arange(18.0).reshape(3, 6)}[t] for t in f.inputs]), [24, 27, 30, 33, 36, 39])
    with pytest.raises(gx.DataError, match="out of range"):
        f(*[{ids: [0, 7, 9], table: np.ones((3, 6))}[t] for t in f.inputs])
