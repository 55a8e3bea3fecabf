"""Strided scatters as gathers by residue class: the same values, no place written twice, no more steps than it pays for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.places import cover, disjoint, written
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Tensor
from graphc.expr.verify import verify
from graphc.reference.evaluate import evaluate_all
from graphc.rewrite.residues import split_residues
from graphc.runtime import compile

DOUBLE = np.dtype("float64")


@dataclass(frozen=True)
class Axis:
    """The places ``step*o + gap*u + first`` for ``o < steps`` and ``u < taps``, on an axis of ``size``."""

    step: int
    steps: int
    gap: int
    taps: int
    first: int
    size: int

    @property
    def place(self) -> tuple[int, int]:
        ends = [self.first + self.step * o + self.gap * u for o in (0, self.steps - 1) for u in (0, self.taps - 1)]
        return min(ends), max(ends)

    @property
    def inside(self) -> bool:
        return self.steps == 0 or self.taps == 0 or (self.place[0] >= 0 and self.place[1] < self.size)


def scatter(axes: Sequence[Axis], body: str = "product") -> tuple[list[Tensor], Tensor]:
    """``Y[place] += G[o] * K[u]`` over one axis or two, or the choice of one tap, as the gradient of a maximum has it."""
    count = len(axes)
    g, k = gx.tensor("g", tuple(a.steps for a in axes)), gx.tensor("k", tuple(a.taps for a in axes))
    o, u = [Affine.variable(n) for n in range(count)], [Affine.variable(count + n) for n in range(count)]
    write = [o[n].scaled(a.step) + u[n].scaled(a.gap) + a.first for n, a in enumerate(axes)]
    chosen = sympy.Eq(sum((index_symbol(count + n) for n in range(count)), sympy.Integer(0)), 1)
    x, w = read_symbol(0), read_symbol(1)
    bodies: dict[str, Any] = {"product": x * w, "choice": Select(chosen, x * w, sympy.Integer(0)), "sum": x + w * index_symbol(0)}
    y = stage(
        [a.steps for a in axes] + [a.taps for a in axes], [(g, tuple(o)), (k, tuple(u))], bodies[body], write=write,
        shape=[a.size for a in axes], reducer="sum", guarded=not all(a.inside for a in axes),
    )  # fmt: skip
    return [g, k], y


def stages(outputs: Sequence[Tensor]) -> list[Stage]:
    return [n.op for n in topological(outputs) if isinstance(n.op, Stage)]


def check(inputs: list[Tensor], y: Tensor, *, compiled: bool = False) -> Tensor:
    """The value stays, and what is left of scatters never meets a place twice. Returns what it became."""
    (after,) = split_residues([y])
    verify([after])
    rng = np.random.default_rng(0)
    feeds = {t: rng.normal(size=t.shape) for t in inputs}
    want, got = (evaluate_all([t], feeds, DOUBLE, 0, 0, list)[0] for t in (y, after))
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)
    if after is not y:
        parts = [op for op in stages([after]) if op.free is None]
        assert all(written(op) is not None for op in parts)
        assert disjoint(parts)
        assert sum(math.prod(op.extents) for op in parts) <= 2 * math.prod(y.op.extents)  # type: ignore[union-attr]
    if compiled:
        np.testing.assert_allclose(compile(y, dtype="float64")(*feeds.values()), want, rtol=1e-12, atol=1e-12)
    return after


whole = st.integers
AXES = st.builds(
    Axis, st.sampled_from([-3, -2, -1, 1, 2, 3, 4, 6]), whole(0, 7), st.sampled_from([-2, -1, 1, 2, 3, 4]), whole(0, 5), whole(-6, 12), whole(0, 24)
)


@given(st.lists(AXES, min_size=1, max_size=2), st.sampled_from(["product", "choice", "sum"]))
@settings(max_examples=300)
def test_any_strided_scatter(axes: list[Axis], body: str) -> None:
    check(*scatter(axes, body))


HURTFUL = {
    "exact": [Axis(2, 5, 1, 3, 0, 11)],
    "a rest": [Axis(2, 5, 1, 3, 0, 14)],
    "a stride longer than the taps": [Axis(4, 4, 1, 2, 0, 16)],
    "one tap": [Axis(3, 4, 1, 1, 0, 12)],
    "as many taps as the stride": [Axis(3, 4, 1, 3, 0, 12)],
    "taps a multiple of the stride": [Axis(2, 4, 1, 4, -1, 8)],
    "dilation and stride share a factor": [Axis(2, 5, 2, 3, 0, 13)],
    "dilation and stride have a part in common": [Axis(4, 5, 6, 3, 0, 29)],
    "dilation and stride share none": [Axis(3, 5, 2, 4, -2, 17)],
    "backwards": [Axis(-2, 5, 1, 3, 8, 11)],
    "taps backwards": [Axis(2, 5, -1, 3, 2, 11)],
    "everything outside": [Axis(2, 3, 1, 2, 30, 12)],
    "an empty result": [Axis(2, 3, 1, 2, 0, 0)],
    "no steps": [Axis(2, 0, 1, 3, 0, 4)],
    "one step": [Axis(2, 1, 1, 5, -2, 2)],
    "one of everything": [Axis(2, 1, 1, 1, 0, 1)],
    "two axes": [Axis(2, 3, 1, 3, -1, 6), Axis(3, 3, 1, 2, 0, 9)],
    "one axis with a stride": [Axis(2, 3, 1, 3, -1, 6), Axis(1, 4, 1, 3, -1, 4)],
}


@pytest.mark.parametrize("body", ["product", "choice"])
@pytest.mark.parametrize("name", HURTFUL)
def test_hurtful_shapes(name: str, body: str) -> None:
    check(*scatter(HURTFUL[name], body), compiled=True)


def test_classes_with_equal_taps_share_a_stage() -> None:
    # 12 taps at a stride of 5: two classes have three taps, three have two.
    after = check(*scatter([Axis(5, 7, 1, 12, 0, 42)]))
    parts = [op for op in stages([after]) if op.free is None]
    assert len(parts) <= 3
    assert sum(math.prod(op.extents[k] for k in written(op) or ()) for op in parts) == 42
    # As many taps as the stride: all classes are one stage, and it fills the result.
    after = check(*scatter([Axis(7, 6, 1, 7, 0, 42)]))
    (part,) = [op for op in stages([after]) if op.free is None]
    assert math.prod(part.extents) == 42
    assert cover([part], (42,))


def test_a_few_values_in_a_long_result_stay_a_scatter() -> None:
    inputs, y = scatter([Axis(2, 3, 1, 2, 0, 4000)])
    after = check(inputs, y)
    assert sum(math.prod(op.extents) for op in stages([after])) <= 4000 + 20
    inputs, y = scatter([Axis(2, 3, 1, 2, 0, 4000), Axis(2, 3, 1, 3, 0, 4000)])
    assert sum(math.prod(op.extents) for op in stages([check(inputs, y)]) if op.free is None) <= 2 * 54


@given(whole(0, 40), st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 2, 3]), st.sampled_from([0, 1, 2]), st.sampled_from([1, 2, 3, 4]))
@settings(max_examples=60)
def test_a_length_that_has_a_name(size: int, stride: int, dilation: int, padding: int, taps: int) -> None:
    reach = (taps - 1) * dilation + 1
    steps = (size + 2 * padding - reach) // stride + 1
    x, k = gx.tensor("x", (1, "n", 2)), gx.tensor("k", (taps, 2, 3))
    y = gx.nn.conv1d(x, k, strides=stride, dilation=dilation, padding=padding)
    g = gx.tensor("g", y.shape)
    (before,) = drop_aliases([gx.vjp(y, x, g)])
    (after,) = split_residues([before])
    verify([after])
    assert all(written(op) is not None for op in stages([after]))
    if steps > 0:
        rng = np.random.default_rng(1)
        feeds = {x: rng.normal(size=(1, size, 2)), k: rng.normal(size=(taps, 2, 3)), g: rng.normal(size=(1, steps, 3))}
        want, got = (evaluate_all([t], feeds, DOUBLE, 0, 0, list)[0] for t in (before, after))
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
