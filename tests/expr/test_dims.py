"""Dimensions are polynomials in canonical form."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.errors import DeclarationError
from graphc.expr.dims import Dim, as_extent, dim_symbol, evaluate_extent, product, provably_at_least, within

n, m = Dim.named("n"), Dim.named("m")

CANONICAL = [
    (n + 1 - 1, n),
    (n - n, 0),
    (n * 0, 0),
    (2 * n + n, 3 * n),
    (n + m, m + n),
    ((n + 1) * (n - 1), n * n - 1),
    ((4 * n + 2) // 2, 2 * n + 1),
    ((2 * n + 5) // 2, n + 2),
    (-(n - 1), 1 - n),
    (product([n, 2, m]), 2 * (m * n)),
]


@pytest.mark.parametrize(("left", "right"), CANONICAL)
def test_equal_forms_are_equal_objects(left: object, right: object) -> None:
    assert left == right
    assert hash(left) == hash(right)
    assert str(left) == str(right)


def test_different_forms_differ() -> None:
    assert n != m
    assert n != 3
    assert n + 1 != n


@st.composite
def dims(draw: st.DrawFn) -> object:
    extent = draw(st.sampled_from([n, m, n + m, 3, n * m]))
    for _ in range(draw(st.integers(0, 4))):
        other = draw(st.sampled_from([n, m, 2, -1, 5]))
        extent = draw(st.sampled_from([extent + other, extent - other, extent * other, extent // draw(st.integers(1, 4))]))
    return extent


@given(dims(), dims(), st.integers(0, 9), st.integers(0, 9))
def test_arithmetic_is_that_of_the_numbers(a: Dim, b: Dim, size_n: int, size_m: int) -> None:
    sizes = {"n": size_n, "m": size_m}
    x, y = evaluate_extent(a, sizes), evaluate_extent(b, sizes)
    assert evaluate_extent(a + b, sizes) == x + y
    assert evaluate_extent(a - b, sizes) == x - y
    assert evaluate_extent(a * b, sizes) == x * y
    assert evaluate_extent(a // 3, sizes) == x // 3
    if provably_at_least(a, 1):
        assert x >= 1


def test_formulas_take_dimensions() -> None:
    assert n / 2 == dim_symbol(n) / 2
    assert 1 / n == 1 / dim_symbol(n)
    assert sympy.sympify(n) is dim_symbol(Dim.named("n"))
    assert n * 0.5 == dim_symbol(n) * 0.5


@pytest.mark.parametrize("bad", ["", -1, 2.5, None, True, [3]])
def test_what_is_no_extent_is_refused(bad: object) -> None:
    with pytest.raises(DeclarationError):
        as_extent(bad)


def test_a_name_is_no_number() -> None:
    with pytest.raises(DeclarationError, match="known only when arrays arrive"):
        range(n)  # type: ignore[call-overload]


@pytest.mark.parametrize("what", ["in parts", "before", "again", "lanes 1", "pieces 12"])
def test_names_of_the_compilers_own_are_refused(what: str) -> None:
    with pytest.raises(DeclarationError, match="of graphc's own"):
        as_extent(str(within(as_extent("n"), what)))
    assert str(as_extent(f"n {what}")) == f"n {what}"


def test_an_input_of_any_name_has_sizes_of_its_own() -> None:
    x = gx.layers.Input((None, 4), name="image + 1/2")
    assert gx.reshape(x, (-1, 4)).shape[1] == 4
    assert gx.evaluate(gx.reshape(x, (x.shape[0], -1)), {x: np.zeros((2, 3, 4))}).shape == (2, 12)
