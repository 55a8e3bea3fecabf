"""Exact real algebra on formulas of entries: sums over indices, powers of e, and choosing the shortest spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.dims import Dim, dim_symbol
from graphc.expr.scalar import Select
from graphc.formula.atoms import Entry, Letter, Reduced, letters_of, opened, reduced

__all__ = ["extent_formula", "shortest", "size_of", "tidy", "total"]

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


def extent_formula(extent: Any) -> Any:
    """An extent as a SymPy number or symbol."""
    if not isinstance(extent, Dim):
        return sympy.Integer(extent)
    parts = [sympy.Mul(c, *(dim_symbol(Dim((((a,), 1),))) for a in monomial)) for monomial, c in extent.terms]
    return sympy.Add(*parts)


def total(body: Any, letters: Sequence[Any]) -> Any:
    """The sum of ``body`` over ``letters``: what does not depend on them is outside, a condition ``k = p`` is solved."""
    left = list(letters)
    if isinstance(body, Reduced) and body.kind == "sum":
        inner, more = opened(body)
        return total(inner, [*left, *more])
    for x in left:
        solved = _solved(body, x)
        if solved is not None:
            return total(solved, [k for k in left if k is not x])
    outside, inside = ONE, ONE
    for factor in sympy.Mul.make_args(tidy(body)):
        out, rest = _split(factor, set(left))
        outside, inside = outside * out, inside * rest
    if isinstance(inside, Reduced) and inside.kind == "sum":
        return outside * total(inside, left)
    used = [x for x in left if x in inside.free_symbols]
    for x in left:
        if x not in used:
            outside = outside * extent_formula(x.extent)
    return outside * reduced("sum", inside, used) if inside != ZERO else ZERO


def _split(factor: Any, letters: set[Any]) -> tuple[Any, Any]:
    """A factor as one without the letters times one with them; exp(a + b) is split too."""
    if not (factor.free_symbols & letters):
        return factor, ONE
    if isinstance(factor, sympy.exp):
        terms = sympy.Add.make_args(factor.args[0])
        free = [t for t in terms if not (t.free_symbols & letters)]
        if free:
            return sympy.exp(sympy.Add(*free)), sympy.exp(sympy.Add(*(t for t in terms if t not in free)))
    if isinstance(factor, sympy.Pow) and factor.exp.is_Integer and isinstance(factor.base, sympy.Mul):
        parts = [_split(b, letters) for b in factor.base.args]
        return sympy.Mul(*(p[0] for p in parts)) ** factor.exp, sympy.Mul(*(p[1] for p in parts)) ** factor.exp
    return ONE, factor


def _solved(body: Any, x: Any) -> Any:
    """``body`` with ``x`` fixed by a factor that is 0 unless ``x`` equals another letter of its range."""
    for factor in sympy.Mul.make_args(body):
        if isinstance(factor, Select) and factor.args[2] == ZERO and isinstance(factor.args[0], sympy.Eq):
            left, right = factor.args[0].args
            other = right if left is x else left if right is x else None
            if isinstance(other, Letter) and other.extent == x.extent:
                return body.xreplace({factor: factor.args[1]}).xreplace({x: other})
    return None


def _bare_logs(expr: Any) -> Any:
    """``log(exp(a) r)`` as ``a + log(r)``."""
    logs = [p for p in sympy.preorder_traversal(expr) if isinstance(p, sympy.log) and isinstance(p.args[0], sympy.Mul)]
    for part in logs:
        powers = [f for f in part.args[0].args if isinstance(f, sympy.exp)]
        if powers:
            rest = sympy.Mul(*(f for f in part.args[0].args if f not in powers))
            expr = expr.xreplace({part: sympy.Add(*(f.args[0] for f in powers)) + sympy.log(rest)})
    return expr


def _split_powers(expr: Any) -> Any:
    """``exp(a + b)`` as ``exp(a) exp(b)``, so that what stands above and below a fraction bar cancels."""
    sums = {p: sympy.Mul(*map(sympy.exp, p.args[0].args)) for p in expr.atoms(sympy.exp) if isinstance(p.args[0], sympy.Add)}
    return expr.xreplace(sums) if sums else expr


def _bare_conditions(expr: Any) -> Any:
    """``(1 if c else 0) != 0`` as ``c``."""
    found: dict[Any, Any] = {}
    for part in expr.atoms(sympy.Ne, sympy.Eq):
        left, right = part.args
        if isinstance(left, Select) and right == ZERO and left.args[1:] == (ONE, ZERO):
            found[part] = left.args[0] if isinstance(part, sympy.Ne) else sympy.Not(left.args[0])
    return expr.xreplace(found) if found else expr


def tidy(expr: Any) -> Any:
    """A formula of the forward pass after a producer was put into it."""
    if expr.has(Select):
        expr = _bare_conditions(expr)
    if expr.has(sympy.exp):
        expr = _split_powers(expr)
    return _bare_logs(expr) if expr.has(sympy.log) else expr


def size_of(expr: Any) -> int:
    """How long a formula is to read."""
    count = 0
    stack = [expr]
    while stack:
        part = stack.pop()
        count += 1
        if isinstance(part, sympy.Pow) and part.exp == -1:
            stack.append(part.base)
        elif isinstance(part, Entry):
            continue
        elif isinstance(part, Reduced):
            stack.append(part.body)
        elif isinstance(part, sympy.Mul) and part.args[0] == -1:
            stack.extend(part.args[1:])
        else:
            stack.extend(part.args)
    return count


def _fractions(expr: Any) -> bool:
    """Whether an entry stands in a denominator inside a sum, so that a common denominator may help."""
    return any(
        isinstance(p, sympy.Add) and any(isinstance(q, sympy.Pow) and q.exp.is_negative for t in p.args for q in sympy.Mul.make_args(t))
        for p in sympy.preorder_traversal(expr)
    )


def shortest(expr: Any) -> Any:
    """The shortest of a few equal spellings of a formula, the given one on a tie."""
    expr = sympy.sympify(expr)
    if expr.is_number or expr.is_Symbol or size_of(expr) > 120:
        return expr
    found = [expr]
    if isinstance(expr, sympy.Add):
        found.append(sympy.factor_terms(expr))
    if _fractions(expr) or isinstance(expr, sympy.Add) or any(isinstance(f, sympy.Add) for f in sympy.Mul.make_args(expr)):
        try:
            joined = sympy.factor(sympy.together(expr))
            found += [joined, _signs(joined)]
        except (sympy.PolynomialError, NotImplementedError):
            pass
    return min(found, key=size_of)


def _signs(expr: Any) -> Any:
    """``(p - 1)`` in pairs turned into ``(1 - p)``, so that minus signs cancel."""
    factors = []
    for f in sympy.Mul.make_args(expr):
        base, power = f.as_base_exp()
        if isinstance(base, sympy.Add) and base.as_ordered_terms()[0] is not None and power.is_Integer:
            constants = [t for t in base.args if t.is_number]
            if constants and constants[0] < 0 and len(base.args) > 1:
                f = sympy.Mul(sympy.Integer(-1) ** power, sympy.Pow(sympy.Add(*(-t for t in base.args)), power))
        factors.append(f)
    return sympy.Mul(*factors)


def has_letter(expr: Any, x: Any) -> bool:
    """Whether a formula depends on a letter."""
    return x in letters_of(expr)
