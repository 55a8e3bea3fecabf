"""Backpropagation through time: the adjoints of everything that a scan makes, one formula for all times.

Each carry's adjoint is a symbol while the body is walked back; what the body hands to the carry it was given closes the
recurrence. Adjoints behind the last time are zero, which is agreed and not written at every term.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.expr.operation import Leaf
from graphc.expr.scalar import Select
from graphc.expr.tensor import make
from graphc.formula.algebra import ONE, ZERO, shortest
from graphc.formula.atoms import Entry, Letter, Source, entries, extent_formula, letter
from graphc.formula.definition import Definition, Recurrence
from graphc.formula.ranges import decided

__all__ = ["Initial", "Part", "bar_of", "through_time"]


@dataclass
class Part:
    """What one definition adds to the adjoint of a source."""

    value: Any
    user: Definition


def bar_of(d: Definition) -> Source:
    """The symbol of the adjoint of what is made over time; its last row, behind the last time, is zero."""
    shape = d.tensor.shape
    tensor = make(Leaf("input"), (), (shape[0] + 1, *shape[1:]), "float", name=d.name)
    return Source.of(tensor, adjoint=True, order=d.source.order, start=d.source.start)


def through_time(
    recurrence: Recurrence,
    own: Sequence[Definition],
    parts: dict[Source, list[Part]],
    share: Callable[[Definition, Any], list[tuple[Source, Any]]],
    named: Callable[[Definition, Any], bool],
) -> list[tuple[Definition, Any, Source | None, tuple[Definition, ...]]]:
    """The adjoints of a scan's definitions, from the output back: each its formula, its symbol, and what uses it.

    Args:
        own: the definitions that lie between the variable and the output.
        parts: what has been added to adjoints so far; the scan's share to those outside is added to it.
        share: what a definition adds to the adjoints of the sources that it reads.
        named: whether the adjoint of a definition of the body gets a symbol.
    """
    bars = {d.source: bar_of(d) for d in own if d.source in recurrence.initial}
    found: dict[Source, tuple[Any, Source | None]] = {}
    for d in reversed(own):
        if d.source in bars:
            symbol: Any = Entry(bars[d.source], *d.places)
        elif d.source not in parts:
            continue
        else:
            expr = shortest(sympy.Add(*(p.value for p in parts[d.source])))
            source = bar_of(d) if named(d, expr) else None
            found[d.source] = expr, source
            symbol = Entry(source, *d.letters) if source is not None else expr
        for target, value in share(d, symbol):
            parts.setdefault(target, []).append(Part(value, d))
    for d in reversed(own):
        if d.source in bars:
            _close(d, recurrence, bars[d.source], parts, found, share)
    users = {d.source: tuple(dict.fromkeys(p.user for p in parts.get(d.source, []))) for d in own}
    return [(d, *found[d.source], users[d.source]) for d in reversed(own) if d.source in found]


def _close(
    d: Definition,
    recurrence: Recurrence,
    bar: Source,
    parts: dict[Source, list[Part]],
    found: dict[Source, tuple[Any, Source | None]],
    share: Callable[[Definition, Any], list[tuple[Source, Any]]],
) -> None:
    """The formula of a carry's adjoint at the time of an item, and what its first row gives to the initial carry."""
    row = letter(0, d.tensor.shape[0])
    terms = [p.value for p in parts.get(d.source, [])]
    here = shortest(sympy.Add(*(_unguarded(decided(t.xreplace({row: d.row})), recurrence) for t in terms)))
    first = shortest(sympy.Add(*(_unguarded(decided(t.xreplace({row: recurrence.start})), recurrence) for t in terms)))
    found[d.source] = here, bar
    if first != ZERO:
        start = Initial(d.tensor, d.source, "", recurrence.initial[d.source], recurrence=recurrence)
        for target, value in share(start, first):
            parts.setdefault(target, []).append(Part(value, start))


class Initial(Definition):
    """The first row of a carry as a definition over its other axes."""

    @property
    def letters(self) -> tuple[Letter, ...]:
        """The axes but for the time."""
        return super().letters[1:]


def _unguarded(term: Any, recurrence: Recurrence) -> Any:
    """A term without the condition that its time is not behind the last one, where adjoints are zero by agreement."""
    if isinstance(term, sympy.Add):
        return sympy.Add(*(_unguarded(t, recurrence) for t in term.args))
    times = [e.places[0] for e in entries(term) if e.source.barred and e.source.start is not None]
    length = extent_formula(recurrence.length)
    behind = [sympy.Ge(p, 0) for p in times] if recurrence.reverse else [sympy.Lt(p, length) for p in times]
    # A carry's adjoint stands one row further on than the items'.
    behind += [sympy.Lt(p - 1, length) for p in times] + [sympy.Ge(p - 1, 0) for p in times] + [sympy.Ge(length - 1, 0), sympy.Gt(length, 0)]
    factors = [_without(f, behind) for f in sympy.Mul.make_args(term)] if times else [term]
    return sympy.Mul(*factors)


def _without(factor: Any, behind: Sequence[Any]) -> Any:
    if not isinstance(factor, Select) or factor.args[1:] != (ONE, ZERO):
        return factor
    condition = factor.args[0]
    left: list[Any] = [c for c in (condition.args if isinstance(condition, sympy.And) else (condition,)) if c not in behind]
    return Select(sympy.And(*left), ONE, ZERO)
