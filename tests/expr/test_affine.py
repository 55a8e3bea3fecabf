"""Affine maps compute what their terms say, and their bounds hold."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from graphc.expr.affine import Affine
from graphc.expr.dims import Dim

maps = st.builds(
    Affine.collect,
    st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), max_size=4),
    st.integers(-5, 5),
)


def at(place: Affine, values: tuple[int, ...]) -> int:
    return sum(values[v] * c for v, c in place.terms) + place.offset


@given(maps, maps, st.tuples(*[st.integers(0, 5)] * 3), st.integers(-3, 3))
def test_arithmetic(a: Affine, b: Affine, values: tuple[int, ...], k: int) -> None:
    assert at(a + b, values) == at(a, values) + at(b, values)
    assert at(a - b, values) == at(a, values) - at(b, values)
    assert at(a.scaled(k), values) == k * at(a, values)
    assert at(a.substitute({1: b}), values) == at(a, (values[0], at(b, values), values[2]))


@given(maps, st.tuples(*[st.integers(1, 3)] * 3))
def test_bounds_are_attained(place: Affine, extents: tuple[int, ...]) -> None:
    seen = [at(place, values) for values in itertools.product(*map(range, extents))]
    assert place.bounds(extents) == (min(seen), max(seen))


def test_bounds_with_names() -> None:
    n = Dim.named("n")
    assert Affine.collect([(0, 2)], 1).bounds([n]) == (1, 2 * n - 1)
    assert Affine.variable(-1).bounds([]) is None


def test_bare() -> None:
    assert Affine.variable(2).bare == 2
    assert Affine.variable(-1).bare is None
    assert (Affine.variable(2) + 1).bare is None
    assert Affine.variable(2).scaled(2).bare is None
