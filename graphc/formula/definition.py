"""Definitions: a tensor as a formula of other tensors' entries, read off its stage in exact algebra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import sympy

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.expr.operation import Leaf
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.formula.algebra import ONE, ZERO, tidy
from graphc.formula.atoms import Entry, Letter, Source, extent_formula, fresh_letters, letter, reduced
from graphc.formula.radix import Remainder, whole_positions
from graphc.formula.ranges import inside
from graphc.formula.sums import total

__all__ = ["LONGEST", "Definition", "Reader", "Recurrence", "axes", "exact", "number_of", "stage_formula"]


LONGEST = 60  # the size of a formula that is put into its users


@dataclass(frozen=True)
class Definition:
    """``tensor[letters] = expr``; ``expr`` is ``None`` where the tensor is given, not computed.

    A tensor of random numbers is given too, as far as derivatives go; ``drawn`` says how it is made of
    uniform ones. What a scan makes has its ``recurrence``; ``row`` is the row of a carry that item ``t`` makes. An inverse
    or a determinant is given likewise: it is made of ``operand``, a matrix whose inverse is ``inverse``.
    """

    tensor: Tensor
    source: Source
    name: str
    expr: Any
    drawn: Any = None
    operand: Source | None = None
    inverse: Source | None = None
    recurrence: Recurrence | None = None
    row: Any = None

    @property
    def letters(self) -> tuple[Letter, ...]:
        """One letter an axis; the first one of what is made over time runs over the items."""
        own = axes(self.tensor)
        return own if self.recurrence is None else (letter(0, self.recurrence.length), *own[1:])

    @property
    def places(self) -> tuple[Any, ...]:
        """Where the tensor's entry at those letters stands."""
        return self.letters if self.row is None else (self.row, *self.letters[1:])

    @property
    def entry(self) -> Any:
        """The tensor's entry at those letters."""
        return Entry(self.source, *self.places)


@dataclass(frozen=True, eq=False)
class Recurrence:
    """What a scan computes over time.

    Attributes:
        length, reverse: how many items there are, and whether they are walked from the last one.
        body: everything that one iteration makes, in order.
        initial: the formula of each carry's first row, over letters 1, 2, ...
        carries: the definitions of the carries.
    """

    length: Extent
    reverse: bool
    body: list[Definition]
    initial: dict[Source, Any]
    carries: dict[Source, Definition]

    @property
    def start(self) -> Any:
        """The row of the initial carry."""
        return extent_formula(self.length) if self.reverse else ZERO


class Reader(Protocol):
    """What says how an entry of a tensor reads."""

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The formula of a tensor's entry at places."""
        ...


def axes(tensor: Tensor) -> tuple[Letter, ...]:
    """The letters of a tensor's axes."""
    return tuple(letter(k, e) for k, e in enumerate(tensor.shape))


def number_of(tensor: Tensor) -> Any:
    """The number that every entry of an unnamed constant is, or the formula of the identity matrix."""
    op = tensor.op
    if not isinstance(op, Leaf) or op.kind != "constant" or op.cell is None or op.cell.array is None or op.cell.array.size == 0:
        return None
    first = op.cell.array.flat[0]
    if tensor.ndim == 2 and tensor.dtype == "float" and np.array_equal(op.cell.array, np.eye(len(op.cell.array))) and len(op.cell.array) > 1:
        return Select(sympy.Eq(*axes(tensor)), ONE, ZERO)
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
    if float(near) == value:
        return sympy.Rational(near.numerator, near.denominator)
    short = f"{value:.12g}"  # 0.1 * 0.2 is 0.020000000000000004: the last digits are the rounding of a product
    return sympy.Rational(short if abs(float(short) - value) <= 4 * math.ulp(value) else repr(value))


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
