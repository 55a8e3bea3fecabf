"""The loops around a kernel's statements: merged where memory runs on, ordered so that the innermost has stride 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.lower import ir
from graphc.lower.emit import Emitter

__all__ = ["collapse", "divisible", "map_places", "nest", "renumber", "resolve"]

_SHORT = 8  # iterations of a loop that would not keep several threads busy
_PLACES = ("place", "position")


def _affines(statements: Sequence[Any]) -> list[Affine]:
    found: list[Affine] = []
    for s in statements:
        found += [p for p in (getattr(s, name, None) for name in _PLACES) if isinstance(p, Affine)]
    return found


def collapse(
    statements: Sequence[Any], extents: Sequence[Extent], groups: Sequence[Sequence[int]]
) -> tuple[list[Any], dict[int, Extent], list[list[int]]]:
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
    changed = [map_places(s, lambda p: p.substitute(dropped)) for s in statements] if dropped else list(statements)
    return changed, sizes, kept


def map_places(statement: Any, change: Any, kind: Any = Affine) -> Any:
    """A statement with each of its places changed."""
    if isinstance(statement, ir.Compute | ir.Literal):
        return statement
    fields = {name: getattr(statement, name, None) for name in _PLACES}
    changed = {name: change(place) for name, place in fields.items() if isinstance(place, kind)}
    return dataclasses.replace(statement, **changed) if changed else statement


def resolve(emitter: Emitter, statement: Any, apart: bool = False, rename: Mapping[int, int] | None = None) -> ir.Statement:
    """A statement with its affine maps as places of the kernel.

    Args:
        apart: a buffer shares no number with others or with extents.
        rename: what loop variables are called, if not as before.
    """
    name = rename or {}

    def number(value: Extent) -> ir.Coefficient:
        return emitter.param_of(getattr(statement, "buffer", None), value) if apart else emitter.param(value)

    def place(p: Affine) -> ir.Place:
        return ir.Place(tuple((name.get(v, v), number(c)) for v, c in p.terms), number(p.offset))

    return map_places(statement, place)


def nest(
    emitter: Emitter, order: Sequence[int], sizes: dict[int, Extent], body: Sequence[ir.Statement], rename: dict[int, int] | None = None,
    divided: int | None = None, apart: bool = False,
) -> list[ir.Statement]:  # fmt: skip
    """Loops around statements, the first of ``order`` outermost; the loop over ``divided`` is parallel.

    ``apart``: no iteration touches what another one writes, which the innermost loop is told.
    """
    inner: list[ir.Statement] = list(body)
    for index in reversed(order):
        variable = rename[index] if rename else index
        inner = [ir.Loop(variable, emitter.param(sizes[index]), tuple(inner), index == divided, apart=apart and index == order[-1])]
    return inner


def divisible(emitter: Emitter, order: Sequence[int], sizes: dict[int, Extent]) -> int | None:
    """The loop that threads may share: the outermost one that is not certainly short, else the longest.

    Where ids are checked there is none: which bad id an error names would depend on the threads.
    """
    if emitter.checks or not order:
        return None
    long = [k for k in order if not isinstance(extent := sizes[k], int) or extent >= _SHORT]
    return long[0] if long else max(order, key=lambda k: int(sizes[k]))  # type: ignore[arg-type]


def renumber(body: Sequence[ir.Statement]) -> tuple[ir.Statement, ...]:
    """The statements with their loop variables numbered as they appear, so that equal loops are equal kernels."""
    number: dict[int, int] = {}

    def place(p: ir.Place) -> ir.Place:
        return ir.Place(tuple(sorted(((number.get(v, v), c) for v, c in p.terms), key=lambda term: term[0])), p.offset)

    def walk(statements: Sequence[ir.Statement]) -> tuple[ir.Statement, ...]:
        done: list[ir.Statement] = []
        for s in statements:
            if isinstance(s, ir.Loop):
                number[s.variable] = len(number)
                done.append(dataclasses.replace(s, variable=number[s.variable], body=walk(s.body)))
            else:
                done.append(map_places(s, place, ir.Place))
        return tuple(done)

    return walk(body)
