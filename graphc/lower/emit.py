"""Statements for tensors at places: loads where a tensor is stored, its formula where it is computed on the spot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product, provably_at_least
from graphc.expr.entry import entries, spelled
from graphc.expr.stage import Read, Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.lower import ir
from graphc.lower.scalars import Made, Scalars
from graphc.rewrite.samples import Samples

__all__ = ["Emitter", "Scratch", "strides"]

_TERM = 1 << 20  # the term of a sum that is written out, in places on their way to numbers
_SMALL = (-1, 0, 1)  # coefficients that are written into a kernel; all others are given when it runs


@dataclass(eq=False)
class Scratch:
    """Memory that one kernel needs for itself."""

    size: Extent
    dtype: ir.Kind = "float"


def strides(shape: Sequence[Extent]) -> list[Extent]:
    """How far apart neighbours stand along each axis of a row-major array."""
    result: list[Extent] = []
    step: Extent = 1
    for extent in reversed(shape):
        result.append(step)
        step = step * extent
    return result[::-1]


class Emitter:
    """One kernel in the making: its buffers, parameters and statements.

    Args:
        extents: of the loops' indices.
        root: the tensor whose memory a tensor uses.
        stored: whether a tensor is in memory when the kernel runs.
        numbers: of the random nodes.
        check: registers a range check (whose tensor, which axis); returns its code.
        samples: the part of the graph whose kernels may run for some samples at a time.
    """

    def __init__(
        self, extents: Sequence[Extent], root: Callable[[Tensor], Tensor], stored: Callable[[Tensor], bool], numbers: dict[Node, int],
        check: Callable[[Tensor, int, Extent, Tensor | None], int], samples: Samples | None = None,
    ) -> None:  # fmt: skip
        self.extents: list[Extent] = list(extents)
        self.root, self.stored, self.numbers, self.check, self.samples = root, stored, numbers, check, samples
        self.buffers: list[Tensor | Scratch] = []
        self.written: list[bool] = []
        self.params: list[Any] = []
        self._roles: dict[Any, ir.Param] = {}
        self.statements: list[Any] = []
        self.count = 0
        self.checks = 0
        self.scalars = Scalars(self._compute, self._literal)
        self._made: dict[Any, Made] = {}
        self._ids: dict[int, Tensor] = {}  # which integer tensor a value was read from

    # Values, buffers, parameters -------------------------------------------------------------------------------------

    def fresh(self) -> int:
        """The number of a new value."""
        self.count += 1
        return self.count - 1

    def _compute(self, function: str, arguments: tuple[int, ...], kind: ir.Kind) -> int:
        value = self.fresh()
        self.statements.append(ir.Compute(value, function, arguments, kind))
        return value

    def _literal(self, number: float, kind: ir.Kind) -> int:
        value = self.fresh()
        self.statements.append(ir.Literal(value, number, kind))
        return value

    def buffer(self, tensor: Tensor | Scratch, writes: bool = False) -> int:
        """The buffer of a tensor's memory."""
        root = tensor if isinstance(tensor, Scratch) else self.root(tensor)
        if root not in self.buffers:
            self.buffers.append(root)
            self.written.append(False)
        number = self.buffers.index(root)
        self.written[number] = self.written[number] or writes
        return number

    def param(self, value: Any) -> ir.Coefficient:
        """A whole number: written into the kernel where it is small, else a parameter."""
        return self.param_of(None, value)

    def param_of(self, role: Any, value: Any) -> ir.Coefficient:
        """A whole number that is no other's parameter, even where that has the same value: so fewer kernels differ by their sizes."""
        if isinstance(value, int) and value in _SMALL:
            return value
        if (role, value) not in self._roles:
            self._roles[role, value] = self.own_param(value)
        return self._roles[role, value]

    def own_param(self, value: Any) -> ir.Param:
        """A parameter of its own, whatever its value: so kernels do not differ by sizes that happen to agree."""
        self.params.append(value)
        return ir.Param(len(self.params) - 1)

    # Places ----------------------------------------------------------------------------------------------------------

    def flat(self, coords: Sequence[Affine], shape: Sequence[Extent]) -> Affine:
        """The flat position of coordinates."""
        place = Affine()
        for coordinate, step in zip(coords, strides(shape), strict=True):
            place = place + coordinate.scaled(step)
        return place

    def position(self, coords: Sequence[Affine], shape: Sequence[Extent]) -> Affine:
        """The flat position of coordinates among those of all samples."""
        place = self.flat(coords, shape)
        if self.samples is None or not shape or shape[0] != self.samples.rows:
            return place
        return place + Affine.constant(self.samples.before * product(shape[1:]))

    def integer(self, place: Affine) -> Made:
        """The whole number that a place is."""
        key = ("integer", place)
        if key not in self._made:
            value = self.fresh()
            self.statements.append(ir.Integer(value, place))  # type: ignore[arg-type]
            self._made[key] = (value, "int")
        return self._made[key]

    # Tensors ---------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """The statements that come now are in a loop of their own, which sees no values of other loops."""
        self.statements = []
        self.scalars = Scalars(self._compute, self._literal)
        self._made, self._ids = {}, {}

    def know(self, tensor: Tensor, coords: tuple[Affine, ...], made: Made) -> None:
        """A tensor's value at some coordinates is one that is already there."""
        self._made[tensor, coords] = made

    def value(self, tensor: Tensor, coords: tuple[Affine, ...]) -> Made:
        """The value of a tensor at coordinates that are known to be inside."""
        key = (tensor, coords)
        if key not in self._made:
            self._made[key] = self._value(tensor, coords)
        return self._made[key]

    def _value(self, tensor: Tensor, coords: tuple[Affine, ...]) -> Made:
        if tensor.kind == "constant" and tensor.ndim == 0:
            number = tensor.value.item()
            return self.scalars.number(int(number) if tensor.dtype == "bool" else number, "float" if tensor.dtype == "float" else "int")
        if self.stored(tensor):
            return self._load(tensor, self.flat(coords, tensor.shape))
        op = tensor.op
        assert isinstance(op, Stage)
        assert op.free is not None
        made = self.stage(op, tensor.inputs, {index: coords[axis] for axis, index in enumerate(op.free)})
        kind: ir.Kind = "float" if tensor.dtype == "float" else "int"
        return self.scalars.convert(made, "int" if tensor.dtype == "bool" and made[1] != "bool" else kind if made[1] != "bool" else "int"), (
            kind if tensor.dtype != "bool" else "int"
        )

    def _load(self, tensor: Tensor, place: Affine) -> Made:
        value = self.fresh()
        kind: ir.Kind = tensor.dtype
        self.statements.append(ir.Load(value, self.buffer(tensor), place, kind))  # type: ignore[arg-type]
        if kind == "int":
            self._ids[value] = tensor
        return value, "int" if kind == "bool" else kind

    def _loaded(self, tensor: Tensor, place: Affine) -> Made:
        """An entry of memory, which is read once."""
        key = ("loaded", tensor, place)
        if key not in self._made:
            self._made[key] = self._load(tensor, place)
        return self._made[key]

    def stage(self, op: Stage, inputs: Sequence[Tensor], places: dict[int, Affine]) -> Made:
        """The value of a stage's body, or of a sum with entries of a matrix of numbers; ``places`` are its indices."""
        if entries(op):
            return self._sum(op, inputs, places)
        symbols: dict[Any, Made] = {}
        reads: list[Made] = []
        for read in op.reads:
            reads.append(self.read(inputs[read.operand], read, places, reads))
        symbols.update({read_symbol(k): made for k, made in enumerate(reads)})
        free = op.body.free_symbols
        for k, dim in enumerate(op.dims):
            if dimension_symbol(k) in free:
                symbols[dimension_symbol(k)] = self.integer(Affine.constant(dim))
        for k, place in places.items():
            if index_symbol(k) in free:
                symbols[index_symbol(k)] = self.integer(place)
        return self.scalars.body(op.body, symbols)

    def _sum(self, op: Stage, inputs: Sequence[Tensor], places: dict[int, Affine]) -> Made:
        """A row of a matrix of numbers times what a sum reads, term by term."""
        table, row, column = spelled(op)
        assert op.reads[0].outside is None
        source, total = inputs[op.reads[0].operand], None
        coords = tuple(p.substitute({**places, column: Affine.variable(_TERM)}) for p in op.reads[0].coords)
        flat = self.flat(coords, source.shape) if self.stored(source) else None
        for k, factor in enumerate(table.numbers[int(places[row].offset)]):  # type: ignore[arg-type]
            if factor == 0:
                continue
            term = {_TERM: Affine.constant(k)}
            if flat is not None:
                made = self._loaded(source, flat.substitute(term))
            else:
                made = self.value(source, tuple(p.substitute(term) if _TERM in p.variables else p for p in coords))
            value = self.scalars.convert(made, "float")
            if factor == -1:
                value = self.scalars.apply("negative", [value], "float")[0]
            elif factor != 1:
                value = self.scalars.apply("multiply", [self.scalars.number(factor, "float")[0], value], "float")[0]
            total = (value, "float") if total is None else self.scalars.apply("add", [total[0], value], "float")
        return total or self.scalars.number(0.0, "float")

    def read(self, tensor: Tensor, read: Read, places: dict[int, Affine], earlier: Sequence[Made]) -> Made:
        """The value of an access."""
        replaced = places | {-(k + 1): Affine.variable(-(made[0] + 1)) for k, made in enumerate(earlier)}
        coords = tuple(p.substitute(replaced) for p in read.coords)
        through = any(v < 0 for p in coords for v in p.variables)
        if read.outside is None and not through:
            return self.value(tensor, coords)
        if read.outside is None:
            checked = [self.checked(p, tensor, axis) if any(v < 0 for v in p.variables) else p for axis, p in enumerate(coords)]
            return self._load(tensor, self.flat(checked, tensor.shape))
        inside = self.inside(coords, tensor.shape)
        if inside is None:
            return self.value(tensor, coords)
        position = self.integer(self.flat(coords, tensor.shape))
        safe = self.scalars.apply("select", [inside, position[0], self.scalars.number(0, "int")[0]], "int")
        loaded = self._load(tensor, Affine.variable(-(safe[0] + 1)))
        other = self.scalars.number(float(read.outside) if loaded[1] == "float" else _whole(read.outside), loaded[1])
        return self.scalars.apply("select", [inside, loaded[0], other[0]], loaded[1])

    def checked(self, place: Affine, tensor: Tensor, axis: int) -> Affine:
        """A place that goes through an integer tensor, checked against its axis."""
        self.checks += 1
        position = self.integer(place)
        value = self.fresh()
        ids = next((self._ids[-v - 1] for v in place.variables if -v - 1 in self._ids), None)
        code = self.param(("code", self.check(tensor, axis, tensor.shape[axis], ids)))
        self.statements.append(ir.Checked(value, position[0], self.param(tensor.shape[axis]), code))  # type: ignore[arg-type]
        return Affine.variable(-(value + 1))

    def inside(self, coords: Sequence[Affine], shape: Sequence[Extent]) -> int | None:
        """The condition that coordinates are inside a shape; ``None`` where they certainly are."""
        parts: list[int] = []
        for place, size in zip(coords, shape, strict=True):
            bounds = place.bounds(self.extents)
            low = bounds is None or not provably_at_least(bounds[0], 0)
            high = bounds is None or not provably_at_least(size - 1 - bounds[1], 0)
            at = self.integer(place)[0] if low or high else -1
            if low:
                parts.append(self.scalars.apply("greater_equal", [at, self.scalars.number(0, "int")[0]], "bool")[0])
            if high:
                limit = self.integer(Affine.constant(size))[0]
                parts.append(self.scalars.apply("less", [at, limit], "bool")[0])
        if not parts:
            return None
        condition = parts[0]
        for part in parts[1:]:
            condition = self.scalars.apply("and", [condition, part], "bool")[0]
        return condition


def _whole(outside: float) -> int:
    """What lies outside a tensor of whole numbers: for an infinity the greatest or the least of them."""
    return int(outside) if math.isfinite(outside) else 2**63 - 1 if outside > 0 else -(2**63)
