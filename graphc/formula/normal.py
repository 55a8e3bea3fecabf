"""Standardised arrays: where ``x̂ = (x − μ)/s`` and ``μ`` is the mean of ``x``, formulas say ``x̂``, whose sum is zero.

Without this the derivative of a normalisation is a page long; with it, it is the closed form of textbooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.formula.atoms import Entry, Letter, Reduced, Source, entries, extent_formula, opened
from graphc.formula.definition import Definition
from graphc.formula.fold import folded

__all__ = ["Normals"]

ZERO = sympy.Integer(0)


@dataclass(frozen=True)
class _Normal:
    """A standardised tensor: its centred numerator, what it is in terms of the tensor, and the axes over which it sums to 0."""

    definition: Definition
    centred: Any
    value: Any
    axes: tuple[int, ...]


class Normals:
    """The standardised tensors among definitions."""

    def __init__(self, definitions: Mapping[Any, Definition]) -> None:
        by_source = {d.source: d for d in definitions.values()}
        self._found: dict[Source, _Normal] = {}
        for d in by_source.values():
            normal = _matched(d, by_source) if d.expr is not None and d.name else None
            if normal is not None:
                self._found[d.source] = normal

    def __contains__(self, d: Definition) -> bool:
        return d.source in self._found

    def __call__(self, expr: Any, letters: Sequence[Letter]) -> Any:
        """``expr`` with ``x − μ`` as ``x̂ s``."""
        for normal in self._found.values():
            multiples = {normal.centred: normal.value}
            for part in expr.atoms(sympy.Add):
                number: Any = part.primitive()[0]
                multiples |= {sympy.expand(f * normal.centred): f * normal.value for f in (number, -number)}
            expr = folded(expr, multiples, letters)
        return expr

    @property
    def statistics(self) -> set[Source]:
        """The means and deviations."""
        return {e.source for n in self._found.values() for e in entries(n.definition.expr) if e.places != n.definition.letters}

    def summed(self, expr: Any) -> Any:
        """``expr`` without the sums that are zero."""
        if not self._found or not expr.has(Reduced):
            return expr
        found: dict[Any, Any] = {}
        for part in sympy.preorder_traversal(expr):
            if isinstance(part, Reduced) and part.reducer == "sum" and isinstance(part.body, Entry):
                normal = self._found.get(part.body.source)
                if normal is not None and set(part.bound) == {part.body.places[k] for k in normal.axes}:
                    found[part] = ZERO
        return expr.xreplace(found) if found else expr


def _matched(d: Definition, by_source: Mapping[Source, Definition]) -> _Normal | None:
    factors = list(sympy.Mul.make_args(d.expr))
    sums = [f for f in factors if isinstance(f, sympy.Add)]
    rest = [f for f in factors if not isinstance(f, sympy.Add)]
    if len(sums) != 1 or len(rest) != 1 or not isinstance(rest[0], sympy.Pow):
        return None
    terms = sums[0].args
    plus: list[Any] = [t for t in terms if isinstance(t, Entry)]
    minus: list[Any] = [-t for t in terms if isinstance(-t, Entry)]
    if len(terms) != 2 or len(plus) != 1 or len(minus) != 1:
        return None
    x, mean = plus[0], minus[0]
    of = by_source.get(mean.source)
    if of is None or of.expr is None or x.places != d.letters:
        return None
    axes = _averaged(of, x, mean)
    return None if axes is None else _Normal(d, sums[0], d.entry / rest[0], axes)


def _averaged(of: Definition, x: Entry, mean: Entry) -> tuple[int, ...] | None:
    """The axes over which a definition is the mean of a tensor."""
    factors = sympy.Mul.make_args(of.expr.xreplace(dict(zip(of.letters, mean.places, strict=True))))
    sums = [f for f in factors if isinstance(f, Reduced)]
    if len(sums) != 1 or sums[0].reducer != "sum":
        return None
    body, bound = opened(sums[0])
    if not isinstance(body, Entry) or body.source != x.source:
        return None
    count: Any = sympy.Mul(*(extent_formula(b.extent) for b in bound))
    if sympy.expand(sympy.Mul(*(f for f in factors if f is not sums[0])) * count) != 1:
        return None
    axes = tuple(k for k, p in enumerate(body.places) if p in bound)
    same = all(body.places[k] == x.places[k] for k in range(len(body.places)) if k not in axes)
    return axes if same and len(axes) == len(bound) else None
