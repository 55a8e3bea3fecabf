"""Shares of exponentials under a condition: what stands behind a mask, over the sum of what does.

A stable form of them subtracts the largest exponent and guards its sum against 0. Neither changes a value, so neither stays in a formula:
``[c] exp(z - m)`` over ``1 if S = 0 else S`` is ``exp(z)/S' if c else 0``, where ``S'`` sums ``exp(z)`` where ``c`` holds.
"""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.scalar import Select
from graphc.formula.atoms import Reduced, letters_of, opened

__all__ = ["without_guards"]

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


def without_guards(expr: Any) -> Any:
    """``expr`` with its masked exponentials unshifted, and their shares without a guard."""
    for part in sorted(expr.atoms(sympy.Eq), key=str):  # a power of e is never 0
        rest = sympy.Mul(*(f for f in sympy.Mul.make_args(part.args[0]) if not isinstance(f, sympy.exp)))
        if part.args[1] == ZERO and rest != part.args[0]:
            expr = expr.xreplace({part: sympy.Eq(rest, ZERO)})
    for part in sorted(expr.atoms(Select), key=str):
        unshifted = _unshifted(part)
        if unshifted != part:
            expr = expr.xreplace({part: unshifted})
    shares = {part: _share(part) for part in expr.atoms(sympy.Mul)}
    found = {part: share for part, share in shares.items() if share is not None}
    return expr.xreplace(found) if found else expr


def _unshifted(part: Any) -> Any:
    """``exp(a) exp(b) if c else 0`` with those powers before it that depend on fewer indices."""
    condition, yes, no = part.args
    inner = {p: p.args[1] for p in yes.atoms(Select) if p.args[0] == condition}
    yes = yes.xreplace(inner) if inner else yes
    every = letters_of(condition) | letters_of(yes)
    powers = [f for f in sympy.Mul.make_args(yes) if isinstance(f, sympy.exp) and letters_of(f) < every] if no == ZERO else []
    rest = sympy.Mul(*(f for f in sympy.Mul.make_args(yes) if f not in powers))
    if not rest.has(sympy.exp):
        return Select(condition, yes, no) if inner else part
    return sympy.Mul(*powers) * Select(condition, rest, no)


def _share(part: Any) -> Any:
    """A masked power over its guarded sum, as the quotient where the mask holds; ``None`` where a product is none."""
    guard = next((f.base for f in part.args if isinstance(f, sympy.Pow) and f.exp == -1 and _summed(f.base) is not None), None)
    if guard is None:
        return None
    whole = _summed(guard)
    factors = [f for f in part.args if f != 1 / guard]
    for power in factors:
        if isinstance(power, Select) and power.args[2] == ZERO and _is_term(power, whole):
            rest = sympy.Mul(*(f for f in factors if f is not power)) * whole / guard.args[2]
            return rest * Select(power.args[0], power.args[1] / whole, ZERO)
    return None


def _summed(guard: Any) -> Any:
    """The sum in ``1 if S = 0 else S``, without the powers before it."""
    if not isinstance(guard, Select) or guard.args[1] != ONE or not isinstance(guard.args[0], sympy.Eq) or guard.args[0].args[1] != ZERO:
        return None
    whole: Any = guard.args[2]
    found = [f for f in sympy.Mul.make_args(whole) if isinstance(f, Reduced) and f.reducer == "sum"]
    powers = [f for f in sympy.Mul.make_args(whole) if f not in found]
    return found[0] if len(found) == 1 and guard.args[0].args[0] == found[0] and all(isinstance(f, sympy.exp) for f in powers) else None


def _is_term(power: Any, whole: Reduced) -> bool:
    """Whether a masked power is one of the terms of a sum: where its mask holds, the sum is not 0."""
    body, bound = opened(whole)
    own = sorted(letters_of(power) - letters_of(whole), key=str)
    if len(bound) != 1 or not isinstance(body, Select) or not isinstance(power.args[1], sympy.exp):
        return False
    return any(body.xreplace({bound[0]: x}) == power for x in own if x.extent == bound[0].extent)
