"""Scalar functions for compiled kernels, written without branches so that loops over them vectorise.

Each is a few instructions of LLVM's own, with the algebraic liberties of the surrounding kernel switched off: what is
subtracted here on purpose must not be added back. Methods: exp by Cody and Waite's reduction and a Taylor polynomial; log
by the series of the inverse hyperbolic tangent; tanh by the truncated continued fraction near 0; log1p by Kahan's correction.
Errors are a few units in the last place in both precisions; infinities, NaN and subnormal numbers are kept.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

__all__ = ["exp", "expm1", "floor", "isfinite", "log", "log1p", "maximum", "minimum", "select", "sigmoid", "sign", "softplus", "tanh"]

_STRICT = ("contract",)


class _Floats:
    """Arithmetic on floats of one precision through an LLVM builder."""

    def __init__(self, builder: Any, kind: Any) -> None:
        self.b, self.kind = builder, kind
        self.double = isinstance(kind, ir.DoubleType)
        self.word = ir.IntType(64 if self.double else 32)
        self.mantissa, self.bias = (52, 1023) if self.double else (23, 127)

    def c(self, value: float) -> Any:
        """A constant."""
        return ir.Constant(self.kind, value)

    def n(self, value: int) -> Any:
        """A constant word."""
        return ir.Constant(self.word, value)

    def add(self, x: Any, y: Any) -> Any:
        """X + y"""
        return self.b.fadd(x, y, flags=_STRICT)

    def sub(self, x: Any, y: Any) -> Any:
        """X - y"""
        return self.b.fsub(x, y, flags=_STRICT)

    def mul(self, x: Any, y: Any) -> Any:
        """X * y"""
        return self.b.fmul(x, y, flags=_STRICT)

    def div(self, x: Any, y: Any) -> Any:
        """X / y"""
        return self.b.fdiv(x, y, flags=_STRICT)

    def less(self, x: Any, y: Any) -> Any:
        """X < y; false for NaN."""
        return self.b.fcmp_ordered("<", x, y, flags=_STRICT)

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

    def polynomial(self, x: Any, coefficients: list[float]) -> Any:
        """Horner's scheme, the constant first."""
        result = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.add(self.mul(result, x), self.c(coefficient))
        return result

    def power_of_two(self, n: Any) -> Any:
        """2**n for a whole word in the range of normal exponents."""
        shifted = self.b.shl(self.b.add(n, self.n(self.bias)), self.n(self.mantissa))
        return self.b.bitcast(shifted, self.kind)

    def nan(self, x: Any) -> Any:
        """Whether x is NaN."""
        return self.b.fcmp_unordered("uno", x, x, flags=_STRICT)

    # The functions ---------------------------------------------------------------------------------------------------

    def exp(self, x: Any) -> Any:
        """e**x."""
        low, high = (-746.0, 710.0) if self.double else (-104.0, 89.0)
        safe = self.pick(self.less(x, self.c(low)), self.c(low), self.pick(self.less(self.c(high), x), self.c(high), x))
        n = self.call("llvm.rint", self.mul(safe, self.c(1 / math.log(2))))
        big = 0.693359375 if not self.double else 6.93145751953125e-1
        small = -2.12194440054690583e-4 if not self.double else 1.42860682030941723212e-6
        r = self.sub(self.sub(safe, self.mul(n, self.c(big))), self.mul(n, self.c(small)))
        terms = 13 if self.double else 7
        value = self.polynomial(r, [1 / math.factorial(k) for k in range(terms + 1)])
        whole = self.b.fptosi(self.pick(self.nan(n), self.c(0.0), n), self.word)
        half = self.b.ashr(whole, self.n(1))
        # In two steps, so that results below the normal range come out.
        return self.mul(self.mul(value, self.power_of_two(half)), self.power_of_two(self.b.sub(whole, half)))

    def log(self, x: Any) -> Any:
        """The natural logarithm."""
        tiny = 2.2250738585072014e-308 if self.double else 1.1754943508222875e-38
        lift = 54 if self.double else 25
        low = self.less(x, self.c(tiny))
        y = self.pick(low, self.mul(x, self.c(2.0**lift)), x)
        bits = self.b.bitcast(y, self.word)
        exponent = self.b.sub(self.b.lshr(bits, self.n(self.mantissa)), self.n(self.bias))
        fraction = self.b.or_(self.b.and_(bits, self.n((1 << self.mantissa) - 1)), self.n(self.bias << self.mantissa))
        m = self.b.bitcast(fraction, self.kind)
        upper = self.less(self.c(math.sqrt(2)), m)
        m = self.pick(upper, self.mul(m, self.c(0.5)), m)
        e = self.b.sitofp(self.b.add(exponent, self.b.zext(upper, self.word)), self.kind)
        e = self.sub(e, self.pick(low, self.c(float(lift)), self.c(0.0)))
        s = self.div(self.sub(m, self.c(1.0)), self.add(m, self.c(1.0)))
        z = self.mul(s, s)
        terms = 11 if self.double else 5
        series = self.polynomial(z, [2 / (2 * k + 1) for k in range(1, terms)])
        big = 6.93147180369123816490e-01 if self.double else 0.693359375
        small = 1.90821492927058770002e-10 if self.double else -2.12194440054690583e-4
        tail = self.add(self.mul(self.mul(s, z), series), self.mul(e, self.c(small)))
        value = self.add(self.add(self.mul(s, self.c(2.0)), tail), self.mul(e, self.c(big)))
        infinite = self.c(math.inf)
        value = self.pick(self.less(x, infinite), value, x)
        value = self.pick(self.less(x, self.c(0.0)), self.c(math.nan), value)
        return self.pick(self.b.fcmp_ordered("==", x, self.c(0.0), flags=_STRICT), self.c(-math.inf), value)

    def log1p(self, x: Any) -> Any:
        """log(1 + x): the logarithm of the rounded sum, corrected by what rounding took."""
        w = self.add(x, self.c(1.0))
        lost = self.sub(self.sub(w, self.c(1.0)), x)
        value = self.sub(self.log(w), self.div(lost, w))
        plain = self.b.and_(self.less(x, self.c(math.inf)), self.less(self.c(-1.0), x))
        return self.pick(plain, value, self.log_at_edge(x, w))

    def log_at_edge(self, x: Any, w: Any) -> Any:
        """log1p at -1, below it, at infinity and for NaN."""
        at = self.pick(self.b.fcmp_ordered("==", w, self.c(0.0), flags=_STRICT), self.c(-math.inf), x)
        return self.pick(self.less(x, self.c(-1.0)), self.c(math.nan), at)

    def expm1(self, x: Any) -> Any:
        """exp(x) - 1: its series near 0."""
        series = self.mul(x, self.polynomial(x, [1 / math.factorial(k + 1) for k in range(16 if self.double else 8)]))
        return self.pick(self.less(self.abs(x), self.c(0.5)), series, self.sub(self.exp(x), self.c(1.0)))

    def tanh(self, x: Any) -> Any:
        """The hyperbolic tangent: x/(1 + x**2/(3 + x**2/(5 + ...))) near 0, (1 - e)/(1 + e) with e = exp(-2|x|) elsewhere."""
        size = self.abs(x)
        e = self.exp(self.mul(size, self.c(-2.0)))
        z = self.mul(x, x)
        above = self.mul(size, self.polynomial(z, [2027025.0, 270270.0, 6930.0, 36.0]))
        below = self.polynomial(z, [2027025.0, 945945.0, 51975.0, 630.0, 1.0])
        near = self.less(size, self.c(0.625))
        above = self.pick(near, above, self.sub(self.c(1.0), e))
        below = self.pick(near, below, self.add(self.c(1.0), e))
        return self.call("llvm.copysign", self.div(above, below), x)

    def floor(self, x: Any) -> Any:
        """The greatest whole number not above x."""
        return self.call("llvm.floor", x)

    def sigmoid(self, x: Any) -> Any:
        """1/(1 + exp(-x)), through exp of what is not positive."""
        e = self.exp(self.sub(self.c(-0.0), self.abs(x)))
        r = self.div(self.pick(self.less(x, self.c(0.0)), e, self.c(1.0)), self.add(self.c(1.0), e))
        return self.pick(self.nan(x), x, r)

    def softplus(self, x: Any) -> Any:
        """max(x, 0) + log1p(exp(-|x|))."""
        top = self.pick(self.less(x, self.c(0.0)), self.c(0.0), x)
        return self.add(top, self.log1p(self.exp(self.sub(self.c(-0.0), self.abs(x)))))


def _unary(name: str) -> Any:
    def function(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(_Floats(builder, context.get_value_type(sig.args[0])), name)(args[0])

        return x(x), codegen

    function.__name__ = function.__qualname__ = name
    function.__doc__ = getattr(_Floats, name).__doc__
    return intrinsic(function)


exp, log, log1p, expm1 = _unary("exp"), _unary("log"), _unary("log1p"), _unary("expm1")
tanh, sigmoid, softplus, floor = _unary("tanh"), _unary("sigmoid"), _unary("softplus"), _unary("floor")


def _binary(name: str, choose: Callable[[_Floats, Any, Any], Any], whole: str) -> Any:
    def function(typingctx: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if isinstance(sig.args[0], types.Integer):
                return builder.select(builder.icmp_signed(whole, args[0], args[1]), args[0], args[1])
            return choose(_Floats(builder, context.get_value_type(sig.args[0])), args[0], args[1])

        return x(x, y), codegen

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _larger(f: _Floats, x: Any, y: Any) -> Any:
    # NaN on either side wins: an unordered comparison takes x where x is NaN, the next one y where y is.
    kept = f.pick(f.b.fcmp_unordered(">=", x, y, flags=_STRICT), x, y)
    return f.pick(f.nan(y), y, kept)


def _smaller(f: _Floats, x: Any, y: Any) -> Any:
    kept = f.pick(f.b.fcmp_unordered("<=", x, y, flags=_STRICT), x, y)
    return f.pick(f.nan(y), y, kept)


maximum = _binary("maximum", _larger, ">=")
minimum = _binary("minimum", _smaller, "<=")


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
        f = _Floats(builder, context.get_value_type(sig.args[0]))
        return f.less(f.abs(args[0]), f.c(math.inf))

    return types.boolean(x), codegen
