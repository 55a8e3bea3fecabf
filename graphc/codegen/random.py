"""Philox 4x32-10 for compiled kernels: the same bits as the evaluator's.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import intrinsic

__all__ = ["uniform"]

_M0, _M1, _W0, _W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85


@intrinsic
def uniform(typingctx: Any, control: Any, position: Any, number: Any, like: Any) -> Any:
    """A number k / 2**24 in [0, 1).

    Args:
        control: the program's words: the seed's two, the step, the error word, the iteration.
        position: the entry's flat position in its tensor.
        number: the random node's number.
        like: a float of the precision wanted.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word, wide = ir.IntType(32), ir.IntType(64)
        base = builder.bitcast(args[0], wide.as_pointer())

        def control_word(k: int) -> Any:
            loaded = builder.load(builder.gep(base, [ir.Constant(wide, k)], source_etype=wide), typ=wide)
            loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
            return builder.trunc(loaded, word)

        k0, k1 = control_word(0), control_word(1)
        c = [builder.trunc(args[1], word), builder.trunc(args[2], word), control_word(2), control_word(4)]
        for _ in range(10):
            p0 = builder.mul(builder.zext(c[0], wide), ir.Constant(wide, _M0))
            p1 = builder.mul(builder.zext(c[2], wide), ir.Constant(wide, _M1))
            high0, high1 = (builder.trunc(builder.lshr(p, ir.Constant(wide, 32)), word) for p in (p0, p1))
            low0, low1 = (builder.trunc(p, word) for p in (p0, p1))
            c = [builder.xor(builder.xor(high1, c[1]), k0), low1, builder.xor(builder.xor(high0, c[3]), k1), low0]
            k0, k1 = builder.add(k0, ir.Constant(word, _W0)), builder.add(k1, ir.Constant(word, _W1))
        kind = context.get_value_type(sig.return_type)
        # 24 bits fit the mantissa of a float exactly.
        whole = builder.sitofp(builder.lshr(c[0], ir.Constant(word, 8)), kind)
        return builder.fmul(whole, ir.Constant(kind, 2.0**-24))

    return like(control, types.int64, types.int64, like), codegen
