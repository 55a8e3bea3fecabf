"""Spread results: what is computed entry by entry from a tensor that was spread out is computed where it is spread.

The gradient of a pool gives each entry to the places of its window, and the derivative of the activation before it multiplies
every one of them. Both are done in one pass over the result, which is written once and not read again in between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.graph import rebuild, topological
from graphc.expr.places import cover, written
from graphc.expr.stage import Read, Stage, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor

__all__ = ["spread_results"]


def spread_results(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which what is computed from spread tensors entry by entry is spread itself."""
    reads: dict[Tensor, int] = {}
    for node in topological(outputs):
        for tensor in node.inputs:
            reads[tensor] = reads.get(tensor, 0) + 1
    once = {t for t, count in reads.items() if count == 1} - set(outputs)

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if not isinstance(op, Stage) or not op.elementwise or any(t.dtype != "float" for t in node.outputs):
            return None
        if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
            return None
        for number, read in enumerate(op.reads):
            if _spread(op, read, node.inputs[read.operand], inputs[read.operand], once):
                return _joined(node, inputs, number).node.outputs
        return None

    return rebuild(outputs, change)


def _spread(op: Stage, read: Read, was: Tensor, tensor: Tensor, once: Collection[Tensor]) -> bool:
    """Whether a read takes a tensor entry by entry that is spread so that each entry is written once, and that nothing else reads."""
    source = tensor.op
    if was not in once or sum(r.operand == read.operand for r in op.reads) > 1 or read.outside is not None:
        return False
    if not isinstance(source, Stage) or source.free is not None or source.reducer != "sum" or tensor.dtype != "float":
        return False
    places = written(source)
    if places is None or len(places) < len(source.extents) or len(source.reads) != 1 or not cover([source], tensor.shape):
        return False
    bare = [p.bare for p in read.coords]
    return (
        None not in bare
        and sorted(k for k in bare if k is not None) == list(range(len(op.extents)))
        and all(tensor.shape[axis] == op.extents[k] for axis, k in enumerate(bare) if k is not None)
    )


def _joined(node: Node, inputs: Sequence[Tensor], number: int) -> Tensor:
    """A stage whose ``number``-th read is a spread tensor, spread as that one is."""
    op, out = node.op, node.outputs[0]
    assert isinstance(op, Stage)
    spread = inputs[op.reads[number].operand]
    source = spread.op
    assert isinstance(source, Stage)
    place: dict[int, Affine] = {int(p.bare): w for p, w in zip(op.reads[number].coords, source.write, strict=True) if p.bare is not None}
    reads: list[Access] = [(spread.inputs[r.operand], r.coords, r.outside) for r in source.reads]
    symbols = {}
    for k, read in enumerate(op.reads):
        if k != number:
            symbols[read_symbol(k)] = read_symbol(len(reads))
            reads.append((inputs[read.operand], tuple(p.substitute(place) for p in read.coords), read.outside))
    symbols[read_symbol(number)] = source.body.xreplace(source.dim_values())
    body = substitute_indices(op.body.xreplace(op.dim_values()), place).xreplace(symbols)
    return stage(
        source.extents, reads, body, write=[w.substitute(place) for w in op.write], shape=op.shape, reducer="sum", dtype="float",
        name=out.name, call=out.call, guards=node.guards, origin=node.origin,
    )  # fmt: skip
