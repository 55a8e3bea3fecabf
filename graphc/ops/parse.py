"""A formula typed as text: ``gx.parse("sum((X*w - y)^2)", {"X": ("m", "n"), "w": ("n",), "y": ("m",)})``.

The text is read by a grammar of its own; no code is evaluated. A vector is a column; ``*`` is the matrix product, ``'``
the transpose, ``^`` the power of a scalar or of each entry of a vector (of a matrix, write ``.^`` or ``A*A``), ``A^-1`` the
inverse, ``.*`` and ``./`` the product and the quotient entry by entry. ``vector(1)`` and ``matrix(1)`` have that number
everywhere and ``eye`` is the unit matrix, of the size that the formula asks for.

    sum     = product (("+" | "-") product)*
    product = unary (("*" | "/" | ".*" | "./") unary)*
    unary   = ("-" | "+") unary | power
    power   = postfix (("^" | ".^") unary)?
    postfix = atom "'"*
    atom    = number | name | "eye" | function "(" sum ")" | "(" sum ")"

A text with fills is read twice: first with sizes that have no number, to learn from the rest what they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sympy

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import constant, stage
from graphc.expr.dims import Dim, Extent
from graphc.expr.scalar import Select
from graphc.expr.stage import index_symbol
from graphc.expr.tensor import Tensor
from graphc.ops import arithmetic, linalg, linear, reduction
from graphc.ops.layout import broadcast_to, transpose
from graphc.ops.state import tensor

__all__ = ["parse"]

Kind = Literal["scalar", "column", "row", "matrix"]
_DEEPEST = 100  # nesting of parentheses and signs

_TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d+(?:\.(?![*/^])\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>\.\*|\./|\.\^|[-+*/^'()]))")


@dataclass(frozen=True)
class _Value:
    """A tensor with the side that it stands on: a row is a vector that was transposed."""

    tensor: Tensor
    kind: Kind


_BY_ENTRY: dict[str, Callable[..., Tensor]] = {
    name: getattr(arithmetic, name)
    for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "arctan", "abs", "sign", "relu", "sigmoid", "softplus", "erf")
}
_TO_SCALAR: dict[str, Callable[..., Tensor]] = {
    "sum": reduction.sum,
    "mean": reduction.mean,
    "max": reduction.max,
    "min": reduction.min,
    "norm2": reduction.norm,
    "norm": reduction.norm,
    "norm1": lambda x: reduction.sum(arithmetic.abs(x)),
    "logsumexp": reduction.logsumexp,
}
_OF_MATRIX: dict[str, tuple[Callable[..., Tensor], Kind]] = {
    "tr": (linear.trace, "scalar"), "trace": (linear.trace, "scalar"),
    "inv": (linalg.inv, "matrix"), "det": (linalg.det, "scalar"), "logdet": (linalg.logdet, "scalar"),
}  # fmt: skip


_FILLS: dict[str, Kind] = {"vector": "column", "matrix": "matrix"}


def parse(text: str, shapes: Mapping[str, Any]) -> Tensor:
    """The formula that a text describes, as a tensor.

    Args:
        text: the formula.
        shapes: the shape of each name, as for :func:`graphc.tensor`: ``()`` a scalar, one entry a column, two a matrix.
            A name may also be given as a tensor that exists already.

    Raises:
        DeclarationError: for text that the grammar does not know, pointing at it.
        ShapeError: for operands that do not fit.

    Example:
        >>> import graphc as gx
        >>> loss = gx.parse("sum((X*w - y)^2)", {"X": ("m", "n"), "w": ("n",), "y": ("m",)})
        >>> list(gx.leaves(loss))
        ['X', 'w', 'y']
    """
    if not isinstance(text, str):
        raise DeclarationError(f"gx.parse reads a text, not {text!r}")
    if not isinstance(shapes, Mapping):
        raise DeclarationError(f'gx.parse takes the shapes of the names in a dict, {{"w": ("n",)}}, not {shapes!r}')
    first = _Parser(text, shapes, {})
    read = first.whole()
    if not first.fills:
        return read.tensor
    known = {name: leaf.tensor for name, leaf in first.leaves.items()}
    return _Parser(text, known, first.solve()).whole().tensor


class _Parser:
    """A text on its way to a tensor, read from left to right."""

    def __init__(self, text: str, shapes: Mapping[str, Any], sizes: Mapping[str, Extent]) -> None:
        self.text = text
        self.sizes = sizes  # of the fills, by the names that they have in the first reading
        self.fills: dict[str, int] = {}  # those names, and where they stand
        self.equal: list[tuple[Extent, Extent]] = []  # sizes that the formula makes equal
        self.leaves = {name: self._leaf(name, shape) for name, shape in shapes.items()}
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def _leaf(self, name: str, shape: Any) -> _Value:
        leaf = shape if isinstance(shape, Tensor) else tensor(name, shape)
        if leaf.ndim > 2:
            raise ShapeError(f"{leaf.describe()} has {leaf.ndim} axes, and typed formulas know scalars, columns and matrices")
        kinds: tuple[Kind, ...] = ("scalar", "column", "matrix")
        return _Value(leaf, kinds[leaf.ndim])

    def _tokens(self) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        place, end = 0, len(self.text.rstrip())
        while place < end:
            match = _TOKEN.match(self.text, place)
            if match is None:
                raise self._error("this is no part of a formula", place + len(self.text[place:]) - len(self.text[place:].lstrip()))
            kind = match.lastgroup or ""
            found.append((kind, match[kind], match.start(kind)))
            place = match.end()
        return [*found, ("end", "", end)]

    def _error(self, what: str, place: int | None = None) -> DeclarationError:
        place = self.tokens[self.at][2] if place is None else place
        shown = repr(self.text[place : place + 12]) if place < len(self.text) else "the end"
        return DeclarationError(f"{self.text!r}: {what}, at {shown} (position {place + 1})")

    def _next(self, *signs: str) -> str | None:
        """The next token where it is one of ``signs``, taken."""
        kind, text, _ = self.tokens[self.at]
        if kind == "sign" and text in signs:
            self.at += 1
            return text
        return None

    def _fit(self, left: Extent, right: Extent, what: str, place: int) -> None:
        """Two sizes are the same one."""
        if isinstance(left, int) and isinstance(right, int) and left != right:
            raise ShapeError(str(self._error(what, place)))
        self.equal.append((left, right))

    def _carry_out(self, function: Callable[..., Tensor], *values: Any, place: int) -> Tensor:
        """An operation whose errors point at its sign or name."""
        try:
            return function(*values)
        except ShapeError as error:
            raise ShapeError(str(self._error(str(error), place))) from None

    def _fill(self, kind: Kind, value: Any, place: int) -> _Value:
        """A tensor whose size the rest of the formula tells."""
        names = [f"size {axis} of {self.text[place : place + 12]!r} at {place + 1}" for axis in range(1 if kind == "column" or value is None else 2)]
        self.fills |= dict.fromkeys(names, place)
        sizes = [self.sizes.get(n, Dim.named(n)) for n in names]
        if value is not None:
            return _Value(broadcast_to(value, tuple(sizes)), kind)
        body = Select(sympy.Eq(index_symbol(0), index_symbol(1)), sympy.Integer(1), sympy.Integer(0))
        return _Value(stage((sizes[0], sizes[0]), (), body, dtype="float").called("I", latex="I"), kind)

    def solve(self) -> dict[str, Extent]:
        """What the sizes of the fills are.

        Raises:
            DeclarationError: for a fill whose size the formula leaves open.
        """
        found: dict[str, Extent] = {}
        own = {Dim.named(name): name for name in self.fills}

        def value(size: Extent) -> Extent:
            return found.get(own[size], size) if isinstance(size, Dim) and size in own else size

        for _ in self.fills:
            for left, right in self.equal:
                a, b = value(left), value(right)
                for size, other in ((a, b), (b, a)):
                    if isinstance(size, Dim) and size in own and not (isinstance(other, Dim) and other in own):
                        found.setdefault(own[size], other)
        for name, place in self.fills.items():
            if name not in found:
                raise self._error("nothing in the formula tells the size of this", place)
        return found

    def whole(self) -> _Value:
        """The whole text."""
        value = self._sum()
        if self.tokens[self.at][0] != "end":
            raise self._error("an operator such as * is missing")
        return value

    def _sum(self) -> _Value:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error(f"the formula is nested more than {_DEEPEST} deep")
        value = self._product()
        while sign := self._next("+", "-"):
            place = self.tokens[self.at - 1][2]
            value = self._entries(arithmetic.add if sign == "+" else arithmetic.subtract, value, self._product(), sign, place)
        self.depth -= 1
        return value

    def _product(self) -> _Value:
        value = self._unary()
        while sign := self._next("*", "/", ".*", "./"):
            place = self.tokens[self.at - 1][2]
            other = self._unary()
            if sign in ("/", "./") and not isinstance(divisor := _number(other), Tensor) and divisor == 0:
                raise self._error("a division by 0", place)
            if sign == "*":
                value = self._matrix_product(value, other, place)
            elif sign == "/" and other.kind != "scalar":
                raise self._error(f"only a scalar divides with /, and the divisor is a {other.kind}; ./ divides entry by entry", place)
            else:
                value = self._entries(arithmetic.multiply if sign == ".*" else arithmetic.divide, value, other, sign, place)
        return value

    def _unary(self) -> _Value:
        negative = False
        while sign := self._next("-", "+"):
            negative ^= sign == "-"
        value = self._power()
        if not negative:
            return value
        number = _number(value)
        return _Value(constant(-number) if isinstance(number, float) else arithmetic.negative(value.tensor), value.kind)

    def _power(self) -> _Value:
        base = self._postfix()
        sign = self._next("^", ".^")
        if sign is None:
            return base
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error(f"the formula is nested more than {_DEEPEST} deep")
        place, at = self.tokens[self.at][2], self.tokens[self.at - 1][2]
        exponent = self._unary()
        self.depth -= 1
        if base.kind == "matrix" and sign == "^":
            power = _number(exponent)
            if not isinstance(power, Tensor) and power == -1:
                return self._of_matrix("inv", base, at)
            raise self._error("^ of a matrix could mean the matrix product with itself or the power entry by entry: write A*A or A.^2", place)
        return self._entries(arithmetic.power, base, exponent, "^", at)

    def _postfix(self) -> _Value:
        value = self._atom()
        turned: dict[Kind, Kind] = {"column": "row", "row": "column", "scalar": "scalar", "matrix": "matrix"}
        while self._next("'"):
            value = _Value(transpose(value.tensor) if value.kind == "matrix" else value.tensor, turned[value.kind])
        return value

    def _atom(self) -> _Value:
        kind, text, place = self.tokens[self.at]
        if self._next("("):
            value = self._sum()
            self._close()
            return value
        if kind == "number":
            self.at += 1
            if math.isinf(float(text)):
                raise self._error(f"the number {text} is too large for a float", place)
            return _Value(constant(float(text)), "scalar")
        if kind != "name":
            raise self._error("a number, a name or ( is missing")
        self.at += 1
        if self.tokens[self.at][1] == "(" and text not in self.leaves:
            return self._call(text, place)
        if text == "eye" and text not in self.leaves:
            return self._fill("matrix", None, place)
        if text not in self.leaves:
            known = ", ".join(self.leaves) or "none"
            raise self._error(f"{text} has no shape: give it in the second argument (known names: {known})", place)
        return self.leaves[text]

    def _close(self) -> None:
        if not self._next(")"):
            raise self._error(") is missing")

    def _call(self, name: str, place: int) -> _Value:
        if name not in _BY_ENTRY and name not in _TO_SCALAR and name not in _OF_MATRIX and name not in _FILLS and name != "diag":
            known = ", ".join(sorted([*_BY_ENTRY, *_TO_SCALAR, *_OF_MATRIX, *_FILLS, "diag"]))
            raise self._error(f"the function {name} is unknown; known are {known}", place)
        self._next("(")
        value = self._sum()
        self._close()
        if name in _FILLS:
            if value.kind != "scalar":
                raise self._error(f"{name} takes the number that all its entries are, and this is a {value.kind}", place)
            return self._fill(_FILLS[name], value.tensor, place)
        if name in _BY_ENTRY:
            return _Value(_BY_ENTRY[name](value.tensor), value.kind)
        if name in _TO_SCALAR:
            return _Value(_TO_SCALAR[name](value.tensor), "scalar")
        if name == "diag":
            if value.kind == "scalar":
                raise self._error("diag takes a vector or a matrix", place)
            return _Value(linear.diag(value.tensor), "column" if value.kind == "matrix" else "matrix")
        return self._of_matrix(name, value, place)

    def _of_matrix(self, name: str, value: _Value, place: int) -> _Value:
        function, kind = _OF_MATRIX[name]
        if value.kind != "matrix":
            raise self._error(f"{name} takes a matrix, and this is a {value.kind}", place)
        rows, columns = value.tensor.shape
        self._fit(rows, columns, f"{name} takes a square matrix, and this is {value.tensor.describe()}", place)
        return _Value(self._carry_out(function, value.tensor, place=place), kind)

    def _entries(self, function: Callable[..., Tensor], left: _Value, right: _Value, sign: str, place: int) -> _Value:
        """An operation entry by entry: equal kinds, or a scalar with anything."""
        if left.kind != right.kind and "scalar" not in (left.kind, right.kind):
            raise ShapeError(str(self._error(f"{sign} joins a {left.kind} and a {right.kind}; transpose one of them with '", place)))
        if left.kind == right.kind:
            for a, b in zip(left.tensor.shape, right.tensor.shape, strict=True):
                self._fit(a, b, f"{sign} joins {left.tensor.describe()} and {right.tensor.describe()}, which differ in size", place)
        kind = right.kind if left.kind == "scalar" else left.kind
        return _Value(self._carry_out(function, *(_number(v) for v in (left, right)), place=place), kind)

    def _matrix_product(self, left: _Value, right: _Value, place: int) -> _Value:
        a, b = left.tensor, right.tensor
        if "scalar" in (left.kind, right.kind):
            return self._entries(arithmetic.multiply, left, right, "*", place)
        kinds: dict[tuple[Kind, Kind], Kind] = {
            ("row", "column"): "scalar", ("column", "row"): "matrix", ("matrix", "column"): "column", ("row", "matrix"): "row",
            ("matrix", "matrix"): "matrix",
        }  # fmt: skip
        kind = kinds.get((left.kind, right.kind))
        if kind is None:
            raise ShapeError(str(self._error(f"{left.kind} * {right.kind} is no matrix product; write x'*y, x*y', or .* entry by entry", place)))
        if kind == "matrix" and left.kind == "column":
            return _Value(linear.outer(a, b), kind)
        self.equal.append((a.shape[-1], b.shape[0]))
        return _Value(self._carry_out(linear.matmul, a, b, place=place), kind)


def _number(value: _Value) -> Any:
    """A constant as a plain number, so that it stands in the formula itself."""
    return value.tensor.value.item() if value.kind == "scalar" and value.tensor.kind == "constant" else value.tensor
