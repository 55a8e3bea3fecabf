"""Partial results: a long reduction to few entries is first carried out for each entry of its outermost index, then over these.

The sums of a batch's images to one number a channel, of all losses to their mean, of a filter's gradient over all places: one
running result would be one thread's work. With a partial result for each image the threads share the images; what is left
to reduce is short. The same holds for a sum of products of few rows and columns and many terms: it becomes one for each image.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent
from graphc.expr.graph import rebuild
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, flat_place, nominal

__all__ = ["reduce_in_parts"]

_LONG = 1 << 16  # index tuples of a reduction that is worth it
_FEW = 512  # entries of its result, at most
_TERMS = 1 << 15  # terms of a sum of products that is worth it
_NARROW = 4096  # entries of its result, at most
_EACH = 64  # terms that each partial result must have
_PARTS, _MOST = 8, 1024  # partial results: at least, and at most


def reduce_in_parts(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which long reductions to few entries have partial results."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or op.reducer is None or op.free is None or len(node.outputs) > 1 or out.dtype != "float":
            return None
        if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
            return None
        outermost = _outermost(op, inputs)
        if outermost is None or not _worth(op, out, outermost):
            return None
        return _parted(op, out, node, inputs, outermost).node.outputs

    return rebuild(outputs, change)


def _outermost(op: Stage, inputs: Sequence[Tensor]) -> int | None:
    """The reduced index that goes through memory in the longest strides."""
    reach = dict.fromkeys(op.reduced, 0.0)
    for read in op.reads:
        place = flat_place(read.coords, inputs[read.operand].shape)
        for k in op.reduced:
            reach[k] += abs(nominal([place.coefficient(k)]))
    found = [k for k in op.reduced if op.extents[k] != 1]
    return max(found, key=lambda k: (reach[k], -k)) if len(found) > 1 else None


def _worth(op: Stage, out: Tensor, outermost: int) -> bool:
    size, parts = nominal(out.shape), nominal([op.extents[outermost]])
    terms = nominal([op.extents[k] for k in op.reduced])
    if not _PARTS <= parts <= _MOST or terms < _EACH * parts:
        return False
    if contraction(out) is not None:
        return size <= _NARROW and terms >= _TERMS
    return size <= _FEW and nominal(op.extents) >= _LONG


def _parted(op: Stage, out: Tensor, node: Node, inputs: Sequence[Tensor], outermost: int) -> Tensor:
    """The partial results, and the reduction of these."""
    assert op.free is not None
    order = [outermost, *op.free, *(k for k in op.reduced if k != outermost)]
    number = {k: n for n, k in enumerate(order)}
    extents: list[Extent] = [op.extents[k] for k in order]
    reads: list[Access] = [(inputs[r.operand], tuple(p.renumber(number.__getitem__) for p in r.coords), r.outside) for r in op.reads]
    body = op.body.xreplace(op.dim_values()).xreplace({index_symbol(k): index_symbol(n) for k, n in number.items()})
    parts = stage(extents, reads, body, outputs=1 + len(op.free), reducer=op.reducer, dtype="float", origin=node.origin)
    count = len(op.free)
    places = (Affine.variable(count), *(Affine.variable(k) for k in range(count)))
    return stage(
        [*out.shape, op.extents[outermost]], [(parts, places)], read_symbol(0), outputs=count, reducer=op.reducer, dtype="float",
        name=out.name, call=out.call, guards=node.guards, origin=node.origin,
    )  # fmt: skip
