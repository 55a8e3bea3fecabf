"""Padding: what a sum of products reads as 0 around a tensor is written around a copy of it, once.

A padded convolution, or the gradient of one, reads each entry many times, and asks at each whether it is inside. With the
zeros in memory nothing is asked, and the sum of products goes to the kernel for contractions. The copy is a stage that
writes into the middle of its result: what computes the tensor entry by entry is computed right there.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.graph import rebuild
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, nominal

__all__ = ["pad_products"]

_TIMES = 4  # how often each entry of the copy must at least be used


def pad_products(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which sums of products read tensors with their zeros around them."""
    made: dict[tuple[Tensor, tuple[tuple[int, int], ...]], Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or all(r.outside is None for r in op.reads) or contraction(out, padded=True) is None:
            return None
        reads: list[Access] = []
        for read in op.reads:
            source = inputs[read.operand]
            widths = _widths(read, source, op.extents)
            if widths is None:
                return None
            if any(w != (0, 0) for w in widths):
                shape = [e + low + high for e, (low, high) in zip(source.shape, widths, strict=True)]
                if nominal(op.extents) < _TIMES * nominal(shape):
                    return None
                key = (source, widths)
                source = made[key] = made[key] if key in made else _padded(source, widths, shape)
            reads.append((source, tuple(p + low for p, (low, _) in zip(read.coords, widths, strict=True))))
        return stage(
            op.extents, reads, op.body.xreplace(op.dim_values()), write=op.write, shape=op.shape, reducer=op.reducer,
            dtype=out.dtype, name=out.name, call=out.call, guards=node.guards, origin=node.origin,
        ).node.outputs  # fmt: skip

    return rebuild(outputs, change)


def _widths(read: Read, source: Tensor, extents: Sequence[Extent]) -> tuple[tuple[int, int], ...] | None:
    """How many zeros a read wants before and after each axis; ``None`` where that is no number."""
    found: list[tuple[int, int]] = []
    for place, size in zip(read.coords, source.shape, strict=True):
        bounds = place.bounds(extents) if read.outside is not None else (0, size - 1)
        if bounds is None:
            return None
        before, after = -bounds[0], bounds[1] - (size - 1)
        widths = [0 if provably_at_least(-w, 0) else w for w in (before, after)]
        if not all(isinstance(w, int) for w in widths):
            return None
        found.append((int(widths[0]), int(widths[1])))  # type: ignore[arg-type]
    return tuple(found)


def _padded(source: Tensor, widths: Sequence[tuple[int, int]], shape: Sequence[Extent]) -> Tensor:
    """A tensor with zeros around it."""
    places = tuple(Affine.variable(axis) for axis in range(source.ndim))
    write = tuple(p + low for p, (low, _) in zip(places, widths, strict=True))
    return stage(source.shape, [(source, places)], read_symbol(0), write=write, shape=shape, reducer="sum", dtype="float", origin=source.origin)
