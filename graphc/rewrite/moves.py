"""Moves: slices, transposes, new axes and broadcasts are read where they are used, and not carried out."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.graph import rebuild
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Node, Tensor, make

__all__ = ["fold_moves"]


def is_move(tensor: Tensor) -> bool:
    """Whether a tensor is another one's entries at other places, nothing more."""
    op = tensor.op
    if not isinstance(op, Stage) or op.body != read_symbol(0) or len(op.reads) != 1 or not op.elementwise:
        return False
    return tensor.dtype == tensor.inputs[0].dtype and all(v >= 0 for p in op.reads[0].coords for v in p.variables)


def fold_moves(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with every read of a move replaced by a read of what it moves."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if not isinstance(op, Stage) or not any(is_move(t) for t in inputs):
            return None
        operands: list[Tensor] = []
        reads: list[Read] = []
        for read in op.reads:
            source, read = _through(inputs[read.operand], read, op.extents)
            if source not in operands:
                operands.append(source)
            reads.append(Read(operands.index(source), read.coords, read.outside))
        stage = Stage(op.extents, op.write, op.shape, tuple(reads), op.body, op.dims, op.reducer, op.guarded)
        out = node.outputs[0]
        made = make(stage, operands, out.shape, out.dtype, name=out.name, call=out.call, guards=node.guards, origin=node.origin)
        return made.node.outputs

    return rebuild(outputs, change)


def _through(tensor: Tensor, read: Read, extents: Sequence[Extent]) -> tuple[Tensor, Read]:
    """A read of a move as a read of what it moves, as far as that goes."""
    while is_move(tensor):
        op = tensor.op
        assert isinstance(op, Stage)
        inner, free = op.reads[0], op.free
        assert free is not None
        # An id is checked against the move's own axis, and a place outside of it is outside.
        checked = read.outside is not None or any(v < 0 for p in read.coords for v in p.variables)
        if checked and not (inner.outside is None and _whole(op, tensor.inputs[0])):
            break
        places = {index: read.coords[axis] for axis, index in enumerate(free)}
        coords = tuple(p.substitute(places) for p in inner.coords)
        # A place that the move proved to be inside stays inside; one that may leave its tensor keeps saying so.
        outside = read.outside if read.outside is not None else inner.outside
        tensor, read = tensor.inputs[0], Read(inner.operand, coords, outside)
        if outside is not None and all(_inside(p, s, extents) for p, s in zip(coords, tensor.shape, strict=True)):
            read = Read(read.operand, coords, None)
    return tensor, read


def _whole(op: Stage, operand: Tensor) -> bool:
    """Whether the move reads each axis of its operand as it is, all of it: leaving the result means leaving the operand."""
    used = [p.bare for p in op.reads[0].coords]
    return len(set(used)) == len(op.extents) and all(u is not None and op.extents[u] == size for u, size in zip(used, operand.shape, strict=True))


def _inside(place: object, size: Extent, extents: Sequence[Extent]) -> bool:
    from graphc.expr.affine import Affine

    assert isinstance(place, Affine)
    bounds = place.bounds(extents)
    return bounds is not None and provably_at_least(bounds[0], 0) and provably_at_least(size - 1 - bounds[1], 0)
