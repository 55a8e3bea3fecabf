"""Numbers as shown: small fractions, and the shortest decimal digits that read back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sympy

from graphc.formula.display import Show, atom, fraction

__all__ = ["number"]


def number(value: Any) -> Show:
    """A number without its sign."""
    value = abs(value)
    if value == sympy.Rational(1, 2):
        return atom("½", r"\frac{1}{2}")
    if value.is_Integer:
        return atom(str(value), str(value))
    if value.is_Rational:
        if all(p in (2, 5) for p in sympy.factorint(value.q)) and value.q != 1:
            return _decimal(value)
        if value.q > 1000 or value.p > 10**6:
            return _decimal(value)
        return fraction(atom(str(value.p), str(value.p)), atom(str(value.q), str(value.q)))
    if value is sympy.oo:
        return atom("∞", r"\infty")
    if value is sympy.pi:
        return atom("π", r"\pi")
    if value is sympy.E:
        return atom("e", "e")
    return _decimal(value)


def _decimal(value: Any) -> Show:
    """A number in the shortest digits that read back as it, with a power of ten where it is far from 1."""
    digits, _, exponent = repr(float(value)).partition("e")
    digits = digits.removesuffix(".0")
    if not exponent and 0 < abs(float(value)) < 1e-4:
        digits, _, exponent = f"{Decimal(digits):e}".partition("e")
    if not exponent and digits.endswith("0000") and "." not in digits:
        digits, _, exponent = f"{Decimal(digits).normalize():e}".partition("e")
    if not exponent:
        return atom(digits, digits)
    power_of_ten = rf"10^{{{int(exponent)}}}"
    return atom(f"{digits}e{int(exponent)}", power_of_ten if digits == "1" else rf"{digits} \cdot {power_of_ten}")
