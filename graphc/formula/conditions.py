"""Conditions on indices as one writes them: both ends of a range as one, those of a sum apart from its body."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.scalar import Select
from graphc.formula.atoms import Entry, Letter, Reduced, extent_formula, letters_of
from graphc.formula.radix import split_position

__all__ = ["Between", "balanced", "held_apart", "ranges_of", "winner_places"]

ZERO = sympy.Integer(0)
# What an entry that does not count is, by reducer.
_NOTHING: dict[str, Any] = {"sum": ZERO, "max": -sympy.oo, "argmax": -sympy.oo, "min": sympy.oo, "argmin": sympy.oo}


def held_apart(expr: Reduced) -> tuple[list[Any], Any]:
    """The conditions under which a reduction's body counts, and the body there."""
    nothing = _NOTHING.get(expr.reducer)
    factors = list(sympy.Mul.make_args(expr.body)) if expr.reducer == "sum" else [expr.body]
    held = [f for f in factors if isinstance(f, Select) and f.args[2] == nothing and letters_of(f.args[0]) & set(expr.bound)]
    if not held:
        return [], expr.body
    inside: list[Any] = [f.args[1] for f in held]
    rest = [f for f in factors if f not in held]
    conditions = sorted((c for f in held for c in ranges_of(f.args[0])), key=lambda c: (isinstance(c, Between), str(c)))
    return conditions, sympy.Mul(*inside, *rest)


class Between(sympy.Function):
    """``low <= value < high``, as one writes it."""


def ranges_of(condition: Any) -> list[Any]:
    """The parts of a condition; both ends of a range are one."""
    parts = list(condition.args) if isinstance(condition, sympy.And) else [condition]
    lows = {p.args[0]: p for p in parts if isinstance(p, sympy.Ge) and p.args[1] == ZERO}
    found: list[Any] = []
    for p in parts:
        if isinstance(p, sympy.Lt) and p.args[0] in lows:
            found.append(Between(ZERO, p.args[0], p.args[1]))
        elif p not in lows.values() or not any(isinstance(q, sympy.Lt) and q.args[0] == p.args[0] for q in parts):
            found.append(p)
    return found


def balanced(expr: Any) -> Any:
    """``i - 3 >= 0`` as ``i >= 3``, for comparisons of indices."""
    left, right = expr.args
    if right != ZERO or not isinstance(left, sympy.Add) or not any(isinstance(t, Letter) for t in left.args) or left.has(Entry, Reduced):
        return expr
    below = [t for t in left.args if t.as_coeff_Mul()[0] < 0]
    moved: Any = sympy.Add(*(-t for t in below))
    return expr.func(left + moved, moved, evaluate=False)


def winner_places(expr: Any) -> list[Any]:
    """The indices whose flat position is compared with that of a winner among several indices."""
    if not isinstance(expr, sympy.Eq):
        return []
    winner = next((a for a in expr.args if isinstance(a, Reduced) and a.reducer in ("argmax", "argmin") and len(a.bound) > 1), None)
    if winner is None:
        return []
    flat = next(a for a in expr.args if a is not winner)
    digits: list[Any] = []
    for x in reversed(winner.bound[1:]):
        found = split_position(flat, extent_formula(x.extent))
        if found is None:
            return []
        flat, digit = found
        digits.insert(0, digit)
    return [flat, *digits]
