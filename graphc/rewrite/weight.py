"""How much a scalar formula costs, in operations: what is worth computing once, or keeping."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr import scalar
from graphc.rewrite.walk import subformulas

__all__ = ["HEAVY", "is_dear", "weight"]

HEAVY = (
    sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.tan, sympy.tanh, sympy.sinh, sympy.cosh, sympy.atan, sympy.erf,
    scalar.Sigmoid, scalar.Softplus, scalar.Log1p, scalar.Expm1, scalar.Power, scalar.RootOfSquares,
)  # fmt: skip
_HEAVY, _DIVISION = 20, 4


def weight(body: Any) -> int:
    """How much a body costs, in operations; a function of :data:`HEAVY` counts as 20, a division as 4."""
    return sum(_price(part) for part in subformulas(body))


def is_dear(body: Any) -> bool:
    """Whether a body has more than sums, products and choices: a division at least."""
    return any(isinstance(part, sympy.Pow | sympy.Function) and _price(part) >= _DIVISION for part in subformulas(body))


def _price(part: Any) -> int:
    """What a formula's last operation costs."""
    if isinstance(part, HEAVY):
        return _HEAVY
    if isinstance(part, sympy.Pow):
        return _HEAVY if not part.exp.is_Integer else 2 if part.exp > 0 else _DIVISION
    if isinstance(part, sympy.Add | sympy.Mul):
        return sum(a is not sympy.S.NegativeOne for a in part.args) - 1  # what is negated is subtracted
    return len(part.args)
