"""The value of a stage's body: one NumPy function for each scalar function of the language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import sympy
from sympy.core import relational

from graphc.errors import CompileError
from graphc.expr import scalar
from graphc.expr.entry import Entry, Table

__all__ = ["body_value"]


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _error_function(x: Any) -> Any:
    return _erf(x).astype(np.result_type(np.asarray(x).dtype, np.float32)) if np.size(x) else np.asarray(x)


def _power(x: Any, y: Any) -> Any:
    if np.asarray(y).dtype.kind in "iu" and np.any(np.asarray(y) < 0):
        return np.float_power(x, y)
    return np.power(x, y)


def _pow(x: Any, y: Any) -> Any:
    if isinstance(y, int) and y < 0:
        return 1 / np.power(x, -y) if y != -1 else np.true_divide(1, x)
    return np.sqrt(x) if y == 0.5 else 1 / np.sqrt(x) if y == -0.5 else np.power(x, y)


class _Quotient(sympy.Function):
    """``a / b``: SymPy knows only ``a * b**-1``, which is NaN for 0 over a subnormal number."""

    nargs = 2


_TABLE: dict[type, Callable[..., Any]] = {
    sympy.Add: lambda *a: reduce(np.add, a),
    sympy.Mul: lambda *a: reduce(np.multiply, a),
    sympy.Pow: _pow,
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tan: np.tan,
    sympy.tanh: np.tanh,
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.atan: np.arctan,
    sympy.erf: _error_function,
    _Quotient: np.true_divide,
    Entry: lambda table, row, column: table[row, column],
    scalar.Maximum: np.maximum,
    scalar.Minimum: np.minimum,
    scalar.Absolute: np.abs,
    scalar.Sign: np.sign,
    scalar.Floor: np.floor,
    scalar.IsFinite: np.isfinite,
    scalar.Power: _power,
    scalar.Select: np.where,
    scalar.Sigmoid: _sigmoid,
    scalar.Softplus: _softplus,
    scalar.Log1p: np.log1p,
    scalar.Expm1: np.expm1,
    scalar.RootOfSquares: np.sqrt,
    relational.Equality: np.equal,
    relational.Unequality: np.not_equal,
    relational.StrictLessThan: np.less,
    relational.LessThan: np.less_equal,
    relational.StrictGreaterThan: np.greater,
    relational.GreaterThan: np.greater_equal,
    sympy.And: lambda *a: reduce(np.logical_and, a),
    sympy.Or: lambda *a: reduce(np.logical_or, a),
    sympy.Not: np.logical_not,
}


def _with_quotients(body: Any) -> Any:
    """``body`` with its divisions as divisions."""
    if not body.args:
        return body
    args = [_with_quotients(a) for a in body.args]
    if not body.is_Mul:
        return body.func(*args, evaluate=False) if isinstance(body, sympy.Add) else body.func(*args)
    below = [1 / a for a in args if a.is_Pow and a.exp.is_Integer and a.exp.is_negative]
    above = [a for a in args if not (a.is_Pow and a.exp.is_Integer and a.exp.is_negative)]
    if not below:
        return sympy.Mul(*args, evaluate=False)
    return _Quotient(sympy.Mul(*above, evaluate=False), sympy.Mul(*below, evaluate=False))


@lru_cache(maxsize=4096)
def _program(body: Any) -> tuple[Any, tuple[tuple[Any, Callable[..., Any] | None, Any], ...]]:
    """A body as steps: the formula, its function (``None`` for a number or a symbol), its arguments or its number."""
    steps: dict[Any, tuple[Any, Callable[..., Any] | None, Any]] = {}
    for abstract in sorted(body.atoms(scalar.Abstract), key=str):
        name = abstract.args[0].name
        raise CompileError(f"{name} has no value: it is abstract. Declare it with its formula, gx.function({name!r}, lambda x: ...)")
    body = _with_quotients(body)
    parts: Any = sympy.postorder_traversal(body)
    for part in parts:
        if part in steps:
            continue
        if part in (sympy.true, sympy.false):
            steps[part] = (part, None, bool(part))
        elif isinstance(part, Table):
            steps[part] = (part, None, np.array(part.matrix.tolist(), dtype=np.float64))
        elif part.is_Integer:
            steps[part] = (part, None, int(part))
        elif part.is_Rational or (part.is_number and not part.args):
            steps[part] = (part, None, float(part))
        elif part.is_Symbol:
            steps[part] = (part, None, None)
        elif part.func in _TABLE:
            steps[part] = (part, _TABLE[part.func], part.args)
        else:
            raise CompileError(f"the function {getattr(part, 'label', part.func.__name__)} has no value: it is abstract, or unknown to the evaluator")
    return body, tuple(steps.values())


def body_value(body: Any, values: Mapping[Any, Any]) -> Any:
    """``body`` with its symbols replaced by arrays that broadcast; each subformula is computed once."""
    memo: dict[Any, Any] = dict(values)
    with np.errstate(all="ignore"):
        whole, steps = _program(body)
        for part, function, given in steps:
            if function is not None:
                memo[part] = function(*(memo[a] for a in given))
            elif given is not None:
                memo[part] = given
    return memo[whole]
