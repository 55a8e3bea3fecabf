"""Range checks in compiled kernels: a bad place is noted in the program's error word, and position 0 is read instead.

The first bad place counts: kernels that run later may only find what follows from it.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import intrinsic

__all__ = ["checked"]


@intrinsic
def checked(typingctx: Any, control: Any, place: Any, size: Any, code: Any) -> Any:
    """``place`` where it lies in ``0 ... size - 1``, else 0, with ``code`` and the place left in the control words."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(64)
        base = builder.bitcast(args[0], wide.as_pointer())
        inside = builder.icmp_unsigned("<", args[1], args[2])
        with builder.if_then(builder.not_(inside), likely=False):
            code, noted = (builder.gep(base, [ir.Constant(wide, word)], source_etype=wide) for word in (3, 5))
            with builder.if_then(builder.icmp_signed("==", builder.load(code, typ=wide), ir.Constant(wide, 0))):
                builder.store(args[3], code)
                builder.store(args[1], noted)
        return builder.select(inside, args[1], ir.Constant(wide, 0))

    return types.int64(control, types.int64, types.int64, types.int64), codegen
