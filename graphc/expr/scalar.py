"""The scalar functions of stage bodies: SymPy's, and our own where SymPy's rewrite too much or differentiate badly.

SymPy's ``Max`` forgets the order of its arguments, ``sign`` differentiates to DiracDelta, ``Abs`` to ``sign``, ``x**y``
to NaN at 0, and ``Piecewise`` multiplies 0 by infinity. The classes below fix what happens at kinks, once, for values
(see :mod:`graphc.reference`), derivatives, formulas and kernels. :func:`normalise` brings a user's SymPy expression into
this vocabulary and refuses what lies outside it.
"""

from __future__ import annotations

import numbers
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean, BooleanFunction

from graphc.errors import DeclarationError, DerivationError

__all__ = [
    "Absolute",
    "Abstract",
    "Expm1",
    "Floor",
    "IsFinite",
    "Log1p",
    "Maximum",
    "Minimum",
    "Power",
    "RootOfSquares",
    "Select",
    "Sigmoid",
    "Sign",
    "Softplus",
    "as_expression",
    "derivative",
    "is_condition",
    "normalise",
]

Expr = sympy.Expr
ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


class _Scalar(sympy.Function):
    """A real scalar function that SymPy must not rewrite."""

    is_real = True
    is_commutative = True


def _arguments(call: _Scalar) -> tuple[Any, ...]:
    return call.args


def _power(x: Any, y: Any) -> Any:
    return Power(x, y)


class Select(_Scalar):
    """``Select(condition, a, b)``: ``a`` where the condition holds, else ``b``; the other branch never takes part."""

    nargs = 3

    @classmethod
    def eval(cls, *args: Any) -> Any:
        condition, a, b = args
        if condition == sympy.true:
            return a
        if condition == sympy.false:
            return b
        return a if a == b else None

    def _eval_derivative(self, s: Any) -> Any:
        condition, a, b = self.args
        return Select(condition, derivative(a, s), derivative(b, s))


class Maximum(_Scalar):
    """The larger of two; NaN where either is; on a tie the first takes the whole derivative."""

    nargs = 2

    def _eval_derivative(self, s: Any) -> Any:
        a, b = self.args
        return Select(sympy.Ge(a, b), derivative(a, s), derivative(b, s))


class Minimum(_Scalar):
    """The smaller of two; NaN where either is; on a tie the first takes the whole derivative."""

    nargs = 2

    def _eval_derivative(self, s: Any) -> Any:
        a, b = self.args
        return Select(sympy.Le(a, b), derivative(a, s), derivative(b, s))


class Sign(_Scalar):
    """-1, 0 or 1; its derivative is 0 everywhere."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return ZERO


class Absolute(_Scalar):
    """``|x|``, with derivative 0 at 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return Sign(self.args[0])


class Floor(_Scalar):
    """The greatest integer not above ``x``; its derivative is 0 everywhere."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return ZERO


class IsFinite(_Scalar):
    """1 where ``x`` is neither infinite nor NaN, else 0; its derivative is 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return ZERO


class Power(_Scalar):
    """``x**y`` with a variable exponent; the derivative by ``y`` is 0 where ``x`` is 0.

    With a number as its exponent it is SymPy's own power, with 2.0 as 2 and 0.5 as a half.
    """

    nargs = 2

    @classmethod
    def eval(cls, *args: Any) -> Any:
        x, y = args
        if not y.is_number:
            return None
        if y.is_Float and float(2 * y).is_integer():
            y = sympy.Rational(int(2 * y), 2)
        return x**y

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = _arguments(self)
        if argindex == 1:
            return Select(sympy.Eq(y, 0), ZERO, y * _power(x, y - 1))
        return Select(sympy.Eq(x, 0), ZERO, _power(x, y) * sympy.log(x))


class Sigmoid(_Scalar):
    r"""The logistic function :math:`\sigma(x) = 1/(1 + e^{-x})`."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return self * (1 - self)


class Softplus(_Scalar):
    r""":math:`\log(1 + e^x)`, finite for every finite ``x``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return Sigmoid(self.args[0])


class Log1p(_Scalar):
    """``log(1 + x)``, accurate near 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (1 + _arguments(self)[0])


class Expm1(_Scalar):
    """``exp(x) - 1``, accurate near 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.exp(self.args[0])


class RootOfSquares(_Scalar):
    """``sqrt(q)`` of a sum of squares ``q``; its derivative is 0 at 0, where the norm has a kink."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        q = self.args[0]
        return Select(sympy.Gt(q, 0), 1 / (2 * self), ZERO)


class Abstract(_Scalar):
    """A function that has a name and no formula, differentiated some number of times by each argument.

    Its arguments are ``(name, times by the first, ..., first, ...)``; it derives and prints, and has no value.
    """

    @property
    def label(self) -> str:
        """What it is called."""
        return str(_arguments(self)[0])

    @property
    def orders(self) -> tuple[Any, ...]:
        """How often it is differentiated, by each argument."""
        return _arguments(self)[1 : 1 + len(_arguments(self)) // 2]

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it is applied to."""
        return _arguments(self)[1 + len(_arguments(self)) // 2 :]

    def _eval_derivative(self, s: Any) -> Any:
        orders, operands = self.orders, self.operands
        total: Any = ZERO
        for k, operand in enumerate(operands):
            more = [order + (n == k) for n, order in enumerate(orders)]
            total = total + Abstract(_arguments(self)[0], *more, *operands) * derivative(operand, s)
        return total


# What a body may be made of besides numbers, symbols, sums, products and powers.
_SYMPY_FUNCTIONS = (
    sympy.exp,
    sympy.log,
    sympy.sin,
    sympy.cos,
    sympy.tan,
    sympy.tanh,
    sympy.sinh,
    sympy.cosh,
    sympy.atan,
    sympy.erf,
)
_OWN = (
    Abstract, Select, Maximum, Minimum, Sign, Absolute, Floor, IsFinite, Power,
    Sigmoid, Softplus, Log1p, Expm1, RootOfSquares,
)  # fmt: skip
_PASSED = (
    *_SYMPY_FUNCTIONS, *_OWN,
    sympy.Add, sympy.Mul, sympy.Number, sympy.NumberSymbol, sympy.Symbol,
    sympy.core.relational.Relational, sympy.And, sympy.Or, sympy.Not,
    sympy.logic.boolalg.BooleanAtom, ExprCondPair,
)  # fmt: skip


def is_condition(body: sympy.Basic) -> bool:
    """Whether a body is a truth value rather than a number."""
    return isinstance(body, Boolean | BooleanFunction) and not isinstance(body, sympy.Symbol)


def _numbers_first(args: tuple[Any, ...]) -> list[Any]:
    # Max(x, 0) has lost its order; the number leads, so that relu'(0) = 0.
    return sorted(args, key=lambda a: not a.is_number)


def _nested(function: Any) -> Any:
    return lambda *args: reduce(function, _numbers_first(args))


def _piecewise(*pieces: Any) -> Any:
    (last, otherwise), *earlier = [pair.args for pair in reversed(pieces)]
    if otherwise != sympy.true:
        raise DeclarationError("a Piecewise has no value where no condition holds: end it with (value, True)")
    return reduce(lambda rest, piece: Select(piece[1], piece[0], rest), earlier, last)


def _floor(x: Any) -> Any:
    return Floor(x)


def _heaviside(x: Any, at_zero: Any = ONE / 2) -> Any:
    return Select(sympy.Gt(x, 0), ONE, Select(sympy.Lt(x, 0), ZERO, at_zero))


# SymPy's function -> ours, from its arguments.
_REPLACED: dict[type, Any] = {
    sympy.Max: _nested(Maximum),
    sympy.Min: _nested(Minimum),
    sympy.Abs: Absolute,
    sympy.sign: Sign,
    sympy.floor: Floor,
    sympy.ceiling: lambda x: -_floor(-x),
    sympy.Piecewise: _piecewise,
    sympy.Heaviside: _heaviside,
    sympy.sec: lambda x: 1 / sympy.cos(x),
    sympy.csc: lambda x: 1 / sympy.sin(x),
    sympy.cot: lambda x: sympy.cos(x) / sympy.sin(x),
    sympy.coth: lambda x: 1 / sympy.tanh(x),
    sympy.sech: lambda x: 1 / sympy.cosh(x),
    sympy.csch: lambda x: 1 / sympy.sinh(x),
    sympy.erfc: lambda x: 1 - sympy.erf(x),
    sympy.asinh: lambda x: sympy.log(x + sympy.sqrt(x**2 + 1)),
    sympy.ITE: lambda c, a, b: sympy.Or(sympy.And(c, a), sympy.And(sympy.Not(c), b)),
}


def as_expression(value: Any) -> Any:
    """A formula, a number or a dimension as a SymPy expression; ``None`` for anything else.

    Text and what may hold text are never given to SymPy, which would carry them out as code.
    """
    if isinstance(value, sympy.Basic):
        return value if isinstance(value, Expr | Boolean) else None
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value.item()
    if isinstance(value, numbers.Number | bool | np.bool_) or hasattr(type(value), "_sympy_"):
        return sympy.sympify(value, strict=True)
    return None


def normalise(expr: Any, keep: tuple[type, ...] = ()) -> Any:
    """``expr`` in the vocabulary of stage bodies; atoms of the classes in ``keep`` pass as they are.

    Raises:
        DeclarationError: for a SymPy function or number that has no value as a real scalar, naming it.
    """
    if keep and isinstance(expr, keep):
        return expr
    if isinstance(expr, sympy.Number | sympy.NumberSymbol) or expr in (sympy.true, sympy.false):
        if expr.is_extended_real is False or expr is sympy.zoo:
            raise DeclarationError(f"{expr} is not a real number, and formulas are over the reals")
        return expr
    if isinstance(expr, sympy.Symbol):
        return expr
    if isinstance(expr, bool) or expr is sympy.I:
        raise DeclarationError(f"{expr} cannot stand in a formula over the reals")
    if isinstance(expr, sympy.Sum | sympy.Product | sympy.Integral):
        raise DeclarationError(f"{expr.func.__name__} of SymPy cannot stand in a formula: write gx.Sum(body, k) or gx.Prod(body, k) instead")
    args = [normalise(a, keep) for a in expr.args]
    if isinstance(expr, sympy.Pow):
        return Power(*args)
    if isinstance(expr, _PASSED):
        return expr.func(*args) if args else expr
    rule = _REPLACED.get(expr.func)
    if rule is None:
        raise DeclarationError(f"{expr.func.__name__} is unknown in formulas: write it with exp, log, sqrt, tanh, sin, cos, erf, Abs, Max, Piecewise")
    return rule(*args)


def derivative(body: Any, symbol: Any) -> Any:
    """The derivative of a stage body by one of its symbols, 0 for conditions.

    Raises:
        DerivationError: where SymPy leaves a derivative unevaluated.
    """
    if is_condition(body):
        return ZERO
    if symbol not in body.free_symbols:
        return ZERO
    result = body.diff(symbol)
    if result.has(sympy.Derivative, sympy.Subs):
        raise DerivationError(f"the derivative of {body} has no closed form: it contains {sorted(map(str, result.atoms(sympy.Derivative)))}")
    return result
