"""What a sum would compute again although a stage of the same formula is in memory is read there.

The gradient of a bias sums the very tensor that the gradients of the weights are products of: a mask of one array and the entries
of another. One array is read then in place of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import rebuild, replace_inputs, topological
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, nominal
from graphc.rewrite.shared import Located, located

__all__ = ["read_stored"]


def read_stored(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which reductions read the stages that compute what they reduce, where those are in memory anyway."""
    nodes = topological(outputs)
    serial = {t: k for k, t in enumerate(t for n in nodes for t in n.outputs)}
    kept = {*outputs, *(t for n in nodes if contraction(n.outputs[0]) is not None for t in n.inputs)}
    places: dict[Node, Located] = {n: found for n in nodes if (found := _whole(n, serial)) is not None}
    stored: dict[Any, tuple[Tensor, list[int]]] = {}  # the stage of a formula, and which of its indices each axis is

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out, found = node.op, node.outputs[0], places.get(node)
        if found is None or not isinstance(op, Stage):
            return None
        if op.elementwise:
            if out not in kept or found.key in stored or op.free is None:
                return None
            made = (node if inputs == node.inputs else replace_inputs(node, inputs)).outputs
            stored[found.key] = made[0], [found.indices.index(k) for k in op.free]
            return made
        if found.key not in stored:
            return None
        source, axes = stored[found.key]
        read = source, tuple(Affine.variable(found.indices[n]) for n in axes)
        return stage(
            op.extents, [read], read_symbol(0), write=op.write, shape=op.shape, reducer=op.reducer, dtype=out.dtype, name=out.name,
            call=out.call, guards=node.guards, origin=node.origin,
        ).node.outputs  # fmt: skip

    return rebuild(outputs, change)


def _whole(node: Node, serial: dict[Tensor, int]) -> Located | None:
    """The formula of a stage entry by entry, or of one that reduces, wherever several large tensors take part in it."""
    op, out = node.op, node.outputs[0]
    if not isinstance(op, Stage) or op.free is None or out.dtype != "float" or len(node.outputs) > 1 or op.guarded:
        return None
    if not (op.elementwise or op.reducer is not None) or contraction(out) is not None:
        return None
    large = {node.inputs[r.operand] for r in op.reads if 2 * nominal(node.inputs[r.operand].shape) > nominal(op.extents)}
    found = located(op, node.inputs, op.body, serial) if len(large) > 1 else None
    return found if found is not None and len(found.indices) == len(op.extents) else None
