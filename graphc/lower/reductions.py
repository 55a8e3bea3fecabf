"""Kernels of stages that reduce. Reductions over the same indices share one kernel: what they read is read once for all of them.

Four forms: a running result in an inner loop; whole rows that are combined into a row of the result, where memory runs along
the last output axis; narrow rows, side by side (:mod:`graphc.lower.narrow`); and no inner loop at all where a window has few
entries, as in pooling: then the loop over the last output axis is innermost, and vectorises with the window's entries in registers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.places import written
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.across import by_rows, rows_body
from graphc.lower.emit import Emitter
from graphc.lower.kernels import finish
from graphc.lower.loops import collapse, divisible, nest, resolve
from graphc.lower.narrow import columns_body, few_columns
from graphc.rewrite.products import flat_place

__all__ = ["Reduced", "reduction_kernel"]

_FEW = 16  # entries of a window that are written out one after the other


@dataclass(frozen=True)
class Reduced:
    """A reduction of a kernel.

    Attributes:
        tensor: its first output.
        value, winner: whether its value and its winners are stored.
        into: whose memory the value is written to, if not its own.
    """

    tensor: Tensor
    value: bool = True
    winner: bool = False
    into: Tensor | None = None

    @property
    def op(self) -> Stage:
        """Its stage."""
        assert isinstance(self.tensor.op, Stage)
        return self.tensor.op

    @property
    def kind(self) -> ir.Kind:
        """The kind of its running result."""
        return "float" if self.tensor.dtype == "float" else "int"


def reduction_kernel(emitter: Emitter, members: Sequence[Reduced]) -> ir.Kernel:
    """Reductions over the same indices that write to the same places, each of a result of its own."""
    op = members[0].op
    free = list(written(op) or ())
    reduced = [k for k in range(len(op.extents)) if k not in free]
    if _is_window(op, members, free, reduced):
        return _window_kernel(emitter, members, free, reduced)
    arguments = [_argument(emitter, m) for m in members]
    position = emitter.flat([Affine.variable(k) for k in reduced], [op.extents[k] for k in reduced])
    results = _results(emitter, members)
    running = _running(members, arguments, results, position)
    stores = _stores(emitter, members, results)
    count = len(emitter.statements)
    statements, sizes, (outer, inner) = collapse([*emitter.statements, *running, *stores], op.extents, [free, reduced])
    middle = count + len(running)
    # A running result of truth values is a whole number, which their own memory cannot hold.
    plain = not any(m.winner or m.tensor.dtype == "bool" for m in members)
    if plain and by_rows(statements[:count], sizes, outer, inner):
        body = columns_body if few_columns(statements[:count], sizes, outer, inner) and not emitter.checks else rows_body
        return finish(emitter, body(emitter, statements[:count], running, statements[middle:], sizes, outer, inner))
    entries = [resolve(emitter, s) for s in statements]
    divided = divisible(emitter, outer, sizes)
    loops = [*_starts(members, results), *nest(emitter, inner, sizes, entries[:middle]), *entries[middle:]]
    return finish(emitter, nest(emitter, outer, sizes, loops, divided=divided))


_Results = list[tuple[int, int | None]]  # of each reduction: its running result, and its winner


def _argument(emitter: Emitter, member: Reduced, known: dict[int, Affine] | None = None) -> int:
    """The value that one index tuple gives to a reduction; ``known``: indices that are numbers."""
    places = {k: Affine.variable(k) for k in range(len(member.op.extents))} | (known or {})
    return emitter.scalars.convert(emitter.stage(member.op, member.tensor.inputs, places), member.kind)


def _results(emitter: Emitter, members: Sequence[Reduced]) -> _Results:
    return [(emitter.fresh(), emitter.fresh() if m.winner else None) for m in members]


def _starts(members: Sequence[Reduced], results: _Results) -> list[Any]:
    return [ir.Start(result, str(m.op.reducer), m.kind, winner) for m, (result, winner) in zip(members, results, strict=True)]


def _running(members: Sequence[Reduced], arguments: Sequence[int], results: _Results, position: Affine) -> list[Any]:
    """The values of one index tuple combined into the running results."""
    return [
        ir.Accumulate(result, str(m.op.reducer), argument, m.kind, winner, position if m.winner else None)  # type: ignore[arg-type]
        for m, argument, (result, winner) in zip(members, arguments, results, strict=True)
    ]


def _stores(emitter: Emitter, members: Sequence[Reduced], results: _Results) -> list[Any]:
    stores: list[Any] = []
    for m, (result, winner) in zip(members, results, strict=True):
        at = emitter.flat(m.op.write, m.tensor.shape)
        if m.value:
            stores.append(ir.Store(emitter.buffer(m.tensor if m.into is None else m.into, True), at, result))  # type: ignore[arg-type]
        if winner is not None:
            stores.append(ir.Store(emitter.buffer(m.tensor.node.outputs[-1], True), at, winner))  # type: ignore[arg-type]
    return stores


def _is_window(op: Stage, members: Sequence[Reduced], free: list[int], reduced: list[int]) -> bool:
    """Whether few neighbours are reduced, a window that moves along an axis, and memory runs along the last output axis."""
    sizes = [op.extents[k] for k in reduced]
    if not free or not all(isinstance(e, int) and e > 0 for e in sizes) or math.prod(sizes) > _FEW:  # type: ignore[type-var]
        return False
    moving = [p for m in members for r in m.op.reads for p in r.coords if len(p.terms) > 1]
    if not all(any(k in p.variables for p in moving) for k in reduced):
        return False
    last = free[-1]
    flats = [flat_place(r.coords, m.tensor.inputs[r.operand].shape) for m in members for r in m.op.reads]
    return any(p.coefficient(last) == 1 for p in flats) and not any(p.coefficient(k) == 1 for p in flats for k in reduced)


def _window_kernel(emitter: Emitter, members: Sequence[Reduced], free: list[int], reduced: list[int]) -> ir.Kernel:
    """The entries of a window one after the other, without a loop over them."""
    op = members[0].op
    results = _results(emitter, members)
    sizes = [op.extents[k] for k in reduced]
    for number, entry in enumerate(itertools.product(*(range(int(e)) for e in sizes))):  # type: ignore[arg-type]
        known = {k: Affine.constant(e) for k, e in zip(reduced, entry, strict=True)}
        arguments = [_argument(emitter, m, known) for m in members]
        emitter.statements += _running(members, arguments, results, Affine.constant(number))
    stores = _stores(emitter, members, results)
    statements, extents, (order,) = collapse([*emitter.statements, *stores], op.extents, [free])
    body = [*_starts(members, results), *(resolve(emitter, s) for s in statements)]
    return finish(emitter, nest(emitter, order, extents, body, divided=divisible(emitter, order, extents)))
