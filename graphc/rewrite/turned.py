"""Turned tensors: what is only read with its axes in another order is computed in that order.

A recurrence takes its items time first, and the projections of a batch come sample first: turning them would copy them once.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.build import Access, stage
from graphc.expr.graph import rebuild, topological
from graphc.expr.operation import Leaf
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction

__all__ = ["turn_sources"]

Order = tuple[int, ...]  # which of its axes a tensor's first, second, ... axis becomes


def turn_sources(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which stages that one stage reads turned are turned themselves, and what they read so as well."""
    orders = _orders(outputs)
    asked = set(outputs)

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or op.free is None or (out not in orders and not any(t in orders for t in node.inputs)):
            return None
        order = orders.get(out, tuple(range(out.ndim)))
        first = [op.free[axis] for axis in order]
        number = {k: n for n, k in enumerate([*first, *(k for k in range(len(op.extents)) if k not in first)])}
        moved: list[Access] = []
        for read in op.reads:
            axes = orders.get(node.inputs[read.operand], tuple(range(len(read.coords))))
            coords = tuple(read.coords[axis].renumber(number.__getitem__) for axis in axes)
            moved.append((inputs[read.operand], coords, read.outside))
        body = op.body.xreplace(op.dim_values()).xreplace({index_symbol(k): index_symbol(n) for k, n in number.items()})
        turned = out in orders
        if _copies(op, node.inputs, moved, orders) and out not in asked:
            return moved[0][0].node.outputs
        return stage(
            [op.extents[k] for k in number], moved, body, outputs=out.ndim, reducer=op.reducer, dtype=out.dtype, guards=node.guards,
            origin=node.origin, name="" if turned else out.name, call=None if turned else out.call,
        ).node.outputs  # fmt: skip

    return rebuild(outputs, change)


def _copies(op: Stage, inputs: Sequence[Tensor], moved: Sequence[Access], orders: dict[Tensor, Order]) -> bool:
    """Whether a stage has become a mere copy of a tensor that was turned for it."""
    if op.body != read_symbol(0) or len(moved) != 1 or inputs[op.reads[0].operand] not in orders:
        return False
    return op.extents == moved[0][0].shape and tuple(p.bare for p in moved[0][1]) == tuple(range(len(op.extents)))


def _orders(outputs: Sequence[Tensor]) -> dict[Tensor, Order]:
    """The order of axes of each tensor that is to be turned: its only reader's."""
    readers: dict[Tensor, list[Node]] = {}
    nodes = topological(outputs)
    for node in nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
    asked = set(outputs)
    orders: dict[Tensor, Order] = {}
    for node in reversed(nodes):
        tensor = node.outputs[0]
        if tensor in asked or len(readers.get(tensor, [])) != 1 or not _turns(node):
            continue
        order = _read(readers[tensor][0], tensor, orders)
        if order is not None and order != tuple(range(tensor.ndim)) and not (_product(tensor) and order[-1] != tensor.ndim - 1):
            orders[tensor] = order
    return orders


def _turns(node: Node) -> bool:
    """Whether a stage may write its result in another order: one result, nowhere but at its own place, and no id that is checked."""
    op = node.op
    plain = isinstance(op, Stage) and op.free is not None and len(node.outputs) == 1
    return plain and all(v >= 0 for r in op.reads for p in r.coords for v in p.variables)  # type: ignore[union-attr]


def _product(tensor: Tensor) -> bool:
    """Whether a tensor is a sum of products, whose last axis is chosen well, or what is added to one."""
    return contraction(tensor) is not None or any(contraction(t) is not None for t in tensor.inputs)


def _read(reader: Node, tensor: Tensor, orders: dict[Tensor, Order]) -> Order | None:
    """The order of a tensor's axes in the result of its only reader; ``None`` where that reads it in any other way."""
    op = reader.op
    if not isinstance(op, Stage) or not op.elementwise or op.free is None or isinstance(tensor.op, Leaf):
        return None
    reads = [r for r in op.reads if reader.inputs[r.operand] is tensor]
    out = reader.outputs[0]
    if len(reads) != 1 or reads[0].outside is not None or tensor.ndim != out.ndim or any(v < 0 for p in reads[0].coords for v in p.variables):
        return None
    axis = {p.bare: a for a, p in enumerate(reads[0].coords)}
    if None in axis or len(axis) != tensor.ndim or any(tensor.shape[axis[k]] != op.extents[k] for k in op.free if k in axis):
        return None
    result = orders.get(out, tuple(range(out.ndim)))
    places = [op.free[a] for a in result]
    return tuple(axis[k] for k in places) if all(k in axis for k in places) else None
