"""Running results inside compiled kernels: the only additions and products whose order may change, so that loops over them vectorise.

The liberty belongs to these instructions alone. Everything else of a kernel is computed as it is written: what is subtracted
from itself is NaN where it is infinite.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import intrinsic

__all__ = ["greatest", "least", "product", "total"]

_FREE = ("reassoc", "contract")


def _combining(name: str, floats: Callable[[Any, Any, Any], Any], whole: Callable[[Any, Any, Any], Any]) -> Any:
    def function(typingctx: Any, running: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            combine = whole if isinstance(sig.args[0], types.Integer) else floats
            return combine(builder, args[0], args[1])

        return running(running, running), codegen

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _extreme(name: str) -> Callable[[Any, Any, Any], Any]:
    """LLVM's own extreme of two floats: NaN wins, and 0 and -0 are one."""

    def extreme(builder: Any, x: Any, y: Any) -> Any:
        function = builder.module.declare_intrinsic(name, [x.type], ir.FunctionType(x.type, [x.type, x.type]))
        return builder.call(function, [x, y], fastmath=("nsz",))

    return extreme


def _pick(comparison: str) -> Callable[[Any, Any, Any], Any]:
    return lambda b, x, y: b.select(b.icmp_signed(comparison, x, y), x, y)


total = _combining("total", lambda b, x, y: b.fadd(x, y, flags=_FREE), lambda b, x, y: b.add(x, y))
product = _combining("product", lambda b, x, y: b.fmul(x, y, flags=_FREE), lambda b, x, y: b.mul(x, y))
greatest = _combining("greatest", _extreme("llvm.maximum"), _pick(">="))
least = _combining("least", _extreme("llvm.minimum"), _pick("<="))
