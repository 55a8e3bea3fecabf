"""How a thread's processor rounds: whether it takes numbers below the normal range as they are, or as 0.

On x86 that is the control word of its vector unit. On other processors these do nothing.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.flow import local
from graphc.codegen.intrinsics import intrinsic

__all__ = ["flushing", "mode", "set_mode"]

_WORD, _HALF, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_FLUSH = 0x8040  # results below the normal range are 0, and so are arguments
_SETTINGS = 0xFFC0  # the other bits only note what has happened


def _known() -> bool:
    return llvm.get_default_triple().split("-")[0] == "x86_64"


def _call(builder: Any, name: str, place: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer()])
    builder.call(builder.module.declare_intrinsic(name, (), kind), [builder.bitcast(place, _BYTE.as_pointer())])


@intrinsic
def mode(typingctx: Any) -> Any:
    """The thread's mode; 0 where there is none."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if not _known():
            return ir.Constant(_WORD, 0)
        place = local(builder, _HALF)
        _call(builder, "llvm.x86.sse.stmxcsr", place)
        return builder.zext(builder.and_(builder.load(place, typ=_HALF), ir.Constant(_HALF, _SETTINGS)), _WORD)

    return types.int64(), codegen


@intrinsic
def set_mode(typingctx: Any, value: Any) -> Any:
    """Give the thread a mode."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _known():
            place = local(builder, _HALF)
            builder.store(builder.trunc(args[0], _HALF), place)
            _call(builder, "llvm.x86.sse.ldmxcsr", place)
        return context.get_dummy_value()

    return types.none(types.int64), codegen


@intrinsic
def flushing(typingctx: Any, value: Any) -> Any:
    """A mode in which numbers below the normal range are 0, otherwise as another one."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.or_(args[0], ir.Constant(_WORD, _FLUSH))

    return types.int64(types.int64), codegen
