"""Places of merged and split axes: whole quotients and remainders that cancel against the products they undo."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.dims import Extent, product
from graphc.expr.tensor import Tensor
from graphc.formula.atoms import Letter, extent_formula, letter

__all__ = ["Quotient", "Remainder", "joined_letters", "reshaped_places", "split_letters", "split_position", "whole_positions"]

_add: Any = sympy.Add
ZERO = sympy.Integer(0)


def _parts(value: Any, divisor: Any) -> tuple[Any, Any] | None:
    """``value`` as ``divisor * q + r`` with ``0 <= r < divisor``, as far as the letters' ranges show it."""
    whole, rest = ZERO, ZERO
    for term in _add.make_args(value):
        quotient = term / divisor
        if quotient.is_integer and sympy.fraction(quotient)[1] == 1:
            whole = whole + quotient
        else:
            rest = rest + term
    if rest == 0 or (isinstance(rest, Letter) and extent_formula(rest.extent) == divisor):
        return whole, rest
    top = ZERO
    for term in _add.make_args(rest):
        coefficient, factor = term.as_coeff_Mul()
        if not isinstance(factor, Letter) or not isinstance(factor.extent, int) or coefficient < 0:
            return None
        top = top + coefficient * (factor.extent - 1)
    return (whole, rest) if (divisor - top).is_positive else None


def split_position(flat: Any, size: Any) -> tuple[Any, Any] | None:
    """A flat position as the position of its block of ``size`` and the place in it, as far as that can be read off."""
    whole, rest = ZERO, ZERO
    for term in _add.make_args(sympy.expand(flat)):
        quotient = term / size
        if term.is_Integer and size.is_Integer:
            whole, rest = whole + term // size, rest + term % size
        elif sympy.fraction(quotient)[1] == 1 and term.as_coeff_Mul()[0] != 1:
            whole = whole + quotient
        else:
            rest = rest + term
    return None if whole == ZERO else (whole, rest)


class Quotient(sympy.Function):
    """``a // b`` of whole numbers that are not negative."""

    is_integer = True
    is_nonnegative = True

    @classmethod
    def eval(cls, *args: Any) -> Any:
        """The quotient, where the ranges of the letters decide it."""
        value, divisor = args
        parts = _parts(value, divisor)
        return value if divisor == 1 else None if parts is None else parts[0]


class Remainder(sympy.Function):
    """``a mod b`` of whole numbers that are not negative."""

    is_integer = True
    is_nonnegative = True

    @classmethod
    def eval(cls, *args: Any) -> Any:
        """The remainder, where the ranges of the letters decide it."""
        parts = _parts(*args)
        return None if parts is None else parts[1]


def whole_positions(expr: Any) -> Any:
    """``b (a // b) + a mod b`` as ``a``, wherever it stands."""
    found: dict[Any, Any] = {}
    for part in expr.atoms(_add):
        for rest in part.atoms(Remainder):
            value, divisor = rest.args
            quotient = Quotient(value, divisor)
            if part.coeff(rest) == 1 and part.coeff(quotient) == divisor:
                found[part] = sympy.expand(part - rest - divisor * quotient + value)
    return expr.xreplace(found) if found else expr


def _digits(value: Any, extents: Sequence[Extent]) -> list[Any]:
    """The places of a flat position among axes of these extents, in row-major order."""
    found: list[Any] = []
    for k, extent in enumerate(extents):
        digit = Quotient(value, extent_formula(product(extents[k + 1 :])))
        found.append(digit if k == 0 else Remainder(digit, extent_formula(extent)))
    return found


def _flat(letters: Sequence[Any], extents: Sequence[Extent]) -> Any:
    """The flat position of places among axes of these extents."""
    value: Any = ZERO
    for x, extent in zip(letters, extents, strict=True):
        value = sympy.expand(value * extent_formula(extent)) + x
    return value


def reshaped_places(source: Tensor, output: Tensor) -> list[Any]:
    """Where each entry of a reshape comes from: leading axes that stay, then digits of the flat position of the rest."""
    old = [(k, e) for k, e in enumerate(source.shape) if e != 1]
    new = [(k, e) for k, e in enumerate(output.shape) if e != 1]
    places: list[Any] = [ZERO] * source.ndim
    while old and new and old[0][1] == new[0][1]:
        (axis, _), (position, extent) = old.pop(0), new.pop(0)
        places[axis] = letter(position, extent)
    flat = _flat([letter(k, e) for k, e in new], [e for _, e in new])
    for (axis, _), digit in zip(old, _digits(flat, [e for _, e in old]), strict=True):
        places[axis] = digit
    return places


def joined_letters(places: Sequence[Any], own: Sequence[Letter], letters: Sequence[Letter]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Places that are the digits of one flat position of ``letters``.

    Returns what these places are (the axes' own letters), and the letters as digits of the axes' flat position; both are
    empty where the places are no such digits.
    """
    axes = [k for k, p in enumerate(places) if p.has(Quotient, Remainder)]
    inner = {d.args[0] for k in axes for d in places[k].atoms(Quotient, Remainder) if not d.args[0].has(Quotient, Remainder)}
    extents = [own[k].extent for k in axes]
    if len(inner) != 1 or [places[k] for k in axes] != _digits(flat := inner.pop(), extents):
        return {}, {}
    order = _radix_order(flat, letters)
    if not order or product(x.extent for x in order) != product(extents):
        return {}, {}
    digits = _digits(_flat([own[k] for k in axes], extents), [x.extent for x in order])
    return {places[k]: own[k] for k in axes}, dict(zip(order, digits, strict=True))


def _radix_order(flat: Any, letters: Sequence[Letter]) -> tuple[Letter, ...]:
    """The letters whose flat position ``flat`` is, the slowest first; none where it is no such position."""
    used = [x for x in letters if x in flat.free_symbols]
    if len(used) > 5:
        return ()
    orders = itertools.permutations(used)
    return next((o for o in orders if sympy.expand(_flat(o, [x.extent for x in o]) - flat) == 0), ())


def split_letters(place: Any, target: Letter, letters: Sequence[Letter]) -> dict[Any, Any]:
    """The letters of a place ``3 a + b`` as digits of its target, where their ranges fill the target's."""
    if place.has(Quotient, Remainder) or sum(x in place.free_symbols for x in letters) < 2:
        return {}
    order = _radix_order(place, letters)
    if not order or product(x.extent for x in order) != target.extent:
        return {}
    return dict(zip(order, _digits(target, [x.extent for x in order]), strict=True))
