"""Sums over indices in exact algebra: constants come out, conditions on an index fix it or narrow its range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.scalar import Select
from graphc.formula.atoms import Entry, Letter, Reduced, extent_formula, opened, reduced, time_letters
from graphc.formula.ranges import decided, inside, narrowed, shifted, solution

__all__ = ["total"]

# SymPy annotates these more narrowly than it accepts.
_add: Any = sympy.Add
_mul: Any = sympy.Mul
ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


def total(body: Any, letters: Sequence[Any]) -> Any:
    """The sum of ``body`` over ``letters``: what does not depend on them is outside, a condition fixes or narrows one."""
    left = list(letters)
    if isinstance(body, Reduced) and body.reducer == "sum":
        inner, more = opened(body)
        return total(inner, [*left, *more])
    single = [x for x in left if x.extent == 1 and x not in time_letters(body)]
    if single:
        return total(decided(body.xreplace(dict.fromkeys(single, ZERO))), [x for x in left if x not in single])
    for x in left:
        solved = _solved(body, x)
        if solved is not None:
            return total(solved, [k for k in left if k is not x])
        smaller = narrowed(body, x) or shifted(body, x)
        if smaller is not None:
            return total(decided(smaller[0]), [smaller[1] if k is x else k for k in left])
    if any(_joint(f, left) for f in _mul.make_args(body)):
        return _add(*(total(t, left) for t in _add.make_args(sympy.expand_mul(body))))
    outside, within = ONE, ONE
    for factor in _mul.make_args(body):
        out, rest = _split(factor, set(left))
        outside, within = outside * out, within * rest
    if isinstance(within, Reduced) and within.reducer == "sum":
        return outside * total(within, left)
    used = [x for x in left if x in within.free_symbols]
    for x in left:
        if x not in used:
            outside = outside * extent_formula(x.extent)
    return outside * reduced("sum", within, used) if within != ZERO else ZERO


def _joint(factor: Any, letters: Sequence[Any]) -> bool:
    """Whether a factor is a sum whose terms are 0 but for parts of a letter's range, as where arrays stand side by side."""
    return isinstance(factor, sympy.Add) and any(narrowed(t, x) is not None for t in factor.args for x in letters)


def _split(factor: Any, letters: set[Any]) -> tuple[Any, Any]:
    """A factor as one without the letters times one with them; exp(a + b) is split too."""
    if not (factor.free_symbols & letters):
        return factor, ONE
    if isinstance(factor, sympy.exp):
        terms = _add.make_args(factor.args[0])
        free = [t for t in terms if not (t.free_symbols & letters)]
        if free:
            return sympy.exp(_add(*free)), sympy.exp(_add(*(t for t in terms if t not in free)))
    if isinstance(factor, sympy.Pow) and factor.exp.is_Integer and isinstance(factor.base, sympy.Mul):
        parts = [_split(b, letters) for b in factor.base.args]
        return _mul(*(p[0] for p in parts)) ** factor.exp, _mul(*(p[1] for p in parts)) ** factor.exp
    return ONE, factor


def _solved(body: Any, x: Any) -> Any:
    """``body`` with ``x`` fixed by a factor that is 0 unless an equation holds."""
    for factor in _mul.make_args(body):
        if not isinstance(factor, Select) or factor.args[2] != ZERO or not isinstance(factor.args[0], sympy.Eq):
            continue
        left, right = factor.args[0].args
        other = right if left is x else left if right is x else None
        # An id picks its own class: ids outside their range are an error of the data.
        picked = isinstance(other, Entry) and other.source.tensor.dtype == "int" and x not in other.free_symbols
        if picked or (isinstance(other, Letter) and other.extent == x.extent):
            return body.xreplace({factor: factor.args[1]}).xreplace({x: other})
        fixed = _fixed(left, right, x)
        if fixed is not None:
            held = Select(inside(fixed, x.extent), ONE, ZERO)
            return decided((body.xreplace({factor: factor.args[1]})).xreplace({x: fixed}) * held)
    return None


def _fixed(left: Any, right: Any, x: Any) -> Any:
    """The value of ``x`` that an equation between affine formulas of letters gives."""
    if any(isinstance(p, Entry | Reduced) for side in (left, right) for p in sympy.preorder_traversal(side)):
        return None
    found = solution(sympy.expand(left - right), ZERO, [x])
    return None if found is None else found[1]
