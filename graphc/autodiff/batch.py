"""The same graph for a whole stack of values of one tensor: leading axes that every stage on the way carries along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.compose import accesses
from graphc.expr.dims import Extent
from graphc.expr.graph import replace_inputs, topological
from graphc.expr.matrices import linalg
from graphc.expr.operation import Alias, Assign, Leaf, Linalg, Reshape, Scan
from graphc.expr.stage import Stage, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor, make, make_scan

__all__ = ["stacked_along", "vectorise"]


def vectorise(output: Tensor, source: Tensor, stacked: Tensor) -> Tensor:
    """``output`` as a function of ``source``, for every value that ``stacked`` holds along its leading axes.

    The result has those axes in front. What does not depend on ``source`` is computed once.
    """
    batch = stacked.shape[: stacked.ndim - source.ndim]
    stacks = _Stacks({source: stacked})
    _carry_along([output], batch, stacks)
    return _stacked(output, batch, stacks)


def stacked_along(outputs: Sequence[Tensor], stacks: Mapping[Tensor, Tensor], length: Extent) -> list[Tensor]:
    """The outputs as functions of several tensors at once, for all values that their stacks hold along one leading axis."""
    known = _Stacks(dict(stacks))
    _carry_along(outputs, (length,), known)
    return [_stacked(t, (length,), known) for t in outputs]


class _Stacks(dict[Tensor, Tensor]):
    """The stack of each tensor that has one; ``alike``: outputs of a replaced scan that need none, by those they replace."""

    def __init__(self, known: dict[Tensor, Tensor]) -> None:
        super().__init__(known)
        self.alike: dict[Tensor, Tensor] = {}

    def read(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor: its stack, or itself."""
        return self.get(tensor, self.alike.get(tensor, tensor))


def _carry_along(outputs: Sequence[Tensor], batch: tuple[Extent, ...], stacks: _Stacks) -> None:
    """Add to ``stacks`` whatever depends on what is there."""
    for node in topological(outputs):
        if node.outputs[0] in stacks or not any(t in stacks for t in node.inputs):
            if any(t in stacks.alike for t in node.inputs):
                stacks.alike.update(zip(node.outputs, replace_inputs(node, [stacks.read(t) for t in node.inputs]).outputs, strict=True))
            continue
        op = node.op
        if isinstance(op, Stage):
            stacks.update(zip(node.outputs, _stage(node, op, batch, stacks).node.outputs, strict=True))
        elif isinstance(op, Scan):
            _scan(node, op, batch, stacks)
        elif isinstance(op, Reshape):
            shape = (*batch, *op.shape)
            stacks[node.outputs[0]] = make(Reshape(shape), (stacks[node.inputs[0]],), shape, node.outputs[0].dtype, origin=node.origin)
        elif isinstance(op, Linalg):
            operands = [_stacked(t, batch, stacks) for t in node.inputs]
            stacks[node.outputs[0]] = linalg(op.kind, operands, label=op.label, guards=node.guards, origin=node.origin)
        else:
            assert isinstance(op, Alias | Assign), op
            value = node.inputs[1] if isinstance(op, Assign) else node.inputs[0]
            if value in stacks:
                stacks[node.outputs[0]] = stacks[value]


def _stacked(tensor: Tensor, batch: tuple[Extent, ...], stacks: _Stacks) -> Tensor:
    """The tensor's stack; where it has none, the tensor repeated."""
    if tensor in stacks:
        return stacks[tensor]
    tensor = stacks.read(tensor)
    rest = tuple(Affine.variable(len(batch) + k) for k in range(tensor.ndim))
    return stage([*batch, *tensor.shape], [(tensor, rest)], read_symbol(0), dtype=tensor.dtype)


def _moved(tensor: Tensor, source: int, target: int) -> Tensor:
    """The tensor with one axis moved to another place."""
    order = [k for k in range(tensor.ndim) if k != source]
    order.insert(target, source)
    places = tuple(Affine.variable(order.index(k)) for k in range(tensor.ndim))
    return stage([tensor.shape[k] for k in order], [(tensor, places)], read_symbol(0), dtype=tensor.dtype)


def _scan(node: Node, op: Scan, batch: tuple[Extent, ...], stacks: _Stacks) -> None:
    """A scan whose carries of floats, and whatever else depends on the source, have the leading axes within each iteration."""
    count, first, second = len(batch), op.carries, op.carries + op.sequences
    inner = _Stacks({})
    inputs: list[Tensor] = []
    for number, (outer, parameter) in enumerate(zip(node.inputs, op.parameters, strict=True)):
        stack = outer in stacks or (number < first and parameter.dtype == "float")
        if stack:
            inner[parameter] = make(Leaf("input"), (), (*batch, *parameter.shape), parameter.dtype, name=parameter.name)
        whole = _stacked(outer, batch, stacks) if stack else stacks.read(outer)
        # A sequence is walked along its first axis: the leading axes come after it.
        inputs.append(_moved(whole, count, 0) if stack and first <= number < second else whole)
    parameters = tuple(inner.get(p, p) for p in op.parameters)
    _carry_along(op.results, batch, inner)
    following = [_stacked(r, batch, inner) if r.dtype == "float" else inner.read(r) for r in op.results[:first]]
    results = (*following, *(inner.read(r) for r in op.results[first:]))
    made = make_scan(Scan(parameters, results, op.carries, op.sequences, op.length, op.reverse), inputs, node.guards, node.origin).outputs
    carried = [p.dtype == "float" for p in op.parameters[:first]]
    stacked = [*carried, *(r in inner for r in op.results[first:]), *carried]
    for number, (old, new) in enumerate(zip(node.outputs, made, strict=True)):
        if stacked[number]:
            stacks[old] = new if number < first else _moved(new, 0, count)
        else:
            stacks.alike[old] = new


def _stage(node: Node, op: Stage, batch: tuple[Extent, ...], stacks: _Stacks) -> Tensor:
    count = len(batch)
    lead = tuple(Affine.variable(k) for k in range(count))

    def shifted(place: Affine) -> Affine:
        return place.renumber(lambda v: v + count if v >= 0 else v)

    reads = [
        (stacks.read(t), (*(lead if t in stacks else ()), *(shifted(p) for p in places)), outside) for t, places, outside in accesses(node.outputs[0])
    ]
    body = substitute_indices(op.body.xreplace(op.dim_values()), {k: Affine.variable(k + count) for k in range(len(op.extents))})
    return stage(
        [*batch, *op.extents], reads, body, write=(*lead, *(shifted(p) for p in op.write)), shape=(*batch, *op.shape),
        reducer=op.reducer, guarded=op.guarded, dtype=node.outputs[0].dtype, guards=node.guards, origin=node.origin,
    )  # fmt: skip
