"""Where a rectifier cuts off is read from its result.

    0 >= x    is    0 >= max(0, x)

Its gradient asks for the sign of what it was given. Where that is a sum of products, with or without a bias, nothing else reads it then, and it
needs no memory: the kernel of the sum cuts off while entries are in registers (:mod:`graphc.lower.fuse`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.graph import rebuild, replace_inputs, topological
from graphc.expr.scalar import Maximum, Select
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, reads_whole

__all__ = ["cut_off", "read_signs"]


def cut_off(op: Stage) -> tuple[int, int | None] | None:
    """Which read of a stage is cut off, and by the sign of which other one: ``max(0, x0)`` or ``select(0 >= x0, 0, x1)``."""
    first, second = read_symbol(0), read_symbol(1)
    if len(op.reads) == 1 and op.body == Maximum(sympy.Integer(0), first):
        return 0, None
    if len(op.reads) == 2:
        for by, inner, number in ((first, second, 1), (second, first, 0)):
            if op.body == Select(sympy.Ge(0, by), sympy.Integer(0), inner):
                return number, 1 - number
    return None


def read_signs(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which signs of sums of products are read from what rectifiers make of them."""
    nodes = topological(outputs)
    rectified: dict[Tensor, Node] = {}
    for node in nodes:
        op = node.op
        if (
            isinstance(op, Stage)
            and op.elementwise
            and cut_off(op) == (0, None)
            and reads_whole(node.outputs[0], op.reads[0])
            and _sum_of_products(node.inputs[0])
        ):
            rectified.setdefault(node.inputs[0], node)
    made: dict[Node, tuple[Tensor, ...]] = {}

    def result(node: Node, given: Tensor) -> tuple[Tensor, ...]:
        if node not in made:
            made[node] = node.outputs if given is node.inputs[0] else replace_inputs(node, (given,)).outputs
        return made[node]

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if rectified.get(node.inputs[0] if node.inputs else None) is node:  # type: ignore[arg-type]
            return result(node, inputs[0])
        if not isinstance(op, Stage):
            return None
        asked = {k for k in range(len(op.reads)) if node.inputs[op.reads[k].operand] in rectified and _sign_alone(op, k)}
        changed = {op.reads[k].operand for k in asked}
        if not changed or any(r.operand in changed and k not in asked for k, r in enumerate(op.reads)):
            return None
        given = tuple(result(rectified[node.inputs[k]], t)[0] if k in changed else t for k, t in enumerate(inputs))
        return replace_inputs(node, given).outputs

    return rebuild(outputs, change)


def _sum_of_products(tensor: Tensor) -> bool:
    """Whether a tensor is a sum of products, or one with something added to it."""
    op = tensor.op
    added = isinstance(op, Stage) and len(op.reads) == 2 and op.adds
    return contraction(tensor) is not None or (added and any(contraction(t) is not None for t in tensor.inputs))


def _sign_alone(op: Stage, number: int) -> bool:
    """Whether a stage asks for nothing of a read but whether it is greater than 0."""
    symbol: Any = read_symbol(number)
    asks = sympy.Ge(0, symbol)
    return op.reads[number].outside is None and op.body.has(asks) and symbol not in op.body.xreplace({asks: sympy.true}).free_symbols
