"""Kernels printed as Python source for CUDA: one function for each launch.

A function takes the control words, the iteration of the scan around it, the buffers, the kernel's whole numbers, and how many
values of each loop are shared out. Threads go through the tuples of those values in strides, so any grid is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.codegen.cuda.grid import Launch, launches
from graphc.codegen.printer import Printer
from graphc.lower import ir

__all__ = ["function_names", "kernel_source"]

_LIBRARY = {
    **{name: f"math.{name}" for name in ("cos", "cosh", "erf", "exp", "expm1", "floor", "log", "log1p", "sin", "sinh", "sqrt", "tan", "tanh")},
    "absolute": "abs", "arctan": "math.atan", "isfinite": "math.isfinite", "power": "math.pow",
}  # fmt: skip
_NUMBERS = {"sigmoid": (0, 1), "sign": (0, 1), "softplus": (0,)}  # what these functions take beside their argument
_HEAD = "import numpy as np\nfrom numba import cuda\n\nfrom graphc.codegen.cuda.device import *\n"


def kernel_source(kernel: ir.Kernel, floats: str) -> str:
    """A module with the functions of a kernel's launches.

    Args:
        kernel: what to print.
        floats: ``"float32"`` or ``"float64"``.
    """
    constants: list[str] = []
    names = function_names(kernel)
    functions = [_Launched(kernel, floats, launch, constants).function(name) for name, launch in zip(names, launches(kernel), strict=True)]
    return "\n\n".join([_HEAD + "".join(f"\nC{k} = {text}" for k, text in enumerate(constants)) + "\n", *functions])


def function_names(kernel: ir.Kernel) -> list[str]:
    """What the functions of a kernel's launches are called, in their order."""
    return [f"kernel_{k}" for k in range(len(launches(kernel)))]


class _Launched(Printer):
    """One launch; ``constants`` belong to the whole module."""

    def __init__(self, kernel: ir.Kernel, floats: str, launch: Launch, constants: list[str]) -> None:
        super().__init__(kernel, floats, _LIBRARY)
        self.launch, self.constants, self.products = launch, constants, 0
        self.strided = {s.variable: k for k, s in enumerate(launch.shared) if s.where != 1}

    def function(self, name: str) -> str:
        """The source of the function."""
        shared = self.launch.shared
        depth = 1
        if shared:
            first, step = ("cuda.blockIdx.y", "cuda.gridDim.y") if self.launch.product is not None else ("cuda.grid(1)", "cuda.gridsize(1)")
            self.emit(1, f"for u in range({first}, {' * '.join(f'g{k}' for k in range(len(shared)))}, {step}):")
            depth = 2
            for k, s in enumerate(shared):
                later = " * ".join(f"g{j}" for j in range(k + 1, len(shared)))
                place = "u" if not later else f"u // ({later})" if k + 2 < len(shared) else f"u // {later}"
                self.emit(2, f"{f's{k}' if k in self.strided.values() else f'i{s.variable}'} = {place}{f' % g{k}' if k else ''}")
        self.block(self.launch.body, depth)
        if not self.launch.body:
            self.emit(depth, "pass")
        counts = [("b", len(self.kernel.buffers)), ("n", self.kernel.params), ("g", len(shared))]
        arguments = ["control", "iteration", *(f"{letter}{k}" for letter, count in counts for k in range(count))]
        return "\n".join(["@cuda.jit", f"def {name}({', '.join(arguments)}):", *self.lines, ""])

    def block(self, body: Sequence[ir.Statement], depth: int) -> None:
        """The lines of some statements; a loop that may be shared out starts at the thread's own value."""
        for s in body:
            if isinstance(s, ir.Loop) and s.variable in self.strided:
                k = self.strided[s.variable]
                self.emit(depth, f"for i{s.variable} in range(s{k}, {self.number(s.extent)}, g{k}):")
                self.block(s.body, depth + 1)
            else:
                super().block([s], depth)

    def statement(self, s: ir.Statement, depth: int) -> None:
        """The lines of one statement that is no loop."""
        if isinstance(s, ir.Load) and self.kernel.buffers[s.buffer] == "bool":
            self.kinds[s.value] = s.kind
            self.emit(depth, f"v{s.value} = np.int64(b{s.buffer}[{self.place(s.place)}])")
        elif isinstance(s, ir.Uniform):
            self.kinds[s.value] = s.kind
            self.emit(depth, f"v{s.value} = np.{self.real}(uniform(control, iteration, {self.place(s.position)}, {self.number(s.number)}))")
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
        """A product of matrices, entry by entry."""
        e = self.products
        self.products += 1
        m, n, k = (self.number(x) for x in (s.m, s.n, s.k))
        start, step = "0", "1"
        c = f"b{s.c}[{self.place(s.c_at)} + r{e} * {self.number(s.cm)} + q{e}]"
        a = f"b{s.a}[{self.place(s.a_at)} + r{e} * {self.number(s.am)} + k{e} * {self.number(s.ak)}]"
        b = f"b{s.b}[{self.place(s.b_at)} + k{e} * {self.number(s.bk)} + q{e} * {self.number(s.bn)}]"
        if self.launch.product is not None:  # the first axis of the grid; the second one goes through the loops around it
            start, step = "cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x", "cuda.gridDim.x * cuda.blockDim.x"
        adds = [f"    if {self.place(s.adds)} != 0:", f"        t{e} = t{e} + {c}"] if s.adds.terms or s.adds.offset != 0 else []
        for line in (
            f"for e{e} in range({start}, {m} * {n}, {step}):",
            f"    r{e} = e{e} // {n}",
            f"    q{e} = e{e} % {n}",
            f"    t{e} = {self.constant(0.0, 'float')}",
            f"    for k{e} in range({k}):",
            f"        t{e} = t{e} + {a} * {b}",
            *adds,
            f"    {c} = t{e}",
        ):
            self.emit(depth, line)
