"""Turned tensors: what is only read with its axes in another order is computed in that order.

A recurrence takes its items time first, and the projections of a batch come sample first: turning them would copy them once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.graph import readers, rebuild, replace_inputs, topological
from graphc.expr.operation import Leaf
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, flat_place, nominal, reads_whole

__all__ = ["Order", "may_turn", "turn", "turn_sources"]

Order = tuple[int, ...]  # which of its axes a tensor's first, second, ... axis becomes


def turn_sources(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which stages that one stage reads turned are turned themselves, and what they read so as well."""
    return turn(outputs, _orders(outputs))


def turn(outputs: Sequence[Tensor], orders: Mapping[Tensor, Order], copies: Mapping[tuple[Node, int], Order] | None = None) -> list[Tensor]:
    """The graph in which some tensors have their axes in other orders, and whoever reads them knows.

    Args:
        outputs: of the graph; one that is turned is turned back at the end.
        orders: of results of stages: which of its axes a tensor's first, second, ... axis becomes.
        copies: which inputs of a stage, by their numbers, are first copied in an order of their own.
    """
    asked, copies = set(outputs), copies or {}
    copied: dict[tuple[Tensor, Order], Tensor] = {}

    def back(tensor: Tensor, now: Tensor) -> Tensor:
        return _turned(now, _inverse(orders[tensor])) if tensor in orders else now

    def copy(tensor: Tensor, now: Tensor, order: Order) -> Tensor:
        if (tensor, order) not in copied:
            copied[tensor, order] = _turned(back(tensor, now), order)
        return copied[tensor, order]

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        own = {k: order for k in range(len(inputs)) if (order := copies.get((node, k))) is not None}
        given = {k: orders[t] for k, t in enumerate(node.inputs) if t in orders} | own
        order = orders.get(node.outputs[0])
        if order is None and not given:
            return None
        if not isinstance(node.op, Stage):
            return replace_inputs(node, [back(*pair) for pair in zip(node.inputs, inputs, strict=True)]).outputs
        now = [copy(node.inputs[k], t, own[k]) if k in own else t for k, t in enumerate(inputs)]
        made = _moved(node, now, given, order)
        if given and node.outputs[0] not in asked and _copies(made):
            return made.inputs[:1]
        return made.node.outputs

    made = rebuild(outputs, change)
    return [back(*pair) for pair in zip(outputs, made, strict=True)]


def _moved(node: Node, inputs: Sequence[Tensor], given: Mapping[int, Order], order: Order | None) -> Tensor:
    """A stage that reads some inputs in other orders, and gives its result in another order, if there is one."""
    op, out = node.op, node.outputs[0]
    assert isinstance(op, Stage)
    axes = tuple(range(out.ndim)) if order is None else order
    number = list(range(len(op.extents)))
    flats = [flat_place([r.coords[a] for a in given.get(r.operand, range(len(r.coords)))], inputs[r.operand].shape) for r in op.reads]
    if op.free is not None:  # the indices go with the axes
        first = [op.free[axis] for axis in axes]
        rest = [k for k in number if k not in first]
        if op.reducer in ("sum", "prod"):  # in the order in which memory is read
            rest.sort(key=lambda k: -max((abs(nominal([p.coefficient(k)])) for p in flats), default=0))  # a sum over nothing reads nothing
        places = [*first, *rest]
        number = [places.index(k) for k in number]

    def moved(place: Affine) -> Affine:
        return place.renumber(lambda v: number[v] if v >= 0 else v)

    reads: list[Access] = []
    for read in op.reads:
        turned = given.get(read.operand, tuple(range(len(read.coords))))
        reads.append((inputs[read.operand], tuple(moved(read.coords[axis]) for axis in turned), read.outside))
    extents = sorted(range(len(number)), key=number.__getitem__)
    body = op.body.xreplace(op.dim_values()).xreplace({index_symbol(k): index_symbol(n) for k, n in enumerate(number)})
    return stage(
        [op.extents[k] for k in extents], reads, body, write=[moved(op.write[axis]) for axis in axes], shape=[op.shape[axis] for axis in axes],
        reducer=op.reducer, guarded=op.guarded, dtype=out.dtype, guards=node.guards, origin=node.origin,
        name=out.name if order is None else "", call=out.call if order is None else None,
    )  # fmt: skip


def _turned(tensor: Tensor, order: Order) -> Tensor:
    """A copy with the axes in another order."""
    coords = tuple(Affine.variable(order.index(axis)) for axis in range(tensor.ndim))
    return stage([tensor.shape[axis] for axis in order], [(tensor, coords)], read_symbol(0), dtype=tensor.dtype, origin=tensor.origin)


def _inverse(order: Order) -> Order:
    return tuple(order.index(axis) for axis in range(len(order)))


def _copies(made: Tensor) -> bool:
    """Whether a stage has become a mere copy of what it reads."""
    op = made.op
    if not isinstance(op, Stage) or op.body != read_symbol(0) or len(op.reads) != 1 or op.reducer is not None or op.free is None:
        return False
    return made.dtype == made.inputs[0].dtype and reads_whole(made, op.reads[0])


def _orders(outputs: Sequence[Tensor]) -> dict[Tensor, Order]:
    """The order of axes of each tensor that is to be turned: its only reader's."""
    nodes = topological(outputs)
    users = readers(nodes)
    asked = set(outputs)
    orders: dict[Tensor, Order] = {}
    for node in reversed(nodes):
        tensor = node.outputs[0]
        if tensor in asked or len(users.get(tensor, [])) != 1 or not may_turn(node):
            continue
        order = _read(users[tensor][0], tensor, orders)
        if order is not None and order != tuple(range(tensor.ndim)) and not (_product(tensor) and order[-1] != tensor.ndim - 1):
            orders[tensor] = order
    return orders


def may_turn(node: Node) -> bool:
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
