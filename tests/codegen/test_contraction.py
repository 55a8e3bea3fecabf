"""The kernel of sums of products against NumPy: shapes chosen to hurt, any strides and levels, every width of vectors."""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.codegen.blocks import Shapes, shapes, vector_bytes
from graphc.codegen.cache import kernel_address
from graphc.codegen.contraction import FIELDS
from graphc.codegen.printer import PLACEHOLDER, contraction_source
from graphc.lower.chunks import MOST_ROWS, PIECE, Chunks

KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
WIDTHS = [w for w in (64, 32, 16, 0) if w <= vector_bytes()]  # of vectors, in bytes; 0: none, the plain path
SCRATCH = np.zeros(2 * PIECE + 8, np.float64)
Level = tuple[int, ...]


@cache
def kernel(dtype: str, width: int, beside: bool) -> Any:
    return KERNEL(kernel_address(contraction_source(dtype, width, beside=beside), PLACEHOLDER))


@dataclass
class Sum:
    """A sum of products by levels: rows (extent, A, C), sums (extent, A, B), outer (extent, C, A, B)."""

    rows: list[Level]
    sums: list[Level]
    n: int
    bn: int = 1
    starts: str = ""  # from nothing, from what C is, from one row for all ("row"), or from other rows ("rows")
    outer: list[Level] = field(default_factory=list)
    chunks: tuple[int, int] = (1, 1)
    beside: tuple[int, ...] = ()  # both operands lie along the columns: how many B there are, how far they and their C lie apart
    ends: str = ""  # with 0 for what is not greater ("own"), or where another array is not ("other")

    @property
    def along(self) -> bool:
        """Whether there is one column, and the last of the sums lies along both operands."""
        return self.n == 1 and self.sums[-1][1:] == (1, 1)

    def places(self, levels: list[Level], which: int) -> Any:
        """Where each index tuple lies along one of the strides."""
        found = np.zeros(1, np.int64)
        for level in levels:
            found = (found[:, None] + np.arange(level[0]) * level[which]).ravel()
        return found

    def check(self, dtype: str, width: int, workers: int = 1, *, beside: bool = False) -> None:
        """Run the kernel and compare all of C, and what lies around it; ``beside``: the kernel for operands beside each other, if need be or not."""
        j = np.arange(self.n)
        others, b_other, c_other = self.beside or (1, 0, 0)
        w = np.arange(others)[:, None]
        none = np.zeros(1, np.int64)
        parts = {
            "c": [self.places(self.outer, 1), self.places(self.rows, 2), w * c_other, j],
            "a": [self.places(self.outer, 2), self.places(self.rows, 1), self.places(self.sums, 1), j if self.beside else none],
            "b": [self.places(self.outer, 3), self.places(self.sums, 2), w * b_other, j * self.bn],
        }
        far = {"row": 0, "rows": 1}.get(self.starts, 0)  # D's rows lie one or no place apart
        alone = [(e, c, a, b, (0 if far == 0 else 7)) for e, c, a, b in self.outer]
        outer = alone if far or self.starts == "row" else [(e, c, a, b, c) for e, c, a, b in self.outer]
        first = [(e, 1 + 2 * k, 0) for k, (e, *_) in enumerate(self.rows)] if far else [(e, 0, 0) for e, *_ in self.rows]
        d_other = 5 if far or self.starts == "row" else c_other
        parts["d"] = [self.places(outer, 4), self.places(first, 1), w * d_other, j]
        rng = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        starts: dict[str, int] = {}
        for name, groups in parts.items():
            low = sum(min(int(g.min(initial=0)), 0) for g in groups)
            high = sum(max(int(g.max(initial=0)), 0) for g in groups)
            starts[name] = 3 - low
            arrays[name] = rng.normal(size=high - low + 9).astype(dtype)
        wanted = arrays["c"].astype(np.float64)
        if self.starts == "c":
            arrays["d"], starts["d"], parts["d"], first = arrays["c"], starts["c"], parts["c"], [(e, c, 0) for e, _, c in self.rows]
            d_other = c_other
        given = arrays["d"].astype(np.float64)
        cut = np.where(rng.random(arrays["c"].shape) < 0.1, np.nan, rng.normal(size=arrays["c"].shape)).astype(dtype)  # nobody cuts off at NaN
        pairs = zip(*(parts[name][0] for name in "cabd"), strict=True)
        for c, a, b, d in pairs:
            left = arrays["a"].astype(np.float64)[starts["a"] + a + parts["a"][1][:, None, None] + parts["a"][2][:, None] + parts["a"][3]]
            right = arrays["b"].astype(np.float64)[starts["b"] + b + parts["b"][1][:, None, None] + parts["b"][2] + parts["b"][3]]
            at = starts["c"] + c + parts["c"][1][:, None, None] + parts["c"][2] + j
            start = given[starts["d"] + d + parts["d"][1][:, None, None] + parts["d"][2] + j] if self.starts else 0
            along = (left[:, :, None] * right).sum(1) if self.beside else np.tensordot(left[..., 0], right, 1)
            total = along + start
            chosen = {"own": total, "other": cut.astype(np.float64)[at]}.get(self.ends)
            wanted[at] = total if chosen is None else np.where(chosen <= 0, 0, total)
        m, k, products = len(parts["c"][1]), len(parts["a"][2]), len(parts["c"][0])
        words = {
            "c": arrays["c"].ctypes.data, "a": arrays["a"].ctypes.data, "b": arrays["b"].ctypes.data, "d": arrays["d"].ctypes.data,
            "e": arrays["c"].ctypes.data if self.ends != "other" else cut.ctypes.data,
            "scratch": SCRATCH.ctypes.data,
            "c_at": starts["c"], "a_at": starts["a"], "b_at": starts["b"], "d_at": starts["d"], "m": m, "n": self.n, "k": k, "bn": self.bn,
            "an": int(bool(self.beside) and not self.along), "others": others, "b_other": b_other, "c_other": c_other, "d_other": d_other,
            "starts": int(bool(self.starts)), "ends": ("", "own", "other").index(self.ends),
            "row_chunks": max(self.chunks[0], -(-m // MOST_ROWS)), "column_chunks": self.chunks[1], "row_levels": len(self.rows),
            "sum_levels": len(self.sums), "outer_levels": len(self.outer), "piece": PIECE,
        }  # fmt: skip
        levels = [x for level in (*self.rows, *self.sums, *outer, *first) for x in level]
        row = np.array([0, *(words[name] for name in FIELDS), *levels], np.int64)
        SCRATCH[:] = np.nan
        count = words["row_chunks"] * words["column_chunks"] * products
        run = kernel(dtype, width, beside or bool(self.beside))
        cuts = [count * w // workers for w in range(workers + 1)]
        for worker in reversed(range(workers)):
            run(row.ctypes.data, cuts[worker], cuts[worker + 1], worker)
        assert workers > 1 or np.isnan(SCRATCH[PIECE:]).all()  # nobody writes beyond a thread's own piece
        tolerance = (2e-6 if dtype == "float32" else 4e-15) * (k + 4)
        np.testing.assert_allclose(arrays["c"], wanted, rtol=tolerance, atol=tolerance)


def matrices(m: int, n: int, k: int, *, left: bool = False, right: bool = False, **more: Any) -> Sum:
    """A product of two matrices, either of which may lie across."""
    return Sum([(m, 1 if left else k, n)], [(k, m if left else 1, 1 if right else n)], n, k if right else 1, **more)


def convolution(b: int, size: int, f: int, inputs: int, outputs: int) -> dict[str, Sum]:
    """A convolution of padded images, and its gradient by the filter."""
    wide = size + f - 1
    places = [(b, wide * wide * inputs, size * size * outputs), (size, wide * inputs, size * outputs), (size, inputs, outputs)]
    taps = [(f, wide * inputs, f * inputs * outputs), (f, inputs, inputs * outputs), (inputs, 1, outputs)]
    return {"forward": Sum(places, taps, outputs), "by filter": Sum(taps, places, outputs)}


CASES: dict[str, Sum] = {
    "1 x 1 x 1": matrices(1, 1, 1),
    "nothing is summed": matrices(3, 5, 0),
    "nothing is summed, and added": matrices(3, 5, 0, starts="c"),
    "no rows": matrices(0, 5, 4),
    "no columns": matrices(5, 0, 4),
    "a column": matrices(37, 1, 41),
    "a row": matrices(1, 37, 41),
    "primes": matrices(31, 37, 41),
    "one over a block": matrices(15, 33, 17),
    "just a chunk": matrices(128, 64, 64),
    "one over a chunk": matrices(129, 65, 65),
    "two slices of the sum": matrices(20, 40, 769),
    "two slices, added": matrices(20, 40, 769, starts="c"),
    "from a row": matrices(70, 33, 41, starts="row"),
    "two slices, from a row": matrices(300, 40, 769, starts="row", chunks=(3, 2)),
    "products around, from a row": Sum([(9, 8, 17)], [(8, 1, 17)], 17, outer=[(3, 500, 200, 400)], starts="row"),
    "levels of rows, from rows": Sum([(3, 300, 1000), (2, 100, 500), (5, 7, 40)], [(3, 50, 290), (4, 1, 17)], 17, starts="rows"),
    "products around, from rows": Sum([(9, 8, 17)], [(8, 1, 17)], 17, outer=[(3, 500, 200, 400), (2, 200, 80, 0)], starts="rows"),
    "many stripes, so that the left is copied": matrices(61, 300, 100),
    "rows half a page apart": matrices(50, 70, 512),
    "the same, across": matrices(50, 70, 512, right=True),
    "left across": matrices(61, 300, 100, left=True),
    "right across": matrices(19, 45, 70, right=True),
    "both across": matrices(61, 300, 400, left=True, right=True),
    "right across, narrow": matrices(70, 6, 33, right=True),
    "turned squares of no neighbours": Sum([(60, 7, 70)], [(50, 420, 2), (2, 3, 1)], 70, 100),
    "backwards": Sum([(20, -30, -40)], [(30, -1, -40)], 40),
    "columns backwards": Sum([(20, 30, 40)], [(30, 1, 40)], 40, -1),
    "one row for all": Sum([(20, 0, 40)], [(30, 1, 40)], 40),
    "columns apart": Sum([(60, 30, 40)], [(30, 1, 200)], 40, 3),
    "four levels of rows and of sums": Sum(
        [(2, 1000, 3000), (3, 300, 1000), (2, 100, 500), (5, 7, 40)], [(2, 11, 900), (3, 50, 290), (2, 3, 99), (4, 1, 17)], 17
    ),
    "twenty levels": Sum([(1, 5, 5)] * 18 + [(2, 9, 20), (3, 2, 6)], [(1, 1, 1)] * 18 + [(2, 30, 50), (5, 1, 6)], 6),
    "sums that are not even": Sum([(9, 100, 40)], [(3, 20, 500), (5, 1, 40)], 40),
    "products around": Sum([(9, 8, 17)], [(8, 1, 17)], 17, outer=[(3, 500, 200, 400), (2, 200, 80, 0)]),
    "chunks of rows": matrices(300, 20, 30, chunks=(7, 1)),
    "more chunks than rows": matrices(5, 20, 30, chunks=(4, 1)),
    "chunks of columns": matrices(10, 200, 30, chunks=(1, 3)),
    "more chunks than stripes": matrices(10, 40, 30, chunks=(1, 5)),
    "chunks of both, products around": Sum([(40, 8, 100)], [(8, 1, 100)], 100, outer=[(3, 4000, 320, 800)], chunks=(3, 2)),
    "copies that stay": matrices(300, 130, 500, chunks=(3, 2)),
    "copies that stay, in slices, of the left too, added": matrices(260, 400, 800, left=True, starts="c", chunks=(3, 2)),
    "copies that stay, products around, the last rows few": Sum(
        [(150, 90, 200)], [(90, 1, 150)], 140, outer=[(3, 30000, 13500, 13500)], starts="rows", chunks=(2, 3)
    ),
    "copies that stay, rows that are left over": matrices(130, 140, 100, chunks=(2, 2)),
    "ends with what is greater": matrices(130, 75, 100, ends="own", chunks=(2, 2)),
    "ends with what is greater, several slices": matrices(31, 40, 900, ends="own", starts="row"),
    "ends where another is greater": matrices(130, 75, 100, ends="other", chunks=(2, 2)),
    "ends where another is greater, several slices": matrices(31, 17, 900, ends="other", starts="rows"),
    "the most that is ever copied": matrices(256, 300, 3072),
    "too many copies to stay": matrices(120, 700, 900, chunks=(2, 1)),
    "both along the columns": Sum([(20, 41, 41)], [(30, 900, 50)], 41, beside=(1, 0, 0)),
    "both along the columns, two others": Sum([(20, 41, 123)], [(30, 900, 50)], 41, beside=(2, 2000, 41)),
    "both along the columns, five others, slices, from rows": Sum(
        [(3, 31, 700), (5, 7, 90)], [(7, 900, 90), (60, 17, 3)], 16, starts="rows", beside=(5, 2000, 16)
    ),
    "both along the columns, products around, chunks": Sum(
        [(40, 80, 300)], [(8, 4, 90)], 70, outer=[(3, 40000, 320, 800)], starts="c", chunks=(3, 2), beside=(4, 1000, 70)
    ),
    "along the sum": Sum([(20, 41, 5)], [(7, 900, 50), (41, 1, 1)], 1, beside=(5, 2000, 1)),
    "along the sum, fewer than a vector, from rows": Sum(
        [(3, 31, 700), (5, 7, 90)], [(60, 900, 50), (3, 1, 1)], 1, starts="rows", beside=(2, 4000, 3)
    ),
    "along the sum, slices, products around": Sum(
        [(31, 80, 300)], [(50, 1000, 900), (70, 1, 1)], 1, outer=[(3, 40000, 320, 800)], starts="c", chunks=(3, 1), beside=(4, 1000, 70)
    ),
    "along the sum of nothing": Sum([(5, 41, 5)], [(3, 7, 7), (0, 1, 1)], 1, beside=(3, 20, 1)),
    **{f"along a sum of {k}": Sum([(15, 90, 7)], [(k, 1, 1)], 1, beside=(3, 100, 2)) for k in (1, 7, 8, 9, 15, 16, 17, 31, 32, 33)},
    **{f"both along {n} columns": Sum([(29, 40, 40)], [(9, 50, 60)], n, beside=(3, 500, 2000)) for n in (1, 2, 7, 8, 15, 17, 31, 32, 33)},
    **{f"{n} columns": matrices(29, n, 23) for n in range(1, 34)},
    **{f"{m} rows": matrices(m, 20, 9) for m in range(1, 34)},
    **{f"convolution, {name}": case for name, case in convolution(2, 7, 3, 5, 9).items()},
    **{f"convolution of one channel, {name}": case for name, case in convolution(3, 12, 5, 1, 6).items()},
}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_sums_of_products(width: int, dtype: str, beside: bool) -> None:
    for name, case in CASES.items():
        try:
            case.check(dtype, width, beside=beside)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.chunks != (1, 1)])
def test_workers_share_the_chunks(name: str) -> None:
    CASES[name].check("float32", vector_bytes(), workers=2)


SMALL = st.integers(1, 5)
STRIDES = st.integers(-3, 60)


@st.composite
def drawn(draw: Any) -> Sum:
    """Levels of any strides; those of C keep its entries apart."""
    n = draw(st.integers(1, 70))
    rows: list[Level] = []
    step = n
    for extent in draw(st.lists(st.one_of(SMALL, st.integers(1, 40)), min_size=1, max_size=3))[::-1]:
        step += draw(st.integers(0, 3))
        rows.insert(0, (extent, draw(STRIDES), step))
        step *= extent
    sums = [(draw(st.one_of(SMALL, st.integers(1, 60))), draw(STRIDES), draw(STRIDES)) for _ in range(draw(st.integers(1, 3)))]
    outer = [(draw(SMALL), step, draw(STRIDES), draw(STRIDES))] if draw(st.booleans()) else []
    chunks = (draw(SMALL), draw(SMALL))
    starts = draw(st.sampled_from(["", "c"]))
    if step < 5_000 and draw(st.booleans()):
        others = draw(SMALL)
        far = (outer[0][1] * outer[0][0] if outer else step) + n
        if draw(st.booleans()):  # along the sum
            n, sums[-1] = 1, (sums[-1][0], 1, 1)
        return Sum(rows, sums, n, 1, starts, outer, chunks, (others, draw(STRIDES), far))
    ends = draw(st.sampled_from(["", "own", "other"]))
    return Sum(rows, sums, n, draw(st.one_of(st.just(1), STRIDES)), starts, outer, chunks, ends=ends)


@settings(deadline=None)
@given(drawn(), st.sampled_from(["float32", "float64"]), st.sampled_from(WIDTHS), st.booleans())
def test_sums_that_are_drawn(case: Sum, dtype: str, width: int, beside: bool) -> None:
    case.check(dtype, width, beside=beside)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("width", [64, 32, 16, 0])
def test_blocks_fit_the_registers(width: int, bits: int) -> None:
    made: Shapes = shapes(width, bits)
    for vectors, rows in made.rows.items():
        assert max(rows) * vectors + vectors + 1 <= (32 if width == 64 else 16)
        table = made.first(vectors)
        assert all(table[left] in rows for left in range(1, len(table)))
        assert table[max(rows)] == table[-1] == max(rows)


def test_chunks_are_shared_evenly_and_are_no_larger_than_the_tables() -> None:
    for m in range(1, 2000, 7):
        rows = Chunks("rows", m, 64, 64, 1).evaluate({})
        assert rows * MOST_ROWS >= m
        assert rows == 1 or rows % 2 == 0
    assert Chunks("all", 32, 0, 64, 5).evaluate({}) == Chunks("all", 0, 64, 64, 5).evaluate({}) == 0
    assert Chunks("columns", 32, 512, 784, 1).evaluate({}) > 1


@pytest.mark.parametrize("products", [1, 3, 40])
def test_chunks_cover_every_product_and_are_wide_enough(products: int) -> None:
    for m, n, k in itertools.product([1, 159, 161, 1000, 4000], [1, 31, 64, 700, 5000], [0, 1, 64, 3000]):
        rows, columns, count = (Chunks(kind, m, n, k, products).evaluate({}) for kind in ("rows", "columns", "all"))
        assert rows >= 1 and columns >= 1
        assert count == rows * columns * products
        assert columns == 1 or n // columns >= 32
