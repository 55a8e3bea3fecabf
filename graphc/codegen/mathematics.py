"""Scalar functions for compiled kernels, written without branches so that loops over them vectorise.

Each is some instructions of LLVM's own, made by `exponentials.py`, `angles.py` and `powers.py`, with the algebraic liberties of
the surrounding kernel switched off: what is subtracted there on purpose must not be added back. Errors are below 2 units in
the last place in single precision, and below 3 in double precision; infinities, NaN and subnormal numbers are kept.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from graphc.codegen import angles, exponentials, powers, types
from graphc.codegen.floats import Floats
from graphc.codegen.intrinsics import intrinsic

__all__ = [
    "arctan", "cos", "cosh", "erf", "exp", "expm1", "floor", "isfinite", "log", "log1p", "maximum", "minimum", "power", "select", "sigmoid",
    "sign", "sin", "sinh", "softplus", "tan", "tanh",
]  # fmt: skip

_STRICT = ("contract",)


def _floor(f: Floats, x: Any) -> Any:
    """The greatest whole number not above x."""
    return f.call("llvm.floor", x)


def _unary(name: str, make: Callable[[Floats, Any], Any]) -> Any:
    def function(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return make(Floats(builder, context.get_value_type(sig.args[0])), args[0])

        return x(x), codegen

    function.__name__ = function.__qualname__ = name
    function.__doc__ = make.__doc__
    return intrinsic(function)


exp, expm1 = _unary("exp", exponentials.exp), _unary("expm1", exponentials.expm1)
log, log1p = _unary("log", exponentials.log), _unary("log1p", exponentials.log1p)
tanh, sinh, cosh = (_unary(make.__name__, make) for make in (exponentials.tanh, exponentials.sinh, exponentials.cosh))
sigmoid, softplus = _unary("sigmoid", exponentials.sigmoid), _unary("softplus", exponentials.softplus)
erf = _unary("erf", exponentials.erf)
sin, cos, tan = (_unary(make.__name__, make) for make in (angles.sin, angles.cos, angles.tan))
arctan, floor = _unary("arctan", angles.arctan), _unary("floor", _floor)


def _binary(name: str, choose: Callable[[Floats, Any, Any], Any], whole: str) -> Any:
    def function(typingctx: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if isinstance(sig.args[0], types.Integer):
                return builder.select(builder.icmp_signed(whole, args[0], args[1]), args[0], args[1])
            return choose(Floats(builder, context.get_value_type(sig.args[0])), args[0], args[1])

        return x(x, y), codegen

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _larger(f: Floats, x: Any, y: Any) -> Any:
    # NaN on either side wins: an unordered comparison takes x where x is NaN, the next one y where y is.
    kept = f.pick(f.b.fcmp_unordered(">=", x, y, flags=_STRICT), x, y)
    return f.pick(f.nan(y), y, kept)


def _smaller(f: Floats, x: Any, y: Any) -> Any:
    kept = f.pick(f.b.fcmp_unordered("<=", x, y, flags=_STRICT), x, y)
    return f.pick(f.nan(y), y, kept)


maximum = _binary("maximum", _larger, ">=")
minimum = _binary("minimum", _smaller, "<=")


@intrinsic
def power(typingctx: Any, x: Any, y: Any) -> Any:
    """x**y"""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return powers.power(Floats(builder, context.get_value_type(sig.args[0])), args[0], args[1])

    return x(x, x), codegen


@intrinsic
def select(typingctx: Any, condition: Any, x: Any, y: Any) -> Any:
    """One of two values that are both there."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return x(types.boolean, x, x), codegen


@intrinsic
def sign(typingctx: Any, x: Any) -> Any:
    """-1, 0 or 1; NaN stays."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = context.get_value_type(sig.args[0])
        zero, one = ir.Constant(kind, 0), ir.Constant(kind, 1)
        minus = ir.Constant(kind, -1)
        if isinstance(sig.args[0], types.Integer):
            above = builder.icmp_signed(">", args[0], zero)
            below = builder.icmp_signed("<", args[0], zero)
        else:
            above = builder.fcmp_ordered(">", args[0], zero, flags=_STRICT)
            below = builder.fcmp_ordered("<", args[0], zero, flags=_STRICT)
        # What is neither above nor below 0 is 0 or NaN, and stays.
        return builder.select(above, one, builder.select(below, minus, args[0]))

    return x(x), codegen


@intrinsic
def isfinite(typingctx: Any, x: Any) -> Any:
    """Whether x is neither infinite nor NaN."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        f = Floats(builder, context.get_value_type(sig.args[0]))
        return f.less(f.abs(args[0]), f.c(math.inf))

    return types.boolean(x), codegen
