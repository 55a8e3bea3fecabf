"""Kernels printed as Python source for CUDA: one function for each launch.

A function takes the control words, the iteration of the scan around it, the buffers, the kernel's whole numbers, and how many
values of each loop are shared out. Threads go through the tuples of those values in strides, so any grid is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.codegen.cuda.grid import Launch, gathering, launches, walk
from graphc.codegen.printer import Printer
from graphc.lower import ir

__all__ = ["HEAD", "function_names", "kernel_source"]

_LIBRARY = {
    **{name: f"math.{name}" for name in ("cos", "cosh", "erf", "exp", "expm1", "floor", "log", "log1p", "sin", "sinh", "sqrt", "tan", "tanh")},
    "absolute": "abs", "arctan": "math.atan", "isfinite": "math.isfinite", "power": "math.pow",
}  # fmt: skip
_NUMBERS = {"sigmoid": (0, 1), "sign": (0, 1), "softplus": (0,)}  # what these functions take beside their argument
HEAD = "import numpy as np\nfrom numba import cuda, float32, float64, int64\n\nfrom graphc.codegen.cuda.device import *\n"


def kernel_source(kernel: ir.Kernel, floats: str) -> str:
    """A module with the functions of a kernel's launches.

    Args:
        kernel: what to print.
        floats: ``"float32"`` or ``"float64"``.
    """
    constants: list[str] = []
    names = function_names(kernel)
    functions = [_Launched(kernel, floats, launch, constants).function(name) for name, launch in zip(names, launches(kernel), strict=True)]
    return "\n\n".join([HEAD + "".join(f"\nC{k} = {text}" for k, text in enumerate(constants)) + "\n", *functions])


def function_names(kernel: ir.Kernel) -> list[str]:
    """What the functions of a kernel's launches are called, in their order."""
    return [f"kernel_{k}" for k in range(len(launches(kernel)))]


class _Launched(Printer):
    """One launch; ``constants`` belong to the whole module."""

    vectors = False

    def __init__(self, kernel: ir.Kernel, floats: str, launch: Launch, constants: list[str]) -> None:
        super().__init__(kernel, floats, _LIBRARY)
        self.launch, self.constants = launch, constants

    def function(self, name: str) -> str:
        """The source of the function."""
        shared, lanes = self.launch.shared, self.launch.lanes is not None
        depth = 1
        if lanes:
            for kind in dict.fromkeys(s.kind for s in walk(self.launch.body) if isinstance(s, ir.Start)):
                self.emit(1, f"{kind}s = cuda.shared.array(LANES, {self.real if kind == 'float' else 'int64'})")
        if shared:
            first, step = "cuda.grid(1)", "cuda.gridsize(1)"
            if lanes:  # along the first axis of a block its threads share what they accumulate
                first, step = "cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y", "cuda.gridDim.x * cuda.blockDim.y"
            self.emit(1, f"for u in range({first}, {' * '.join(f'g{k}' for k in range(len(shared)))}, {step}):")
            depth = 2
            for k, s in enumerate(shared):
                later = " * ".join(f"g{j}" for j in range(k + 1, len(shared)))
                place = "u" if not later else f"u // ({later})" if k + 2 < len(shared) else f"u // {later}"
                self.emit(2, f"i{s.variable} = {place}{f' % g{k}' if k else ''}")
        if lanes:
            self.together(depth)
        else:
            self.block(self.launch.body, depth)
        if not self.launch.body:
            self.emit(depth, "pass")
        counts = [("b", len(self.kernel.buffers)), ("n", self.kernel.params), ("g", len(shared))]
        arguments = ["control", "iteration", *(f"{letter}{k}" for letter, count in counts for k in range(count))]
        return "\n".join(["@cuda.jit", f"def {name}({', '.join(arguments)}):", *self.lines, ""])

    def together(self, depth: int) -> None:
        """The lines of a body that several threads run together."""
        written = {s.buffer for s in walk(self.launch.body) if isinstance(s, ir.Store)}
        again = any(isinstance(s, ir.Load) and s.buffer in written for s in walk(self.launch.body))
        for s in self.launch.body:
            if isinstance(s, ir.Loop):
                self.emit(depth, f"for i{s.variable} in range(cuda.threadIdx.x, {self.number(s.extent)}, cuda.blockDim.x):")
                self.block(s.body, depth + 1)
                for found in gathering(s) or ():
                    self.emit(depth, f"v{found.target} = gathered_{found.reducer}(v{found.target}, {found.kind}s)")
            elif isinstance(s, ir.Store):
                self.emit(depth, "if cuda.threadIdx.x == 0:")
                self.block([s], depth + 1)
            else:
                self.block([s], depth)
            if again and isinstance(s, ir.Loop | ir.Store):
                self.emit(depth, "settle()")

    def statement(self, s: ir.Statement, depth: int) -> None:
        """The lines of one statement that is no loop."""
        if isinstance(s, ir.Load) and self.kernel.buffers[s.buffer] == "bool":
            self.kinds[s.value] = s.kind
            self.emit(depth, f"v{s.value} = np.int64(b{s.buffer}[{self.place(s.place)}])")
        elif isinstance(s, ir.Uniform):
            self.kinds[s.value] = s.kind
            bits = f"random_bits(control, iteration, {self.place(s.position)}, {self.number(s.number)})"
            self.emit(depth, f"v{s.value} = np.{self.real}({bits}) * {self.constant(2.0**-24, 'float')}")
        elif isinstance(s, ir.Update) and self.launch.atomic:
            if s.condition is not None:
                self.emit(depth, f"if v{s.condition}:")
                depth += 1
            self.emit(depth, f"cuda.atomic.add(b{s.buffer}, {self.place(s.place)}, v{s.argument})")
        else:
            super().statement(s, depth)

    def compute(self, s: ir.Compute) -> str:
        """The expression of a scalar function."""
        if s.function in _NUMBERS:
            numbers = ", ".join(self.constant(number, s.kind) for number in _NUMBERS[s.function])
            return f"{s.function}(v{s.arguments[0]}, {numbers})"
        return super().compute(s)

    def contract(self, s: ir.Contract, depth: int) -> None:
        """A sum of products, entry by entry: the first axis of the grid goes through the entries, the second through the products."""
        m, n, starts, ends = (self.number(x) for x in (s.m, s.n, s.starts, s.ends))
        products = " * ".join(self.number(level[0]) for level in s.outer) or "1"
        places = {name: [self.number(start)] for name, start in (("c", s.c_at), ("a", s.a_at), ("b", s.b_at), ("d", s.d_at))}
        around = self._decoded("o", "p", s.outer, "cabd", places)
        others, *steps = (self.number(x) for x in s.others)
        rows = self._decoded("r", f"e // {n}", s.rows, "ac", places)
        for name, step in zip("bcd", steps, strict=True):
            places[name].append(f"w * {step}")
        places["d"] += [f"r{k} * {self.number(along)}" for k, (_, along, _) in enumerate(s.first)]
        self.emit(depth, f"for p in range(cuda.blockIdx.y, {products}, cuda.gridDim.y):")
        for line in around:
            self.emit(depth + 1, line)
        self.emit(
            depth + 1,
            f"for e in range(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, {m} * {n} * {others}, cuda.gridDim.x * cuda.blockDim.x):",
        )
        inner = depth + 2
        for line in (*rows, f"q = e % {n}", f"w = e // ({n} * {m})", f"c = {' + '.join([*places['c'], 'q'])}", f"t = {self.constant(0.0, 'float')}"):
            self.emit(inner, line)
        a, b = [*places["a"], f"q * {self.number(s.an)}"], [*places["b"], f"q * {self.number(s.bn)}"]
        for k, (extent, along_a, along_b) in enumerate(s.sums):
            self.emit(inner + k, f"for k{k} in range({self.number(extent)}):")
            a.append(f"k{k} * {self.number(along_a)}")
            b.append(f"k{k} * {self.number(along_b)}")
        self.emit(inner + len(s.sums), f"t = t + b{s.a}[{' + '.join(a)}] * b{s.b}[{' + '.join(b)}]")
        added = f"    t = t + b{s.d}[{' + '.join([*places['d'], 'q'])}]"
        zero = self.constant(0.0, "float")
        cut = f"if {ends} != 0 and (b{s.e}[c] if {ends} == 2 else t) <= {zero}:"
        for line in (f"if {starts} != 0:", added, cut, f"    t = {zero}", f"b{s.c}[c] = t"):
            self.emit(inner, line)

    def _decoded(
        self, letter: str, number: str, levels: Sequence[Sequence[ir.Coefficient]], operands: str, places: dict[str, list[str]]
    ) -> list[str]:
        """The lines that take a number apart into an index for each level; what the levels add to the operands' places is noted."""
        lines: list[str] = []
        for k, (extent, *strides) in reversed(list(enumerate(levels))):
            later = " * ".join(["1", *(self.number(level[0]) for level in levels[k + 1 :])])
            lines.append(f"{letter}{k} = ({number}) // ({later}) % {self.number(extent)}")
            for name, stride in zip(operands, strides, strict=True):
                places[name].append(f"{letter}{k} * {self.number(stride)}")
        return lines
