"""The algebra of derivations: SymPy formulas over entries of tensors, with sums over indices as atoms.

Unlike a stage's body this is exact real algebra: two entries of one tensor at one place are equal, ``x/x`` is 1. It is
for reading and proving; values are always checked against the stages themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import sympy

from graphc.expr.dims import Dim, Extent, dim_symbol
from graphc.expr.tensor import Tensor

__all__ = [
    "Entry",
    "Letter",
    "Reduced",
    "Source",
    "bound_letter",
    "entries",
    "extent_formula",
    "fresh_letters",
    "is_column",
    "letter",
    "letters_of",
    "opened",
    "outer_atoms",
    "reduced",
    "time_letters",
]

_fresh = itertools.count(1000)


class Letter(sympy.Symbol):
    """An index with its range. ``number`` from 0 on: an axis of a result; from 1000 on: a fresh one; negative: bound."""

    __slots__ = ("extent", "number")
    extent: Extent
    number: int


@cache
def letter(number: int, extent: Extent) -> Letter:
    """The index of that number and range; one object for equal ones."""
    symbol: Letter = sympy.Symbol.__xnew__(Letter, f"i{number:010d}:{extent}", integer=True, nonnegative=True)  # type: ignore[attr-defined]
    symbol.number, symbol.extent = number, extent
    return symbol


def bound_letter(level: int, extent: Extent) -> Letter:
    """The canonical letter of a reduction at that nesting level."""
    return letter(-1 - level, extent)


def fresh_letters(extents: Iterable[Extent]) -> tuple[Letter, ...]:
    """Letters that no formula has yet."""
    return tuple(letter(next(_fresh), e) for e in extents)


class Source(sympy.Symbol):
    """What an entry belongs to: a tensor of the graph, or the adjoint of one."""

    __slots__ = ("barred", "order", "start", "symmetric", "tensor")
    tensor: Tensor
    barred: bool
    order: int
    start: int | None  # the time of the first row of what is made over time; times are counted from 1
    symmetric: bool  # a matrix that is its own transpose

    @staticmethod
    def of(tensor: Tensor, adjoint: bool = False, order: int = 0, start: int | None = None) -> Source:
        """The source of a tensor, or of its adjoint; ``order`` places it in printed sums and products."""
        name = f"s{order:06d}{'a' if adjoint else ''}_{tensor.node.serial}_{tensor.output}"
        symbol: Source = sympy.Symbol.__xnew__(Source, name, real=True)  # type: ignore[attr-defined]
        symbol.tensor, symbol.barred, symbol.order = tensor, adjoint, order
        symbol.start = start
        symbol.symmetric = not adjoint and getattr(tensor.op, "symmetric", False)
        return symbol


class _Atom(sympy.Expr):
    """A real number that algebra must not look into."""

    is_commutative = True
    is_real = True
    is_extended_real = True
    is_finite = True


class Entry(_Atom):
    """``T[p, q]``: arguments are the source and the places."""

    @property
    def source(self) -> Source:
        """Whose entry it is."""
        return self.args[0]  # type: ignore[return-value]

    @property
    def places(self) -> tuple[Any, ...]:
        """Where."""
        return self.args[1:]

    def _eval_derivative(self, s: Any) -> Any:
        return sympy.Integer(0)


def is_column(entry: Entry) -> bool:
    """Whether an entry is read from a matrix of one column."""
    return len(entry.places) == 2 and entry.places[1] == 0 and entry.source.tensor.shape[1] == 1


class Reduced(_Atom):
    """A reduction: arguments are its kind (sum, prod, max, min, argmax, argmin), the body and the bound letters."""

    @property
    def reducer(self) -> str:
        """How values combine."""
        return str(self.args[0])

    @property
    def body(self) -> Any:
        """What is reduced."""
        return self.args[1]

    @property
    def bound(self) -> tuple[Letter, ...]:
        """The letters it runs over."""
        return self.args[2:]  # type: ignore[return-value]

    @property
    def free_symbols(self) -> Any:
        """The symbols of the body but for the bound letters."""
        return self.body.free_symbols - set(self.bound)

    def _eval_is_positive(self) -> Any:
        return True if self.reducer == "sum" and self.body.is_positive else None

    def _eval_is_nonnegative(self) -> Any:
        return True if self.reducer == "sum" and self.body.is_nonnegative else None

    def _eval_derivative(self, s: Any) -> Any:
        return sympy.Integer(0)


def letters_of(expr: Any) -> set[Any]:
    """The free letters of a formula."""
    return {s for s in expr.free_symbols if isinstance(s, Letter)}


def _level(expr: Any) -> int:
    return max((-s.number for s in _all_letters(expr) if s.number < 0), default=0)


def _all_letters(expr: Any) -> Iterator[Any]:
    """Every letter in reading order; SymPy's own traversal walks the parts of a conjunction in the order of a set."""
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, Letter):
            yield part
        stack.extend(reversed(part.args))


def reduced(kind: str, body: Any, letters: Sequence[Any]) -> Any:
    """The reduction over ``letters``, which become its bound letters in an order that the body decides."""
    if not letters:
        return body
    seen = [s for s in dict.fromkeys(_all_letters(body)) if s in letters] if kind in ("sum", "prod") else list(letters)
    order = [*seen, *(x for x in letters if x not in seen)]
    level = _level(body)
    bound = [bound_letter(level + k, x.extent) for k, x in enumerate(order)]
    return Reduced(sympy.Symbol(kind), body.xreplace(dict(zip(order, bound, strict=True))), *bound)


def opened(atom: Any) -> tuple[Any, tuple[Letter, ...]]:
    """A reduction's body with fresh letters in place of the bound ones."""
    fresh = fresh_letters(x.extent for x in atom.bound)
    return atom.body.xreplace(dict(zip(atom.bound, fresh, strict=True))), fresh


def outer_atoms(expr: Any) -> list[Any]:
    """The entries and reductions of a formula that stand in no other, in a fixed order."""
    found: dict[Any, None] = {}
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, _Atom):
            found[part] = None
        else:
            stack.extend(part.args)
    return sorted(found, key=str)


def entries(expr: Any) -> list[Any]:
    """Every entry in a formula, inside reductions and places too."""
    return sorted((p for p in set(sympy.preorder_traversal(expr)) if isinstance(p, Entry)), key=str)


def extent_formula(extent: Any) -> Any:
    """An extent as a SymPy number or symbol."""
    if not isinstance(extent, Dim):
        return sympy.Integer(extent)
    parts: list[Any] = [sympy.Mul(c, *(dim_symbol(Dim((((a,), 1),))) for a in monomial)) for monomial, c in extent.terms]
    return sympy.Add(*parts)


def time_letters(expr: Any) -> set[Any]:
    """The letters that stand for a time: in the first place of something made over time."""
    return {x for e in entries(expr) if e.source.start is not None and e.places for x in letters_of(e.places[0])}
