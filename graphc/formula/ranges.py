"""What the ranges of indices decide: conditions that always hold, indices that a condition fixes, ranges that one narrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.dims import DimSymbol, Extent
from graphc.expr.scalar import Select
from graphc.formula.atoms import Letter, extent_formula, fresh_letters, letters_of
from graphc.formula.radix import Quotient, Remainder

__all__ = ["always", "decided", "inside", "narrowed", "shifted", "slice_of", "solution"]

_ZERO, _ONE = sympy.Integer(0), sympy.Integer(1)
_add: Any = sympy.Add


def _bounds(expr: Any) -> tuple[Any, Any] | None:
    """The least and the greatest value of an affine formula of indices; ``None`` where it is none."""
    low, high = _ZERO, _ZERO
    for term in _add.make_args(expr):
        pair: tuple[Any, Any] = term.as_coeff_Mul()
        coefficient, factor = pair
        args: Any = factor.args
        if isinstance(factor, Letter):
            reach = coefficient * (extent_formula(factor.extent) - 1)
        elif isinstance(factor, Remainder):
            reach = coefficient * (args[1] - 1)
        elif isinstance(factor, Quotient) and (inner := _bounds(args[0])) is not None and args[1].is_Integer and inner[1].is_Integer:
            reach = coefficient * (inner[1] // args[1])
        elif all(isinstance(s, DimSymbol) for s in term.free_symbols):
            low, high = low + term, high + term
            continue
        else:
            return None
        low, high = (low, high + reach) if coefficient > 0 else (low + reach, high)
    return low, high


def always(condition: Any) -> bool | None:
    """Whether a comparison of indices holds at all of them (True), at none (False), or depends on them."""
    if not isinstance(condition, sympy.Ge | sympy.Lt | sympy.Le | sympy.Gt | sympy.Eq):
        return None
    sides: tuple[Any, Any] = condition.args  # type: ignore[assignment]
    left, right = sides
    if not letters_of(condition):
        return None
    bounds = _bounds(sympy.expand(left - right))
    if bounds is None:
        return None
    low, high = bounds
    if isinstance(condition, sympy.Eq):
        return True if low == high == 0 else False if _at_least(low, True) or _at_least(-high, True) else None
    if isinstance(condition, sympy.Ge | sympy.Gt):
        strict = isinstance(condition, sympy.Gt)
        return True if _at_least(low, strict) else False if _at_least(-high, not strict) else None
    strict = isinstance(condition, sympy.Lt)
    return True if _at_least(-high, strict) else False if _at_least(low, not strict) else None


def _at_least(value: Any, strict: bool) -> bool:
    """Whether a size is at least 0, or at least 1."""
    value = sympy.expand(value)
    return bool(value.is_positive if strict else value.is_nonnegative)


def decided(expr: Any) -> Any:
    """A formula without the conditions that the ranges of its indices decide."""
    found: dict[Any, Any] = {}
    for part in expr.atoms(sympy.Ge, sympy.Lt, sympy.Le, sympy.Gt, sympy.Eq):
        verdict = always(part)
        if verdict is not None:
            found[part] = sympy.true if verdict else sympy.false
    return expr.xreplace(found) if found else expr


def inside(place: Any, extent: Extent) -> Any:
    """The condition that a place is within an axis, as far as it is open."""
    conditions: list[Any] = [sympy.Ge(place, 0), sympy.Lt(place, extent_formula(extent))]
    return decided(sympy.And(*conditions))


def solution(place: Any, target: Any, letters: Sequence[Letter]) -> tuple[Letter, Any] | None:
    """The index among ``letters`` that ``place = target`` fixes, and its value; the one of the widest range where several fit."""
    terms = {t.as_coeff_Mul()[1]: t.as_coeff_Mul()[0] for t in _add.make_args(place)}
    fit = [x for x in letters if terms.get(x) in (1, -1) and not any(x in f.free_symbols for f in terms if f != x) and x not in target.free_symbols]
    if not fit:
        return None
    chosen = max(fit, key=lambda x: (not isinstance(x.extent, int), x.extent if isinstance(x.extent, int) else 0, -letters.index(x)))
    rest = place - terms[chosen] * chosen
    return chosen, sympy.expand((target - rest) / terms[chosen])


def narrowed(body: Any, x: Letter) -> tuple[Any, Letter] | None:
    """A sum's body that is 0 but for a part of the range of ``x``, over an index of that part alone."""
    for factor in sympy.Mul.make_args(body):
        if not isinstance(factor, Select) or factor.args[2] != _ZERO:
            continue
        condition, yes, _ = factor.args
        conditions = condition.args if isinstance(condition, sympy.And) else (condition,)
        own = [c for c in conditions if letters_of(c) == {x} and isinstance(c, sympy.Ge | sympy.Lt) and _limit(c, x) is not None]
        if not own:
            continue
        low, high = 0, x.extent
        for c in own:
            limit = _limit(c, x)
            assert limit is not None
            low, high = (max(low, limit), high) if isinstance(c, sympy.Ge) else (low, _smaller(high, limit))
        extent = high - low
        if (isinstance(extent, int) and extent < 0) or extent == x.extent:
            continue
        (fresh,) = fresh_letters([extent])
        others: list[Any] = [c for c in conditions if c not in own]
        return body.xreplace({factor: Select(sympy.And(*others), yes, _ZERO)}).xreplace({x: fresh + low}), fresh
    return None


def shifted(body: Any, x: Letter) -> tuple[Any, Letter] | None:
    """A sum's body that is 0 unless ``0 <= x + a < c``, over the index ``x + a`` where every value of it is within the range of ``x``."""
    for factor in sympy.Mul.make_args(body):
        if not isinstance(factor, Select) or factor.args[2] != _ZERO:
            continue
        condition, yes, _ = factor.args
        conditions: tuple[Any, ...] = condition.args if isinstance(condition, sympy.And) else (condition,)
        for c in conditions:
            low = sympy.Ge(c.args[0], 0) if isinstance(c, sympy.Lt) else None
            if low not in conditions or not c.args[1].is_Integer or solution(c.args[0], _ZERO, [x]) is None or letters_of(c) == {x}:
                continue
            (fresh,) = fresh_letters([int(str(c.args[1]))])
            found = solution(c.args[0], fresh, [x])
            if found is None or inside(found[1], x.extent) != sympy.true:
                continue
            others: list[Any] = [o for o in conditions if o not in (c, low)]
            return body.xreplace({factor: Select(sympy.And(*others), yes, _ZERO)}).xreplace({x: found[1]}), fresh
    return None


def slice_of(place: Any, extent: Extent) -> str | None:
    """A place on an axis as it is written in brackets: ``:``, ``3:``, ``1:4``, ``::2``, ``0``; ``None`` where it is no slice."""
    if place.is_Integer:
        return str(place) if place >= 0 else None
    if all(isinstance(a, DimSymbol) for a in place.free_symbols):
        back = sympy.expand(extent_formula(extent) - place)
        return f"-{back}" if back.is_Integer and back > 0 else None
    (x, *more) = sorted(letters_of(place), key=str) or (None,)
    if x is None or more or not isinstance(x, Letter):
        return None
    step: Any = place.coeff(x) if isinstance(place, sympy.Add) else place.as_coeff_Mul()[0]
    start = sympy.expand(place - step * x)
    if place == x and x.extent == extent:
        return ":"
    if start == extent_formula(extent) - 1 and place == start - x and x.extent == extent:
        return "::-1"
    if start.free_symbols or not step.is_Integer or inside(place, extent) != sympy.true:
        return None
    if step < 1 or not start.is_Integer:
        return None
    stop = sympy.expand(start + step * (extent_formula(x.extent) - 1) + 1)
    left: Any = sympy.expand(extent_formula(extent) - stop)
    if not stop.is_Integer and not left.is_Integer:
        return None
    end = "" if (left - step + 1).is_nonpositive else str(stop) if stop.is_Integer else f"-{left}"
    ends = f"{start if start != 0 else ''}:{end}"
    return ends if step == 1 else f"{ends}:{step}"


def _smaller(extent: Extent, limit: int) -> Extent:
    return min(extent, limit) if isinstance(extent, int) else limit


def _limit(condition: Any, x: Letter) -> int | None:
    """``k`` of ``x >= k`` or ``x < k``; ``None`` for another condition, and below a size that is not known."""
    left, right = condition.args
    limit = sympy.expand(right - (left - x))
    if not limit.is_Integer or (isinstance(condition, sympy.Lt) and not isinstance(x.extent, int)):
        return None
    return int(limit) if x not in (left - x).free_symbols else None
