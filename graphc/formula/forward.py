"""The forward pass as definitions: each named tensor as a formula of the named tensors before it.

What has no name is put into its users, in exact algebra, so that the same network reads the same however it was written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import sympy

from graphc.errors import DerivationError
from graphc.expr.affine import Affine
from graphc.expr.carry import carried
from graphc.expr.graph import topological, training, unalias
from graphc.expr.matrices import linalg
from graphc.expr.operation import Alias, Assign, Leaf, Linalg, Random, Reshape
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.formula.algebra import ONE, ZERO, size_of, tidy
from graphc.formula.atoms import Entry, Letter, Reduced, Source, extent_formula, fresh_letters, letter, reduced
from graphc.formula.matrices import matrix_source
from graphc.formula.radix import Remainder, reshaped_places, whole_positions
from graphc.formula.ranges import decided, inside
from graphc.formula.structure import automatic_names, random_only
from graphc.formula.sums import total

__all__ = ["Definition", "Forward", "Reader", "axes", "exact", "stage_formula"]

_LONGEST = 60


@dataclass(frozen=True)
class Definition:
    """``tensor[letters] = expr``; ``expr`` is ``None`` where the tensor is given, not computed.

    A tensor of random numbers is given too, as far as derivatives go; ``drawn`` says how it is made of uniform ones. An inverse
    or a determinant is given likewise: it is made of ``operand``, a matrix whose inverse is ``inverse``.
    """

    tensor: Tensor
    source: Source
    name: str
    expr: Any
    drawn: Any = None
    operand: Source | None = None
    inverse: Source | None = None

    @property
    def letters(self) -> tuple[Letter, ...]:
        """One letter an axis."""
        return axes(self.tensor)

    @property
    def entry(self) -> Any:
        """The tensor's entry at those letters."""
        return Entry(self.source, *self.letters)


class Reader(Protocol):
    """What says how an entry of a tensor reads."""

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The formula of a tensor's entry at places."""
        ...


def axes(tensor: Tensor) -> tuple[Letter, ...]:
    """The letters of a tensor's axes."""
    return tuple(letter(k, e) for k, e in enumerate(tensor.shape))


class Forward:
    """The definitions of everything that ``outputs`` need.

    Attributes:
        definitions: by tensor, inputs before their users.
        outputs: the tensors asked for, as they stand in ``definitions``.
        asked: the training reading of the tensors asked for.
    """

    def __init__(self, outputs: Sequence[Tensor], *, automatic: bool = True, resolved: bool = False) -> None:
        self.asked = list(outputs) if resolved else carried(training(outputs))[0]
        order = topological(self.asked)
        self.outputs = [unalias(t) for t in self.asked]
        self.positions = {node: k for k, node in enumerate(order)}
        self.names = _names(order)
        self.automatic = automatic_names(order, self.names) if automatic else {}
        self.random = random_only(order)
        self.definitions: dict[Tensor, Definition] = {}
        self._inlined: dict[Tensor, Any] = {}
        self._matrices: dict[tuple[str, Source], Definition] = {}
        for node in order:
            if not isinstance(node.op, Alias):
                self._add(node)

    def _add(self, node: Node) -> None:
        out = node.outputs[0]
        name = self.names.get(out, "")
        number = _number(out) if not name else None
        if number is not None:
            self._inlined[out] = number
            return
        if isinstance(node.op, Leaf | Random) or (out in self.random and (name or out in self.automatic)):
            self._keep(out, name or self.automatic.get(out, ""), None, self._drawn(node))
            return
        for output in node.outputs:
            expr = self._formula(node, output)
            name = self.names.get(output, "") or self.automatic.get(output, "")
            if name or output in self.outputs or size_of(expr) > _LONGEST:
                self._keep(output, name, expr)
            else:
                self._inlined[output] = expr

    def _keep(self, tensor: Tensor, name: str, expr: Any, drawn: Any = None) -> None:
        source = Source.of(tensor, order=self.positions[tensor.node])
        self.definitions[tensor] = Definition(tensor, source, name, expr, drawn)

    def _matrix(self, kind: Any, x: Tensor, order: int) -> Definition:
        """The inverse or the determinant of a matrix, each once; the matrix is a quantity of its own then."""
        if x not in self.definitions:
            self._keep(x, "", self._inlined.pop(x))
        operand = self.definitions[x].source
        if (kind, operand) not in self._matrices:
            tensor = linalg(kind, [x])
            i, j = axes(x)[-2:]
            same = operand.symmetric or _symmetric(self.definitions[x].expr, i, j)
            source = matrix_source(tensor, order, same and kind == "inverse")
            inverse = source if kind == "inverse" else self._matrix("inverse", x, order).source
            self.definitions[tensor] = Definition(tensor, source, "", None, operand=operand, inverse=inverse)
            self._matrices[kind, operand] = self.definitions[tensor]
        return self._matrices[kind, operand]

    def _unturned(self, x: Tensor) -> tuple[Tensor, bool]:
        """The matrix whose transpose one without a name is, and whether it is one."""
        expr = self._inlined.get(x)
        *lead, i, j = axes(x)
        if isinstance(expr, Entry) and expr.places == (*lead, j, i) and expr.source.tensor in self.definitions:
            return expr.source.tensor, True
        return x, False

    def _drawn(self, node: Node) -> Any:
        """The formula of random numbers; ``None`` where there is none, as for a recurrence over them."""
        if isinstance(node.op, Leaf | Random):
            return None
        try:
            return self._formula(node, node.outputs[0])
        except DerivationError:
            return None

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The entry of a tensor at places: a named one's symbol, else its formula there."""
        tensor = unalias(tensor)
        known = self.definitions.get(tensor)
        if known is not None:
            return Entry(known.source, *places)
        return decided(self._inlined[tensor].xreplace(dict(zip(axes(tensor), places, strict=True))))

    def _formula(self, node: Node, output: Tensor) -> Any:
        op = node.op
        if isinstance(op, Stage):
            return exact(stage_formula(self, node, op, output))
        if isinstance(op, Assign):
            return self.read(node.inputs[1], axes(output))
        if isinstance(op, Linalg) and op.kind != "cofactor":
            x, turned = self._unturned(unalias(node.inputs[0]))
            places = axes(output)
            places = (*places[:-2], places[-1], places[-2]) if turned and op.kind == "inverse" else places
            return Entry(self._matrix(op.kind, x, self.positions[node]).source, *places)
        if not isinstance(op, Reshape):
            raise DerivationError(
                f"{output.describe()} is computed by {type(op).__name__.lower()}, for which no closed form is known: derive up to it"
            )
        return exact(self.read(node.inputs[0], reshaped_places(node.inputs[0], output)))


def _symmetric(expr: Any, i: Letter, j: Letter) -> bool:
    """Whether a matrix is certainly its own transpose, as a product with the transpose is."""
    return expr is not None and i.extent == j.extent and expr.xreplace({i: j, j: i}) == expr


def _names(order: Iterable[Node]) -> dict[Tensor, str]:
    """Each tensor's name: its own, or that of an alias; a repeated one is numbered."""
    found: dict[Tensor, str] = {}
    taken: dict[str, int] = {}
    for node in order:
        for t in node.outputs:
            target = unalias(t)
            winner = t.output == 1
            if t.name and not winner and (target not in found or (not target.name and t is not target and target not in found)):
                count = taken[t.name] = taken.get(t.name, 0) + 1
                found[target] = t.name if count == 1 else f"{t.name}_{count}"
    return found


def _number(tensor: Tensor) -> Any:
    """The number that every entry of an unnamed constant is."""
    op = tensor.op
    if not isinstance(op, Leaf) or op.kind != "constant" or op.cell is None or op.cell.array is None or op.cell.array.size == 0:
        return None
    first = op.cell.array.flat[0]
    if not (op.cell.array == first).all() or not sympy.sympify(first.item()).is_finite:
        return None
    if tensor.dtype == "bool":
        return ONE if first else ZERO
    return exact(sympy.sympify(first.item()))


def exact(expr: Any) -> Any:
    """Decimal numbers as the fractions that they mean."""
    floats = {f: _fraction(float(f)) for f in expr.atoms(sympy.Float)}
    expr = expr.xreplace(floats) if floats else expr
    return tidy(whole_positions(expr) if expr.has(Remainder) else expr)


def _fraction(value: float) -> Any:
    """A number as a fraction: a small one where that is the very number, as for 1/(1 - 0.25), else its decimals."""
    near = Fraction(value).limit_denominator(1000)
    return sympy.Rational(near.numerator, near.denominator) if float(near) == value else sympy.Rational(repr(value))


def stage_formula(forward: Reader, node: Node, op: Stage, output: Tensor) -> Any:
    """A stage's entry at the letters of its output."""
    free = op.free
    own = axes(output)
    fresh = fresh_letters(op.extents)
    letters: list[Any] = list(fresh)
    for index in op.reduced:
        # An index of one value is that value.
        letters[index] = ZERO if op.extents[index] == 1 and free is not None else letters[index]
    for axis, index in enumerate(free or ()):
        letters[index] = own[axis]
    values: dict[Any, Any] = {index_symbol(k): x for k, x in enumerate(letters)}
    values |= {dimension_symbol(k): extent_formula(d) for k, d in enumerate(op.dims)}
    reads: list[Any] = []
    for k, read in enumerate(op.reads):
        places = [_place(p, letters, reads) for p in read.coords]
        tensor = node.inputs[read.operand]
        value = forward.read(tensor, places)
        if read.outside is not None:
            held = sympy.And(*(inside(p, e) for p, e in zip(places, tensor.shape, strict=True)))
            value = Select(held, value, _outside(float(read.outside)))
        reads.append(value)
        values[read_symbol(k)] = value
    body = op.body.xreplace(values)
    body = _as_number(body)
    if free is None:
        for axis, place in enumerate(op.write):
            at = _place(place, letters, reads)
            body = Select(sympy.Eq(own[axis], at), ONE, ZERO) * body
        return total(body, fresh)
    over = [letters[k] for k in op.reduced if letters[k] != ZERO]
    if op.reducer is None or op.reducer == "sum":
        return total(body, over)
    return reduced(f"arg{op.reducer}" if output.output else op.reducer, body, over)


def _outside(value: float) -> Any:
    return sympy.Rational(repr(value)) if math.isfinite(value) else sympy.S.Infinity if value > 0 else sympy.S.NegativeInfinity


def _as_number(body: Any) -> Any:
    from graphc.expr.scalar import is_condition

    return Select(body, ONE, ZERO) if is_condition(body) else body


def _place(place: Affine, letters: Sequence[Any], reads: Sequence[Any]) -> Any:
    value = extent_formula(place.offset)
    for variable, coefficient in place.terms:
        value = value + extent_formula(coefficient) * (letters[variable] if variable >= 0 else reads[-variable - 1])
    return value


def has_reduction(expr: Any) -> bool:
    """Whether a formula sums or otherwise reduces."""
    return bool(expr.has(Reduced))
