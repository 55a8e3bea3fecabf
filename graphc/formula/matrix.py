"""Index notation turned into matrix form: products, transposes, ⊙, sums over axes, outer products, traces.

A formula of at most two free letters is read as a vector (a column) or a matrix. A sum over letters is a network whose
vertices are letters and whose edges are matrices; letters are taken away one after the other, and shapes chain by
construction. What does not fit raises :class:`NoMatrixFormError` and is printed in index notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sympy

from graphc.expr.dims import DimSymbol
from graphc.expr.scalar import Select
from graphc.formula.algebra import is_symmetric
from graphc.formula.arrays import ONES, NoMatrixFormError, assemble, collected, column, diag, row
from graphc.formula.atoms import Entry, Letter, Reduced, entries, is_column, letters_of, opened
from graphc.formula.display import Show, add, atom, call, fraction, hadamard, negative, product, scale, transpose
from graphc.formula.names import to_subscript
from graphc.formula.network import Network
from graphc.formula.ranges import slice_of
from graphc.formula.spell import (
    ONE,
    ZERO,
    Vocabulary,
    is_coefficient,
    number,
    ordered_factors,
    ordered_terms,
    plain_terms,
    raised,
    signed,
    spelled,
    split_quotient,
)  # fmt: skip

__all__ = ["MatrixSpeller", "NoMatrixFormError"]


def grouped_terms(terms: Sequence[Any]) -> list[Any]:
    """``2 h - 2 y`` among other terms as one group, for ``2 (h - y)``."""
    groups: dict[Any, list[Any]] = {}
    for t in terms:
        coefficient, rest = t.as_coeff_Mul()
        if abs(coefficient) != 1 and isinstance(rest, Entry):
            groups.setdefault(abs(coefficient), []).append(t)
    joined = [g for g in groups.values() if 1 < len(g) < len(terms) and g[0].as_coeff_Mul()[0] > 0]
    found: list[Any] = []
    for t in terms:
        group = next((g for g in joined if t in g), None)
        if group is None:
            found.append(t)
        elif t is group[0]:
            found.append(group)
    return found


def total_over(time: str, shown: Show) -> Show:
    """The sum over all times."""
    return Show("total", (shown,), f"Σ{to_subscript(time)}", rf"\sum_{{{time}}}")


def _plain(shown: Show, symmetric: set[Show]) -> Show:
    """A shown formula without transposes of symmetric matrices."""
    if shown.kind == "transpose" and shown.parts[0] in symmetric:
        return shown.parts[0]
    return replace(shown, parts=tuple(_plain(p, symmetric) for p in shown.parts))


class MatrixSpeller:
    """Formulas in matrix form."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words

    def __call__(self, expr: Any, free: Sequence[Any]) -> Show:
        """The formula as an array whose axes are the letters in ``free``.

        Raises:
            NoMatrixFormError: where only index notation can say it.
        """
        if len(free) > 2:
            return self._elements(expr, free)
        shown = self._filled(expr, tuple(free))
        same = {self.words.name(e.source) for e in entries(expr) if is_symmetric(e.source)}
        return _plain(shown, same) if same else shown

    def _filled(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """The whole array: where the formula lacks an axis it is repeated along it, by 𝟏."""
        used = letters_of(expr)
        own = tuple(x for x in free if x in used)
        lacking = [x for x in free if x not in used and x.extent != 1]
        if not lacking or expr == ZERO or not used <= set(free):
            return self.spell(expr, free)
        if not own:
            ones = product([ONES, transpose(ONES)]) if len(lacking) == 2 else ONES
            return ones if expr == ONE else scale([self.spell(expr, ())], ones)
        vector = column(self.spell(expr, own))
        return product([ONES, transpose(vector)]) if free[0] is lacking[0] else product([vector, transpose(ONES)])

    def _elements(self, expr: Any, free: Sequence[Any]) -> Show:
        """An array of three and more axes, whose entries are functions of entries at the same place."""

        def one(part: Any) -> Show:
            if isinstance(part, Entry):
                whole = all(isinstance(p, Letter) and p.extent == e for p, e in zip(part.places, part.source.tensor.shape, strict=True))
                if (part.places == tuple(free) and whole) or not part.places:
                    return self.words.name(part.source)
                raise NoMatrixFormError
            if isinstance(part, Reduced | Letter):
                raise NoMatrixFormError
            return self._scalar_structure(part, one)

        return one(expr)

    def spell(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """A formula over at most two letters."""
        if isinstance(expr, Entry):
            return self._entry(expr, free)
        if isinstance(expr, Letter):
            raise NoMatrixFormError
        if isinstance(expr, Reduced) and not expr.bound:
            return total_over(str(expr.args[2]), self.spell(expr.body, free))
        if isinstance(expr, Reduced):
            return self._product(expr, free) if expr.reducer == "sum" else self._extreme(expr)
        if isinstance(expr, sympy.Add):
            return self._sum(expr, free)
        if isinstance(expr, sympy.Mul):
            return self._product(expr, free)
        if isinstance(expr, sympy.Pow) and not expr.is_number:
            return self._power(expr, free)
        if isinstance(expr, Select) and expr.args[2] == ZERO and expr.args[1] != ONE and not self._diagonal(expr, free):
            return hadamard([self.spell(Select(expr.args[0], ONE, ZERO), free), self.spell(expr.args[1], free)])
        if isinstance(expr, Select) and self._diagonal(expr, free):
            return call("diag", r"\operatorname{diag}", [self.spell(expr.args[1], free[:1])]) if expr.args[1] != ONE else atom("I", "I")
        return self._scalar_structure(expr, lambda e: self.spell(e, free))

    def _extreme(self, expr: Reduced) -> Show:
        """The largest or smallest entry of a whole array."""
        body, bound = opened(expr)
        if letters_of(expr) or len(bound) > 2:
            raise NoMatrixFormError
        return call(
            expr.reducer,
            {"max": r"\max", "min": r"\min", "prod": r"\prod"}.get(expr.reducer, rf"\operatorname{{{expr.reducer}}}"),
            [self.spell(body, bound)],
        )

    def _diagonal(self, expr: Any, free: tuple[Any, ...]) -> bool:
        condition, _, no = expr.args
        return len(free) == 2 and no == ZERO and isinstance(condition, sympy.Eq) and set(condition.args) == set(free)

    def _scalar_structure(self, expr: Any, again: Any) -> Show:
        if isinstance(expr, sympy.Mul):
            return self._joined(expr, again)
        if isinstance(expr, sympy.Pow) and not isinstance(expr, DimSymbol) and not expr.is_number:
            return raised(expr, again, not is_coefficient(expr.base))
        return spelled(expr, again, self.words)

    def _joined(self, expr: Any, again: Any) -> Show:
        minus, expr = signed(expr)
        factors = list(sympy.Mul.make_args(expr))
        numbers = [f for f in factors if is_coefficient(f)]
        rest = ordered_factors([f for f in factors if f not in numbers], self.words)
        above, below = split_quotient(rest)
        shown = assemble(numbers, [], [hadamard([again(f) for f in above])] if above else [], [hadamard([again(f) for f in below])] if below else [])
        return negative(shown) if minus else shown

    def _entry(self, expr: Entry, free: tuple[Any, ...]) -> Show:
        if expr.source in self.words.indexed:
            raise NoMatrixFormError
        name = self.words.name(expr.source)
        places = expr.places
        shape = expr.source.tensor.shape
        marks = [slice_of(p, e) for p, e in zip(places, shape, strict=True)]
        if None in marks:
            raise NoMatrixFormError
        if all(mark == ":" for mark in marks):
            if not places or places == free or (places == free[:1] and len(free) == 1):
                return name
            if len(places) == 2 and places == free[::-1]:
                return name if is_symmetric(expr.source) else transpose(name)
            if len(places) == 2 and places[0] is places[1] and free == places[:1]:
                return call("diag", r"\operatorname{diag}", [name])
        letters = [x for p in places for x in letters_of(p)]
        if len(set(letters)) == len(letters):
            return self._broadcast(self._sliced(expr, letters, marks), letters, free)
        raise NoMatrixFormError

    def _sliced(self, expr: Entry, letters: Sequence[Any], marks: Sequence[Any]) -> Show:
        """A block of a tensor; a fixed place on an axis of size 1 needs no mention."""
        name = self.words.name(expr.source)
        shape = expr.source.tensor.shape
        if all(mark == ":" or (mark == "0" and e == 1) for mark, e in zip(marks, shape, strict=True)):
            if len(expr.places) == 2 and len(letters) == 1 and isinstance(expr.places[1], Letter):
                return transpose(name)
            return name
        return atom(f"{name.plain}[{', '.join(marks)}]", rf"{{{name.tex}}}_{{{','.join(marks)}}}")

    def _broadcast(self, shown: Show, letters: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """A scalar, vector or matrix over some of the free letters, as a term of a sum: NumPy's broadcasting."""
        if not letters or tuple(letters) == free:
            return shown
        if len(letters) == 2 and tuple(letters) == free[::-1]:
            return transpose(shown)
        if len(letters) == 1 and letters[0] in free:
            at = free.index(letters[0])
            other = free[1 - at] if len(free) == 2 else None
            if other is None or (other.extent == 1 and at == 0):
                return shown
            if at == 1:
                return row(shown)
            return product([column(shown), transpose(ONES)])
        raise NoMatrixFormError

    def _sum(self, expr: Any, free: tuple[Any, ...]) -> Show:
        terms: list[Show] = []
        square = any(isinstance(f, Select) and self._diagonal(f, free) for t in expr.args for f in sympy.Mul.make_args(t))
        shared, rest = expr.primitive()
        if shared != ONE and plain_terms(rest):
            return scale([number(shared)], self._sum(rest, free))
        for t in grouped_terms(ordered_terms(expr.args)):
            if isinstance(t, list):
                same = t[0].as_coeff_Mul()[0]
                terms.append(scale([number(same)], self._sum(sympy.Add(*(x / same for x in t)), free)))
                continue
            minus, positive = signed(t)
            # Beside I and diag(p), which are matrices and no arrays of NumPy's, nothing is broadcast in silence: I − 𝟏 pᵀ.
            shown = self._filled(positive, free) if square else self._term(positive, free)
            terms.append(negative(shown) if minus else shown)
        return add(collected(terms))

    def _term(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """One term; what lacks a letter is broadcast."""
        used = letters_of(expr)
        if not used <= set(free):
            raise NoMatrixFormError
        own = tuple(x for x in free if x in used)
        if len(own) == len(free) or not own:
            return self.spell(expr, free if own else ())
        return self._broadcast(self.spell(expr, own), own, free)

    def _power(self, expr: Any, free: tuple[Any, ...]) -> Show:
        used = letters_of(expr)
        own = tuple(x for x in free if x in used)
        if len(own) < len(free) and own:
            return self._broadcast(self._power(expr, own), own, free)
        if own and expr.exp == 2 and isinstance(expr.base, Entry):
            return hadamard([self.spell(expr.base, own)] * 2)
        return raised(expr, lambda e: self.spell(e, own), bool(own) and expr.exp not in (sympy.Rational(1, 2), -1))

    def _product(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """A product of entries, sums and functions as an array."""
        minus, expr = signed(expr)
        factors = list(sympy.Mul.make_args(expr))
        numbers = [f for f in factors if is_coefficient(f)]
        rest = ordered_factors([f for f in factors if f not in numbers], self.words)
        scalars = [f for f in rest if not letters_of(f)]
        varied = [f for f in rest if letters_of(f)]
        same = [f for f in varied if isinstance(f, Select) and self._diagonal(f, free)]
        if same:
            others: list[Any] = [*(f for f in varied if f is not same[0]), same[0].args[1]]
            moved = sympy.Mul(*others).xreplace({free[1]: free[0]})
            if moved == ONE:
                shown = assemble(numbers, [self.spell(f, ()) for f in scalars], [atom("I", "I")], [])
            else:
                shown = assemble(numbers, [self.spell(f, ()) for f in scalars], [diag(self.spell(moved, free[:1]))], [])
            return negative(shown) if minus else shown
        if varied and not all(letters_of(f) <= set(free) for f in varied):
            raise NoMatrixFormError
        above, below = split_quotient(scalars)
        front, under = [self.spell(f, ()) if not self._is_sum(f) else self._contraction(f, ()) for f in above], [self.spell(f, ()) for f in below]
        if not varied:
            shown = assemble(numbers, [], front, under)
        else:
            body = self._varied(varied, free)
            shown = assemble(numbers, front, [body], under)
        return negative(shown) if minus else shown

    def _is_sum(self, factor: Any) -> bool:
        return isinstance(factor, Reduced) and factor.reducer == "sum" and bool(factor.bound)

    def _varied(self, factors: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """Factors that depend on the letters, grouped by which."""
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for f in factors:
            used = letters_of(f)
            groups.setdefault(tuple(x for x in free if x in used), []).append(f)
        if len(groups) > 1 and any(split_quotient(fs)[1] and len(own) < len(free) for own, fs in groups.items()):
            raise NoMatrixFormError  # a division by rows or columns reads better with its indices
        shown = {own: self.elementwise(fs, own) for own, fs in groups.items()}
        if len(free) == 1 or (free in shown and len(shown) == 1):
            return shown[free]
        left, right = (None if own not in shown else column(shown[own]) for own in (free[:1], free[1:]))
        both = shown.get(free)
        if both is None:
            if left is None and right is not None:
                return product([ONES, transpose(right)])
            if right is None and left is not None:
                return left if free[1].extent == 1 else product([left, transpose(ONES)])
            assert left is not None and right is not None
            return product([left, transpose(right)])
        if left and right and any(is_column(e) for f in groups[free[1:]] for e in f.atoms(Entry)):
            return hadamard([product([left, transpose(right)]), both])  # what came back through a column: (p − y) wᵀ ⊙ …
        pieces = [diag(left)] if left else []
        return product([*pieces, both, *([diag(right)] if right else [])])

    def elementwise(self, factors: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """A product entry by entry of factors that all have the same letters."""
        above, below = split_quotient(factors)
        shown = [self._contraction(f, free) if self._is_sum(f) else self.spell(f, free) for f in above]
        top = hadamard(shown) if shown else atom("1", "1")
        if not below:
            return top
        return fraction(top, hadamard([self.spell(f, free) for f in below]))

    def _contraction(self, expr: Reduced, free: tuple[Any, ...]) -> Show:
        """A sum over letters as a product of matrices."""
        if not letters_of(expr) <= set(free):
            raise NoMatrixFormError
        body, bound = opened(expr)
        return Network(self, body, bound, free).result()
