"""Kernels printed as Python source for the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.codegen.blocks import vector_bytes
from graphc.codegen.exchanges import Exchange, exchanges
from graphc.lower import ir
from graphc.lower.chunks import MOST_ROWS

__all__ = ["PLACEHOLDER", "contraction_source", "Printer", "kernel_source"]

PLACEHOLDER = "kernel_"
_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=",
    "greater": ">", "greater_equal": ">=", "and": "&", "or": "|",
}  # fmt: skip
_OWN = (
    "arctan", "cos", "cosh", "erf", "exp", "expm1", "floor", "isfinite", "log", "log1p", "maximum", "minimum", "power", "select", "sigmoid",
    "sign", "sin", "sinh", "softplus", "tan", "tanh",
)  # fmt: skip
_LIBRARY = {"sqrt": "math.sqrt", "absolute": "abs"}
# With math="libm" the functions of the C library take the place of our own.
_ALL_LIBRARY = {
    **_LIBRARY, **{name: f"math.{name}" for name in ("cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "sin", "sinh", "tan", "tanh")},
    "arctan": "math.atan", "power": "math.pow", "sigmoid": "library_sigmoid", "softplus": "library_softplus",
}  # fmt: skip
_IDENTITY = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
_WHOLE = {"sum": 0, "prod": 1, "max": -(2**63), "min": 2**63 - 1}
_RUNNING = {"sum": "total", "prod": "product", "max": "greatest", "min": "least"}  # in an order that is free
_COMBINE = {"sum": "{0} + {1}", "prod": "{0} * {1}", "max": "maximum({0}, {1})", "min": "minimum({0}, {1})"}


def kernel_source(kernel: ir.Kernel, floats: str, math: str = "vector") -> str:
    """A module with one compiled function of a row of addresses and whole numbers; its name holds :data:`PLACEHOLDER`.

    Args:
        kernel: what to print.
        floats: ``"float32"`` or ``"float64"``.
        math: whose exp, sin and their like: ``"vector"`` for our own, ``"libm"`` for the C library's.
    """
    product = next((s for loop in kernel.body if isinstance(loop, ir.Loop) for s in loop.body if isinstance(s, ir.Contract)), None)
    if product is not None:
        return contraction_source(floats, vector_bytes(), beside=product.beside)
    return Printer(kernel, floats, _ALL_LIBRARY if math == "libm" else _LIBRARY).module()


def contraction_source(floats: str, width: int, *, beside: bool = False) -> str:
    """The one kernel of all sums of products: what it sums is in its row of arguments.

    Args:
        floats: as for other kernels.
        width: bytes of the host's vectors.
        beside: the other one, for operands that may lie beside each other.
    """
    name = "contraction_beside" if beside else "contraction"
    head = f"from graphc.codegen.kernel import *\n\n\n@compiled\ndef {PLACEHOLDER}(row, low, high, worker):\n"
    return f"{head}    {name}(row, low, high, worker, {32 if floats == 'float32' else 64}, {width}, {MOST_ROWS})\n    return\n"


class Printer:
    """A kernel on its way to source; printers for other targets are derived from it."""

    vectors = True  # whether the target has vectors: then axes are exchanged in squares, and short loops take part of one

    def __init__(self, kernel: ir.Kernel, floats: str, library: dict[str, str]) -> None:
        self.kernel, self.floats, self.library = kernel, floats, library
        self.real = "float32" if floats == "float32" else "float64"
        self.constants: list[str] = []
        self.lines: list[str] = []
        self.kinds: dict[int, ir.Kind] = {}

    def module(self) -> str:
        """The whole source."""
        self.block(self.kernel.body, 1)
        head = ["control = integers(row, 0)"] if any("control" in line for line in self.lines) else []
        binders = {"float": "floats32" if self.floats == "float32" else "floats64", "int": "integers", "bool": "bools", "double": "floats64"}
        head += [f"b{k} = {binders[kind]}(row, {k + 1})" for k, kind in enumerate(self.kernel.buffers)]
        first = 1 + len(self.kernel.buffers)
        head += [f"n{k} = integer(row, {first + k})" for k in range(self.kernel.params)]
        head += [f"b{k} = moved(b{k}, worker * {self.number(size)})" for k, size in self.kernel.scratch]
        body = "\n".join([*(f"    {line}" for line in head), *self.lines])
        imports = ["import math", "", "import numpy as np", "", "from graphc.codegen.kernel import *"]
        constants = [f"C{k} = {text}" for k, text in enumerate(self.constants)]
        return "\n".join([*imports, "", *constants, "", "", "@compiled", f"def {PLACEHOLDER}(row, low, high, worker):", body, "    return", ""])

    def emit(self, depth: int, text: str) -> None:
        """A line."""
        self.lines.append("    " * depth + text)

    def constant(self, number: float | bool, kind: ir.Kind) -> str:
        """A number of its kind, as a name bound in the module."""
        if kind == "bool":
            return str(bool(number))
        if kind == "int":
            text = f"np.int64({int(number)})"
        else:
            value = float(number)
            text = f"np.{self.real}({value!r})" if math.isfinite(value) else f'np.{self.real}("{value}")'
        if text not in self.constants:
            self.constants.append(text)
        return f"C{self.constants.index(text)}"

    def number(self, coefficient: ir.Coefficient) -> str:
        """A coefficient."""
        return f"n{coefficient.number}" if isinstance(coefficient, ir.Param) else str(coefficient)

    def place(self, place: ir.Place) -> str:
        """A place as an integer expression."""
        terms: list[str] = []
        for variable, coefficient in place.terms:
            name = f"i{variable}" if variable >= 0 else f"v{-variable - 1}"
            factor = "" if coefficient == 1 else f" * {self.number(coefficient)}"
            terms.append(f"-{name}" if coefficient == -1 else name + factor)
        if place.offset != 0 or not terms:
            terms.append(self.number(place.offset))
        return " + ".join(terms).replace("+ -", "- ")

    def block(self, body: Sequence[ir.Statement], depth: int) -> None:
        """The lines of some statements."""
        for s in body:
            copies = exchanges(s, self.kernel.buffers) if isinstance(s, ir.Loop) and self.vectors else []
            if isinstance(s, ir.Loop) and copies:
                self.exchange(s, copies, depth)
            elif isinstance(s, ir.Loop):
                steps = ("partial" if s.short else "apart" if s.apart else "range") if self.vectors else "range"
                self.emit(depth, f"for i{s.variable} in {steps}({'low, high' if s.parallel else self.number(s.extent)}):")
                if s.body:
                    self.block(s.body, depth + 1)
                else:
                    self.emit(depth + 1, "pass")
            else:
                self.statement(s, depth)

    def exchange(self, s: ir.Loop, copies: Sequence[Exchange], depth: int) -> None:
        """The lines of two loops that copy tables with their axes exchanged."""
        (inner,) = s.body
        bounds = ["low, high" if x.parallel else f"0, {self.number(x.extent)}" for x in (s, inner) if isinstance(x, ir.Loop)]
        for x in copies:
            to, of = (f"b{b}, {self.place(p)}, {self.number(n)}" for b, p, n in ((x.target, x.at, x.step), (x.source, x.start, x.pitch)))
            self.emit(depth, f"turned({to}, {of}, {', '.join(bounds)})")

    def statement(self, s: ir.Statement, depth: int) -> None:
        """The lines of one statement that is no loop."""
        if isinstance(s, ir.Literal | ir.Load | ir.Integer | ir.Compute | ir.Uniform | ir.Checked | ir.Start):
            self.kinds[s.value] = s.kind
        if isinstance(s, ir.Literal):
            self.emit(depth, f"v{s.value} = {self.constant(s.number, s.kind)}")
        elif isinstance(s, ir.Load):
            self.emit(depth, f"v{s.value} = b{s.buffer}[{self.place(s.place)}]")
        elif isinstance(s, ir.Integer):
            self.emit(depth, f"v{s.value} = {self.place(s.place)}")
        elif isinstance(s, ir.Compute):
            self.emit(depth, f"v{s.value} = {self.compute(s)}")
        elif isinstance(s, ir.Uniform):
            like = self.constant(0.0, "float")
            self.emit(depth, f"v{s.value} = uniform(control, {self.place(s.position)}, {self.number(s.number)}, {like})")
        elif isinstance(s, ir.Checked):
            self.emit(depth, f"v{s.value} = checked(control, v{s.argument}, {self.number(s.size)}, {self.number(s.code)})")
        elif isinstance(s, ir.Store):
            self.emit(depth, f"b{s.buffer}[{self.place(s.place)}] = {self.stored(s)}")
        elif isinstance(s, ir.Contract):
            self.contract(s, depth)
        elif isinstance(s, ir.Matrices):
            self.matrices(s, depth)
        else:
            self.reduction(s, depth)

    def stored(self, s: ir.Store) -> str:
        """What is stored: of the buffer's kind."""
        kind, wanted = self.kinds[s.argument], self.kernel.buffers[s.buffer]
        if kind == wanted:
            return f"v{s.argument}"
        return {"bool": f"v{s.argument} != 0", "int": f"np.int64(v{s.argument})", "float": f"np.{self.real}(v{s.argument})"}[wanted]

    def reduction(self, s: ir.Statement, depth: int) -> None:
        """The lines of a running result."""
        if isinstance(s, ir.Start):
            start = _IDENTITY[s.reducer] if s.kind == "float" else _WHOLE[s.reducer]
            self.emit(depth, f"v{s.value} = {self.constant(start, s.kind)}")
            if s.winner is not None:
                self.kinds[s.winner] = "int"
                self.emit(depth, f"v{s.winner} = {self.constant(0, 'int')}")
        elif isinstance(s, ir.Accumulate) and s.winner is None:
            self.emit(depth, f"v{s.target} = {_RUNNING[s.reducer]}(v{s.target}, v{s.argument})")
        elif isinstance(s, ir.Accumulate):
            assert s.position is not None
            sign = ">" if s.reducer == "max" else "<"
            better = f"v{s.argument} {sign} v{s.target}"
            if s.kind == "float":
                better = f"({better}) | ((v{s.argument} != v{s.argument}) & (v{s.target} == v{s.target}))"
            self.emit(depth, f"t{s.target} = {better}")
            self.emit(depth, f"v{s.winner} = select(t{s.target}, np.int64({self.place(s.position)}), v{s.winner})")
            self.emit(depth, f"v{s.target} = select(t{s.target}, v{s.argument}, v{s.target})")
        elif isinstance(s, ir.Update):
            at = f"b{s.buffer}[{self.place(s.place)}]"
            if s.condition is not None:
                self.emit(depth, f"if v{s.condition}:")
                depth += 1
            self.emit(depth, f"{at} = " + _COMBINE[s.reducer].format(at, f"v{s.argument}"))

    def compute(self, s: ir.Compute) -> str:
        """The expression of a scalar function."""
        arguments = [f"v{a}" for a in s.arguments]
        if s.function in _INFIX:
            return f"{arguments[0]} {_INFIX[s.function]} {arguments[1]}"
        if s.function in _OWN and s.function not in self.library:
            return f"{s.function}({', '.join(arguments)})"
        if s.function == "negative":
            return f"-{arguments[0]}"
        if s.function == "not":
            return f"not {arguments[0]}"
        if s.function == "to_float":
            return f"np.{self.real}({arguments[0]})"
        if s.function == "to_int":
            return f"np.int64({arguments[0]})"
        if s.function == "to_bool":
            return f"{arguments[0]} != 0"
        text = f"{self.library[s.function]}({', '.join(arguments)})"
        return f"np.{self.real}({text})" if s.kind == "float" else text

    def contract(self, s: ir.Contract, depth: int) -> None:
        """A sum of products, which is a kernel of its own."""
        raise AssertionError(s)

    def matrices(self, s: ir.Matrices, depth: int) -> None:
        """The line of an operation of linear algebra."""
        along = len(s.operands) - 1
        buffers = ", ".join(f"b{b}" for b in (s.result, *s.operands, s.scratch))
        sizes = ", ".join(self.number(x) for x in (s.count, s.size, s.code) if x is not None)
        self.emit(depth, f"{s.kind}{along or ''}({'' if s.code is None else 'control, '}{buffers}, {sizes})")
