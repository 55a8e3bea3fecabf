"""Common subexpressions: equal operations on equal tensors are computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.expr.graph import rebuild
from graphc.expr.operation import Assign, Leaf, Random
from graphc.expr.tensor import Node, Tensor

__all__ = ["merge_common"]


def merge_common(outputs: Sequence[Tensor], numbers: Mapping[Node, int] | None = None) -> list[Tensor]:
    """The graph with equal nodes merged; random nodes are equal where their number and shape are."""
    seen: dict[Any, tuple[Tensor, ...]] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        key: Any = (op, inputs)
        if isinstance(op, Leaf):
            array = op.cell.array if op.kind == "constant" and op.cell is not None else None
            if array is None or array.size > 64:
                return None
            key = ("constant", node.outputs[0].dtype, array.shape, array.tobytes())
        elif isinstance(op, Random):
            key = (op.shape, (numbers or {}).get(node, node))
        elif isinstance(op, Assign):
            return None
        key = (key, tuple(t.dtype for t in node.outputs))
        if key in seen:
            return seen[key]
        # The rebuilt node is what later equals are merged into.
        if inputs == node.inputs:
            seen[key] = node.outputs
            return None
        from graphc.expr.graph import replace_inputs

        seen[key] = replace_inputs(node, inputs).outputs
        return seen[key]

    return rebuild(outputs, change)
