"""A model's graph on other inputs: the same weights, the same formulas, other tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.errors import ShapeError
from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent, FloorDiv
from graphc.expr.graph import rebuild, substitute
from graphc.expr.operation import Random, Reshape, Scan
from graphc.expr.stage import Read, Stage, dimension_symbol
from graphc.expr.tensor import Call, Guard, Node, Tensor

__all__ = ["apply_again"]

Sizes = dict[str, Extent]


def apply_again(outputs: Sequence[Tensor], inputs: Sequence[Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """The outputs with the inputs replaced by other tensors, whose named sizes take the place of the inputs'.

    Raises:
        ShapeError: where a tensor given has a shape that its input cannot have.
    """
    if len(given) != len(inputs):
        raise ShapeError(f"the model has {len(inputs)} inputs, and is called on {len(given)} tensors")
    sizes: Sizes = {}
    for old, new in zip(inputs, given, strict=True):
        if old.ndim != new.ndim:
            raise ShapeError(f"the model's input {old.describe()} has {old.ndim} axes, and {new.describe()} has {new.ndim}")
        for want, got in zip(old.shape, new.shape, strict=True):
            if isinstance(want, Dim) and want == Dim.named(want.names[0]):
                if sizes.setdefault(want.names[0], got) != got:
                    raise ShapeError(f"the model's dimension {want} would be {sizes[want.names[0]]} and {got} at once, on {new.describe()}")
            elif want != got:
                raise ShapeError(f"the model's input {old.describe()} does not fit {new.describe()}: {want} is wanted where {got} stands")
    moved = {name: size for name, size in sizes.items() if size != Dim.named(name)}
    if not moved:
        return substitute(outputs, dict(zip(inputs, given, strict=True)))
    return _resize(outputs, dict(zip(inputs, given, strict=True)), moved, {})


def _resize(outputs: Sequence[Tensor], replaced: dict[Tensor, Tensor], sizes: Sizes, drawn: dict[Node, Sequence[Tensor]]) -> list[Tensor]:
    """The outputs in other sizes.

    Args:
        replaced: tensors with what stands in their place.
        sizes: the new sizes by their old name.
        drawn: the random nodes made so far: a body and its adjoint have them in common.
    """

    def change(node: Node, arguments: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if node.outputs[0] in replaced:
            return [replaced[node.outputs[0]]]
        if node in drawn:
            return drawn[node]
        made = _resized(node, arguments, sizes, drawn)
        if made is not None and isinstance(node.op, Random):
            drawn[node] = made
        return made

    return rebuild(outputs, change)


def _resized(node: Node, inputs: tuple[Tensor, ...], sizes: Sizes, drawn: dict[Node, Sequence[Tensor]]) -> Sequence[Tensor] | None:
    op = node.op
    extents = [e for t in node.outputs for e in t.shape] + ([*op.extents, *op.dims] if isinstance(op, Stage) else [])
    if not any(_names(e) & set(sizes) for e in extents) and inputs == node.inputs:
        return None
    if isinstance(op, Stage):
        op = _stage(op, sizes)
    elif isinstance(op, Reshape):
        op = Reshape(tuple(_extent(e, sizes) for e in op.shape))
    elif isinstance(op, Random):
        op = Random(tuple(_extent(e, sizes) for e in op.shape), op.key)
    elif isinstance(op, Scan):
        body = tuple(_resize([*op.parameters, *op.results], {}, sizes, drawn))
        count = len(op.parameters)
        op = replace(op, parameters=body[:count], results=body[count:], length=_extent(op.length, sizes))
    guards = [Guard(_extent(g.left, sizes), _extent(g.right, sizes), g.message, g.origin, g.kind) for g in node.guards]
    copy = Node(op, inputs, guards, node.origin)
    shown = dict(zip(node.inputs, inputs, strict=True))
    outputs: list[Tensor] = []
    for t in node.outputs:
        call = None if t.call is None else Call(t.call.symbol, tuple(shown.get(a, a) for a in t.call.inputs), t.call.latex)
        outputs.append(Tensor(copy, tuple(_extent(e, sizes) for e in t.shape), t.dtype, t.name, call, t.output))
    copy.outputs = tuple(outputs)
    return copy.outputs


def _names(extent: Extent) -> set[str]:
    return set(extent.names) if isinstance(extent, Dim) else set()


def _extent(extent: Extent, sizes: Sizes) -> Extent:
    """An extent with its named sizes replaced."""
    if not _names(extent) & set(sizes):
        return extent
    assert isinstance(extent, Dim)
    total: Extent = 0
    for monomial, coefficient in extent.terms:
        value: Extent = coefficient
        for atom in monomial:
            if isinstance(atom, FloorDiv):
                value = value * (_extent(atom.numerator, sizes) // atom.denominator)
            else:
                value = value * sizes.get(atom, Dim.named(atom))
        total = total + value
    return total


def _place(place: Affine, sizes: Sizes) -> Affine:
    return Affine.collect([(v, _extent(c, sizes)) for v, c in place.terms], _extent(place.offset, sizes))


def _stage(stage: Stage, sizes: Sizes) -> Stage:
    dims = tuple(_extent(d, sizes) for d in stage.dims)
    body, kept = stage.body, list[Dim]()
    values = stage.dim_values()
    for (symbol, _), dim in zip(values.items(), dims, strict=True):
        if isinstance(dim, Dim):
            kept.append(dim)
        else:
            body = body.subs(symbol, dim)
    renumbered = {s: dimension_symbol(kept.index(d)) for s, d in zip(values, dims, strict=True) if isinstance(d, Dim)}
    return Stage(
        tuple(_extent(e, sizes) for e in stage.extents),
        tuple(_place(p, sizes) for p in stage.write),
        tuple(_extent(e, sizes) for e in stage.shape),
        tuple(Read(r.operand, tuple(_place(p, sizes) for p in r.coords), r.outside) for r in stage.reads),
        body.xreplace(renumbered),
        tuple(kept),
        stage.reducer,
        stage.guarded,
    )
