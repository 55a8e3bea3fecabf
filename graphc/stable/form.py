"""The normal form of positive formulas: ``c * exp(e) * atoms ** powers * polynomials ** powers``.

A polynomial is a sum of such terms, scaled so that one of them is 1 in its exponential part. Whatever the spelling,
``1/(1 + exp(-z))``, ``exp(z)/(1 + exp(z))`` and ``1 - 1/(1 + exp(z))`` have one normal form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

__all__ = ["Form", "Poly", "Term", "add", "atom", "compensate", "exponential", "is_positive", "is_positive_poly", "multiply", "number", "power"]

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)
_MOST_TERMS = 12
Atoms = tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient * exp(exponent) * atoms``."""

    coefficient: Any
    exponent: Any
    atoms: Atoms = ()


Poly = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A term times powers of polynomials."""

    term: Term
    polys: tuple[tuple[Poly, Any], ...] = ()

    @property
    def exponential(self) -> bool:
        """Whether an exponential takes part."""
        return self.term.exponent != 0 or any(t.exponent != 0 for p, _ in self.polys for t in p)

    def replaced(self, rule: dict[Any, Any]) -> Form:
        """The form with symbols replaced."""

        def one(t: Term) -> Term:
            return Term(t.coefficient, t.exponent.xreplace(rule), _sorted({a.xreplace(rule): k for a, k in t.atoms}))

        return Form(one(self.term), tuple((tuple(one(t) for t in p), k) for p, k in self.polys))


def compensate(factors: Sequence[Form]) -> bool:
    """Whether one of some factors may grow beyond all numbers where another one vanishes, so that they have to be one formula.

    Each is as large as the largest of its exponentials. One with a constant among these, or with both ``exp(e)`` and ``exp(-e)``,
    never vanishes, and one with ``exp(c*e)`` does not where ``exp(e)`` grows, for ``c > 0``.
    """
    sizes = [_exponents(f) for f in factors]
    known = [size for size in sizes if size is not None]
    vanishing = [s for s in known if ZERO not in s and not any(_ratio(e, other) < 0 for e in s for other in s)]
    growing = [e for s in known for e in s if e != 0]
    return len(known) < len(sizes) or any(not any(_ratio(e, other) > 0 for other in s) for s in vanishing for e in growing)


def _exponents(f: Form) -> set[Any] | None:
    """The exponents that a form's size is the largest of; ``None`` where it divides by a sum, or they are too many."""
    found = {f.term.exponent}
    for p, k in f.polys:
        if not k.is_Integer or k < 0 or len(found) * len(p) > _MOST_TERMS:
            return None
        found = {sympy.expand_mul(e + k * t.exponent) for e in found for t in p}
    return found


def _ratio(one: Any, other: Any) -> Any:
    """How many times an exponent another one is; 0 where it is no multiple of it."""
    mine, theirs = one.as_coefficients_dict(), other.as_coefficients_dict()
    ratios = {c / theirs[t] for t, c in mine.items()} if mine.keys() == theirs.keys() else set()
    return ratios.pop() if len(ratios) == 1 else ZERO


def _sorted(powers: dict[Any, Any]) -> Atoms:
    return tuple(sorted(((a, k) for a, k in powers.items() if k != 0), key=lambda item: str(item[0])))


def number(value: Any) -> Form | None:
    """A number other than 0; floats exactly."""
    exact = sympy.Rational(value) if isinstance(value, sympy.Float) and value.is_finite else value
    if exact.is_Rational:
        return Form(Term(exact, ZERO)) if exact != 0 else None
    return atom(value) if value.is_number and value.is_finite and value != 0 else None


def atom(expr: Any) -> Form:
    """A formula of unknown sign and size."""
    return Form(Term(ONE, ZERO, ((expr, ONE),)))


def exponential(exponent: Any) -> Form:
    """``exp(exponent)``."""
    return Form(Term(ONE, sympy.expand_mul(exponent)))


def _times(a: Term, b: Term) -> Term:
    powers = dict(a.atoms)
    for expr, k in b.atoms:
        powers[expr] = powers.get(expr, ZERO) + k
    return Term(a.coefficient * b.coefficient, sympy.expand_mul(a.exponent + b.exponent), _sorted(powers))


def multiply(a: Form, b: Form) -> Form:
    """The product; equal polynomials cancel."""
    polys = dict(a.polys)
    for p, k in b.polys:
        polys[p] = polys.get(p, ZERO) + k
    return Form(_times(a.term, b.term), tuple((p, k) for p, k in polys.items() if k != 0))


def power(f: Form, k: Any, positive: Callable[[Any], bool]) -> Form | None:
    """``f ** k``; a broken power keeps what may be negative together."""
    coefficient, kept, mixed = f.term.coefficient, dict[Any, Any](), ONE
    if k.is_Integer:
        atoms: Atoms = tuple((a, p * k) for a, p in f.term.atoms)
        return Form(Term(coefficient**k, f.term.exponent * k, atoms), tuple((p, q * k) for p, q in f.polys))
    # The root of a polynomial that may be negative is NaN there; an even power of it would have to become an absolute value.
    if not k.is_Rational or any(q.is_even is not False and not is_positive_poly(p, positive) for p, q in f.polys):
        return None
    for a, p in f.term.atoms:
        if positive(a):
            kept[a] = p * k
        else:
            mixed = mixed * a**p
    if coefficient < 0:
        mixed, coefficient = -mixed, -coefficient
    if mixed != 1:
        kept[mixed] = k
    if coefficient != 1:
        root = coefficient**k
        if root.is_Rational:
            coefficient = root
        else:
            kept[coefficient] = kept.get(coefficient, ZERO) + k
            coefficient = ONE
    return Form(Term(coefficient, sympy.expand_mul(f.term.exponent * k), _sorted(kept)), tuple((p, q * k) for p, q in f.polys))


def is_positive_poly(p: Poly, positive: Callable[[Any], bool]) -> bool:
    """Whether a polynomial is certainly positive."""
    return all(t.coefficient > 0 and all(positive(a) for a, _ in t.atoms) for t in p)


def is_positive(f: Form, positive: Callable[[Any], bool]) -> bool:
    """Whether a form is certainly positive."""
    lead = f.term.coefficient > 0 and all(positive(a) for a, _ in f.term.atoms)
    return bool(lead) and all(is_positive_poly(p, positive) for p, _ in f.polys)


def add(forms: Sequence[Form], positive: Callable[[Any], bool]) -> Form | None:
    """The sum over a common denominator; ``None`` where it cancels to 0 or grows too large."""
    common_atoms = _least([dict(f.term.atoms) for f in forms])
    common_polys = _least([dict(f.polys) for f in forms])
    terms: dict[tuple[Any, Atoms], Any] = {}
    for f in forms:
        rest = _times(f.term, Term(ONE, ZERO, tuple((a, -k) for a, k in common_atoms.items())))
        polys = dict(f.polys)
        powers = [(p, polys.get(p, ZERO) - common_polys.get(p, ZERO)) for p in {**polys, **common_polys}]
        expanded = _expand(rest, powers)
        if expanded is None:
            return None
        for t in expanded:
            key = (t.exponent, t.atoms)
            terms[key] = terms.get(key, ZERO) + t.coefficient
    left = [Term(c, e, a) for (e, a), c in terms.items() if c != 0]
    if not left or len(left) > _MOST_TERMS:
        return None
    common = Form(Term(ONE, ZERO, _sorted(common_atoms)), tuple((p, k) for p, k in common_polys.items() if k != 0))
    return multiply(common, _scaled(left, positive))


def _least(powers: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    keys = dict.fromkeys(k for p in powers for k in p)
    return {k: min(p.get(k, ZERO) for p in powers) for k in keys}


def _expand(term: Term, powers: Sequence[tuple[Poly, Any]]) -> list[Term] | None:
    """A term times polynomials, multiplied out."""
    result = [term]
    for p, k in powers:
        if not k.is_Integer or k < 0 or len(p) ** int(k) > _MOST_TERMS:
            return None
        for _ in range(int(k)):
            result = [_times(t, s) for t in result for s in p]
            if len(result) > 4 * _MOST_TERMS:
                return None
    return result


def _scaled(terms: list[Term], positive: Callable[[Any], bool]) -> Form:
    """A sum of terms as one of them times a polynomial that begins with 1.

    What may be 0 or negative stays inside: nothing is divided by it.
    """
    shared = _least([dict(t.atoms) for t in terms])
    terms = [_times(t, Term(ONE, ZERO, tuple((a, -k) for a, k in shared.items()))) for t in terms]
    outer = Form(Term(ONE, ZERO, _sorted(shared)))
    if len(terms) == 1:
        return multiply(outer, Form(terms[0]))
    best: tuple[Any, Term, Poly] | None = None
    for lead in terms:
        scale = Term(lead.coefficient, lead.exponent, tuple((a, k) for a, k in lead.atoms if positive(a)))
        inverse = Term(1 / scale.coefficient, -scale.exponent, tuple((a, -k) for a, k in scale.atoms))
        poly = tuple(sorted((_times(t, inverse) for t in terms), key=_order))
        key = [_order(t) for t in poly]
        if best is None or key < best[0]:
            best = (key, scale, poly)
    assert best is not None
    return multiply(outer, Form(best[1], ((best[2], ONE),)))


def _order(t: Term) -> tuple[Any, ...]:
    # Exponents decide before coefficients, so that 1 + E and 1 - E are scaled alike.
    return (t.exponent != 0, str(t.exponent), str(t.atoms), str(t.coefficient))
