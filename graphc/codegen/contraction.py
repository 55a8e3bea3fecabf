"""The product of two matrices inside compiled kernels: stripes of columns, blocks of rows, each block in registers."""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from graphc.codegen.micro_kernel import Block
from graphc.codegen.pointers import Pointer, entry

__all__ = ["multiply", "vector_bytes"]

_WORD = ir.IntType(64)
_NAMES = ("c", "c_at", "cm", "a", "a_at", "am", "ak", "b", "b_at", "bk", "m", "n", "k", "adds")


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

    def _columns(self, vectors: int, j: Any) -> None:
        """All rows of a stripe of columns from ``j`` on."""
        b, v, rows = self.b, self.v, _rows(vectors)
        right, columns = self._address("b", b.add(v["b_at"], j)), b.sub(v["n"], j)
        with cgutils.for_range_slice(b, _number(0), v["m"], _number(rows), _WORD) as (i, _):
            left = self._address("a", b.add(v["a_at"], b.mul(i, v["am"])))
            result = self._address("c", b.add(b.add(v["c_at"], j), b.mul(i, v["cm"])))
            arguments = [left, right, result, v["am"], v["ak"], v["bk"], v["cm"], v["k"], b.sub(v["m"], i), columns, v["adds"]]
            Block(b, arguments, self.bits, self.lanes, rows, vectors).emit()

    def emit(self) -> None:
        """The whole product: stripes of two vectors, and one of one vector where no more is left."""
        b, n = self.b, self.v["n"]
        rest = b.srem(n, _number(2 * self.lanes))
        single = b.and_(b.icmp_signed(">", rest, _number(0)), b.icmp_signed("<=", rest, _number(self.lanes)))
        stop = b.select(single, b.sub(n, rest), n)
        with cgutils.for_range_slice(b, _number(0), stop, _number(2 * self.lanes), _WORD) as (j, _):
            self._columns(2, j)
        with b.if_then(single):
            self._columns(1, stop)


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


@intrinsic
def multiply(
    typingctx: Any, c: Any, c_at: Any, cm: Any, a: Any, a_at: Any, am: Any, ak: Any, b: Any, b_at: Any, bk: Any, m: Any, n: Any, k: Any,
    adds: Any,
) -> Any:  # fmt: skip
    """``C[i, j] (+)= sum_k A[i, k] * B[k, j]`` for matrices that begin at ``c_at``, ``a_at``, ``b_at``."""
    word = types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _Product(builder, sig.args[0].dtype, dict(zip(_NAMES, args, strict=True))).emit()
        return context.get_dummy_value()

    if not (isinstance(c, Pointer) and isinstance(a, Pointer) and isinstance(b, Pointer)):
        return None
    return types.none(c, word, word, a, word, word, word, b, word, word, word, word, word, word), codegen
