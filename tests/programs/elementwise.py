"""Rows entry by entry: functions of one, of two, of three, numbers written into formulas, and functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

import graphc as gx
from tests.programs.draw import Draw, broadcast_sizes
from tests.programs.extremes import larger
from tests.programs.program import Kind, Row, Size, Unfit, apart, decisions, real, torch

__all__ = ["ROWS"]

Check = Callable[[Any], None]
Function = Callable[..., Any]


def within(low: float, high: float) -> Check:
    """Refuse arguments beyond a range, while a program is drawn."""

    def check(x: Any) -> None:
        if decisions.checking and x.numel() and not (float(x.detach().min()) >= low and float(x.detach().max()) <= high):
            raise Unfit("outside the domain")

    return check


def away(distance: float) -> Check:
    """Refuse arguments near 0."""

    def check(x: Any) -> None:
        if decisions.checking and x.numel() and float(x.detach().abs().min()) < distance:
            raise Unfit("too near 0")

    return check


def smooth(f: Function, check: Check | None = None) -> Function:
    """Of floats, ints read as floats, where they lie in the domain."""

    def call(x: Any) -> Any:
        if check is not None:
            check(x)
        return f(real(x))

    return call


def kinked(f: Function, gap: Function) -> Function:
    """Of floats and ints, away from kinks."""

    def call(x: Any) -> Any:
        apart(gap(x).double())
        return f(x)

    return call


def same(kinds: list[Kind], options: dict[str, Any]) -> tuple[Size, ...]:
    return broadcast_sizes(kinds)


def unary(name: str, theirs: Function, exact: bool = False, dtypes: tuple[str, ...] = ("float", "float", "int")) -> Row:
    return Row(name, lambda c: ((c.find(dtypes=dtypes),), {}), getattr(gx, name), theirs, same, exact, weight=0.35)


UNARY = [
    unary("exp", smooth(torch.exp, within(-6, 3))),
    unary("log", smooth(torch.log, within(0.05, 1e4))),
    unary("log1p", smooth(torch.log1p, within(-0.9, 1e4))),
    unary("expm1", smooth(torch.expm1, within(-6, 3))),
    unary("sqrt", smooth(torch.sqrt, within(0.02, 1e4))),
    unary("square", torch.square, True),
    unary("reciprocal", smooth(torch.reciprocal, away(0.1))),
    unary("abs", kinked(torch.abs, lambda x: x), True),
    unary("sign", kinked(torch.sign, lambda x: x), True),
    unary("floor", kinked(torch.floor, lambda x: x.double() - torch.round(x.double())), True),
    unary("sin", smooth(torch.sin, within(-30, 30))),
    unary("cos", smooth(torch.cos, within(-30, 30))),
    unary("tan", smooth(torch.tan, within(-1.3, 1.3))),
    unary("tanh", smooth(torch.tanh)),
    unary("sinh", smooth(torch.sinh, within(-3, 3))),
    unary("cosh", smooth(torch.cosh, within(-3, 3))),
    unary("arctan", smooth(torch.arctan)),
    unary("erf", smooth(torch.erf)),
    unary("sigmoid", smooth(torch.sigmoid)),
    unary("softplus", smooth(lambda x: torch.logaddexp(x, torch.zeros_like(x)))),
    unary("relu", kinked(torch.relu, lambda x: x), True),
    unary("negative", torch.neg, True),
    unary("isfinite", torch.isfinite, True),
    unary("logical_not", kinked(torch.logical_not, lambda x: x), True, ("float", "int", "bool")),
]


def two(c: Draw, dtypes: tuple[str, ...] = ("float", "float", "int")) -> tuple[tuple[int, ...], dict[str, Any]]:
    a = c.find(dtypes=dtypes)
    b = c.fitting(a, tuple(dict.fromkeys(dtypes)))
    return ((a, b) if c.chance(0.7) else (b, a)), {}


def floats(c: Draw) -> tuple[tuple[int, ...], dict[str, Any]]:
    return two(c, ("float",))


def binary(name: str, ours: Function, theirs: Function, exact: bool = False, weight: float = 0.7, draw: Function = two) -> Row:
    return Row(name, draw, ours, theirs, same, exact, weight=weight)


def divided(a: Any, b: Any) -> Any:
    away(0.1)(b)
    return real(a) / real(b)


def powered(a: Any, b: Any) -> Any:
    within(0.1, 10)(a)
    within(-4, 4)(b)
    return torch.pow(real(a), real(b))


def compared(f: Function) -> Function:
    def call(a: Any, b: Any) -> Any:
        apart(a.double() - b.double())
        return f(a, b)

    return call


def logical(f: Function) -> Function:
    def call(a: Any, b: Any) -> Any:
        for x in (a, b):
            apart(x.double())
        return f(a, b)

    return call


def joined(f: Function) -> Function:
    """With both of one kind, as NumPy has them."""

    def call(a: Any, b: Any) -> Any:
        kind = torch.promote_types(a.dtype, b.dtype)
        return f(a.to(kind), b.to(kind))

    return call


BINARY = [
    binary("add", lambda a, b: a + b, torch.add, True),
    binary("subtract", lambda a, b: a - b, torch.sub, True),
    binary("multiply", lambda a, b: a * b, torch.mul, True, 1.2),
    binary("divide", lambda a, b: a / b, divided),
    binary("power", lambda a, b: a**b, powered, weight=0.4, draw=floats),
    binary("maximum", gx.maximum, joined(larger), True),
    binary("minimum", gx.minimum, joined(lambda a, b: larger(a, b, -1)), True),
    *(
        Row(name, lambda c: two(c, ("float", "float", "int", "bool")), getattr(gx, name), compared(theirs), same, True, weight=0.15)
        for name, theirs in (
            ("less", torch.lt), ("less_equal", torch.le), ("greater", torch.gt), ("greater_equal", torch.ge),
            ("equal", torch.eq), ("not_equal", torch.ne),
        )
    ),
    *(
        Row(name, lambda c: two(c, ("bool", "bool", "int")), getattr(gx, name), logical(getattr(torch, name)), same, True, weight=0.15)
        for name in ("logical_and", "logical_or")
    ),
]  # fmt: skip


def where_draw(c: Draw) -> tuple[tuple[int, ...], dict[str, Any]]:
    a = c.find(dtypes=("float", "float", "int"))
    b = c.fitting(a, ("float", "int"))
    condition = c.fitting(a, ("bool",)) if c.chance(0.6) else c.like(a, dtype="bool")
    return (condition, a, b), {}


def where_theirs(condition: Any, a: Any, b: Any) -> Any:
    kind = torch.promote_types(a.dtype, b.dtype)
    return torch.where(condition, a.to(kind), b.to(kind))


def clip_draw(c: Draw) -> tuple[tuple[int, ...], dict[str, Any]]:
    lower, upper = c.pick([(-0.5, 0.5), (None, 0.25), (0.0, None), (-1, 1), (0.5, 1.5)])
    return (c.find(),), {"lower": lower, "upper": upper}


def clip_theirs(x: Any, lower: Any, upper: Any) -> Any:
    for bound in (lower, upper):
        if bound is not None:
            apart(x - bound)
    return torch.clamp(x, lower, upper)


# A number on either side of an operator: how it reads, for both, and what the tensor must keep to.
LITERALS: dict[str, tuple[Function, Check | None]] = {
    "x + 2": (lambda x: x + 2, None),
    "2 - x": (lambda x: 2 - x, None),
    "x - 0.5": (lambda x: x - 0.5, None),
    "3 * x": (lambda x: 3 * x, None),
    "0 * x": (lambda x: 0 * x, None),
    "x * 0.0": (lambda x: x * 0.0, None),
    "x + 0": (lambda x: x + 0, None),
    "x / 4": (lambda x: x / 4, None),
    "1 / x": (lambda x: 1 / x, away(0.1)),
    "0 / x": (lambda x: 0 / x, away(0.1)),
    "x ** 2": (lambda x: x**2, None),
    "x ** 3": (lambda x: x**3, within(-4, 4)),
    "x ** -1": (lambda x: x**-1.0, away(0.1)),
    "x ** 0.5": (lambda x: x**0.5, within(0.02, 1e4)),
    "x ** 1": (lambda x: x**1, None),
    "x ** 0": (lambda x: x**0, away(0.01)),
    "2.0 ** x": (lambda x: 2.0**x, within(-8, 8)),
    "x - x": (lambda x: x - x, None),
    "x / x": (lambda x: x / x, away(0.1)),
    "x * x * x": (lambda x: x * x * x, within(-4, 4)),
    "-x": (lambda x: -x, None),
}


def literal_theirs(x: Any, how: str) -> Any:
    f, check = LITERALS[how]
    if check is not None:
        check(x)
    return f(x)


def ends(x: Any) -> None:
    """Away from -1 and 1."""
    apart(x + 1)
    apart(x - 1)


# Formulas as they are spelled by hand, which are put into a stable form.
SPELLED: dict[str, tuple[Function, Function, Check]] = {
    "log(1 + exp(x))": (lambda x: gx.log(1 + gx.exp(x)), lambda x: torch.log(1 + torch.exp(x)), within(-8, 8)),
    "log(exp(-x) + 1)": (lambda x: gx.log(gx.exp(-x) + 1), lambda x: torch.log(torch.exp(-x) + 1), within(-8, 8)),
    "log(sigmoid(x))": (lambda x: gx.log(gx.sigmoid(x)), lambda x: torch.log(torch.sigmoid(x)), within(-8, 8)),
    "log(1 - sigmoid(x))": (lambda x: gx.log(1 - gx.sigmoid(x)), lambda x: torch.log(1 - torch.sigmoid(x)), within(-6, 6)),
    "exp(x) - 1": (lambda x: gx.exp(x) - 1, lambda x: torch.exp(x) - 1, within(-6, 3)),
    "log(1 + x * x)": (lambda x: gx.log(1 + x * x), lambda x: torch.log(1 + x * x), within(-50, 50)),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + gx.exp(-x)), lambda x: 1 / (1 + torch.exp(-x)), within(-8, 8)),
    "exp(x) / (1 + exp(x))": (lambda x: gx.exp(x) / (1 + gx.exp(x)), lambda x: torch.exp(x) / (1 + torch.exp(x)), within(-8, 8)),
    "log(exp(x))": (lambda x: gx.log(gx.exp(x)), lambda x: torch.log(torch.exp(x)), within(-8, 8)),
    "exp(log(x))": (lambda x: gx.exp(gx.log(x)), lambda x: torch.exp(torch.log(x)), within(0.05, 50)),
    "sqrt(x * x)": (lambda x: gx.sqrt(x * x), lambda x: torch.sqrt(x * x), away(0.1)),
    "sqrt(x) ** 2": (lambda x: gx.sqrt(x) ** 2, lambda x: torch.sqrt(x) ** 2, within(0.05, 50)),
    "x * sigmoid(x)": (lambda x: x * gx.sigmoid(x), lambda x: x * torch.sigmoid(x), within(-20, 20)),
    "log(tanh(x) + 1)": (lambda x: gx.log(gx.tanh(x) + 1), lambda x: torch.log(torch.tanh(x) + 1), within(-3, 3)),
    "logcosh": (lambda x: gx.log((gx.exp(x) + gx.exp(-x)) / 2), lambda x: torch.log((torch.exp(x) + torch.exp(-x)) / 2), within(-6, 6)),
}


def spelled_theirs(x: Any, how: str) -> Any:
    SPELLED[how][2](x)
    return SPELLED[how][1](x)


_MINE: dict[str, tuple[Function, Function, Check | None]] = {
    "swish": (lambda x: x / (1 + sympy.exp(-x)), lambda x: x / (1 + torch.exp(-x)), within(-20, 20)),
    "bell": (lambda x: sympy.exp(-(x**2)), lambda x: torch.exp(-(x**2)), None),
    "arch": (lambda x: sympy.sqrt(1 + x**2), lambda x: torch.sqrt(1 + x**2), None),
    "steps": (
        lambda x: sympy.Piecewise((x**2, x < -1), (sympy.sin(x), x < 1), (3 * x, True)),
        lambda x: torch.where(x < -1, x**2, torch.where(x < 1, torch.sin(x), 3 * x)), ends,
    ),
    "hinge": (lambda x: sympy.Max(x, 0) + sympy.Abs(x), lambda x: torch.relu(x) + torch.abs(x), lambda x: apart(x)),
    "cubic": (lambda x: (x - 1) * (x + 2) * x, lambda x: (x - 1) * (x + 2) * x, within(-4, 4)),
    "bounded": (lambda x: sympy.Min(sympy.Max(x, -1), 1), lambda x: torch.clamp(x, -1, 1), ends),
    "odd": (
        lambda x: sympy.tanh(x) - sympy.atan(x) + sympy.log(2 + sympy.cos(x)),
        lambda x: torch.tanh(x) - torch.arctan(x) + torch.log(2 + torch.cos(x)), None,
    ),
}  # fmt: skip
_MINE_OURS = {name: gx.function(name, row[0]) for name, row in _MINE.items()}
_TWO: dict[str, tuple[Function, Function]] = {
    "swish2": (lambda x, b: x / (1 + sympy.exp(-b * x)), lambda x, b: x / (1 + torch.exp(-b * x))),
    "kernel": (lambda x, y: sympy.exp(-((x - y) ** 2) / 2), lambda x, y: torch.exp(-((x - y) ** 2) / 2)),
    "ratio": (lambda x, y: (x - y) / (1 + x**2 + y**2), lambda x, y: (x - y) / (1 + x**2 + y**2)),
}
_TWO_OURS = {name: gx.function(name, row[0]) for name, row in _TWO.items()}


def mine_theirs(x: Any, f: str) -> Any:
    check = _MINE[f][2]
    if check is not None:
        check(x)
    return _MINE[f][1](x)


def two_theirs(x: Any, y: Any, f: str) -> Any:
    within(-12, 12)(x)
    within(-4, 4)(y)
    return _TWO[f][1](x, y)


def option(name: str, table: dict[str, Any]) -> Callable[[Draw], tuple[tuple[int, ...], dict[str, Any]]]:
    return lambda c: ((c.find(),), {name: c.pick(list(table))})


OTHERS = [
    Row("where", where_draw, gx.where, where_theirs, same, True, weight=1.5),
    Row("clip", clip_draw, gx.clip, clip_theirs, same, True),
    Row("number", option("how", LITERALS), lambda x, how: LITERALS[how][0](x), literal_theirs, same, weight=1.5),
    Row("spelled", option("how", SPELLED), lambda x, how: SPELLED[how][0](x), spelled_theirs, same, weight=1.5),
    Row("function", option("f", _MINE), lambda x, f: _MINE_OURS[f](x), mine_theirs, same, weight=1.2),
    Row("function of two", lambda c: (floats(c)[0], {"f": c.pick(list(_TWO))}), lambda x, y, f: _TWO_OURS[f](x, y), two_theirs, same),
    Row(
        "named",
        lambda c: ((c.find(),), {"name": c.pick(["h", "z", "h 1"])}),
        lambda x, name: x.named(name),
        lambda x, name: x * 1,
        same,
        True,
        weight=0.5,
    ),
]

ROWS: list[Row] = [*UNARY, *BINARY, *OTHERS]
