"""The product of two matrices for compiled kernels: slices of the sum, stripes of columns, blocks of rows in registers.

It is compiled once for each precision, by itself; kernels call it by its address, which is one of the control words.

A stripe of B is first copied to where its rows lie side by side, unless it is so small or so little used that this does not
pay; a stripe of one slice of the sum stays in the first cache while all rows of A pass over it.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.executor import PRODUCT_ROW, PRODUCT_WORD
from graphc.codegen.flow import local, steps
from graphc.codegen.intrinsics import intrinsic
from graphc.codegen.invoke import KERNEL
from graphc.codegen.micro_kernel import Block
from graphc.codegen.pointers import Pointer, entry

__all__ = ["matrix_product", "multiply", "vector_bytes"]

_WORD = ir.IntType(64)
_SLICE = 256  # terms of the sum that are taken at a time
_FEW_ROWS = 48  # rows of A for which a stripe of B is read where it is


@cache
def vector_bytes() -> int:
    """The width of the host's vectors."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


def _rows(vectors: int) -> int:
    """Rows of a block, so that its accumulators fit the registers: 32 of them on AVX-512 and NEON, 16 on AVX."""
    few = vector_bytes() == 32
    return (4 if few else 8) if vectors == 2 else (8 if few else 14)


class _Product:
    """One product of matrices through an LLVM builder."""

    def __init__(self, builder: Any, dtype: Any, values: dict[str, Any]) -> None:
        self.b, self.v, self.dtype = builder, values, dtype
        self.bits = 32 if dtype == types.float32 else 64
        self.lanes = vector_bytes() * 8 // self.bits

    def _address(self, base: str, place: Any) -> Any:
        return self.b.ptrtoint(entry(self.b, self.dtype, self.v[base], place), _WORD)

    def _columns(self, vectors: int, j: Any, k0: Any, count: Any, adds: Any) -> None:
        """All rows of a stripe of columns from ``j`` on, for ``count`` terms of the sum from ``k0`` on."""
        b, v, rows = self.b, self.v, _rows(vectors)
        columns = b.sub(v["n"], j)
        place = b.add(b.add(v["b_at"], b.mul(k0, v["bk"])), b.mul(j, v["bn"]))
        many = b.and_(b.icmp_signed(">", v["m"], _number(_FEW_ROWS)), b.icmp_signed(">", v["n"], _number(2 * self.lanes)))
        packed = b.or_(b.icmp_signed("!=", v["bn"], _number(1)), many)
        width = _number(vectors * self.lanes)
        with b.if_then(packed):
            self._pack(place, count, columns, width)
        right = b.select(packed, self._address("s", _number(0)), self._address("b", place))
        step = b.select(packed, width, v["bk"])
        with steps(b, _number(0), v["m"], _number(rows)) as i:
            left = self._address("a", b.add(b.add(v["a_at"], b.mul(i, v["am"])), b.mul(k0, v["ak"])))
            result = self._address("c", b.add(b.add(v["c_at"], j), b.mul(i, v["cm"])))
            arguments = [left, right, result, v["am"], v["ak"], step, v["cm"], count, b.sub(v["m"], i), columns, adds]
            Block(b, arguments, self.bits, self.lanes, rows, vectors).emit()

    def _pack(self, place: Any, count: Any, columns: Any, width: Any) -> None:
        """Copy a stripe of B, row by row."""
        b, v = self.b, self.v
        used = b.select(b.icmp_signed("<", columns, width), columns, width)
        kind = ir.FloatType() if self.bits == 32 else ir.DoubleType()
        with steps(b, _number(0), count, _number(1)) as row, steps(b, _number(0), used, _number(1)) as column:
            source = b.add(place, b.add(b.mul(row, v["bk"]), b.mul(column, v["bn"])))
            value = b.load(entry(b, self.dtype, v["b"], source), typ=kind)
            b.store(value, entry(b, self.dtype, v["s"], b.add(b.mul(row, width), column)))

    def _stripes(self, k0: Any, count: Any, adds: Any) -> None:
        """Stripes of two vectors, and one of one vector where no more is left."""
        b, n = self.b, self.v["n"]
        rest = b.srem(n, _number(2 * self.lanes))
        single = b.and_(b.icmp_signed(">", rest, _number(0)), b.icmp_signed("<=", rest, _number(self.lanes)))
        stop = b.select(single, b.sub(n, rest), n)
        with steps(b, _number(0), stop, _number(2 * self.lanes)) as j:
            self._columns(2, j, k0, count, adds)
        with b.if_then(single):
            self._columns(1, stop, k0, count, adds)

    def emit(self) -> None:
        """The whole product, a slice of the sum after the other; a sum of nothing is one slice of no terms."""
        b, k = self.b, self.v["k"]
        least = b.select(b.icmp_signed(">", k, _number(0)), k, _number(1))
        with steps(b, _number(0), least, _number(_SLICE)) as k0:
            left = b.sub(k, k0)
            count = b.select(b.icmp_signed("<", left, _number(_SLICE)), left, _number(_SLICE))
            later = b.zext(b.icmp_signed(">", k0, _number(0)), _WORD)
            self._stripes(k0, count, b.or_(self.v["adds"], later))


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


@intrinsic
def matrix_product(
    typingctx: Any, c: Any, c_at: Any, cm: Any, a: Any, a_at: Any, am: Any, ak: Any, b: Any, b_at: Any, bk: Any, bn: Any, scratch: Any,
    m: Any, n: Any, k: Any, adds: Any,
) -> Any:  # fmt: skip
    """``C[i, j] (+)= sum_k A[i, k] * B[k, j]`` for matrices that begin at ``c_at``, ``a_at``, ``b_at``."""
    word = types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _Product(builder, sig.args[0].dtype, dict(zip(PRODUCT_ROW, args, strict=True))).emit()
        return context.get_dummy_value()

    if not all(isinstance(p, Pointer) for p in (c, a, b, scratch)):
        return None
    return types.none(c, word, word, a, word, word, word, b, word, word, word, scratch, word, word, word, word), codegen


@intrinsic
def multiply(
    typingctx: Any, control: Any, c: Any, c_at: Any, cm: Any, a: Any, a_at: Any, am: Any, ak: Any, b: Any, b_at: Any, bk: Any, bn: Any,
    scratch: Any, m: Any, n: Any, k: Any, adds: Any,
) -> Any:  # fmt: skip
    """The same by a call of the kernel :data:`graphc.codegen.executor.PRODUCT`: its arguments are a row, as those of all kernels."""
    word = types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        row = builder.bitcast(local(builder, ir.ArrayType(_WORD, len(PRODUCT_ROW))), _WORD.as_pointer())
        for place, (kind, value) in enumerate(zip(sig.args[1:], args[1:], strict=True)):
            number = builder.ptrtoint(value, _WORD) if isinstance(kind, Pointer) else value
            builder.store(number, builder.gep(row, [_number(place)], source_etype=_WORD))
        words = builder.bitcast(args[0], _WORD.as_pointer())
        address = builder.load(builder.gep(words, [_number(PRODUCT_WORD)], source_etype=_WORD), typ=_WORD)
        kernel = builder.inttoptr(address, KERNEL.as_pointer())
        builder.call(kernel, [builder.bitcast(row, byte), _number(0), _number(0), _number(0)])
        return context.get_dummy_value()

    if not all(isinstance(p, Pointer) for p in (control, c, a, b, scratch)):
        return None
    return types.none(control, c, word, word, a, word, word, word, b, word, word, word, scratch, word, word, word, word), codegen
