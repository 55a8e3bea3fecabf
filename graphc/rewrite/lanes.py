"""Lanes: a sum of products with few columns is turned, so that its columns are the places of an image and the samples of a batch.

The kernel for sums of products takes the result's last axis as its columns, a vector of them at a time. A convolution with six
filters fills six of sixteen lanes. With its axes turned to filters, places, samples, its rows are the filters and its columns
all samples of all places of a row of the image, as many as there are. What it reads along these axes is turned likewise, and
so is what is computed from its result entry by entry or window by window: no entry moves but where such a stretch of the graph
begins and ends.

A sum over places and samples, as the gradient by the filters is, then goes along the memory of both its operands, and the
kernel multiplies vectors of its terms.

The layout is that of cuda-convnet (Krizhevsky, 2012), channels first and samples last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.expr.graph import readers, topological
from graphc.expr.places import written
from graphc.expr.stage import Read, Stage
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import Contraction, contraction, nominal
from graphc.rewrite.turned import Order, turn

__all__ = ["follows", "keep_sums", "widen_products"]

_NARROW, _FEW = 8, 16  # columns of a sum of products that is turned, at most: by itself, and where its rows lie so already
_WIDE = 32  # columns that it must get
_WORTH = 1 << 20  # products of two numbers in a sum that is worth it


def widen_products(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which sums of products with few columns have many."""
    nodes = topological(outputs)
    users = readers(nodes)
    orders: dict[Tensor, Order] = {}
    wanted: dict[tuple[Node, int], Order] = {}  # of what such a product reads
    asked = set(outputs)
    for node in nodes:
        made = None if node.outputs[0] in asked else _widened(node, orders)
        if made is not None:
            order, number, of_read = made
            orders[node.outputs[0]] = order
            wanted[node, number] = of_read
        elif not any(t in asked for t in node.outputs):
            followed = follows(node, orders)
            if followed is not None:
                orders |= dict.fromkeys(node.outputs, followed)
    if not wanted:
        return list(outputs)
    copies: dict[tuple[Node, int], Order] = {}
    for (node, number), order in wanted.items():
        tensor = node.inputs[number]
        if orders.get(tensor) == order:
            continue
        if tensor not in orders and _may_turn(tensor, users[tensor], wanted, order, orders):
            orders[tensor] = order
        else:
            copies[node, number] = order
    for node in reversed(nodes):
        order = None if any(t in asked for t in node.outputs) else _led(node, users, orders)
        if order is not None:
            orders[node.outputs[0]] = order
    return turn(outputs, keep_sums(orders, users), copies)


def _widened(node: Node, orders: Mapping[Tensor, Order]) -> tuple[Order, int, Order] | None:
    """For a sum of products with few columns: the order of its axes, which of its inputs has the rows, and the order of that one's."""
    op, out = node.op, node.outputs[0]
    found = contraction(out)
    if found is None or found.beside or not isinstance(op, Stage) or op.free is None:
        return None
    left = op.reads[found.left]
    if not _narrow(op, found, _FEW if node.inputs[left.operand] in orders else _NARROW):
        return None
    free, right = set(op.free), {v for p in op.reads[found.right].coords for v in p.variables}
    alone = [[v for v in p.variables if v in free] for p in left.coords]  # output indices of each axis of the left operand
    if any(len(found) > 1 for found in alone) or any(p.coefficient(v) != 1 for p, vs in zip(left.coords, alone, strict=True) for v in vs):
        return None
    bare = [axis for axis, p in enumerate(left.coords) if alone[axis] and p.bare is not None and alone[axis][0] not in right]
    windows = [axis for axis in range(len(left.coords)) if alone[axis] and axis not in bare and alone[axis][0] not in right]
    lanes = [*windows, *bare]
    last = [alone[axis][0] for axis in lanes]
    if len(set(last)) < len(last) or nominal([op.extents[k] for k in last[-1 - len(bare) :]]) < _WIDE:
        return None
    axis_of = {k: axis for axis, k in enumerate(op.free)}
    order = (*(axis_of[k] for k in op.free if k not in last), *(axis_of[k] for k in last))
    return order, left.operand, (*(a for a in range(len(left.coords)) if a not in lanes), *lanes)


def _narrow(op: Stage, found: Contraction, most: int) -> bool:
    sizes = [op.extents[k] for k in (found.n, *found.columns)]
    return all(isinstance(s, int) for s in sizes) and nominal(sizes) <= most and nominal(op.extents) >= _WORTH


def follows(node: Node, orders: Mapping[Tensor, Order]) -> Order | None:
    """The order in which a stage's result is computed because most of what it reads lies so; ``None`` where it stays as it is."""
    op = node.op
    if not isinstance(op, Stage) or not any(t in orders for t in node.inputs) or contraction(node.outputs[0]) is not None:
        return None
    if written(op) is None or any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
        return None
    if op.adds and any(_scatter(t) and t not in orders for t in node.inputs):
        return None
    weights: dict[Order | None, float] = {}
    for read in op.reads:
        tensor = node.inputs[read.operand]
        order = _carried(op, read, orders[tensor]) if tensor in orders else None
        weights[order] = weights.get(order, 0.0) + nominal(tensor.shape)
    best = max(weights, key=lambda o: (weights[o], o is not None))
    small = nominal(node.outputs[0].shape) < _WIDE * _NARROW
    return None if best is None or small or best == tuple(range(len(best))) else best


def _carried(op: Stage, read: Read, order: Order) -> Order | None:
    """The order of a result's axes that goes through a turned operand as it lies; ``None`` where axes do not match one by one."""
    axes: list[int] = []
    for axis in order:
        met = [a for a, place in enumerate(op.write) if set(place.variables) & set(read.coords[axis].variables)]
        if len(met) > 1 or any(a in axes for a in met):
            return None
        axes += met
    return (*(a for a in range(len(op.write)) if a not in axes), *axes)


def _may_turn(
    tensor: Tensor, users: Sequence[Node], wanted: Mapping[tuple[Node, int], Order], order: Order, orders: Mapping[Tensor, Order]
) -> bool:  # fmt: skip
    """Whether a tensor may be computed in another order, because nobody who reads it wants it as it is."""
    return _free_to_turn(tensor) and all(_welcome(user, tensor, wanted, order, orders) for user in users)


def _free_to_turn(tensor: Tensor) -> bool:
    """Whether a tensor is the result of a stage, no sum of products, that may write it in any order."""
    op = tensor.op
    if not isinstance(op, Stage) or len(tensor.node.outputs) > 1 or written(op) is None or contraction(tensor) is not None:
        return False
    return all(v >= 0 for r in op.reads for p in r.coords for v in p.variables)


def _welcome(user: Node, tensor: Tensor, wanted: Mapping[tuple[Node, int], Order], order: Order, orders: Mapping[Tensor, Order]) -> bool:
    number = user.inputs.index(tensor)
    if wanted.get((user, number)) == order or any(t in orders for t in user.outputs):
        return True
    found = contraction(user.outputs[0])
    return found is not None and isinstance(user.op, Stage) and user.op.reads[found.left].operand == number


def _led(node: Node, users: Mapping[Tensor, Sequence[Node]], orders: Mapping[Tensor, Order]) -> Order | None:
    """The order of a stage's result that only turned stages read, axis by axis; ``None`` where it stays as it is."""
    out = node.outputs[0]
    if out in orders or not _free_to_turn(out) or not users.get(out):
        return None
    found: set[Order | None] = set()
    for user in users[out]:
        op, order = user.op, orders.get(user.outputs[0])
        reads = [r for r in op.reads if user.inputs[r.operand] is out] if isinstance(op, Stage) else []
        if order is None or not reads or op.free is None or contraction(user.outputs[0]) is not None:  # type: ignore[union-attr]
            return None
        for read in reads:
            axis = {place.bare: a for a, place in enumerate(read.coords)}
            met = [axis[k] for k in (op.free[a] for a in order) if k in axis]  # type: ignore[union-attr, index]
            found.add(tuple(met) if len(met) == out.ndim else None)
    order = found.pop() if len(found) == 1 else None
    return None if order == tuple(range(out.ndim)) else order


def keep_sums(orders: Mapping[Tensor, Order], users: Mapping[Tensor, Sequence[Node]]) -> dict[Tensor, Order]:
    """The orders without those of scatters whose sum stays as it is: it is put together from them, in one order."""

    def torn(tensor: Tensor) -> bool:
        sums = (u for u in users.get(tensor, []) if isinstance(u.op, Stage) and u.op.adds)
        return _scatter(tensor) and any(t not in orders for u in sums for t in u.outputs)

    return {t: order for t, order in orders.items() if not torn(t)}


def _scatter(tensor: Tensor) -> bool:
    return isinstance(tensor.op, Stage) and tensor.op.free is None
