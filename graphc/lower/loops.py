"""The loops around a kernel's statements: merged where memory runs on, ordered so that the innermost has stride 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.lower import ir
from graphc.lower.emit import Emitter

__all__ = ["collapse", "nest", "resolve"]

_PLACES = ("place", "position", "c_at", "a_at", "b_at", "adds")


def _affines(statements: Sequence[Any]) -> list[Affine]:
    found: list[Affine] = []
    for s in statements:
        found += [p for p in (getattr(s, name, None) for name in _PLACES) if isinstance(p, Affine)]
    return found


def collapse(statements: Sequence[Any], extents: Sequence[Extent], groups: Sequence[Sequence[int]]) -> tuple[list[Any], dict[int, Extent], list[list[int]]]:
    """The statements with neighbouring loops merged where every place runs on from one to the next.

    Args:
        statements: with affine maps as places.
        extents: of the indices.
        groups: the indices, outer to inner, that may merge with each other.

    Returns:
        The statements, the extents of the indices that are left, and those indices in their groups.
    """
    places = _affines(statements)
    sizes: dict[int, Extent] = dict(enumerate(extents))
    dropped: dict[int, Affine] = {}
    kept: list[list[int]] = []
    for group in groups:
        order = [k for k in group if sizes[k] != 1]
        dropped.update({k: Affine.constant(0) for k in group if sizes[k] == 1})
        at = len(order) - 2
        while at >= 0:
            outer, inner = order[at], order[at + 1]
            if all(p.coefficient(outer) == p.coefficient(inner) * sizes[inner] for p in places):
                sizes[inner] = sizes[outer] * sizes[inner]
                dropped[outer] = Affine.constant(0)  # its part of every place is now the inner one's
                del order[at]
            at -= 1
        kept.append(order)
    return [_mapped(s, lambda p: p.substitute(dropped)) for s in statements], sizes, kept


def _mapped(statement: Any, change: Any) -> Any:
    fields = {name: getattr(statement, name, None) for name in _PLACES}
    changed = {name: change(place) for name, place in fields.items() if isinstance(place, Affine)}
    return dataclasses.replace(statement, **changed) if changed else statement


def resolve(emitter: Emitter, statement: Any) -> ir.Statement:
    """A statement with its affine maps as places of the kernel."""

    def place(p: Affine) -> ir.Place:
        return ir.Place(tuple((v, emitter.param(c)) for v, c in p.terms), emitter.param(p.offset))

    return _mapped(statement, place)


def nest(emitter: Emitter, order: Sequence[int], sizes: dict[int, Extent], body: Sequence[ir.Statement], rename: dict[int, int] | None = None) -> list[ir.Statement]:
    """Loops around statements, the first of ``order`` outermost."""
    inner = list(body)
    for index in reversed(order):
        inner = [ir.Loop(rename[index] if rename else index, emitter.param(sizes[index]), tuple(inner))]
    return inner
