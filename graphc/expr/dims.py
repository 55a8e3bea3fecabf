"""Dimensions: the sizes of axes, as integers or as named sizes that are known when arrays arrive.

A :class:`Dim` is a polynomial with integer coefficients over named sizes (and floor divisions of such polynomials by an
integer), in a canonical form, so that ``n + 1 - 1`` is ``n`` and equality is structural. A dimension that is a plain
number is a plain ``int``: an :data:`Extent` is either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy

from graphc.errors import DeclarationError
from graphc.expr.numbers import as_whole

__all__ = ["Dim", "DimSymbol", "Extent", "FloorDiv", "as_extent", "dim_symbol", "evaluate_extent", "product", "provably_at_least", "within"]


@dataclass(frozen=True, slots=True)
class FloorDiv:
    """``numerator // denominator`` that could not be carried out: an atom of a :class:`Dim`."""

    numerator: Dim
    denominator: int

    def __str__(self) -> str:
        return f"({self.numerator})//{self.denominator}"


Atom = str | FloorDiv
Monomial = tuple[Atom, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dim:
    """A size that is not known yet, such as ``n`` or ``2*n + 1``; make one from its name with ``Dim.named("n")``.

    ``+ - *`` with integers and other dimensions and ``//`` with an integer give dimensions again. Division and
    arithmetic with other numbers give SymPy expressions, which may stand in formulas.
    """

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def named(name: str) -> Dim:
        """The dimension called ``name``; two of one name are equal."""
        return Dim((((name,), 1),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    @property
    def names(self) -> tuple[str, ...]:
        """The named sizes that this dimension depends on, sorted."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                found.update((atom,) if isinstance(atom, str) else atom.numerator.names)
        return tuple(sorted(found))

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number this dimension is, once the named sizes are known."""
        total = 0
        for monomial, coefficient in self.terms:
            value = coefficient
            for atom in monomial:
                value *= sizes[atom] if isinstance(atom, str) else atom.numerator.evaluate(sizes) // atom.denominator
            total += value
        return total

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int | Dim) and not isinstance(other, bool):
            return _collect((*self.terms, *_terms(other)))
        return _formula(self, other, lambda a, b: a + b)

    __radd__ = __add__

    def __neg__(self) -> Extent:
        return _collect((monomial, -coefficient) for monomial, coefficient in self.terms)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, int | Dim) and not isinstance(other, bool):
            return _collect((*self.terms, *((m, -c) for m, c in _terms(other))))
        return _formula(self, other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, int):
            return _collect((*_terms(other), *((m, -c) for m, c in self.terms)))
        return _formula(self, other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, int | Dim) and not isinstance(other, bool):
            return _collect((tuple(sorted((*a, *b), key=str)), x * y) for a, x in self.terms for b, y in _terms(other))
        return _formula(self, other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if not isinstance(other, int) or other <= 0:
            return NotImplemented
        if all(coefficient % other == 0 for _, coefficient in self.terms):
            return _collect((monomial, coefficient // other) for monomial, coefficient in self.terms)
        # Whole multiples leave the division: (2*n + 5)//2 is n + 2 + (1)//2, that is n + 2.
        whole = [(m, c // other) for m, c in self.terms]
        rest = _collect((m, c % other) for m, c in self.terms)
        quotient = rest // other if isinstance(rest, int) else Dim((((FloorDiv(rest, other),), 1),))
        return _collect(whole) + quotient

    def __truediv__(self, other: Any) -> Any:
        return _formula(self, other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return _formula(self, other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return _formula(self, other, lambda a, b: a**b)

    def _sympy_(self) -> sympy.Symbol:
        return dim_symbol(self)

    def __bool__(self) -> bool:
        return True

    def __index__(self) -> int:
        raise DeclarationError(f"the dimension {self} is known only when arrays arrive, so it cannot serve as a number here")

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            factors = [str(atom) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = ("-" if coefficient < 0 else "") if not text else (" - " if coefficient < 0 else " + ")
            text += sign + "*".join(factors)
        return text

    __repr__ = __str__


Extent = int | Dim


class DimSymbol(sympy.Symbol):
    """A dimension inside a formula: the SymPy symbol that stands for it."""

    __slots__ = ("dim",)
    dim: Dim


@cache
def dim_symbol(dim: Dim) -> DimSymbol:
    """The SymPy symbol of a dimension; one object for equal dimensions.

    SymPy may take it for 0 or more only where it certainly is: it would carry out comparisons of ``i - n`` with 0.
    """
    sign = {"nonnegative": True} if provably_at_least(dim, 0) else {}
    symbol: DimSymbol = sympy.Symbol.__xnew__(DimSymbol, str(dim), integer=True, **sign)  # type: ignore[attr-defined]
    symbol.dim = dim
    return symbol


def _formula(dim: Dim, other: Any, combine: Any) -> Any:
    if isinstance(other, int | float | sympy.Expr) and not isinstance(other, bool):
        return combine(dim_symbol(dim), sympy.sympify(other))
    if isinstance(other, Dim):
        return combine(dim_symbol(dim), dim_symbol(other))
    return NotImplemented


def _terms(value: Extent) -> tuple[tuple[Monomial, int], ...]:
    return value.terms if isinstance(value, Dim) else (((), value),)


def _collect(terms: Iterable[tuple[Monomial, int]]) -> Extent:
    """The canonical sum of ``terms``: an ``int`` where no name is left."""
    sums: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        sums[monomial] = sums.get(monomial, 0) + coefficient
    kept = {m: c for m, c in sums.items() if c != 0}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    # Names first, the plain number last: n + 1, as one writes it.
    return Dim(tuple(sorted(kept.items(), key=lambda item: (not item[0], [str(a) for a in item[0]]))))


_WITHIN = re.compile(r" \((in parts|before|again|lanes \d+|pieces \d+)\)")


def within(extent: Extent, what: str) -> Dim:
    """A size of the compiler's own, for some of what ``extent`` counts; no user's size can have its name."""
    name = f"{extent} ({what})"
    assert _WITHIN.search(name)
    return Dim.named(name)


def as_extent(value: Any) -> Extent:
    """A shape's entry as the user gives it: an int of any kind, a name, or a dimension."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, str):
        if not value:
            raise DeclarationError("a dimension's name is empty: give it a name such as 'n', or a number")
        if _WITHIN.search(value):
            raise DeclarationError(f"the dimension {value!r} has a name of graphc's own: give it another one, such as 'n'")
        return Dim.named(value)
    number = as_whole(value)
    if number is None:
        raise DeclarationError(f"{value!r} is no dimension: write a whole number, or a name such as 'n'")
    if number < 0:
        raise DeclarationError(f"the dimension {number} is negative: a size is 0 or more")
    return number


def evaluate_extent(extent: Extent, sizes: Mapping[str, int]) -> int:
    """The number that ``extent`` is, given the named sizes."""
    return extent if isinstance(extent, int) else extent.evaluate(sizes)


def product(extents: Iterable[Extent]) -> Extent:
    """The product of extents; 1 of none."""
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def provably_at_least(extent: Extent, bound: int) -> bool:
    """Whether ``extent >= bound`` holds for all sizes of 0 and more, as far as signs alone show it."""
    if isinstance(extent, int):
        return extent >= bound
    constant = sum(c for m, c in extent.terms if not m)
    return constant >= bound and all(c > 0 for m, c in extent.terms if m)
