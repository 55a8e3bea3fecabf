"""What threads share: words that are changed in one step, and calls of the system's functions by their addresses."""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.flow import local
from graphc.codegen.intrinsics import intrinsic

__all__ = ["add", "address", "first_bit", "load", "nanoseconds", "pause", "publish", "sleep", "store", "swap", "transfer"]

_WORD = ir.IntType(64)
_PAUSES = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": ("llvm.aarch64.hint", [1]), "arm64": ("llvm.aarch64.hint", [1])}


def _pointer(builder: Any, value: Any) -> Any:
    return builder.inttoptr(value, _WORD.as_pointer())


@intrinsic
def address(typingctx: Any, row: Any) -> Any:
    """The address that a row of arguments is."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], _WORD)

    return types.int64(row), codegen


@intrinsic
def load(typingctx: Any, at: Any) -> Any:
    """The word at an address, as other threads left it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(builder, args[0]), "seq_cst", 8, typ=_WORD)

    return types.int64(types.int64), codegen


@intrinsic
def store(typingctx: Any, at: Any, value: Any) -> Any:
    """Set the word at an address; everything written before is seen by whoever sees it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _pointer(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), codegen


@intrinsic
def publish(typingctx: Any, at: Any, value: Any) -> Any:
    """Set the word at an address; it is seen before anything that is read afterwards."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.atomic_rmw("xchg", _pointer(builder, args[0]), args[1], "seq_cst")
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), codegen


@intrinsic
def add(typingctx: Any, at: Any, value: Any) -> Any:
    """Add to the word at an address; returns what it was."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def swap(typingctx: Any, at: Any, expected: Any, value: Any) -> Any:
    """Set the word at an address if it is the expected one; returns whether it was."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.cmpxchg(_pointer(builder, args[0]), args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def first_bit(typingctx: Any, word: Any) -> Any:
    """The place of the lowest bit that is set."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """A moment's rest in a loop that waits."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        name, numbers = _PAUSES.get(llvm.get_default_triple().split("-")[0], ("", []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(numbers))
            known = builder.module.globals.get(name)
            function = known if known is not None else ir.Function(builder.module, kind, name)
            builder.call(function, [ir.Constant(ir.IntType(32), n) for n in numbers])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def nanoseconds(typingctx: Any, function: Any, clock: Any) -> Any:
    """What a clock says, by ``clock_gettime``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        time = local(builder, ir.ArrayType(_WORD, 2))
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), _WORD.as_pointer()])
        words = builder.bitcast(time, _WORD.as_pointer())
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [builder.trunc(args[1], ir.IntType(32)), words])
        seconds = builder.load(words, typ=_WORD)
        rest = builder.load(builder.gep(words, [ir.Constant(_WORD, 1)], source_etype=_WORD), typ=_WORD)
        return builder.add(builder.mul(seconds, ir.Constant(_WORD, 10**9)), rest)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def transfer(typingctx: Any, function: Any, file: Any) -> Any:
    """Read or write one word by ``read`` or ``write`` of a file; returns how many bytes passed."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = local(builder, _WORD)
        builder.store(ir.Constant(_WORD, 1), word)
        kind = ir.FunctionType(_WORD, [ir.IntType(32), _WORD.as_pointer(), _WORD])
        call = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(call, [builder.trunc(args[1], ir.IntType(32)), word, ir.Constant(_WORD, 8)])

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def sleep(typingctx: Any, function: Any, microseconds: Any) -> Any:
    """Leave the processor to others for a while, by ``usleep``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32)])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [builder.trunc(args[1], ir.IntType(32))])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), codegen
