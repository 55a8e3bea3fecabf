"""Short innermost loops take part of a vector: which ones do, and that the numbers are the evaluator's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import ir
from graphc.runtime import compile

TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


def programs(columns: int) -> tuple[list[Any], list[Any]]:
    x, row, column = gx.tensor("x", ("n", columns)), gx.tensor("row", ("n",)), gx.tensor("column", (columns,))
    by_rows = gx.reshape(row, ("n", 1))
    made = [
        gx.exp(x - by_rows), gx.maximum(x + column, 0.0), gx.sum(gx.exp(x * by_rows), axis=1), gx.sum(gx.sin(x) * by_rows, axis=0),
        gx.softmax(x), gx.log_softmax(x), gx.where(x > by_rows, x, column), gx.max(gx.tanh(x), axis=1), gx.pad(x, 2),
    ]  # fmt: skip
    return made, [x, row, column]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 2, 3, 6, 7, 8, 9, 10, 15, 16, 17, 30, 33, 100, 127])
def test_the_numbers_are_the_evaluators(columns: int, dtype: str) -> None:
    outputs, inputs = programs(columns)
    f, rng = compile(outputs, inputs, dtype=dtype), np.random.default_rng(columns)
    for rows in (1, 2, 37):
        feed = dict(zip(inputs, (rng.normal(size=s) for s in ((rows, columns), rows, columns)), strict=True))
        for got, want in zip(f(*feed.values()), gx.evaluate(outputs, feed, dtype=dtype), strict=True):
            np.testing.assert_allclose(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * rows)


def loops(body: Sequence[ir.Statement]) -> list[ir.Loop]:
    return [x for s in body if isinstance(s, ir.Loop) for x in (s, *loops(s.body))]


def short(output: Any) -> list[bool]:
    """Of each loop, whether it is marked."""
    return [loop.short for call in compile(output).program.calls for loop in loops(call.kernel.body)]


def rows(columns: int | str, function: Any) -> Any:
    return function(gx.tensor("x", ("n", columns)), gx.reshape(gx.tensor("row", ("n",)), ("n", 1)))


@pytest.mark.parametrize(
    ("columns", "function", "marked"),
    [
        (10, lambda x, r: gx.exp(x - r), True),
        (30, lambda x, r: gx.exp(x - r), True),
        (32, lambda x, r: gx.exp(x - r), False),
        (4, lambda x, r: gx.exp(x - r), False),
        (17, lambda x, r: gx.exp(x - r), False),
        (24, lambda x, r: gx.exp(x - r), True),
        (130, lambda x, r: gx.exp(x - r), False),
        (10, lambda x, r: x - r, True),
        (30, lambda x, r: x - r, False),
        ("m", lambda x, r: gx.exp(x - r), False),
        (10, lambda x, r: gx.sum(x * r, axis=1), False),
        (10, lambda x, r: gx.sum(gx.exp(x * r), axis=1), True),
        (10, lambda x, r: gx.exp(x), False),
    ],
)
def test_which_loops_do(columns: int | str, function: Any, marked: bool) -> None:
    found = short(rows(columns, function))
    assert any(found) == marked
    assert sum(found) <= 1


def test_the_source_says_so() -> None:
    assert "in partial(" in compile(rows(10, lambda x, r: x - r)).source
