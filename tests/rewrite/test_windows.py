"""Padding, layouts and borders: the same values, and no question left in the middle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.places import disjoint, written
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Tensor
from graphc.expr.verify import verify
from graphc.reference.evaluate import evaluate_all
from graphc.rewrite.borders import split_borders
from graphc.rewrite.layouts import lay_out_products
from graphc.rewrite.padding import pad_windows
from graphc.rewrite.products import contraction
from graphc.runtime import compile

Pass = Callable[[Sequence[Tensor]], list[Tensor]]
DOUBLE = np.dtype("float64")
SIZES = {"n": 3, "m": 70}


def stages(outputs: Sequence[Tensor]) -> list[Stage]:
    return [n.op for n in topological(outputs) if isinstance(n.op, Stage)]


def rewritten(change: Pass, outputs: Sequence[Tensor], *, compiled: bool = False) -> list[Tensor]:
    """The outputs after a pass, which left every value as it was."""
    before = drop_aliases(list(outputs))
    after = change(before)
    verify(after)
    rng = np.random.default_rng(0)
    feeds = {
        t: rng.normal(size=tuple(e if isinstance(e, int) else e.evaluate(SIZES) for e in t.shape))
        for t in gx.leaves(before).values() if t.kind == "input"
    }  # fmt: skip
    want, got = (evaluate_all(list(o), feeds, DOUBLE, 0, 0, list) for o in (before, after))
    for a, b in zip(got, want, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    if compiled:
        for a, b in zip(compile(list(outputs), inputs=list(feeds), dtype="float64")(*feeds.values()), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    return after


# Padding -------------------------------------------------------------------------------------------------------------

x, k = gx.tensor("x", ("n", 9, 8, 4)), gx.tensor("k", (3, 3, 4, 5))
same = gx.nn.conv2d(x, k, padding="same")
g = gx.tensor("g", same.shape)
s, w = gx.tensor("s", ("n", "m", 4)), gx.tensor("w", (3, 4, 4))
along = gx.nn.conv1d(s, w, padding="same")

PADDED: dict[str, list[Tensor]] = {
    "a convolution": [same],
    "its gradients": [gx.vjp(same, x, g), gx.vjp(same, k, g)],
    "a length that has a name": [along, gx.vjp(along, s, gx.tensor("g", along.shape))],
    "a pool of the largest": [gx.nn.max_pool2d(x, 3, strides=1, padding="same")],
    "its gradient": [gx.vjp(gx.nn.max_pool2d(x, 3, strides=1, padding=1), x, gx.tensor("g", x.shape))],
    "a pool of means": [gx.nn.avg_pool2d(x, 3, strides=1, padding="same")],
    "after a formula": [gx.nn.conv2d(gx.relu(x), k, padding="same")],
}


@pytest.mark.parametrize("name", PADDED)
def test_windows_read_their_padding_from_memory(name: str) -> None:
    after = rewritten(pad_windows, PADDED[name], compiled=True)
    assert not any(r.outside is not None for op in stages(after) if op.reducer is not None and op.free is not None for r in op.reads)


def test_padded_convolutions_are_contractions_with_one_copy() -> None:
    after = rewritten(pad_windows, [same, gx.vjp(same, k, g)])
    assert all(contraction(t) is not None for t in after)
    copies = [op for op in stages(after) if op.free is None]
    assert len(copies) == 1


def test_what_is_read_once_is_not_copied() -> None:
    once = gx.pad(x, 1)
    assert stages(rewritten(pad_windows, [once])) == stages([once])
    # A filter that is hardly longer than a point: the copy would cost as much as the question.
    few = gx.nn.conv1d(gx.tensor("z", (1, 1, 1)), gx.tensor("f", (3, 1, 1)), padding="same")
    assert len(stages(rewritten(pad_windows, [few]))) == 1


# Layouts -------------------------------------------------------------------------------------------------------------


def test_the_filter_is_turned_once() -> None:
    # Channels that each have a kernel's width: one copy of the filter, and both sums over taps run on into the channels.
    before = pad_windows(drop_aliases([gx.vjp(same, x, g)]))
    (after,) = rewritten(lay_out_products, before, compiled=True)
    found = contraction(after)
    assert found is not None
    assert isinstance(after.op, Stage)
    right = after.op.reads[found.right]
    assert right.coords[-1].bare == found.n
    assert all(p.coefficient(v) >= 0 for r in after.op.reads for p in r.coords for v in p.variables)  # type: ignore[operator]
    copy = after.inputs[right.operand]
    assert math.prod(copy.shape) == 3 * 3 * 4 * 5  # type: ignore[arg-type]


def test_a_product_of_matrices_is_left_alone() -> None:
    a, b = gx.tensor("a", ("n", 30)), gx.tensor("b", (20, 30))
    assert lay_out_products([y := a @ b.T])[0] is y


# Borders -------------------------------------------------------------------------------------------------------------

a, b = gx.tensor("a", (40, 30)), gx.tensor("b", (40, 50))
v = gx.tensor("v", (3000,))
i, u = gx.indices("i u")

CUT: dict[str, tuple[list[Tensor], int]] = {
    "joined": ([gx.concatenate([a, b], axis=1)], 2),
    "joined along the first axis": ([gx.concatenate([a, a * 2, gx.exp(a)])], 3),
    "padded": ([gx.pad(x[0], ((0, 0), (1, 2), (40, 40)))], 1),
    "padded with a number": ([gx.pad(gx.tensor("y", (60, 60)), 1, constant_values=2.5)], 9),
    "padded with infinity": ([gx.pad(gx.tensor("y", (60, 60)), ((0, 0), (1, 1)), constant_values=-math.inf)], 3),
    "shifted": ([gx.define("d", (i,), v[i - 1] - 2 * v[i] + v[i + 1], outside=0, extents={i: 3000})], 3),
    "a sum over an edge": ([gx.define("d", (i,), gx.Sum(gx.exp(v[i + u - 2]), u), outside=0, extents={i: 3000, u: 5})], 3),
    "a choice by place": ([gx.define("d", (i,), sympy.Piecewise((v[i], sympy.Lt(i, 1000)), (v[i] ** 2, True)))], 2),
    "backwards": ([gx.define("d", (i,), v[2000 - i], outside=0, extents={i: 3000})], 1),
}


@pytest.mark.parametrize("name", CUT)
def test_guarded_stages_fall_apart(name: str) -> None:
    outputs, boxes = CUT[name]
    after = rewritten(split_borders, outputs, compiled=True)
    parts = [op for op in stages(after) if op.free is None]
    assert len(parts) == boxes
    assert disjoint(parts)
    assert all(written(op) is not None for op in parts)
    largest = max(parts, key=lambda op: math.prod(op.extents))  # type: ignore[arg-type]
    assert all(r.outside is None for r in largest.reads)
    assert not largest.body.has(Select)


@pytest.mark.parametrize(
    "outputs", [[gx.concatenate([a[:2, :2], b[:2]], axis=1)], [gx.concatenate([s, s], axis=1)], [gx.max(v)]], ids=["small", "named", "plain"]
)
def test_what_is_small_or_has_a_name_is_not_cut(outputs: list[Tensor]) -> None:
    before = drop_aliases(outputs)
    assert split_borders(before) == before


whole = st.integers


@given(
    st.lists(st.tuples(st.sampled_from([-2, -1, 1, 2]), whole(-60, 120), st.sampled_from([-1, 0, 1])), min_size=1, max_size=3),
    whole(1, 3), whole(60, 90), st.booleans(), st.sampled_from([0.0, 1.0, -2.5]),
)  # fmt: skip
@settings(max_examples=120)
def test_any_reads_over_an_edge(reads: list[tuple[int, int, int]], taps: int, size: int, choice: bool, outside: float) -> None:
    t = gx.tensor("t", (size, 41))
    row, column, tap = (Affine.variable(n) for n in range(3))
    places = [(t, (row.scaled(step) + tap.scaled(gap) + first, column), outside) for step, first, gap in reads]
    body = sum((read_symbol(n) * (n + 2) for n in range(len(reads))), sympy.Integer(0))
    if choice:
        inside = sympy.And(sympy.Ge(index_symbol(0) - index_symbol(2), 7), sympy.Lt(2 * index_symbol(0), 70))
        body = Select(inside, body, sympy.Integer(0))
    y = stage([size, 41, taps], places, body, outputs=2, reducer="sum")
    after = rewritten(split_borders, [y])
    parts = [op for op in stages(after) if op.free is None]
    assert disjoint(parts)
