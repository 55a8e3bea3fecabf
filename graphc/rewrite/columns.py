"""Columns: those of a sum of products that lie apart in its result are moved to its end, where they run on as one.

The projections of attention give each head's entries a place of their own between samples and times, so the kernel sees as many
products as there are heads, each with few columns. With the heads behind the times the columns of all heads are one row of the
result, and of the weights. The gradients by these weights want their right operand so as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.affine import Affine
from graphc.expr.graph import readers, topological
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.lanes import follows, keep_sums
from graphc.rewrite.products import Contraction, contraction, flat_place, nominal
from graphc.rewrite.turned import Order, may_turn, turn

__all__ = ["gather_columns"]

_FEW = 64  # columns that are not enough by themselves
_WORTH = 1 << 20  # products of two numbers in a sum that is worth it


def gather_columns(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which columns that the right operand of a sum of products has beside each other lie so in its result too."""
    nodes, asked = topological(outputs), set(outputs)
    users = readers(nodes)
    wanted = {node: found for node in nodes if (found := _several(node)) is not None}
    orders: dict[Tensor, Order] = {}
    for node in nodes:
        for tensor, order in _asks(node, wanted.get(node)):
            stays = tensor in orders or tensor in asked or order == tuple(range(tensor.ndim))
            if not stays and all(isinstance(u.op, Stage) for u in users.get(tensor, [])):
                orders[tensor] = order
    if not orders:
        return list(outputs)
    for node in nodes:
        if node.outputs[0] not in orders and not any(t in asked for t in node.outputs):
            order = follows(node, orders)
            if order is not None:
                orders |= dict.fromkeys(node.outputs, order)
    return turn(outputs, keep_sums(orders, users))


def _several(node: Node) -> Contraction | None:
    """A sum of products whose columns have several indices, and few columns in the last of them."""
    op = node.op
    found = contraction(node.outputs[0])
    if found is None or found.beside or not found.columns or not isinstance(op, Stage) or op.free is None or nominal(op.extents) < _WORTH:
        return None
    return found if all(isinstance(op.extents[k], int) for k in (*found.columns, found.n)) and nominal([op.extents[found.n]]) < _FEW else None


def _asks(node: Node, found: Contraction | None) -> Sequence[tuple[Tensor, Order]]:
    """The result of a sum of products, or its right operand, in the order in which the other one has the columns."""
    op, out = node.op, node.outputs[0]
    if found is None:
        return ()
    assert isinstance(op, Stage)
    assert op.free is not None
    read = op.reads[found.right]
    right = node.inputs[read.operand]
    columns = (*found.columns, found.n)
    here, there = flat_place(op.write, op.shape), flat_place(read.coords, right.shape)
    axes = {place.bare: axis for axis, place in enumerate(read.coords) if place.bare is not None}
    if all(k in axes for k in columns) and _run_on(here, columns, op) and not _run_on(there, columns, op):
        asked = [axes[k] for k in columns]
        made = contraction(right)
        last = None if made is None or not isinstance(right.op, Stage) or right.op.free is None else right.op.free.index(made.n)
        turns = may_turn(right.node) and (last is None or last == asked[-1])
        return [(right, (*(a for a in range(right.ndim) if a not in asked), *asked))] if turns else ()
    if _run_on(there, columns, op) and not _run_on(here, columns, op):
        return [(out, (*(a for a, k in enumerate(op.free) if k not in columns), *(op.free.index(k) for k in columns)))]
    return ()


def _run_on(place: Affine, columns: Sequence[int], op: Stage) -> bool:
    """Whether columns lie side by side, the last ones next to each other."""
    step = 1
    for k in reversed(columns):
        if place.coefficient(k) != step:
            return False
        step = step * int(op.extents[k])  # type: ignore[call-overload]
    return True
