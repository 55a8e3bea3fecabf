"""Functions of one's own, entry by entry: ``gx.function("swish", lambda x: x / (1 + sympy.exp(-x)))``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import sympy
from sympy.core.symbol import Str

from graphc.errors import DeclarationError
from graphc.expr.build import elementwise
from graphc.expr.scalar import Abstract, as_expression, normalise
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["function"]


def function(name: str, formula: Callable[..., Any] | None = None) -> Callable[..., Tensor]:
    """An element-wise function from its formula; its gradient, picture, LaTeX and kernel follow.

    Args:
        name: how formulas and pictures write it.
        formula: a function of SymPy symbols that returns a SymPy expression; without it the function is abstract: it
            derives and prints as its name (``φ``, ``φ′``) and has no value.

    Example:
        >>> import graphc as gx, sympy
        >>> swish = gx.function("swish", lambda x: x / (1 + sympy.exp(-x)))
        >>> round(float(gx.evaluate(swish(gx.constant(1.0)), {})), 4)
        0.7311
    """
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"a function's name is a text that is not empty, not {name!r}")
    if formula is None:
        return _abstract(name)
    signature = _signature(name, formula)
    arity = len(signature.parameters)
    symbols = [read_symbol(k) for k in range(arity)]
    try:
        given: Any = formula(*symbols)
        if isinstance(given, bool):
            raise DeclarationError(
                f"the formula of {name} is {given}, a Python truth value, so a comparison was carried out: write it with sympy.Eq, sympy.Lt, ..."
            )
        body: Any = as_expression(given)
        body = body if body is None else normalise(body)
    except (TypeError, sympy.SympifyError) as error:
        raise DeclarationError(f"the formula of {name} could not be read: {error}. Write it with SymPy functions, such as sympy.exp(x)") from None
    if body is None:
        raise DeclarationError(f"the formula of {name} is {given!r}: it must return a SymPy expression, such as x / (1 + sympy.exp(-x))")
    if not isinstance(body, sympy.Basic) or body.free_symbols - set(symbols):
        raise DeclarationError(f"the formula of {name}, {body}, has symbols that are none of its arguments")
    latex = rf"\operatorname{{{name}}}({', '.join(f'{{{k}}}' for k in range(arity))})"

    def call(*values: Any, **named: Any) -> Tensor:
        if named:
            try:
                values = tuple(signature.bind(*values, **named).args)
            except TypeError as error:
                raise DeclarationError(f"{name} has the arguments {', '.join(signature.parameters)}: {error}") from None
        if len(values) != arity:
            raise DeclarationError(f"{name} takes {arity} arguments, {', '.join(signature.parameters)}, and {len(values)} are given")
        return elementwise(name, body, values, latex=latex)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}: ``{body}``, entry by entry."
    return call


def _abstract(name: str) -> Callable[..., Tensor]:
    """A function without a formula, of as many arguments as it is called with."""

    def call(*values: Any) -> Tensor:
        if not values:
            raise DeclarationError(f"{name} is called without arguments: give it a tensor")
        symbols = [read_symbol(k) for k in range(len(values))]
        body: Any = Abstract(Str(name), *[sympy.Integer(0)] * len(values), *symbols)
        latex = rf"\operatorname{{{name}}}({', '.join(f'{{{k}}}' for k in range(len(values)))})"
        return elementwise(name, body, values, latex=latex)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}, an abstract function, entry by entry."
    return call


def _signature(name: str, formula: Any) -> inspect.Signature:
    try:
        signature = inspect.signature(formula)
    except (TypeError, ValueError):
        raise DeclarationError(f"gx.function({name!r}, ...) takes a Python function of SymPy symbols, not {formula!r}") from None
    parameters = signature.parameters.values()
    if not parameters or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise DeclarationError(f"the formula of {name} must name its arguments, such as lambda x, beta: ...")
    return signature
