"""A sum of products over letters as a product of matrices: letters are taken away one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import sympy

from graphc.formula.arrays import ONES, NoMatrixFormError, assemble, diag, dot, turns
from graphc.formula.atoms import Entry, letters_of
from graphc.formula.display import Show, atom, call, hadamard, product, transpose
from graphc.formula.spell import Vocabulary, is_coefficient, ordered_factors

__all__ = ["Network", "Speller"]


class Speller(Protocol):
    """What spells the factors."""

    words: Vocabulary

    def spell(self, expr: Any, free: tuple[Any, ...]) -> Show:
        """A formula over letters."""
        ...

    def elementwise(self, factors: Sequence[Any], free: tuple[Any, ...]) -> Show:
        """A product entry by entry."""
        ...


class Network:
    """A sum of products over letters: matrices between two letters, vectors at one, numbers."""

    def __init__(self, spell: Speller, body: Any, bound: Sequence[Any], free: tuple[Any, ...]) -> None:
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
                raise NoMatrixFormError
            groups.setdefault(used, []).append(f)
        self.groups = groups
        for used, members in groups.items():
            if not used:
                self.scalars += [spell.spell(f, ()) for f in members]
            elif len(used) == 1:
                self.weights[used[0]] = [spell.elementwise(members, used)]
            else:
                both = [(way, spell.elementwise(members, way)) for way in (used, used[::-1])]
                way, shown = min(both, key=lambda pair: turns(pair[1]))
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
        return assemble(self.numbers, self.scalars, [shown], [])

    def _sum_of_all(self) -> Show | None:
        """A sum over all entries of one vector or matrix: a squared norm, a product of two vectors, or a plain sum."""
        if self.free or len(self.groups) != 1:
            return None
        ((used, members),) = self.groups.items()
        if set(used) != set(self.bound):
            return None
        if len(members) == 1 and isinstance(members[0], sympy.Pow) and members[0].exp == 2:
            return Show("norm", (self.spell.spell(members[0].base, used),))
        if len(members) == 1 and isinstance(members[0], Entry) and members[0].places == (*used, *used):
            return call("tr", r"\operatorname{tr}", [self.spell.words.name(members[0].source)])
        if len(used) == 1 and len(members) == 2 and not any(isinstance(m, sympy.Pow) and m.exp.is_negative for m in members):
            return dot([self.spell.elementwise([m], used) for m in members])
        if len(used) == 2 and len(members) == 2 and all(isinstance(m, Entry) for m in members):
            a, b = members
            if a.places == b.places[::-1]:
                return call("tr", r"\operatorname{tr}", [product([self.spell.words.name(a.source), self.spell.words.name(b.source)])])
        return Show("total", (self.spell.elementwise(members, used),), "Σ", r"\sum")

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
            self.scalars.append(dot(weights))
        elif len(near) == 1:
            (a,) = near
            edge = self._edge(a, x)
            self._drop(a, x)
            if weights:
                self.weights.setdefault(a, []).append(product([edge, hadamard(weights)]))
            elif self.free == (a,) and not self.edges and edge.kind == "transpose" and a not in self.weights:
                self.weights.setdefault(a, []).append(product([transpose(ONES), edge.parts[0]]))
            else:
                self.weights.setdefault(a, []).append(product([edge, ONES]))
        elif len(near) == 2:
            a, b = near
            middle = [diag(hadamard(weights))] if weights else []
            chain = product([self._edge(a, x), *middle, self._edge(x, b)])
            self._drop(a, x)
            self._drop(x, b)
            if (a, b) in self.edges or (b, a) in self.edges:
                chain = hadamard([self._edge(a, b), chain])
                self._drop(a, b)
            self.edges[a, b] = chain
        else:
            raise NoMatrixFormError

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
            return product([*([diag(left)] if left else []), self._edge(*free), *([diag(right)] if right else [])])
        if left is None or right is None:
            present = left or right
            assert present is not None
            return product([present, transpose(ONES)]) if left else product([ONES, transpose(present)])
        return product([left, transpose(right)])
