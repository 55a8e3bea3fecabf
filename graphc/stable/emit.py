"""From a normal form back to a formula: its logarithm, or its value, without overflow or cancellation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy

from graphc.expr.scalar import Expm1, Floor, IsFinite, Maximum, Minimum, Select, Sigmoid, Softplus
from graphc.stable.form import Form, Poly, Term, is_positive_poly

__all__ = ["capped", "counted", "log_of", "shift_of", "value_of"]

# SymPy's type stubs take an application of one of our functions for a class.
expm1: Any = Expm1
sigmoid: Any = Sigmoid
softplus: Any = Softplus
ZERO, ONE = sympy.Integer(0), sympy.Integer(1)
Positive = Callable[[Any], bool]
_PLAIN = 10**6
_CAP = sympy.Integer(80)


def shift_of(top: Any) -> Any:
    """What a largest exponent is shifted by: within 1 of it, 0 where it is infinite.

    The result of a shift does not depend on it, so its derivative may be that of ``Floor``, 0: gradients then skip it.
    """
    return Select(sympy.Ne(IsFinite(top), 0), Floor(top), ZERO)


def _plain(c: Any) -> Any:
    """A coefficient as one writes it: simple fractions exactly, what came from a float as a float."""
    return c if not c.is_Rational or (abs(c.p) < _PLAIN and c.q < _PLAIN) else sympy.Float(float(c))


def _length(e: Any) -> int:
    return 0 if e == 0 else len(sympy.Add.make_args(e))


def _log_term(t: Term) -> Any:
    """The logarithm of a positive term."""
    return sum((k * sympy.log(a) for a, k in t.atoms), sympy.log(_plain(t.coefficient)) + t.exponent)


def _value_term(t: Term, shift: Any) -> Any:
    result = _plain(t.coefficient) * sympy.exp(t.exponent - shift)
    for a, k in t.atoms:
        result = result * a**k
    return result


def _others(p: Poly) -> list[Term]:
    """The terms beside the leading 1."""
    lead = Term(ONE, ZERO)
    rest = list(p)
    rest.remove(lead)
    return rest


def _pair(p: Poly) -> Any:
    """``u`` of ``1 - exp(u)``; ``None`` for anything else."""
    lead = Term(ONE, ZERO)
    if len(p) != 2 or lead not in p:
        return None
    other = _others(p)[0]
    if other.atoms or other.coefficient >= 0:
        return None
    return other.exponent + sympy.log(_plain(-other.coefficient))


def _split(f: Form, positive: Positive) -> tuple[list[tuple[Poly, Any]], list[tuple[Poly, Any]], Any]:
    """Positive polynomials, the others, and hyperbolic tangents that pairs of them are."""
    rest = dict(f.polys)
    tangents = ONE
    for p, k in f.polys:
        u = _pair(p)
        if u is None:
            continue
        twin = tuple(Term(abs(t.coefficient), t.exponent, t.atoms) for t in p)
        if rest.get(twin, ZERO) == -k and k.is_Integer:  # (1 - e^u)/(1 + e^u) = tanh(-u/2)
            tangents = tangents * sympy.tanh(-u / 2) ** k
            del rest[p], rest[twin]
    good = [(p, k) for p, k in rest.items() if is_positive_poly(p, positive)]
    return good, [(p, k) for p, k in rest.items() if not is_positive_poly(p, positive)], tangents


def _log_poly(p: Poly, positive: Positive) -> Any:
    """The logarithm of a positive polynomial."""
    logs = [_log_term(t) for t in _others(p)]
    if len(logs) > 2:
        shift, total = _shifted(p, positive)
        return shift + sympy.log(total)
    result = softplus(logs[0])
    for u in logs[1:]:
        result = result + softplus(u - result)
    return result


def _shifted(p: Poly, positive: Positive) -> tuple[Any, Any]:
    """``(m, r)`` with ``p = exp(m) * r``, ``m`` near the largest exponent whose weight is not 0."""
    groups: dict[Any, list[Term]] = {}
    for t in p:
        groups.setdefault(t.exponent, []).append(t)
    weights = {e: sympy.Add(*(_value_term(t, t.exponent) for t in terms)) for e, terms in groups.items()}
    unsure = {e for e, terms in groups.items() if not weights[e].is_number and not is_positive_poly(tuple(terms), positive)}
    tops = [counted(w, e) if e in unsure else e for e, w in weights.items()]
    top = tops[0]
    for e in tops[1:]:
        top = Maximum(top, e)
    shift = shift_of(top)
    return shift, sympy.Add(*(w * sympy.exp(capped(w, e - shift) if e in unsure else e - shift) for e, w in weights.items()))


def counted(weight: Any, exponent: Any) -> Any:
    """An exponent, or minus infinity where its weight is 0: it has no say in the shift."""
    return Select(sympy.Ne(weight, 0), exponent, -sympy.oo)


def capped(weight: Any, exponent: Any) -> Any:
    """An exponent that is bounded where its weight is 0, so that 0 times its exponential is 0.

    The derivative by the weight is right up to the bound, next to the largest number in single precision.
    """
    if exponent.is_number and exponent <= _CAP:
        return exponent
    return Select(sympy.Ne(weight, 0), exponent, Minimum(exponent, _CAP))


def _signed(polys: Sequence[tuple[Poly, Any]], positive: Positive) -> tuple[Any, Any]:
    """``(e, r)`` with the product ``exp(e) * r``, for polynomials that may be negative."""
    exponent, rest = ZERO, ONE
    for p, k in polys:
        u = _pair(p)
        if u is not None:
            exponent = exponent + k * Maximum(u, ZERO)
            scaled: Any = Select(sympy.Gt(u, 0), expm1(-u), -expm1(u))
            rest = rest * scaled**k
        elif all(t.exponent == 0 for t in p):
            rest = rest * sympy.Add(*(_value_term(t, ZERO) for t in p)) ** k
        else:
            shift, total = _shifted(p, positive)
            exponent, rest = exponent + k * shift, rest * total**k
    return exponent, rest


def log_of(f: Form, positive: Positive) -> Any:
    """The logarithm of a form."""
    good, signed, unknown = _split(f, positive)
    exponent, logs = f.term.exponent, ZERO
    for a, k in f.term.atoms:
        if positive(a):
            logs = logs + k * sympy.log(a)
        else:
            unknown = unknown * a**k
    for p, k in good:
        step, log = _log_power(exponent, p, k, positive)
        exponent, logs = exponent + step, logs + log
    c = f.term.coefficient
    if len(signed) == 1 and unknown == 1 and signed[0][1] == 1 and _pair(signed[0][0]) is not None:
        u: Any = _pair(signed[0][0])  # the sign of c says which of the two terms is the larger
        exponent, u = (exponent, u) if c > 0 else (exponent + u, -u)
        return exponent + logs + sympy.log(_plain(abs(c))) + sympy.log(-expm1(u))
    more, rest = _signed(signed, positive)
    unknown = unknown * rest
    last = sympy.log(_plain(c) * unknown) if unknown != 1 or c < 0 else sympy.log(_plain(c))
    return exponent + more + logs + last


def _log_power(exponent: Any, p: Poly, k: Any, positive: Positive) -> tuple[Any, Any]:
    """What ``p ** k`` adds to the exponent and to the logarithms: the way round that leaves the shorter exponent."""
    if len(p) == 2:
        u = _log_term(_others(p)[0])
        if _length(sympy.expand_mul(exponent + k * u)) < _length(exponent):
            return k * u, k * softplus(-u)
    return ZERO, k * _log_poly(p, positive)


def value_of(f: Form, positive: Positive) -> Any:
    """The value of a form."""
    good, signed, result = _split(f, positive)
    result = result * _plain(f.term.coefficient)
    weight = ONE
    for a, k in f.term.atoms:
        result = result * a**k
        weight = weight if k < 0 or positive(a) else weight * a
    exponent, factor = _signed(signed, positive)
    exponent, result = exponent + f.term.exponent, result * factor
    left, logistic = _logistic(exponent, good)
    if left == 0:
        return result * logistic
    for p, k in good:
        step, log = _log_power(exponent, p, k, positive)
        exponent = exponent + step + log
    return result * sympy.exp(exponent if weight == 1 else capped(weight, exponent))


def _logistic(exponent: Any, polys: Sequence[tuple[Poly, Any]]) -> tuple[Any, Any]:
    """``exp(exponent)`` over polynomials as logistic functions: the exponent that is left, and their product."""
    product = ONE
    for p, k in polys:
        if len(p) != 2 or not k.is_Integer or k > 0:
            return ONE, ONE
        u, n = _log_term(_others(p)[0]), int(-k)
        j = min(range(n + 1), key=lambda j: _length(sympy.expand_mul(exponent - j * u)))
        exponent = sympy.expand_mul(exponent - j * u)
        product = product * sigmoid(u) ** j * sigmoid(-u) ** (n - j)
    return exponent, product
