"""A stage's body as NumPy source: one row for each scalar function of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy.core import relational

from graphc.errors import CompileError
from graphc.expr import scalar
from graphc.rewrite.walk import subformulas, uses

__all__ = ["HELPERS", "body_text"]

# How tightly a text binds: an atom or a call, a power, a sign, a product, a sum, a comparison.
_ATOM, _POWER, _PRODUCT, _SUM, _COMPARISON = 5, 4, 3, 2, 1
_LONGEST = 90  # a formula longer than this is split over several lines

_CALLS: dict[Any, str] = {
    sympy.exp: "np.exp", sympy.log: "np.log", sympy.sin: "np.sin", sympy.cos: "np.cos", sympy.tan: "np.tan",
    sympy.tanh: "np.tanh", sympy.sinh: "np.sinh", sympy.cosh: "np.cosh", sympy.atan: "np.arctan", sympy.erf: "_erf",
    scalar.Maximum: "np.maximum", scalar.Minimum: "np.minimum", scalar.Absolute: "np.abs", scalar.Sign: "np.sign",
    scalar.Floor: "np.floor", scalar.IsFinite: "np.isfinite", scalar.Power: "_power", scalar.Select: "np.where",
    scalar.Sigmoid: "_sigmoid", scalar.Softplus: "_softplus", scalar.Log1p: "np.log1p", scalar.Expm1: "np.expm1",
    scalar.RootOfSquares: "np.sqrt", sympy.Not: "np.logical_not",
}  # fmt: skip
_COMPARED: dict[Any, str] = {
    relational.Equality: "==", relational.Unequality: "!=", relational.StrictLessThan: "<", relational.LessThan: "<=",
    relational.StrictGreaterThan: ">", relational.GreaterThan: ">=",
}  # fmt: skip
_JOINED: dict[Any, str] = {sympy.And: "np.logical_and", sympy.Or: "np.logical_or"}

HELPERS: dict[str, str] = {
    "_sigmoid": '''def _sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))
''',
    "_softplus": '''def _softplus(x):
    """log(1 + exp(x)), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
''',
    "_erf": '''def _erf(x):
    """The error function, entry by entry."""
    x = np.asarray(x)
    return np.array([math.erf(v) for v in x.ravel()], dtype=np.result_type(x, np.float32)).reshape(x.shape)
''',
    "_power": '''def _power(x, y):
    """x to the power y; whole numbers may have negative exponents."""
    if np.asarray(y).dtype.kind in "iu" and np.any(np.asarray(y) < 0):
        return np.float_power(x, y)
    return np.power(x, y)
''',
}


def _wrap(text: tuple[str, int], least: int) -> str:
    return text[0] if text[1] >= least else f"({text[0]})"


def _number(part: Any) -> tuple[str, int]:
    if part.is_Integer:
        return str(int(part)), _ATOM if part >= 0 else _PRODUCT
    value = float(part)
    if value != value or value in (float("inf"), float("-inf")):
        return f'float("{value}")', _ATOM
    return repr(value), _ATOM if value >= 0 else _PRODUCT


def _sum(arguments: list[tuple[str, int]]) -> tuple[str, int]:
    text = ""
    for argument in arguments:
        term = _wrap(argument, _SUM)
        text += term if not text else f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return text, _SUM


def _product(part: Any, text_of: Callable[[Any], tuple[str, int]]) -> tuple[str, int]:
    above: list[str] = []
    below: list[str] = []
    sign = ""
    for factor in part.args:
        if factor == -1:
            sign = "-"
        elif isinstance(factor, sympy.Pow) and factor.exp.is_Number and factor.exp < 0:
            below.append(_wrap(_power(factor.base, -factor.exp, text_of), _POWER))
        else:
            above.append(_wrap(text_of(factor), _PRODUCT + (1 if above else 0)))
    text = sign + (" * ".join(above) or "1")
    if below:
        text += " / " + (below[0] if len(below) == 1 else f"({' * '.join(below)})")
    return text, _PRODUCT


def _power(base: Any, exponent: Any, text_of: Callable[[Any], tuple[str, int]]) -> tuple[str, int]:
    if exponent == 1:
        return text_of(base)
    if exponent == sympy.Rational(1, 2):
        return f"np.sqrt({text_of(base)[0]})", _ATOM
    if exponent.is_number and not exponent.is_negative:
        return f"{_wrap(text_of(base), _ATOM)} ** {_wrap(_number(exponent), _ATOM)}", _POWER
    return f"np.power({text_of(base)[0]}, {text_of(exponent)[0]})", _ATOM


def _composed(part: Any, text_of: Callable[[Any], tuple[str, int]]) -> tuple[str, int]:
    """The text of a formula from the texts of its arguments."""
    function = part.func
    if function is sympy.Add:
        return _sum([text_of(a) for a in part.args])
    if function is sympy.Mul:
        return _product(part, text_of)
    if function is sympy.Pow:
        base, exponent = part.args
        if exponent.is_Number and exponent < 0:
            return f"1 / {_wrap(_power(base, -exponent, text_of), _POWER)}", _PRODUCT
        return _power(base, exponent, text_of)
    if function in _COMPARED:
        left, right = (_wrap(text_of(a), _SUM) for a in part.args)
        return f"{left} {_COMPARED[function]} {right}", _COMPARISON
    arguments = [text_of(a)[0] for a in part.args]
    if function in _JOINED:
        text = arguments[0]
        for argument in arguments[1:]:
            text = f"{_JOINED[function]}({text}, {argument})"
        return text, _ATOM
    name = _CALLS.get(function)
    if name is None:
        label = getattr(part, "label", function.__name__)
        raise CompileError(f"the function {label} has no value: it is abstract. Give it a formula, gx.function(name, formula)")
    return f"{name}({', '.join(arguments)})", _ATOM


def body_text(body: Any, symbols: Mapping[Any, str], emit: Callable[[str], str]) -> str:
    """``body`` as one expression.

    Args:
        symbols: what stands for each symbol of the body.
        emit: gives an expression that occurs repeatedly, or is long, a line and a name of its own; returns the name.
    """
    parts = subformulas(body)
    for abstract in (p for p in parts if isinstance(p, scalar.Abstract)):
        raise CompileError(f"the function {abstract.label} has no value: it is abstract. Give it a formula, gx.function(name, formula)")
    count = uses(parts)
    known: dict[Any, tuple[str, int]] = {s: (t, _ATOM) for s, t in symbols.items()}
    for part in parts:
        if part in known:
            continue
        if part in (sympy.true, sympy.false):
            known[part] = ("True" if part == sympy.true else "False", _ATOM)
        elif isinstance(part, sympy.Expr) and (part.is_Number or part.is_comparable):  # a function of our own is not: it is called
            known[part] = _number(part)
        else:
            text = _composed(part, known.__getitem__)
            repeated = count.get(part, 0) > 1
            if part is not body and (repeated or len(text[0]) > _LONGEST):
                text = (emit(text[0]), _ATOM)
            known[part] = text
    return known[body][0]
