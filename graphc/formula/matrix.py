"""Index notation turned into matrix form: products, transposes, ⊙, sums over axes, outer products, traces.

A formula of at most two free letters is read as a vector (a column) or a matrix. A sum over letters is a network whose
vertices are letters and whose edges are matrices; letters are taken away one after the other, and shapes chain by
construction. What does not fit raises :class:`NoMatrixForm` and is printed in index notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.dims import DimSymbol
from graphc.expr.scalar import Select
from graphc.formula.atoms import Entry, Letter, Reduced, letters_of, opened
from graphc.formula.display import Show, add, atom, call, fraction, hadamard, negative, product, scale, transpose
from graphc.formula.spell import (
    ONE,
    ZERO,
    Vocabulary,
    is_coefficient,
    number,
    ordered_factors,
    ordered_terms,
    parted,
    plain_terms,
    raised,
    signed,
    spelled,
    split_quotient,
)  # fmt: skip

__all__ = ["MatrixSpeller", "NoMatrixForm"]

_ONES = atom("𝟏", r"\mathbf{1}")


class NoMatrixForm(Exception):
    """The formula stays in index notation."""


class MatrixSpeller:
    """Formulas in matrix form."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words

    def __call__(self, expr: Any, free: Sequence[Any]) -> Show:
        """The formula as an array whose axes are the letters in ``free``.

        Raises:
            NoMatrixForm: where only index notation can say it.
        """
        if len(free) > 2:
            return self._elements(expr, free)
        return self._spell(expr, tuple(free))

    def _elements(self, expr: Any, free: Sequence[Any]) -> Show:
        """An array of three and more axes, whose entries are functions of entries at the same place."""

        def one(part: Any) -> Show:
            if isinstance(part, Entry):
                whole = all(isinstance(p, Letter) and p.extent == e for p, e in zip(part.places, part.source.tensor.shape, strict=True))
                if (part.places == tuple(free) and whole) or not part.places:
                    return self.words.name(part.source)
                raise NoMatrixForm
            if isinstance(part, Reduced | Letter):
                raise NoMatrixForm
            return self._scalar_structure(part, one)

        return one(expr)

    def _spell(self, expr: Any, free: tuple[Any, ...]) -> Show:
        if isinstance(expr, Entry):
            return self._entry(expr, free)
        if isinstance(expr, Letter):
            raise NoMatrixForm
        if isinstance(expr, Reduced):
            return self._product(expr, free) if expr.kind == "sum" else self._extreme(expr)
        if isinstance(expr, sympy.Add):
            return self._sum(expr, free)
        if isinstance(expr, sympy.Mul):
            return self._product(expr, free)
        if isinstance(expr, sympy.Pow) and not expr.is_number:
            return self._power(expr, free)
        if isinstance(expr, Select) and expr.args[2] == ZERO and expr.args[1] != ONE and not self._diagonal(expr, free):
            return hadamard([self._spell(Select(expr.args[0], ONE, ZERO), free), self._spell(expr.args[1], free)])
        if isinstance(expr, Select) and self._diagonal(expr, free):
            return call("diag", r"\operatorname{diag}", [self._spell(expr.args[1], free[:1])]) if expr.args[1] != ONE else atom("I", "I")
        return self._scalar_structure(expr, lambda e: self._spell(e, free))

    def _extreme(self, expr: Reduced) -> Show:
        """The largest or smallest entry of a whole array."""
        body, bound = opened(expr)
        if letters_of(expr) or len(bound) > 2:
            raise NoMatrixForm
        return call(
            expr.kind, {"max": r"\max", "min": r"\min", "prod": r"\prod"}.get(expr.kind, rf"\operatorname{{{expr.kind}}}"), [self._spell(body, bound)]
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
        shown = _assemble(numbers, [], [hadamard([again(f) for f in above])] if above else [], [hadamard([again(f) for f in below])] if below else [])
        return negative(shown) if minus else shown

    def _entry(self, expr: Entry, free: tuple[Any, ...]) -> Show:
        name = self.words.name(expr.source)
        places = expr.places
        shape = expr.source.tensor.shape
        if any(p.extent != e if isinstance(p, Letter) else not p.is_Integer for p, e in zip(places, shape, strict=True)):
            raise NoMatrixForm
        if all(isinstance(p, Letter) for p in places):
            if not places or places == free or (places == free[:1] and len(free) == 1):
                return name
            if len(places) == 2 and places == free[::-1]:
                return transpose(name)
            if len(places) == 2 and places[0] is places[1] and free == places[:1]:
                return call("diag", r"\operatorname{diag}", [name])
        letters = [p for p in places if isinstance(p, Letter)]
        if len(set(letters)) == len(letters):
            return self._broadcast(self._sliced(expr, letters), letters, free)
        raise NoMatrixForm

    def _sliced(self, expr: Entry, letters: Sequence[Any]) -> Show:
        """A tensor at fixed places; a fixed place on an axis of size 1 needs no mention."""
        name = self.words.name(expr.source)
        shape = expr.source.tensor.shape
        fixed = [k for k, p in enumerate(expr.places) if not isinstance(p, Letter) and shape[k] != 1]
        if not fixed:
            if len(expr.places) == 2 and len(letters) == 1 and isinstance(expr.places[1], Letter):
                return transpose(name)
            return name
        marks = [":" if isinstance(p, Letter) else str(p) for p in expr.places]
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
                return shown
            return product([shown, transpose(_ONES)])
        raise NoMatrixForm

    def _sum(self, expr: Any, free: tuple[Any, ...]) -> Show:
        terms: list[Show] = []
        shared, rest = expr.primitive()
        if shared != ONE and plain_terms(rest):
            return scale([number(shared)], self._sum(rest, free))
        for t in ordered_terms(expr.args):
            minus, positive = signed(t)
            shown = self._term(positive, free)
            terms.append(negative(shown) if minus else shown)
        return add(_collected(terms))

    def _term(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """One term; what lacks a letter is broadcast."""
        used = letters_of(expr)
        if not used <= set(free):
            raise NoMatrixForm
        own = tuple(x for x in free if x in used)
        if len(own) == len(free) or not own:
            return self._spell(expr, free if own else ())
        return self._broadcast(self._spell(expr, own), own, free)

    def _power(self, expr: Any, free: tuple[Any, ...]) -> Show:
        used = letters_of(expr)
        own = tuple(x for x in free if x in used)
        if len(own) < len(free) and own:
            return self._broadcast(self._power(expr, own), own, free)
        if own and expr.exp == 2 and isinstance(expr.base, Entry):
            return hadamard([self._spell(expr.base, own)] * 2)
        return raised(expr, lambda e: self._spell(e, own), bool(own) and expr.exp not in (sympy.Rational(1, 2), -1))

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
            moved = sympy.Mul(*(f for f in varied if f is not same[0]), same[0].args[1]).xreplace({free[1]: free[0]})
            if moved == ONE:
                shown = _assemble(numbers, [self._spell(f, ()) for f in scalars], [atom("I", "I")], [])
            else:
                shown = _assemble(numbers, [self._spell(f, ()) for f in scalars], [_diag(self._spell(moved, free[:1]))], [])
            return negative(shown) if minus else shown
        if varied and not all(letters_of(f) <= set(free) for f in varied):
            raise NoMatrixForm
        above, below = split_quotient(scalars)
        front, under = [self._spell(f, ()) if not self._is_sum(f) else self._contraction(f, ()) for f in above], [self._spell(f, ()) for f in below]
        if not varied:
            shown = _assemble(numbers, [], front, under)
        else:
            body = self._varied(varied, free)
            shown = _assemble(numbers, front, [body], under)
        return negative(shown) if minus else shown

    def _is_sum(self, factor: Any) -> bool:
        return isinstance(factor, Reduced) and factor.kind == "sum"

    def _varied(self, factors: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """Factors that depend on the letters, grouped by which."""
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for f in factors:
            used = letters_of(f)
            groups.setdefault(tuple(x for x in free if x in used), []).append(f)
        if len(groups) > 1 and any(split_quotient(fs)[1] and len(own) < len(free) for own, fs in groups.items()):
            raise NoMatrixForm  # a division by rows or columns reads better with its indices
        shown = {own: self._elementwise(fs, own) for own, fs in groups.items()}
        if len(free) == 1 or (free in shown and len(shown) == 1):
            return shown[free]
        left, right, both = shown.get(free[:1]), shown.get(free[1:]), shown.get(free)
        if both is None:
            if left is None and right is not None:
                return right if free[0].extent == 1 and False else product([_ONES, transpose(right)])
            if right is None and left is not None:
                return left if free[1].extent == 1 else product([left, transpose(_ONES)])
            assert left is not None and right is not None
            return product([left, transpose(right)])
        pieces = [_diag(left)] if left else []
        return product([*pieces, both, *([_diag(right)] if right else [])])

    def _elementwise(self, factors: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """A product entry by entry of factors that all have the same letters."""
        above, below = split_quotient(factors)
        shown: list[Show] = []
        for f in above:
            shown.append(self._contraction(f, free) if self._is_sum(f) else self._spell(f, free))
        top = hadamard(shown) if shown else atom("1", "1")
        if not below:
            return top
        return fraction(top, hadamard([self._spell(f, free) for f in below]))

    def _contraction(self, expr: Reduced, free: tuple[Any, ...]) -> Show:
        """A sum over letters as a product of matrices."""
        if not letters_of(expr) <= set(free):
            raise NoMatrixForm
        body, bound = opened(expr)
        return _Network(self, body, bound, free).result()


class _Network:
    """A sum of products over letters: matrices between two letters, vectors at one, numbers."""

    def __init__(self, spell: MatrixSpeller, body: Any, bound: Sequence[Any], free: tuple[Any, ...]) -> None:
        self.spell, self.bound, self.free = spell, list(bound), free
        self.edges: dict[tuple[Any, Any], Show] = {}
        self.weights: dict[Any, list[Show]] = {}
        self.scalars: list[Show] = []
        self.body = body
        factors = ordered_factors(sympy.Mul.make_args(body), spell.words)
        groups: dict[tuple[Any, ...], list[Any]] = {}
        order = [*free, *bound]
        self.numbers = [f for f in factors if is_coefficient(f)]
        for f in factors:
            if f in self.numbers:
                continue
            used = tuple(x for x in order if x in letters_of(f))
            if len(used) > 2 or not set(used) <= set(order):
                raise NoMatrixForm
            groups.setdefault(used, []).append(f)
        self.groups = groups
        for used, members in groups.items():
            if not used:
                self.scalars += [spell._spell(f, ()) for f in members]
            elif len(used) == 1:
                self.weights[used[0]] = [spell._elementwise(members, used)]
            else:
                both = [(way, spell._elementwise(members, way)) for way in (used, used[::-1])]
                way, shown = min(both, key=lambda pair: _turns(pair[1]))
                self.edges[way] = shown

    def result(self) -> Show:
        """The array over the free letters."""
        whole = self._sum_of_all()
        if whole is not None:
            return self._scaled(whole)
        for x in sorted(self.bound, key=lambda x: len(self._neighbours(x))):
            self._remove(x)
        return self._scaled(self._rest())

    def _scaled(self, shown: Show) -> Show:
        return _assemble(self.numbers, self.scalars, [shown], [])

    def _sum_of_all(self) -> Show | None:
        """A sum over all entries of one vector or matrix: a squared norm, a product of two vectors, or a plain sum."""
        if self.free or len(self.groups) != 1:
            return None
        ((used, members),) = self.groups.items()
        if set(used) != set(self.bound):
            return None
        if len(members) == 1 and isinstance(members[0], sympy.Pow) and members[0].exp == 2:
            return Show("norm", (self.spell._spell(members[0].base, used),))
        if len(members) == 1 and isinstance(members[0], Entry) and len(used) == 2 and False:
            return None
        if len(used) == 1 and len(members) == 2 and not any(isinstance(m, sympy.Pow) and m.exp.is_negative for m in members):
            return _dot([self.spell._elementwise([m], used) for m in members])
        if len(used) == 2 and len(members) == 2 and all(isinstance(m, Entry) for m in members):
            a, b = members
            if a.places == b.places[::-1]:
                return call("tr", r"\operatorname{tr}", [product([self.spell.words.name(a.source), self.spell.words.name(b.source)])])
        return Show("total", (self.spell._elementwise(members, used),), "Σ", r"\sum")

    def _neighbours(self, x: Any) -> list[Any]:
        return [b if a is x else a for a, b in self.edges if x in (a, b)]

    def _edge(self, a: Any, b: Any) -> Show:
        """The matrix from ``a`` to ``b``."""
        return self.edges[a, b] if (a, b) in self.edges else transpose(self.edges[b, a])

    def _drop(self, a: Any, b: Any) -> None:
        self.edges.pop((a, b), None)
        self.edges.pop((b, a), None)

    def _remove(self, x: Any) -> None:
        near = self._neighbours(x)
        weights = self.weights.pop(x, [])
        if not near:
            self.scalars.append(_dot(weights))
        elif len(near) == 1:
            (a,) = near
            edge = self._edge(a, x)
            self._drop(a, x)
            if weights:
                self.weights.setdefault(a, []).append(product([edge, hadamard(weights)]))
            elif self.free == (a,) and not self.edges and edge.kind == "transpose" and a not in self.weights:
                self.weights.setdefault(a, []).append(product([transpose(_ONES), edge.parts[0]]))
            else:
                self.weights.setdefault(a, []).append(product([edge, _ONES]))
        elif len(near) == 2:
            a, b = near
            middle = [_diag(hadamard(weights))] if weights else []
            chain = product([self._edge(a, x), *middle, self._edge(x, b)])
            self._drop(a, x)
            self._drop(x, b)
            if (a, b) in self.edges or (b, a) in self.edges:
                chain = hadamard([self._edge(a, b), chain])
                self._drop(a, b)
            self.edges[a, b] = chain
        else:
            raise NoMatrixForm

    def _rest(self) -> Show:
        free = self.free
        if not free:
            shown = self.scalars
            self.scalars = []
            return product(shown) if shown else atom("1", "1")
        if len(free) == 1:
            return hadamard(self.weights[free[0]])
        left = hadamard(self.weights[free[0]]) if free[0] in self.weights else None
        right = hadamard(self.weights[free[1]]) if free[1] in self.weights else None
        if free in self.edges or free[::-1] in self.edges:
            return product([*([_diag(left)] if left else []), self._edge(*free), *([_diag(right)] if right else [])])
        if left is None or right is None:
            present = left or right
            assert present is not None
            return product([present, transpose(_ONES)]) if left else product([_ONES, transpose(present)])
        return product([left, transpose(right)])


def _turns(shown: Show) -> int:
    """How many transposes a shown formula has."""
    count = 0
    stack = [shown]
    while stack:
        part = stack.pop()
        count += part.kind == "transpose"
        stack.extend(part.parts)
    return count


def _diag(vector: Show) -> Show:
    return call("diag", r"\operatorname{diag}", [vector])


def _transposes(shown: Show) -> int:
    return sum(p.kind == "transpose" for p in shown.parts) + sum(p.kind not in ("atom", "transpose") for p in shown.parts[:1])


def _dot(weights: Sequence[Show]) -> Show:
    if len(weights) == 2:
        a, b = weights
        if a == b:
            return Show("norm", (a,))
        if a.kind != "atom" and b.kind == "atom":
            a, b = b, a
        return min(product([transpose(a), b]), product([transpose(b), a]), key=_transposes)
    return Show("total", (hadamard(weights),), "Σ", r"\sum")


def _assemble(numbers: Sequence[Any], scalars: Sequence[Show], above: Sequence[Show], below: Sequence[Show]) -> Show:
    """Numbers and scalars in front of the array, over a fraction bar where something stands below."""
    over, under = parted(numbers)
    plain = lambda values: [spelled(v, lambda e: spelled(e, None, None), None) for v in values]  # type: ignore[arg-type]  # noqa: E731
    top, bottom = plain(over), plain(under)
    if below:
        up = [*top, *scalars, *above]
        return fraction(_line(up), product([*bottom, *below]))
    front = [*top, *scalars]
    if bottom:
        quotient = fraction(product(front) if front else atom("1", "1"), product(bottom))
        return scale([quotient], _line(above)) if above else quotient
    return scale(front, _line(above)) if above and front else _line([*front, *above])


def _line(parts: Sequence[Show]) -> Show:
    return product(parts) if parts else atom("1", "1")


def _collected(terms: list[Show]) -> list[Show]:
    """``A w + B w`` as ``(A + B) w``, and ``A u + A v`` as ``A (u + v)``."""
    for end in (-1, 0):
        for k, first in enumerate(terms):
            if first.kind != "product":
                continue
            same = [t for t in terms if t.kind == "product" and t.parts[end] == first.parts[end]]
            if len(same) < 2:
                continue
            rest = [product(t.parts[:-1] if end else t.parts[1:]) for t in same]
            rest.sort(key=lambda t: t.kind == "transpose")
            joined = product([add(rest), first.parts[-1]] if end else [first.parts[0], add(rest)])
            return [joined if n == k else t for n, t in enumerate(terms) if n == k or t not in same]
    return terms
