"""Reverse sweep over definitions: what each named tensor's adjoint is, as a formula of entries.

For ``T[i] = f(S[a(i, k)], ...)`` and the adjoint G of T, each place where S stands gives the sum over all i and k of
``G[i] df/dS`` to the adjoint of S at ``a(i, k)``; the place is solved for the indices, so that it reads as a formula of
S's own indices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.errors import DerivationError
from graphc.expr.scalar import Select, derivative
from graphc.formula.algebra import ONE, ZERO, outright
from graphc.formula.atoms import Entry, Letter, Reduced, Source, extent_formula, fresh_letters, letter, opened, outer_atoms, time_letters
from graphc.formula.definition import Definition
from graphc.formula.fold import fold_rules, folded
from graphc.formula.matrices import matrix_adjoint
from graphc.formula.normal import Normals
from graphc.formula.radix import joined_letters, split_letters
from graphc.formula.ranges import decided, inside, solution
from graphc.formula.shares import Shares
from graphc.formula.sums import total

__all__ = ["contributions", "kinks"]


# The position of the greatest or least entry moves in steps: its derivative is zero.
_WINNERS = ("argmax", "argmin")


@dataclass(frozen=True)
class _Part:
    """``cofactor`` times the derivative of ``expr``, summed over ``letters``."""

    expr: Any
    cofactor: Any
    letters: tuple[Letter, ...]


def contributions(definition: Definition, adjoint: Any, wanted: Sequence[Source], shares: Shares, normals: Normals) -> list[tuple[Source, Any]]:
    """What a definition adds to the adjoints of the sources it reads.

    Args:
        adjoint: the adjoint's formula at the definition's letters.
        wanted: the sources whose adjoints matter.
        shares: what puts a name in place of an exponential over a sum of such.
        normals: what does so for what is standardised.

    Raises:
        DerivationError: for an index that depends on data of a wanted source, or an unknown derivative.
    """
    if definition.operand is not None:
        assert definition.inverse is not None
        return [(definition.operand, matrix_adjoint(definition.tensor, definition.source, definition.inverse, adjoint, total))]
    fresh = fresh_letters(x.extent for x in definition.letters)
    at = dict(zip(definition.letters, fresh, strict=True))
    found: dict[Source, Any] = {}
    start = definition.expr.xreplace(at)
    rules = fold_rules(start, definition.entry.xreplace(at)) if definition.name else {}
    pending = [_Part(start, adjoint.xreplace(at), fresh)]
    while pending:
        part = pending.pop()
        for atom, slope in _slopes(part.expr):
            slope = shares(folded(_settled(slope), rules, part.letters), definition.source)
            slope = normals(slope, part.letters)
            cofactor = part.cofactor * slope
            if isinstance(atom, Entry):
                if atom.source in wanted:
                    found[atom.source] = found.get(atom.source, ZERO) + _gathered(atom, cofactor, part.letters)
            elif atom.reducer not in _WINNERS and any(e in wanted for e in _sources(atom)):
                pending.append(_opened(atom, cofactor, part.letters, definition))
    return [(source, normals.summed(value)) for source, value in found.items()]


def _settled(expr: Any) -> Any:
    """``0 if c else a`` as ``a if not c else 0``."""
    found = {p: Select(sympy.Not(p.args[0]), p.args[2], ZERO) for p in expr.atoms(Select) if p.args[1] == ZERO and p.args[2] != ZERO}
    return expr.xreplace(found) if found else expr


def _sources(expr: Any) -> Iterator[Source]:
    return (e.source for e in sympy.preorder_traversal(expr) if isinstance(e, Entry))


def _slopes(expr: Any) -> list[tuple[Any, Any]]:
    """The entries and reductions of a formula, each with the derivative by it."""
    atoms = outer_atoms(expr)
    symbols = {a: sympy.Dummy(f"x{k}", real=True) for k, a in enumerate(atoms)}
    body = expr.xreplace(symbols)
    back = {s: a for a, s in symbols.items()}
    result: list[tuple[Any, Any]] = []
    for a, s in symbols.items():
        slope = derivative(body, s).xreplace(back)
        if slope != 0:
            result.append((a, slope))
    return result


def _opened(atom: Reduced, cofactor: Any, letters: tuple[Letter, ...], definition: Definition) -> _Part:
    """The part inside a reduction: its body, weighted as the reducer says."""
    body, fresh = opened(atom)
    if atom.reducer == "sum":
        return _Part(body, cofactor, (*letters, *fresh))
    if atom.reducer in ("max", "min"):
        winner = Reduced(sympy.Symbol(f"arg{atom.reducer}"), *atom.args[1:])
        flat: Any = ZERO
        for x in fresh:
            flat = flat * extent_formula(x.extent) + x
        return _Part(body, cofactor * Select(sympy.Eq(flat, winner), ONE, ZERO), (*letters, *fresh))
    if atom.reducer == "prod":
        others, twins = opened(atom)
        alike: list[Any] = [sympy.Eq(a, b) for a, b in zip(fresh, twins, strict=True)]
        same = sympy.And(*alike)
        rest = _product(Select(same, ONE, others), twins)
        return _Part(body, cofactor * rest, (*letters, *fresh))
    raise DerivationError(f"{definition.name or definition.tensor.describe()} takes a position, {atom.reducer}, whose derivative is not a formula")


def _product(body: Any, letters: Sequence[Letter]) -> Any:
    from graphc.formula.atoms import reduced

    return reduced("prod", body, letters)


def _gathered(entry: Entry, value: Any, letters: Sequence[Letter]) -> Any:
    """The sum of ``value`` over ``letters``, as a formula of the indices of the entry's own axes."""
    own = tuple(letter(k, e) for k, e in enumerate(entry.source.tensor.shape))
    # An index of one value is that value; a time stays, though there be but one.
    single = {x: ZERO for x in letters if x.extent == 1 and x not in time_letters(entry) | time_letters(value)}
    value, places = value.xreplace(single), [p.xreplace(single) for p in entry.places]
    left = [x for x in letters if x not in single]
    known, digits = joined_letters(places, own, left)
    if digits:
        value, places = value.xreplace(known).xreplace(digits), [known.get(p, p).xreplace(digits) for p in places]
        left = [x for x in left if x not in digits]
    for axis, target in enumerate(own):
        place = places[axis]
        digits = split_letters(place, target, left)
        if digits:
            value, places = value.xreplace(digits), [p.xreplace(digits) for p in places]
            left = [x for x in left if x not in digits]
            continue
        value, fixed = _solved(target, place, value, left)
        # An index that a place fixes may stand in the places after it.
        places = [p.xreplace(fixed) for p in places]
        left = [x for x in left if x not in fixed]
    return total(outright(decided(value)), left)


def _solved(target: Letter, place: Any, value: Any, letters: list[Letter]) -> tuple[Any, dict[Any, Any]]:
    """``value`` where ``place`` is ``target``: with an index of the place expressed by it, or with a condition."""
    if place == target or (target.extent == 1 and not place.free_symbols):
        return value, {}
    found = None if place.has(Entry) else solution(place, target, letters)
    if found is None:
        return value * Select(sympy.Eq(target, place), ONE, ZERO), {}
    chosen, at = found
    return value.xreplace({chosen: at}) * Select(inside(at, chosen.extent), ONE, ZERO), {chosen: at}


def kinks(expr: Any) -> list[str]:
    """What is agreed at the kinks that a formula has, in words."""
    from graphc.expr import scalar

    notes: list[str] = []
    table = {
        scalar.Maximum: "where the arguments of max are equal the first takes the whole derivative: max(0, x) has derivative 0 at 0, by convention",
        scalar.Minimum: "where the arguments of min are equal the first takes the whole derivative, by convention",
        scalar.Absolute: "the derivative of the absolute value is 0 at 0, by convention",
        scalar.Sign: "the derivative of sign is 0, at its step too, by convention",
        scalar.Floor: "the derivative of floor is 0, at its steps too, by convention",
        scalar.RootOfSquares: "the derivative of the root is 0 at 0, by convention",
    }
    for kind, note in table.items():
        if expr.has(kind):
            notes.append(note)
    if any(isinstance(p, Reduced) and p.reducer in ("max", "min") for p in sympy.preorder_traversal(expr)):
        notes.append("where entries tie the first takes the whole derivative, by convention")
    return notes
