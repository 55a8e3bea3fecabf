"""Tables whose axes are exchanged: squares in registers, parts of squares, narrow tables, in one kernel with others and by several threads."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.codegen.exchanges import exchanges
from graphc.lower import ir
from graphc.runtime import compile

SIDES = (1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 24, 31, 33, 64, 67)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_size(dtype: str) -> None:
    x = gx.tensor("x", ("n", "m", "k"))
    f = compile(gx.transpose(x, (0, 2, 1)), dtype=dtype)
    assert "turned(" in f.source
    for m, k in itertools.product(SIDES, SIDES):
        array = np.arange(3.0 * m * k).reshape(3, m, k)
        np.testing.assert_array_equal(f(array), array.transpose(0, 2, 1), err_msg=f"{m} x {k}")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rows_are_shared_among_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(threads))
    x = gx.tensor("x", (517, 1030))
    array = np.random.default_rng(1).normal(size=(517, 1030)).astype("float32")
    f = compile(gx.transpose(x))
    assert "low, high" in next(line for line in f.source.splitlines() if "turned(" in line)
    np.testing.assert_array_equal(f(array), array.T)


def test_several_tables_and_whole_numbers() -> None:
    x, y = gx.tensor("x", (40, 30), dtype="int"), gx.tensor("y", (4, 40, 30))
    f = compile([gx.transpose(x), gx.transpose(y, (0, 2, 1)), gx.transpose(y, (2, 0, 1))])
    a, b = np.arange(1200).reshape(40, 30) - 600, np.random.default_rng(2).normal(size=(4, 40, 30)).astype("float32")
    for got, want in zip(f(a, b), (a.T, b.transpose(0, 2, 1), b.transpose(2, 0, 1)), strict=True):
        np.testing.assert_array_equal(got, want)


def nest(*body: ir.Statement) -> ir.Loop:
    return ir.Loop(1, ir.Param(0), (ir.Loop(2, ir.Param(1), body),))


def place(*terms: tuple[int, Any], offset: int = 0) -> ir.Place:
    return ir.Place(terms, offset)


ACROSS, ALONG = place((0, ir.Param(2)), (1, 1), (2, ir.Param(0))), place((0, ir.Param(2)), (1, ir.Param(1)), (2, 1))
READ, WRITE = ir.Load(0, 0, ACROSS, "float"), ir.Store(1, ALONG, 0)
OTHERS = {
    "a plain copy": nest(ir.Load(0, 0, ALONG, "float"), WRITE),
    "one column": nest(ir.Load(0, 0, place((1, 1)), "float"), WRITE),
    "a function": nest(READ, ir.Compute(1, "exp", (0,), "float"), ir.Store(1, ALONG, 1)),
    "a part beside it": ir.Loop(1, ir.Param(0), (READ, ir.Loop(2, ir.Param(1), (WRITE,)))),
    "places by ids": nest(ir.Load(0, 0, place((-8, 1), (1, 1), (2, ir.Param(0))), "float"), WRITE),
    "onto itself": nest(READ, ir.Store(0, ALONG, 0)),
    "every other row": nest(ir.Load(0, 0, place((1, ir.Param(1)), (2, ir.Param(0))), "float"), WRITE),
    "another kind": nest(READ, ir.Store(2, ALONG, 0)),
}


def test_an_exchange_is_recognised() -> None:
    (found,) = exchanges(nest(READ, WRITE), ("float", "float", "int"))
    assert (found.target, found.at, found.step) == (1, place((0, ir.Param(2))), ir.Param(1))
    assert (found.source, found.start, found.pitch) == (0, place((0, ir.Param(2))), ir.Param(0))


@pytest.mark.parametrize("case", OTHERS)
def test_anything_else_is_none(case: str) -> None:
    assert exchanges(OTHERS[case], ("float", "float", "int")) == []
