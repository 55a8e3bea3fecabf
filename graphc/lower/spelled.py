"""Kernels of sums with entries of a matrix of numbers: written out for every row, with the sums that nothing else reads."""

from __future__ import annotations

import itertools
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


def spelled_kernel(emitter: Emitter, tensor: Tensor, target: Tensor) -> ir.Kernel:
    """The kernel of a sum with entries, which writes to its places of ``target``."""
    op = tensor.op
    assert isinstance(op, Stage)
    own = written(op) or ()
    out = _spelled(tensor, emitter)
    stores: list[ir.Store] = []
    for values in itertools.product(*(range(int(op.extents[k])) for k in out)):  # type: ignore[arg-type]
        places = {k: Affine.variable(k) for k in own} | {k: Affine.constant(v) for k, v in zip(out, values, strict=True)}
        value = emitter.scalars.convert(emitter.stage(op, tensor.inputs, places), "float")
        where: Any = emitter.flat([p.substitute(places) for p in op.write], op.shape)
        stores.append(ir.Store(emitter.buffer(target, True), where, value))
    statements, sizes, (order,) = collapse([*emitter.statements, *stores], op.extents, [[k for k in own if k not in out]])
    body = [resolve(emitter, s, apart=True) for s in statements]
    return finish(emitter, nest(emitter, order, sizes, body, divided=divisible(emitter, order, sizes), apart=True))


def _spelled(tensor: Tensor, emitter: Emitter) -> list[int]:
    """The output's indices for each of whose values the formula is another one, because of what is computed on the way too."""
    op = tensor.op
    assert isinstance(op, Stage)
    found = set(spelled(op))
    for read in op.reads:
        source = tensor.inputs[read.operand]
        if not entries(source.op) or emitter.stored(source):
            continue
        assert isinstance(source.op, Stage)
        axes = {index: axis for axis, index in enumerate(source.op.free or ())}
        found |= {v for k in _spelled(source, emitter) for v in read.coords[axes[k]].variables}
    return [k for k in written(op) or () if k in found]
