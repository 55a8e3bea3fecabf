"""The same graph for a whole stack of values of one tensor: leading axes that every stage on the way carries along."""

from __future__ import annotations

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.compose import accesses
from graphc.expr.dims import Extent
from graphc.expr.graph import topological
from graphc.expr.stage import Stage, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Reshape, Tensor, make

__all__ = ["vectorise"]


def vectorise(output: Tensor, source: Tensor, stacked: Tensor) -> Tensor:
    """``output`` as a function of ``source``, for every value that ``stacked`` holds along its leading axes.

    The result has those axes in front. What does not depend on ``source`` is computed once.
    """
    batch = stacked.shape[: stacked.ndim - source.ndim]
    stacks: dict[Tensor, Tensor] = {source: stacked}
    for node in topological([output]):
        if node.outputs[0] not in stacks and any(t in stacks for t in node.inputs):
            _carry(node, batch, stacks)
    if output in stacks:
        return stacks[output]
    rest = tuple(Affine.variable(len(batch) + k) for k in range(output.ndim))
    return stage([*batch, *output.shape], [(output, rest)], read_symbol(0), dtype=output.dtype)


def _carry(node: Node, batch: tuple[Extent, ...], stacks: dict[Tensor, Tensor]) -> None:
    op = node.op
    if isinstance(op, Stage):
        stacks.update(zip(node.outputs, _stage(node, op, batch, stacks).node.outputs, strict=True))
    elif isinstance(op, Reshape):
        shape = (*batch, *op.shape)
        stacks[node.outputs[0]] = make(Reshape(shape), (stacks[node.inputs[0]],), shape, node.outputs[0].dtype, origin=node.origin)
    else:  # names and assignments pass their value on
        source = node.inputs[-1 if len(node.inputs) > 1 and node.inputs[0] not in stacks else 0]
        if source in stacks:
            stacks[node.outputs[0]] = stacks[source]


def _stage(node: Node, op: Stage, batch: tuple[Extent, ...], stacks: dict[Tensor, Tensor]) -> Tensor:
    count = len(batch)
    lead = tuple(Affine.variable(k) for k in range(count))

    def shifted(place: Affine) -> Affine:
        return place.renumber(lambda v: v + count if v >= 0 else v)

    reads = [
        (stacks.get(t, t), (*(lead if t in stacks else ()), *(shifted(p) for p in places)), outside)
        for t, places, outside in accesses(node.outputs[0])
    ]
    body = substitute_indices(op.body.xreplace(op.dim_values()), {k: Affine.variable(k + count) for k in range(len(op.extents))})
    return stage(
        [*batch, *op.extents], reads, body, write=(*lead, *(shifted(p) for p in op.write)), shape=(*batch, *op.shape),
        reducer=op.reducer, guarded=op.guarded, dtype=node.outputs[0].dtype, guards=node.guards, origin=node.origin,
    )  # fmt: skip
