"""What the calls of a program do: their operations and the bytes that they move, counted in the kernels' statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.expr.dims import evaluate_extent, product
from graphc.expr.feed import numpy_dtype
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Scratch
from graphc.lower.program import Call

__all__ = ["Work", "work_of"]

_FREE = ("to_float", "to_int", "to_bool", "negative")
_PLAIN = (
    "absolute", "add", "and", "equal", "floor", "greater", "greater_equal", "isfinite", "less", "less_equal", "maximum", "minimum",
    "multiply", "not", "not_equal", "or", "select", "sign", "subtract",
)  # fmt: skip
_FUNCTION, _DIVISION, _RANDOM = 20, 4, 20  # operations that they count as


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one run of a call.

    ``operations``: a multiply-add counts as 2, a comparison or a choice as 1, a division or a square root as 4, a function of
    mathematics and a random number as 20. ``bytes``: each buffer once where it is read, and once where it is written, but no more
    of it than is touched.
    """

    operations: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.bytes + other.bytes)

    def times(self, count: int) -> Work:
        """The work of so many runs."""
        return Work(self.operations * count, self.bytes * count)


def work_of(call: Call, sizes: Mapping[str, int], floats: Any) -> Work:
    """What a call does for known sizes; a recurrence does all of its iterations, a group all of its calls."""
    if call.group is not None:
        return sum((work_of(c, sizes, floats) for c in call.group.body.calls), Work())
    if call.loop is not None:
        within = call.loop.body.sizes(sizes)
        once = sum((work_of(c, within, floats) for c in call.loop.body.calls), Work())
        return once.times(evaluate_extent(call.loop.scan.length, sizes))
    count = _Count([p[1] if isinstance(p, tuple) else evaluate_extent(p, sizes) for p in call.params], len(call.buffers))
    count.block(call.kernel.body, 1)
    moved = 0
    for buffer, read, written in zip(call.buffers, count.reads, count.writes, strict=True):
        if isinstance(buffer, Tensor):
            entries = evaluate_extent(product(buffer.shape), sizes)
            moved += (min(read, entries) + min(written, entries)) * numpy_dtype(buffer.dtype, np.dtype(floats)).itemsize
        else:
            assert isinstance(buffer, Scratch)  # stays in the cache
    return Work(count.operations, moved)


class _Count:
    """Operations and accesses, added up over loops."""

    def __init__(self, numbers: Sequence[int], buffers: int) -> None:
        self.numbers = numbers
        self.operations = 0
        self.reads, self.writes = [0] * buffers, [0] * buffers

    def number(self, coefficient: ir.Coefficient) -> int:
        """What a coefficient is."""
        return self.numbers[coefficient.number] if isinstance(coefficient, ir.Param) else coefficient

    def block(self, body: Sequence[ir.Statement], times: int) -> None:
        """Statements that run so many times."""
        for s in body:
            if isinstance(s, ir.Loop):
                if any(isinstance(x, ir.Contract) for x in s.body):  # its chunks are those of one product
                    self.block(s.body, times)
                else:
                    self.block(s.body, times * max(self.number(s.extent), 0))
            else:
                self.statement(s, times)

    def statement(self, s: ir.Statement, times: int) -> None:
        """One statement that runs so many times."""
        if isinstance(s, ir.Compute):
            cost = 0 if s.function in _FREE else 1 if s.function in _PLAIN else _DIVISION if s.function in ("divide", "sqrt") else _FUNCTION
            self.operations += cost * times
        elif isinstance(s, ir.Accumulate | ir.Uniform):
            self.operations += times * (1 if isinstance(s, ir.Accumulate) else _RANDOM)
        elif isinstance(s, ir.Load):
            self.reads[s.buffer] += times
        elif isinstance(s, ir.Store):
            self.writes[s.buffer] += times
        elif isinstance(s, ir.Update):
            self.operations += times
            self.reads[s.buffer] += times
            self.writes[s.buffer] += times
        elif isinstance(s, ir.Contract):
            self.contract(s, times)
        elif isinstance(s, ir.Matrices):
            self.matrices(s, times)

    def contract(self, s: ir.Contract, times: int) -> None:
        """Sums of products: each product and its sum are two operations."""
        m, n, k = (self.number(x) for x in (s.m, s.n, s.k))
        around, alike = times, self.number(s.others[0])
        for level in s.outer:
            around *= self.number(level[0])
        starts, ends = self.number(s.starts), self.number(s.ends)
        self.operations += around * alike * m * n * (2 * k + starts + min(ends, 1))
        self.reads[s.a] += around * m * k * (n if self.number(s.an) else 1)
        self.reads[s.b] += around * alike * k * n
        self.reads[s.d] += around * alike * m * n * starts
        self.reads[s.e] += around * m * n * (ends // 2)
        self.writes[s.c] += around * alike * m * n

    def matrices(self, s: ir.Matrices, times: int) -> None:
        """Elimination, about two thirds of the cube of the rows, and as much again for each right-hand side."""
        count, size = times * self.number(s.count), self.number(s.size)
        self.operations += count * (2 * size**3 // 3 if s.kind in ("determinant", "logdet") else 2 * size**3)
        for operand in s.operands:
            self.reads[operand] += count * size * size
        self.writes[s.result] += count * (1 if s.kind in ("determinant", "logdet") else size * size)
