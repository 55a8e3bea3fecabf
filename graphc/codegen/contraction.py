"""The product of two matrices inside compiled kernels: blocks of vector accumulators that stay in registers.

Each block holds ``rows`` times ``vectors`` vectors of C. It runs over k once: a row of B as vectors, entries of A one by one,
one fused multiplication and addition for each. A may have any strides; B and C have stride 1 along n. Ends are masked.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from graphc.codegen.pointers import Pointer, entry

__all__ = ["multiply", "vector_bytes"]

_WORD = ir.IntType(64)


@cache
def vector_bytes() -> int:
    """The width of the host's vectors."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


def _row_counts(vectors: int) -> tuple[int, ...]:
    """Rows of a block, so that its accumulators fit the registers: 32 of them on AVX-512 and NEON, 16 on AVX."""
    few = vector_bytes() == 32
    return (4, 2, 1) if few and vectors == 2 else (8, 4, 2, 1)


class _Block:
    """One product of matrices through an LLVM builder."""

    def __init__(self, builder: Any, dtype: Any, names: dict[str, Any]) -> None:
        self.b, self.dtype, self.v = builder, dtype, names
        self.kind = ir.FloatType() if dtype == types.float32 else ir.DoubleType()
        self.lanes = vector_bytes() // (4 if dtype == types.float32 else 8)
        self.vector = ir.VectorType(self.kind, self.lanes)
        self.bits = ir.VectorType(ir.IntType(1), self.lanes)
        self.index = ir.VectorType(_WORD, self.lanes)
        self.short = "f32" if dtype == types.float32 else "f64"

    def splat(self, value: Any, vector: Any) -> Any:
        """A number in every lane."""
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.b.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(first, undefined, zeros)

    def at(self, base: str, *offsets: Any) -> Any:
        """The address of an entry of A, B or C."""
        place = offsets[0]
        for offset in offsets[1:]:
            place = self.b.add(place, offset)
        return entry(self.b, self.dtype, self.v[base], place)

    def _declared(self, name: str, result: Any, arguments: list[Any]) -> Any:
        function = self.b.module.globals.get(name)
        return function or ir.Function(self.b.module, ir.FunctionType(result, arguments), name)

    def _masked(self, what: str, result: Any, arguments: list[Any]) -> Any:
        name = f"llvm.masked.{what}.v{self.lanes}{self.short}.p0"
        return self.b.call(self._declared(name, result, [a.type for a in arguments]), arguments)

    def load(self, address: Any, mask: Any) -> Any:
        """A vector, zero where the mask is off."""
        align = ir.Constant(ir.IntType(32), 4 if self.short == "f32" else 8)
        return self._masked("load", self.vector, [address, align, mask, ir.Constant(self.vector, [0.0] * self.lanes)])

    def store(self, value: Any, address: Any, mask: Any) -> None:
        """A vector written where the mask is on."""
        align = ir.Constant(ir.IntType(32), 4 if self.short == "f32" else 8)
        self._masked("store", ir.VoidType(), [value, address, align, mask])

    def run(self, rows: int, vectors: int, i: Any, j: Any, masks: list[Any]) -> None:
        """One block at row ``i`` and column ``j`` of C."""
        b, v = self.b, self.v
        before = b.block
        starts = [b.add(v["a_at"], b.mul(b.add(i, _number(r)), v["am"])) for r in range(rows)]
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        head, done = b.append_basic_block("sum"), b.append_basic_block("summed")
        b.cbranch(b.icmp_signed(">", v["k"], _number(0)), head, done)
        b.position_at_end(head)
        step = b.phi(_WORD)
        step.add_incoming(_number(0), before)
        sums = [[b.phi(self.vector) for _ in range(vectors)] for _ in range(rows)]
        for phi in (p for row in sums for p in row):
            phi.add_incoming(zero, before)
        row_at = b.add(b.add(v["b_at"], j), b.mul(step, v["bk"]))
        column = [self.load(self.at("b", row_at, _number(c * self.lanes)), masks[c]) for c in range(vectors)]
        along = b.mul(step, v["ak"])
        fused = self._declared(f"llvm.fmuladd.v{self.lanes}{self.short}", self.vector, [self.vector] * 3)
        made: list[list[Any]] = []
        for r in range(rows):
            left = self.splat(b.load(self.at("a", starts[r], along), typ=self.kind), self.vector)
            made.append([b.call(fused, [left, column[c], sums[r][c]]) for c in range(vectors)])
        after = b.add(step, _number(1))
        step.add_incoming(after, head)
        for row, new in zip(sums, made, strict=True):
            for phi, value in zip(row, new, strict=True):
                phi.add_incoming(value, head)
        b.cbranch(b.icmp_signed("<", after, v["k"]), head, done)
        b.position_at_end(done)
        totals: list[list[Any]] = []
        for new in made:
            totals.append([])
            for value in new:
                total = b.phi(self.vector)
                total.add_incoming(zero, before)
                total.add_incoming(value, head)
                totals[-1].append(total)
        self._finish(totals, i, j, masks)

    def _finish(self, totals: list[list[Any]], i: Any, j: Any, masks: list[Any]) -> None:
        b, v = self.b, self.v
        places = [b.add(b.add(v["c_at"], j), b.mul(b.add(i, _number(r)), v["cm"])) for r in range(len(totals))]
        adds = b.icmp_signed("!=", v["adds"], _number(0))
        with b.if_else(adds) as (then, otherwise):
            with then:
                for place, row in zip(places, totals, strict=True):
                    for c, total in enumerate(row):
                        address = self.at("c", place, _number(c * self.lanes))
                        self.store(b.fadd(total, self.load(address, masks[c]), flags=("contract",)), address, masks[c])
            with otherwise:
                for place, row in zip(places, totals, strict=True):
                    for c, total in enumerate(row):
                        self.store(total, self.at("c", place, _number(c * self.lanes)), masks[c])

    def columns(self, vectors: int, j: Any) -> None:
        """All rows of a stripe of columns from ``j`` on."""
        b = self.b
        left = self.splat(b.sub(self.v["n"], j), self.index)
        masks = []
        for c in range(vectors):
            lanes = ir.Constant(self.index, [c * self.lanes + k for k in range(self.lanes)])
            masks.append(b.icmp_signed("<", lanes, left))
        start = _number(0)
        for rows in _row_counts(vectors):
            count = b.sub(self.v["m"], start)
            stop = b.add(start, b.sub(count, b.srem(count, _number(rows))))
            with cgutils.for_range_slice(b, start, stop, _number(rows), _WORD) as (i, _):
                self.run(rows, vectors, i, j, masks)
            start = stop

    def product(self) -> None:
        """The whole product: stripes of two vectors, and one of one vector where that is all that is left."""
        b, n = self.b, self.v["n"]
        wide = _number(2 * self.lanes)
        rest = b.srem(n, wide)
        single = b.and_(b.icmp_signed(">", rest, _number(0)), b.icmp_signed("<=", rest, _number(self.lanes)))
        stop = b.select(single, b.sub(n, rest), n)
        with cgutils.for_range_slice(b, _number(0), stop, wide, _WORD) as (j, _):
            self.columns(2, j)
        with b.if_then(single):
            self.columns(1, stop)


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


_NAMES = ("c", "c_at", "cm", "a", "a_at", "am", "ak", "b", "b_at", "bk", "m", "n", "k", "adds")


@intrinsic
def multiply(
    typingctx: Any, c: Any, c_at: Any, cm: Any, a: Any, a_at: Any, am: Any, ak: Any, b: Any, b_at: Any, bk: Any, m: Any, n: Any, k: Any,
    adds: Any,
) -> Any:  # fmt: skip
    """``C[i, j] (+)= sum_k A[i, k] * B[k, j]`` for matrices that begin at ``c_at``, ``a_at``, ``b_at``."""
    word = types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = dict(zip(_NAMES, args, strict=True))
        _Block(builder, sig.args[0].dtype, values).product()
        return context.get_dummy_value()

    if not (isinstance(c, Pointer) and isinstance(a, Pointer) and isinstance(b, Pointer)):
        return None
    return types.none(c, word, word, a, word, word, word, b, word, word, word, word, word, word), codegen
