"""Arithmetic on floats of one precision through an LLVM builder, for scalar functions written without branches."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

from llvmlite import ir

from graphc.codegen.blocks import vector_bytes
from graphc.codegen.pointers import TABLES, note_scope

__all__ = ["Floats", "scales"]

# A flag that says nothing about sums and products. Without any flag an instruction would get those of the kernel around it,
# and the rounding errors that are computed on purpose would be fused away.
_EXACT = ("arcp",)
_FUSED = ("contract",)
_FEW = ir.IntType(32)


@cache
def scales() -> bool:
    """Whether the host multiplies vectors by powers of two in one instruction, and LLVM makes use of it."""
    import llvmlite.binding as llvm

    return vector_bytes() == 64 and llvm.llvm_version_info >= (22,)


class Floats:
    """Operations that a product may be fused into; those called exact are rounded one by one."""

    def __init__(self, builder: Any, kind: Any) -> None:
        self.b, self.kind = builder, kind
        self.double = isinstance(kind, ir.DoubleType)
        self.word = ir.IntType(64 if self.double else 32)
        self.mantissa, self.bias = (52, 1023) if self.double else (23, 127)

    def wide(self) -> Floats:
        """The same in double precision."""
        return Floats(self.b, ir.DoubleType())

    def c(self, value: float) -> Any:
        """A constant."""
        return ir.Constant(self.kind, value)

    def n(self, value: int) -> Any:
        """A constant word."""
        return ir.Constant(self.word, value)

    def add(self, x: Any, y: Any) -> Any:
        """The sum."""
        return self.b.fadd(x, y, flags=_FUSED)

    def sub(self, x: Any, y: Any) -> Any:
        """The difference."""
        return self.b.fsub(x, y, flags=_FUSED)

    def mul(self, x: Any, y: Any) -> Any:
        """The product."""
        return self.b.fmul(x, y, flags=_FUSED)

    def div(self, x: Any, y: Any) -> Any:
        """The quotient."""
        return self.b.fdiv(x, y, flags=_FUSED)

    def negative(self, x: Any) -> Any:
        """-x, of 0 also."""
        return self.b.fneg(x, flags=_FUSED)

    def less(self, x: Any, y: Any) -> Any:
        """Whether x < y; false for NaN."""
        return self.b.fcmp_ordered("<", x, y, flags=_FUSED)

    def equal(self, x: Any, y: Any) -> Any:
        """Whether x == y; false for NaN."""
        return self.b.fcmp_ordered("==", x, y, flags=_FUSED)

    def nan(self, x: Any) -> Any:
        """Whether x is NaN."""
        return self.b.fcmp_unordered("uno", x, x, flags=_FUSED)

    def finite(self, x: Any) -> Any:
        """Whether x is neither infinite nor NaN."""
        return self.less(self.abs(x), self.c(float("inf")))

    def pick(self, condition: Any, x: Any, y: Any) -> Any:
        """One of two values."""
        return self.b.select(condition, x, y)

    def call(self, name: str, *args: Any) -> Any:
        """An LLVM intrinsic function."""
        function = self.b.module.declare_intrinsic(name, [self.kind], ir.FunctionType(self.kind, [self.kind] * len(args)))
        return self.b.call(function, args)

    def abs(self, x: Any) -> Any:
        """The absolute value."""
        return self.call("llvm.fabs", x)

    def signed(self, x: Any, sign: Any) -> Any:
        """The absolute value of x with the sign of another."""
        return self.call("llvm.copysign", x, sign)

    def nearest(self, x: Any) -> Any:
        """The nearest whole number."""
        return self.call("llvm.rint", x)

    def at_least(self, x: Any, limit: float) -> Any:
        """A number, or what it is to be at least; NaN stays."""
        return self.pick(self.less(x, self.c(limit)), self.c(limit), x)

    def at_most(self, x: Any, limit: float) -> Any:
        """A number, or what it is to be at most; NaN stays."""
        return self.pick(self.less(self.c(limit), x), self.c(limit), x)

    def whole(self, x: Any) -> tuple[Any, Any]:
        """The whole number nearest to one that is not large, as a float and as a word.

        In a sum with a number this large the last bit is 1.
        """
        large = 1.5 * 2.0**self.mantissa
        shifted = self.add(x, self.c(large))
        (bits,) = struct.unpack("<q", struct.pack("<d", large)) if self.double else struct.unpack("<i", struct.pack("<f", large))
        return self.exact_sub(shifted, self.c(large)), self.b.sub(self.b.bitcast(shifted, self.word), self.n(bits))

    def integer(self, whole: Any) -> Any:
        """A whole number as a word; NaN is 0."""
        return self.b.fptosi(self.pick(self.nan(whole), self.c(0.0), whole), self.word)

    def polynomial(self, x: Any, coefficients: Sequence[float]) -> Any:
        """Horner's scheme, the constant first."""
        result = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.add(self.mul(result, x), self.c(coefficient))
        return result

    def power_of_two(self, n: Any) -> Any:
        """2**n for a whole word in the range of normal exponents."""
        shifted = self.b.shl(self.b.add(n, self.n(self.bias)), self.n(self.mantissa))
        return self.b.bitcast(shifted, self.kind)

    def scaled(self, x: Any, n: Any) -> Any:
        """The product x * 2**n, rounded once; x is near 1, and the whole word takes it no further than just out of range."""
        if scales():
            few = self.b.trunc(n, _FEW) if self.double else n
            kind = ir.FunctionType(self.kind, [self.kind, _FEW])
            return self.b.call(self.b.module.declare_intrinsic("llvm.ldexp", [self.kind, _FEW], kind), [x, few])
        half = self.b.ashr(n, self.n(1))
        # In two steps, so that results below the normal range come out.
        return self.mul(self.mul(x, self.power_of_two(half)), self.power_of_two(self.b.sub(n, half)))

    # Sums and products with their rounding errors ----------------------------------------------------------------------

    def exact_add(self, x: Any, y: Any) -> Any:
        """The sum, rounded."""
        return self.b.fadd(x, y, flags=_EXACT)

    def exact_sub(self, x: Any, y: Any) -> Any:
        """The difference, rounded."""
        return self.b.fsub(x, y, flags=_EXACT)

    def two_sum(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The sum and its rounding error (Knuth)."""
        s = self.exact_add(x, y)
        other = self.exact_sub(s, x)
        return s, self.exact_add(self.exact_sub(x, self.exact_sub(s, other)), self.exact_sub(y, other))

    def quick_sum(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The sum and its rounding error, where x is the larger (Dekker)."""
        s = self.exact_add(x, y)
        return s, self.exact_sub(y, self.exact_sub(s, x))

    def two_product(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The product and its rounding error."""
        p = self.b.fmul(x, y, flags=_EXACT)
        return p, self.call("llvm.fma", x, y, self.b.fneg(p, flags=_EXACT))

    # Tables ------------------------------------------------------------------------------------------------------------

    def table(self, name: str, numbers: Sequence[float]) -> Any:
        """Numbers kept with the kernel's code, once under each name."""
        module = self.b.module
        if name not in module.globals:
            kind = ir.ArrayType(self.kind, len(numbers))
            made: Any = ir.GlobalVariable(module, kind, name)
            made.linkage, made.global_constant, made.initializer = "internal", True, ir.Constant(kind, list(numbers))
        return module.globals[name]

    def entry(self, table: Any, index: Any) -> Any:
        """A number of a table."""
        zero = ir.Constant(ir.IntType(64), 0)
        place = self.b.gep(table, [zero, index], inbounds=True, source_etype=table.value_type)
        loaded = self.b.load(place, typ=self.kind)
        loaded.set_metadata("invariant.load", self.b.module.add_metadata([]))
        return note_scope(self.b, loaded, TABLES)
