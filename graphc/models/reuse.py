"""A model's graph on other inputs: the same weights, the same formulas, other tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent, FloorDiv
from graphc.expr.graph import rebuild, topological, unalias
from graphc.expr.operation import Assign, Current, Operation, Random, Reshape, Scan, next_number
from graphc.expr.stage import Read, Stage, dimension_symbol
from graphc.expr.tensor import Guard, Node, Tensor, make

__all__ = ["apply_again"]

Sizes = dict[str, Extent]
_WIDTH = {"bool": 0, "int": 1, "float": 2}  # what takes one kind takes those before it


def apply_again(outputs: Sequence[Tensor], inputs: Sequence[Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """The outputs with the inputs replaced by other tensors, whose named sizes take the place of the inputs'.

    Raises:
        ShapeError: where a tensor given has a shape that its input cannot have.
        DeclarationError: where it has numbers of a kind that its input cannot have.
    """
    if len(given) != len(inputs):
        raise ShapeError(f"the model has {len(inputs)} inputs, and is called on {len(given)} tensors")
    sizes: Sizes = {}
    for old, new in zip(inputs, given, strict=True):
        if _WIDTH[new.dtype] > _WIDTH[old.dtype]:
            raise DeclarationError(
                f"the model's input {old.describe()} takes {old.dtype}, and {new.describe()} is {new.dtype}: declare it as {old.dtype}"
            )
        if old.ndim != new.ndim:
            raise ShapeError(f"the model's input {old.describe()} has {old.ndim} axes, and {new.describe()} has {new.ndim}")
        for want, got in zip(old.shape, new.shape, strict=True):
            if isinstance(want, Dim) and want == Dim.named(want.names[0]):
                if sizes.setdefault(want.names[0], got) != got:
                    raise ShapeError(f"the model's dimension {want} would be {sizes[want.names[0]]} and {got} at once, on {new.describe()}")
            elif want != got:
                raise ShapeError(f"the model's input {old.describe()} does not fit {new.describe()}: {want} is wanted where {got} stands")
    moved = {name: size for name, size in sizes.items() if size != Dim.named(name)}
    return _Again(outputs, moved).made(outputs, dict(zip(inputs, given, strict=True)))


class _Again:
    """A graph once more, in other sizes: it draws its own random numbers, and its assignments take their own turn.

    Args:
        sizes: the new sizes by their old name.
    """

    def __init__(self, outputs: Sequence[Tensor], sizes: Sizes) -> None:
        self.sizes = sizes
        self.shown: dict[Tensor, Tensor] = {}  # what stands for a tensor, for pictures
        self.drawn: dict[Node, Sequence[Tensor]] = {}  # a body and its adjoint have their random nodes in common
        first, order = next_number(), topological(outputs)
        self.numbers = {k: next_number() for k in sorted({n.op.number for n in order if isinstance(n.op, Assign | Current)})}
        # What no layer made took no turn so far: here it does, and what reads its state finds it as of that turn.
        plain = [unalias(n.inputs[0]) for n in order if isinstance(n.op, Assign) and not n.op.chained]
        self.current = {t: make(Current(first), (t,), t.shape, t.dtype, origin=t.origin) for t in dict.fromkeys(plain)}

    def made(self, outputs: Sequence[Tensor], replaced: Mapping[Tensor, Tensor]) -> list[Tensor]:
        """The outputs, with some tensors replaced by others."""

        def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
            old = node.outputs[0]
            if old in self.current and old not in replaced:
                self.shown[old] = old
                return [self.current[old]]
            if not any(t in replaced for t in node.outputs):
                return self._drawn(node, inputs)
            self.shown |= {t: replaced[t] for t in node.outputs if t in replaced}
            return [replaced.get(t, t) for t in node.outputs]

        return rebuild(outputs, change)

    def _drawn(self, node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if node not in self.drawn:
            made = self._node(node, inputs)
            if made is None or not isinstance(node.op, Random):
                return made
            self.drawn[node] = made
        return self.drawn[node]

    def _node(self, node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, sizes = node.op, self.sizes
        if isinstance(op, Scan):
            body = tuple(self.made([*op.parameters, *op.results], {}))
            count = len(op.parameters)
            if body != (*op.parameters, *op.results):
                op = replace(op, parameters=body[:count], results=body[count:], length=_extent(op.length, sizes))
        elif isinstance(op, Random) and op.key is None:
            op = Random(tuple(_extent(e, sizes) for e in op.shape))
        elif isinstance(op, Assign):
            op, inputs = Assign(self.numbers[op.number], True), (node.inputs[0], inputs[1])
        elif isinstance(op, Current):
            op = Current(self.numbers[op.number])
        extents = [e for t in node.outputs for e in t.shape] + ([*op.extents, *op.dims] if isinstance(op, Stage) else [])
        if op is node.op and inputs == node.inputs and not any(_names(e) & set(sizes) for e in extents):
            return None
        if isinstance(op, Stage):
            op = _stage(op, sizes)
        elif isinstance(op, Reshape):
            op = Reshape(tuple(_extent(e, sizes) for e in op.shape))
        elif isinstance(op, Random):
            op = Random(tuple(_extent(e, sizes) for e in op.shape), op.key)
        return self._copy(node, op, inputs)

    def _copy(self, node: Node, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
        sizes, shown = self.sizes, self.shown
        guards = [Guard(_extent(g.left, sizes), _extent(g.right, sizes), g.message, g.origin, g.kind) for g in node.guards]
        copy = Node(op, inputs, guards, node.origin)
        outputs: list[Tensor] = []
        for t in node.outputs:
            call = None if t.call is None else t.call.on(shown)
            outputs.append(Tensor(copy, tuple(_extent(e, sizes) for e in t.shape), t.dtype, t.name, call, t.output))
        copy.outputs = tuple(outputs)
        shown.update(zip(node.outputs, outputs, strict=True))
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
