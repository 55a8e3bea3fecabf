"""A stage as one line of text, for comments in generated code and for explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from graphc.expr.affine import Affine
from graphc.expr.operation import Linalg, Random
from graphc.expr.places import written
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["formula_text", "letter"]

_LETTERS = "ijklmnopqrstuvwabcdefgh"
Name = Callable[[Tensor], str]


def letter(index: int) -> str:
    """What a stage's index is called."""
    return _LETTERS[index] if index < len(_LETTERS) else f"i{index}"


def formula_text(tensor: Tensor, name: Name, written_out: Callable[[Tensor], bool] = lambda _: False, left: str = "") -> str:
    """``h[i, j] = sum over k: x[i, k]*W[k, j]``.

    Args:
        tensor: whose formula.
        name: what a tensor is called.
        written_out: the tensors among what it reads whose own formula takes the place of their name.
        left: what the tensor is called where its formula is, if not by its name.
    """
    op, own = tensor.op, left or name(tensor)
    if isinstance(op, Random):
        return f"{own} = uniform random numbers"
    if isinstance(op, Linalg):
        x, *along = (name(t) for t in tensor.inputs)
        return f"{own} = {op.kind} of {x}" + (f", differentiated along {', '.join(along)}" if along else "")
    if not isinstance(op, Stage):
        return f"{own} = {', '.join(name(t) for t in tensor.inputs)}"
    text = _Text(name, written_out, len(op.extents))
    body = text.sum(op, tensor.inputs, {k: Affine.variable(k) for k in range(len(op.extents))})
    places = ", ".join(text.place(p) for p in op.write)
    around = [f" ({value} outside of {', '.join(of)})" for value, of in text.outside.items()]
    return "".join([own, f"[{places}]" if op.write else "", f" = {body}", *around])


class _Printer(StrPrinter):
    """Formulas with operators and lower-case functions, and what is taken away at the end."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        terms: list[Any] = super()._as_ordered_terms(expr, order)
        return sorted(terms, key=lambda t: bool(t.could_extract_minus_sign()))

    def _print_Function(self, expr: Any) -> str:
        known = {"Maximum": "max", "Minimum": "min", "Absolute": "abs", "RootOfSquares": "sqrt"}
        called = expr.func.__name__
        return f"{known.get(called, called.lower())}({self.stringify(expr.args, ', ')})"

    def _print_Relational(self, expr: Any) -> str:
        signs = {"Eq": "==", "Ne": "!=", "Equality": "==", "Unequality": "!="}
        sides = [self.parenthesize(side, precedence(expr)) for side in (expr.lhs, expr.rhs)]
        return f" {signs.get(type(expr).__name__, expr.rel_op)} ".join(sides)


class _Written(sympy.Symbol):
    """What stands in a formula for a read: its text, which binds as tightly as ``precedence`` says."""

    __slots__ = ("precedence",)

    precedence: int


def _symbol(text: str, binds: int = PRECEDENCE["Atom"]) -> _Written:
    made = _Written(text)
    made.precedence = binds
    return made


def _binding(dimension: str) -> int:
    """How tightly the text of a dimension binds."""
    return PRECEDENCE["Atom" if dimension.isidentifier() else "Add" if "+" in dimension or "-" in dimension else "Mul"]


class _Text:
    """One formula on its way to text."""

    def __init__(self, name: Name, written_out: Callable[[Tensor], bool], letters: int) -> None:
        self.name, self.written_out, self.letters = name, written_out, letters
        self.data: list[str] = []  # reads that other reads' places go through
        self.outside: dict[str, dict[str, None]] = {}  # what reads give outside of which tensors

    def sum(self, op: Stage, inputs: Sequence[Tensor], places: Mapping[int, Affine]) -> str:
        """A stage's body under its reducer."""
        own = written(op) or ()
        reduced = [self.place(places[k]) for k in range(len(op.extents)) if k not in own]
        body = _Printer().doprint(self.body(op, inputs, places))
        return f"{op.reducer} over {', '.join(reduced)}: {body}" if op.reducer and reduced else body

    def body(self, op: Stage, inputs: Sequence[Tensor], places: Mapping[int, Affine]) -> Any:
        """A stage's body at some places, as an expression whose symbols are texts."""
        symbols: dict[Any, Any] = {}
        numbers: list[int] = []
        for k, read in enumerate(op.reads):
            replaced = dict(places) | {-(n + 1): Affine.variable(-(number + 1)) for n, number in enumerate(numbers)}
            coords = [p.substitute(replaced) for p in read.coords]
            made = self._read(inputs[read.operand], coords)
            if read.outside is not None:
                self.outside.setdefault(f"{read.outside:g}", {})[self.name(inputs[read.operand])] = None
            numbers.append(len(self.data))
            self.data.append(made.name)
            symbols[read_symbol(k)] = made
        free = op.body.free_symbols
        for k, place in places.items():
            if index_symbol(k) in free:
                symbols[index_symbol(k)] = _symbol(self.place(place), PRECEDENCE["Atom" if place.bare is not None else "Add"])
        dims = {s: _symbol(str(v), _binding(str(v))) for s, v in op.dim_values().items() if s in free}
        return op.body.xreplace(symbols | dims)

    def _read(self, tensor: Tensor, coords: Sequence[Affine]) -> _Written:
        op = tensor.op
        if not self.written_out(tensor) or not isinstance(op, Stage):
            return _symbol(f"{self.name(tensor)}[{', '.join(self.place(p) for p in coords)}]" if coords else self.name(tensor))
        own = written(op) or ()
        places = {index: coords[axis] for axis, index in enumerate(own)}
        if len(own) < len(op.extents):  # a sum within a formula has letters of its own
            for index in range(len(op.extents)):
                if index not in own:
                    places[index] = Affine.variable(self.letters)
                    self.letters += 1
            return _symbol(f"({self.sum(op, tensor.inputs, places)})")
        made = self.body(op, tensor.inputs, places)
        return _symbol(_Printer().doprint(made), precedence(made))

    def place(self, place: Affine) -> str:
        """A place by the letters of its indices."""
        parts = [(letter(v) if v >= 0 else self.data[-v - 1], c) for v, c in place.terms]
        terms = [t if c == 1 else f"-{t}" if c == -1 else f"{c}*{t}" for t, c in parts]
        if place.offset != 0 or not terms:
            terms.append(str(place.offset))
        return " + ".join(terms).replace("+ -", "- ")
