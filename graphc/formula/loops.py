"""Loops over time in the NumPy source of a derivation: one for what a scan makes, one for its adjoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from graphc.expr.dims import Extent
from graphc.expr.operation import Leaf
from graphc.expr.tensor import make
from graphc.formula.atoms import Entry, Letter, Source, entries, extent_formula
from graphc.formula.definition import Definition, Recurrence
from graphc.formula.program import CLOCK, Array

__all__ = ["Loop", "Member", "Rows", "in_loops", "kept_inside", "members_of", "place_text", "rows_of"]


Rows = dict[tuple[Source, Any, Extent], Source]


@dataclass(frozen=True)
class Member:
    """What one iteration makes: a source, its definition, the row that it fills, and the formula over the clock."""

    source: Source
    definition: Definition
    row: Any
    expr: Any

    @property
    def letters(self) -> tuple[Letter, ...]:
        """The axes of a row."""
        return self.definition.letters[1:]


@dataclass
class Loop:
    """A loop over the items.

    Attributes:
        members: what one iteration makes, in order.
        variables: the arrays' names.
        backward: whether it walks from the last item to the first.
        values: the arrays of the rows that one iteration makes.
        initial: the first row of each carry.
        head: the lines before the loop, ``length`` the number of items, as source.
    """

    members: list[Member]
    variables: dict[Source, str]
    backward: bool
    head: list[str] = field(default_factory=list)
    length: str = ""
    values: list[Array] = field(default_factory=list)
    initial: list[Array] = field(default_factory=list)


def members_of(recurrence: Recurrence, barred: bool, reached: Sequence[Source], adjoints: dict[Source, Any]) -> list[Member]:
    """What the loop of a recurrence makes, of its own tensors or of their adjoints."""
    if barred:
        owned = [(s, a.definition, a.expr) for s, a in adjoints.items() if a.definition.recurrence is recurrence]
    else:
        owned = [(d.source, d, d.expr) for d in recurrence.body]
    return [Member(s, d, _now(d.places[0], d), _now(expr, d)) for s, d, expr in owned if s in reached]


def _now(expr: Any, d: Definition) -> Any:
    return expr.xreplace({d.letters[0]: CLOCK})


def rows_of(expr: Any, known: Rows, length: Extent) -> Any:
    """A formula in which each entry at a time is an entry of a row; ``known`` collects the rows."""
    found: dict[Any, Any] = {}
    for e in entries(expr):
        if e.places and CLOCK in e.places[0].free_symbols and not any(isinstance(s, Letter) for s in e.places[0].free_symbols):
            if e.places[0].has(Entry):
                continue
            key = (e.source, sympy.expand(e.places[0]), length)
            if key not in known:
                tensor = e.source.tensor
                known[key] = Source.of(make(Leaf("input"), (), tensor.shape[1:], tensor.dtype), adjoint=e.source.barred, order=e.source.order)
            found[e] = Entry(known[key], *e.places[1:])
    return expr.xreplace(found) if found else expr


def place_text(place: Any, clock: str, size: Any) -> str:
    """A time as source: ``t + 1``, ``x.shape[0] - 1 - t``."""
    text = ""
    for term in sorted(sympy.Add.make_args(place), key=lambda x: (x.is_number, CLOCK not in x.free_symbols, str(x))):
        pair: tuple[Any, Any] = term.as_coeff_Mul()
        coefficient, rest = pair
        sign = "-" if coefficient < 0 else "+"
        one = str(abs(coefficient)) if rest == 1 else "" if abs(coefficient) == 1 else f"{abs(coefficient)} * "
        word = "" if rest == 1 else clock if rest == CLOCK else size(rest.dim)
        text += f" {sign} {one}{word}" if text else f"{'-' if sign == '-' else ''}{one}{word}"
    return text


def kept_inside(place: Any, text: str, source: Source, length: Extent) -> str:
    """The source of a row's number; where it may lie behind the last time, of the last row instead, for it counts 0 times there."""
    rows, step = extent_formula(source.tensor.shape[0]), sympy.expand(place - CLOCK)
    if not step.is_Integer:
        return text
    if step < 0 and not source.barred:
        return f"max({text}, 0)"
    return text if source.barred or (rows - extent_formula(length) - step).is_nonnegative else f"min({text}, len({{}}) - 1)"


def in_loops(order: Sequence[Array]) -> set[Array]:
    """The arrays that stand inside a loop: those that need a row or the time."""
    found: set[Array] = set()
    for v in order:
        if v.op in ("row", "clock") or (v.op not in ("loop", "made") and any(p in found for p in v.parts)):
            found.add(v)
    return found
