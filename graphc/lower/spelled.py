"""Kernels of products with a matrix of numbers: written out for every row, with the products that nothing else reads."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.entry import entries, spelled
from graphc.expr.places import written
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter
from graphc.lower.kernels import finish
from graphc.lower.loops import collapse, divisible, nest, resolve

__all__ = ["spelled_kernel"]


_STREAMS = 16  # places that a loop writes to side by side, at most: beyond that the processor no longer sees each go on


def spelled_kernel(emitter: Emitter, tensor: Tensor, target: Tensor) -> ir.Kernel:
    """The kernel of a sum with entries, which writes to its places of ``target``: all of them in one loop, or in several after each other."""
    op = tensor.op
    assert isinstance(op, Stage)
    out = _spelled(tensor, emitter)
    indices = [k for k in written(op) or () if k not in out]
    rows = list(itertools.product(*(range(int(op.extents[k])) for k in out)))  # type: ignore[arg-type]
    several = len(rows) > _STREAMS
    parts = [[*some] for _, some in itertools.groupby(rows, lambda row: row[0])] if several else [rows]
    count = len(op.extents)
    lists = [_statements(emitter, tensor, target, out, indices, some) for some in parts]
    ends = list(itertools.accumulate(len(some) for some in lists))
    statements, sizes, (order,) = collapse([s for some in lists for s in some], op.extents, [indices])
    divided = divisible(emitter, order, sizes)
    outer, inner = (order[:-2], order[-2:]) if several else ([], order)
    body: list[ir.Statement] = []
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        # Loops beside each other have variables of their own.
        name = {k: k + number * count for k in inner}
        named = [resolve(emitter, s, True, name) for s in statements[start:end]]
        body += nest(emitter, inner, sizes, named, name, divided, apart=True)
    return finish(emitter, nest(emitter, outer, sizes, body, divided=divided))


def _statements(
    emitter: Emitter, tensor: Tensor, target: Tensor, out: Sequence[int], indices: Sequence[int], rows: Sequence[Sequence[int]]
) -> list[Any]:  # fmt: skip
    """The statements of one loop's body, which computes some rows."""
    op = tensor.op
    assert isinstance(op, Stage)
    emitter.forget()
    stores: list[Any] = []
    for row in rows:
        places = {k: Affine.variable(k) for k in indices} | {k: Affine.constant(v) for k, v in zip(out, row, strict=True)}
        value = emitter.scalars.convert(emitter.stage(op, tensor.inputs, places), "float")
        where: Any = emitter.flat([p.substitute(places) for p in op.write], op.shape)
        stores.append(ir.Store(emitter.buffer(target, True), where, value))
    return [*emitter.statements, *stores]


def _spelled(tensor: Tensor, emitter: Emitter) -> list[int]:
    """The output's indices for each of whose values the formula is another one: the row's, and those of what is computed on the way."""
    op = tensor.op
    assert isinstance(op, Stage)
    found = {spelled(op)[1]}
    for read in op.reads:
        source = tensor.inputs[read.operand]
        if not entries(source.op) or emitter.stored(source):
            continue
        assert isinstance(source.op, Stage)
        axes = {index: axis for axis, index in enumerate(source.op.free or ())}
        found |= {v for k in _spelled(source, emitter) for v in read.coords[axes[k]].variables}
    return [k for k in written(op) or () if k in found]
