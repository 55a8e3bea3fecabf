"""Loops that only copy tables with their axes exchanged, which a processor does in squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.lower import ir

__all__ = ["Exchange", "exchanges"]


@dataclass(frozen=True)
class Exchange:
    """``target[at + i * step + j] = source[start + i + j * pitch]``.

    Attributes:
        target, source: the buffers.
        at, start: where they begin.
        step, pitch: how far apart the target's and the source's rows are.
    """

    target: int
    at: ir.Place
    step: ir.Coefficient
    source: int
    start: ir.Place
    pitch: ir.Coefficient


def exchanges(loop: ir.Loop, kinds: Sequence[ir.Kind]) -> list[Exchange]:
    """The copies that two loops are, one in the other; none where they are anything else.

    Args:
        loop: the outer one.
        kinds: of the buffers' entries.
    """
    inner = loop.body[0]
    if len(loop.body) != 1 or not isinstance(inner, ir.Loop):
        return []
    loads = {s.value: s for s in inner.body if isinstance(s, ir.Load)}
    stores = [s for s in inner.body if isinstance(s, ir.Store)]
    if len(loads) + len(stores) != len(inner.body):
        return []
    read, written = {s.buffer for s in loads.values()}, {s.buffer for s in stores}
    found = [_exchange(s, loads.get(s.argument), loop.variable, inner.variable, kinds) for s in stores]
    return [] if read & written or None in found else [x for x in found if x is not None]


def _exchange(store: ir.Store, load: ir.Load | None, row: int, column: int, kinds: Sequence[ir.Kind]) -> Exchange | None:
    if load is None or kinds[load.buffer] != kinds[store.buffer] or kinds[store.buffer] == "bool":
        return None
    to, of = dict(store.place.terms), dict(load.place.terms)
    step, pitch = to.pop(row, 0), of.pop(column, 0)
    # A step that is a number is -1, 0 or 1: there is nothing to exchange.
    if to.pop(column, 0) != 1 or of.pop(row, 0) != 1 or isinstance(step, int) or isinstance(pitch, int) or any(v < 0 for v in (*to, *of)):
        return None
    at, start = (ir.Place(tuple(terms.items()), place.offset) for terms, place in ((to, store.place), (of, load.place)))
    return Exchange(store.buffer, at, step, load.buffer, start, pitch)
