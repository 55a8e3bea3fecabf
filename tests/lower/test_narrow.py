"""Reductions across rows of few entries: a running result for each column in one loop, with the evaluator's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import ir
from graphc.lower.verify import verify_kernel
from graphc.runtime import compile

TOLERANCE = {"float32": 3e-5, "float64": 1e-12}


def programs(columns: int) -> tuple[list[Any], list[Any]]:
    x, row, column = gx.tensor("x", (3, "n", columns)), gx.tensor("row", (3, "n")), gx.tensor("column", (columns,))
    by_rows = gx.reshape(row, (3, "n", 1))
    made = [
        gx.sum(x, axis=1), gx.sum(x, axis=(0, 1)), gx.max(x * column, axis=1), gx.min(x - by_rows, axis=1), gx.prod(1 + 0.1 * x, axis=1),
        gx.sum((x - by_rows) / (2 + by_rows * by_rows) * x, axis=(0, 1)), gx.sum(x > by_rows, axis=1), gx.sum(gx.pad(x, 1), axis=1),
    ]  # fmt: skip
    return made, [x, row, column]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", range(1, 11))
def test_the_numbers_are_the_evaluators(columns: int, dtype: str) -> None:
    outputs, inputs = programs(columns)
    f, rng = compile(outputs, inputs, dtype=dtype), np.random.default_rng(columns)
    assert [problem for c in f.program.calls for problem in verify_kernel(c.kernel)] == []
    for rows in (1, 2, 15, 16, 17, 67):
        feed = dict(zip(inputs, (rng.normal(size=s) for s in ((3, rows, columns), (3, rows), columns)), strict=True))
        for got, want in zip(f(*feed.values()), gx.evaluate(outputs, feed, dtype=dtype), strict=True):
            np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * rows)


def test_nan_and_no_rows_at_all() -> None:
    x = gx.tensor("x", ("n", 3))
    f = compile([gx.sum(x, axis=0), gx.max(x, axis=0)])
    np.testing.assert_array_equal(f([[1, 2, 3], [np.nan, -1, np.inf]]), [[np.nan, 1, np.inf], [np.nan, 2, np.inf]])
    np.testing.assert_array_equal(compile(gx.sum(x, axis=0))(np.zeros((0, 3))), np.zeros(3))


def deepest(body: Sequence[ir.Statement], depth: int = 0) -> int:
    return max((deepest(s.body, depth + 1) for s in body if isinstance(s, ir.Loop)), default=depth)


@pytest.mark.parametrize(("columns", "depth"), [(2, 1), (6, 1), (8, 1), (9, 2), (64, 2), ("m", 2)])
def test_few_columns_need_no_loop_of_their_own(columns: int | str, depth: int) -> None:
    (call,) = compile(gx.sum(gx.tensor("x", ("n", columns)), axis=0)).program.calls
    assert deepest(call.kernel.body) == depth


def test_rows_that_are_apart_or_a_long_formula_keep_it() -> None:
    x = gx.tensor("x", ("n", 6))
    apart = compile(gx.sum(gx.tensor("y", ("n", 4, 6)), axis=0)).program.calls
    long = compile(gx.sum(gx.tanh(x) * gx.sin(x) + gx.exp(x * x) / (1 + x * x) - gx.cos(3 * x + 1) * gx.erf(x) + gx.log(2 + x * x), axis=0))
    assert deepest(apart[0].kernel.body) == 2
    assert max(deepest(c.kernel.body) for c in long.program.calls) == 2
