"""Calls of other kernels by their addresses, and copies of memory, inside compiled kernels."""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.flow import copied
from graphc.codegen.intrinsics import intrinsic

__all__ = ["KERNEL", "call", "copy_bytes", "float32_at", "float64_at", "address_of", "put_word"]

_BYTE = ir.IntType(8)
_WORD = ir.IntType(64)
KERNEL = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _WORD, _WORD, _WORD])  # row, low, high, worker


@intrinsic
def call(typingctx: Any, address: Any, row: Any, low: Any, high: Any, worker: Any) -> Any:
    """Run the kernel at an address on the row of arguments at another, from ``low`` to before ``high``, by a worker."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kernel = builder.inttoptr(args[0], KERNEL.as_pointer())
        builder.call(kernel, [builder.inttoptr(args[1], _BYTE.as_pointer()), *args[2:]])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def copy_bytes(typingctx: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy bytes between addresses that do not overlap."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _BYTE.as_pointer()
        copied(builder, builder.inttoptr(args[0], pointer), builder.inttoptr(args[1], pointer), args[2])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), codegen


@intrinsic
def put_word(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a whole number to an address."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), codegen


@intrinsic
def address_of(typingctx: Any, table: Any, at: Any, k: Any, length: Any) -> Any:
    """An address in the k-th of so many iterations: five words of a table tell where it starts, its step, what is added in odd
    iterations, and what it is in the first and in the last one, if not 0.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        base, one, zero = builder.bitcast(args[0], _WORD.as_pointer()), ir.Constant(_WORD, 1), ir.Constant(_WORD, 0)
        places = [builder.gep(base, [builder.add(args[1], ir.Constant(_WORD, n))], source_etype=_WORD) for n in range(5)]
        start, step, other, first, last = (builder.load(p, typ=_WORD) for p in places)
        odd = builder.mul(builder.and_(args[2], one), other)
        made = builder.add(builder.add(start, builder.mul(args[2], step)), odd)
        for instead, when in ((first, zero), (last, builder.sub(args[3], one))):
            here = builder.and_(builder.icmp_signed("!=", instead, zero), builder.icmp_signed("==", args[2], when))
            made = builder.select(here, instead, made)
        return made

    return types.int64(table, types.int64, types.int64, types.int64), codegen


def _value_at(kind: Any, name: str) -> Any:
    def at(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            loaded = builder.load(builder.inttoptr(args[0], kind.as_pointer()), typ=kind)
            return loaded if isinstance(kind, ir.DoubleType) else builder.fpext(loaded, ir.DoubleType())

        return types.float64(types.int64), codegen

    at.__name__ = at.__qualname__ = name
    return intrinsic(at)


float32_at = _value_at(ir.FloatType(), "float32_at")
float64_at = _value_at(ir.DoubleType(), "float64_at")
