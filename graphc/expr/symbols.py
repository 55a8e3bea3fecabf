"""What a formula in index notation is made of, before any of it has a value; and what Python may not ask of it.

``if``, ``and``, ``max``, ``float`` and ``math.exp`` want a truth value or a number at once. SymPy's classes answer them, and
a formula is of these classes as soon as anything is computed with an access (``2*X[i] > 0``): so it is their methods that
refuse where a symbol of ours stands inside, and say what to write instead. Other formulas are SymPy's affair, as before.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from graphc.errors import DeclarationError, GraphcError

__all__ = ["FormulaSymbol"]

_OWN = tuple(os.path.dirname(os.path.abspath(f)) + os.sep for f in (sympy.__file__, os.path.dirname(__file__)))


class _NoValueError(DeclarationError, TypeError):
    """Also a TypeError, which SymPy expects where it asks by itself."""


def _compare(left: Any, right: Any, equal: bool, sign: str) -> bool:
    """The truth of ``left == right``: refused where it is False and a user asked, who meant a condition of the formula."""
    if not equal and isinstance(right, sympy.Basic | int | float) and not sys._getframe(2).f_code.co_filename.startswith(_OWN):  # pyright: ignore[reportPrivateUsage]
        written = "sympy.Eq" if sign == "==" else "sympy.Ne"
        raise DeclarationError(
            f"{left} {sign} {right} compares two formulas in Python, which gives a truth value at once: in the formula of gx.define write "
            f"{written}({left}, {right})"
        )
    return equal if sign == "==" else not equal


class FormulaSymbol(sympy.Symbol):
    """An index, an access or a reducer; comparing it with ``==`` is refused."""

    __slots__ = ()
    __hash__ = sympy.Symbol.__hash__

    def __eq__(self, other: object) -> bool:
        return _compare(self, other, super().__eq__(other) is True, "==")

    def __ne__(self, other: object) -> bool:
        return _compare(self, other, super().__eq__(other) is True, "!=")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's arithmetic as on any object; its functions, which look for a number, are refused."""
        try:
            return getattr(ufunc, method)(*(_boxed(v) for v in inputs), **options)
        except GraphcError:
            raise
        except TypeError:
            name = {"absolute": "abs"}.get(ufunc.__name__, ufunc.__name__)
        raise _NoValueError(f"NumPy's {ufunc.__name__} cannot take {self}, which has no value before arrays arrive: write gx.{name}")


def _boxed(value: Any) -> Any:
    if not isinstance(value, FormulaSymbol):
        return value
    box = np.empty((), object)
    box[()] = value
    return box


_CHOOSE = (
    "{0} has no truth value before arrays arrive, and Python asks for one at once (if, and, or, not, max, min): in the formula of gx.define "
    "write gx.where({0}, a, b), gx.maximum, gx.minimum, and & | ~ between conditions"
)
_COMPUTE = (
    "{0} is no number before arrays arrive, and float, int, round and the functions of math want one at once: in the formula of gx.define write "
    "gx.exp, gx.floor and their like, or SymPy's functions"
)
# SymPy's class, the methods that Python calls, and what to say.
_ASKED: tuple[tuple[type, tuple[str, ...], str], ...] = (
    (Relational, ("__bool__",), _CHOOSE),
    (BooleanFunction, ("__bool__",), _CHOOSE),
    (sympy.Expr, ("__float__", "__int__", "__round__", "__trunc__"), _COMPUTE),
)


def _refuse(kind: type, method: str, text: str) -> None:
    """Make a method of SymPy's refuse where one of our symbols stands in the formula."""
    original = getattr(kind, method, None)

    def asked(self: Any, *args: Any) -> Any:
        try:
            if original is not None:
                return original(self, *args)
            if not self.atoms(FormulaSymbol):
                return True  # what Python takes for the truth value of any object
        except TypeError:
            if not self.atoms(FormulaSymbol):
                raise
        raise _NoValueError(text.format(self))

    setattr(kind, method, asked if original is None else functools.wraps(original)(asked))


for _kind, _methods, _text in _ASKED:
    for _method in _methods:
        _refuse(_kind, _method, _text)
