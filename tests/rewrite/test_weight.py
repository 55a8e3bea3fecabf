"""What a formula costs: one table decides what is stored, what is shared, and what recurrences keep."""

from __future__ import annotations

from typing import Any

import pytest
import sympy

from graphc.expr import scalar
from graphc.lower import scalars
from graphc.rewrite.weight import HEAVY, is_dear, weight

A, B, C, D, E = sympy.symbols("a b c d e", real=True)

BODIES: dict[str, tuple[Any, int, bool]] = {
    "read": (A, 0, False),
    "difference": (A - B, 1, False),
    "long sum": (A + B + C + D + E, 4, False),
    "product": (A * B, 1, False),
    "square": (A**2, 2, False),
    "choice": (scalar.Select(A > B, A, B), 5, False),
    "extremes": (scalar.Maximum(A, scalar.Minimum(B, C)), 4, False),
    "negative": (scalar.Absolute(A) + scalar.Sign(B) + scalar.Floor(C), 5, False),
    "reciprocal": (1 / A, 4, True),
    "quotient": (A / B, 5, True),
    "root": (sympy.sqrt(A), 20, True),
    "root of squares": (scalar.RootOfSquares(A), 20, True),
    "power": (scalar.Power(A, B), 20, True),
    "tangent, used twice": (sympy.tanh(A) + sympy.tanh(A) ** 2, 23, True),
    "choice of a function": (scalar.Select(A > B, sympy.tanh(A), B), 25, True),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_formulas_weight(name: str) -> None:
    body, operations, dear = BODIES[name]
    assert (weight(body), is_dear(body)) == (operations, dear)


def test_every_function_of_mathematics_is_heavy() -> None:
    assert {*scalars._FLOAT, scalar.Power} == set(HEAVY)
