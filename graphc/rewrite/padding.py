"""Padding: what a window reads around a tensor is written around a copy of it, once.

A padded convolution or pool, or the gradient of one, reads each entry many times, and asks at each whether it is inside.
With the padding in memory nothing is asked, and a sum of products goes to the kernel for contractions. Zeros stand around a
stage that writes into the middle of its result: what computes the tensor entry by entry is computed right there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.graph import rebuild, topological
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, nominal

__all__ = ["pad_windows"]

Widths = tuple[tuple[int, int], ...]
_Copy = tuple[Tensor, float]  # a tensor, and what stands around it
_TIMES = 2  # how often each entry of the copy must at least be read, by all who read it


def pad_windows(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which windows read tensors with their padding around them, one copy for all that read a tensor alike."""
    users, wanted = _users(outputs)
    asked = set(outputs)
    made: dict[_Copy, Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage):
            return None
        product = contraction(out, padded=True) is not None
        copies = [_copy(node.inputs[r.operand], r, node in users, product, wanted, asked) for r in op.reads]
        if not any(copies):
            return None
        reads: list[Access] = []
        for read, copy in zip(op.reads, copies, strict=True):
            now = inputs[read.operand]
            if copy is None:
                reads.append((now, read.coords, read.outside))
                continue
            widths = wanted[copy]
            if copy not in made:
                made[copy] = _padded(now, widths, copy[1]) if any(w != (0, 0) for w in widths) else now
            reads.append((made[copy], tuple(p + low for p, (low, _) in zip(read.coords, widths, strict=True))))
        return stage(
            op.extents, reads, op.body.xreplace(op.dim_values()), write=op.write, shape=op.shape, reducer=op.reducer, guarded=op.guarded,
            dtype=out.dtype, name=out.name, call=out.call, guards=node.guards, origin=node.origin,
        ).node.outputs  # fmt: skip

    return rebuild(outputs, change)


def _copy(tensor: Tensor, read: Read, padded: bool, product: bool, wanted: Mapping[_Copy, Widths], asked: Collection[Tensor]) -> _Copy | None:
    """Which copy a read goes to; ``padded``: whether its stage reads copies where places leave the tensor, ``product``: whether it is one.

    A product reads from inside a copy too: then nothing but the copy is written of what is computed entry by entry.
    """
    if read.outside is not None:
        return (tensor, read.outside) if padded else None
    inside = product and (tensor, 0.0) in wanted and isinstance(tensor.op, Stage) and tensor.op.elementwise and tensor not in asked
    return (tensor, 0.0) if inside else None


def _users(outputs: Sequence[Tensor]) -> tuple[set[Node], dict[_Copy, Widths]]:
    """The stages that will read copies, and how wide the padding of each copy is: as wide as any of them wants."""
    asking = {node: found for node in topological(outputs) if (found := _wanted(node))}
    steps: dict[_Copy, float] = {}
    for node, found in asking.items():
        for copy, _ in found:
            assert isinstance(node.op, Stage)
            steps[copy] = steps.get(copy, 0) + nominal(node.op.extents)
    users: set[Node] = set()
    wanted: dict[_Copy, Widths] = {}
    for node, found in asking.items():
        if all(steps[copy] >= _TIMES * nominal(_around(copy[0].shape, widths)) for copy, widths in found):
            users.add(node)
            for copy, widths in found:
                known = wanted.get(copy, widths)
                wanted[copy] = tuple((max(a, c), max(b, d)) for (a, b), (c, d) in zip(known, widths, strict=True))
    return users, wanted


def _wanted(node: Node) -> list[tuple[_Copy, Widths]]:
    """What padding a stage wants around its operands; none where that is impossible or does not pay."""
    op = node.op
    if not isinstance(op, Stage) or op.reducer is None or all(r.outside is None for r in op.reads):
        return []
    if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
        return []
    found: list[tuple[_Copy, Widths]] = []
    for read in op.reads:
        if read.outside is None:
            continue
        source = node.inputs[read.operand]
        widths = _widths(read, source, op.extents)
        if widths is None or source.dtype == "bool":
            return []
        found.append(((source, read.outside), widths))
    return found


def _around(shape: Sequence[Extent], widths: Widths) -> list[Extent]:
    return [e + low + high for e, (low, high) in zip(shape, widths, strict=True)]


def _widths(read: Read, source: Tensor, extents: Sequence[Extent]) -> Widths | None:
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


def _padded(source: Tensor, widths: Widths, outside: float) -> Tensor:
    """A tensor with a number around it."""
    shape = _around(source.shape, widths)
    places = tuple(Affine.variable(axis) for axis in range(source.ndim))
    if outside == 0:
        write = tuple(p + low for p, (low, _) in zip(places, widths, strict=True))
        return stage(
            source.shape, [(source, places)], read_symbol(0), write=write, shape=shape, reducer="sum", dtype=source.dtype, origin=source.origin
        )
    inner = tuple(p - low for p, (low, _) in zip(places, widths, strict=True))
    return stage(shape, [(source, inner, outside)], read_symbol(0), dtype=source.dtype, origin=source.origin)
