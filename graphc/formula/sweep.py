"""The derivation itself: adjoints from the output back, written with the names of the forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy

from graphc.errors import DerivationError
from graphc.expr.dims import Dim
from graphc.expr.graph import random_numbers, training
from graphc.expr.scalar import Select
from graphc.expr.tensor import Tensor
from graphc.formula.adjoints import contributions
from graphc.formula.algebra import ONE, ZERO, has_sum_of_products, is_symmetric, shortest, size_of, symmetrised
from graphc.formula.atoms import Entry, Letter, Source, entries, is_column, letter, letters_of, outer_atoms
from graphc.formula.backtime import Part, through_time
from graphc.formula.definition import Definition, Recurrence
from graphc.formula.forward import Forward
from graphc.formula.normal import Normals
from graphc.formula.shares import Shares, missing_shares

__all__ = ["Adjoint", "Sweep"]

_LONGEST = 45
_JACOBIAN = 500  # the first number of the letters of y's axes in a Jacobian


@dataclass(frozen=True)
class Adjoint:
    """The adjoint of a tensor on the way.

    Attributes:
        definition: the tensor.
        expr: its adjoint's formula, in terms of names only.
        source: the adjoint's own symbol where it got one.
        through: the definitions that use the tensor.
    """

    definition: Definition
    expr: Any
    source: Source | None
    through: tuple[Definition, ...]


class Sweep:
    """The reverse sweep from ``y`` to ``wrt``.

    Attributes:
        adjoints: by tensor, from the output back; the last one is the variable's.
        depends: whether the output changes with the variable, in steps perhaps.
        numbers: the number of each random node in the graph of ``y``, by which its draws are known.
    """

    def __init__(self, y: Tensor, wrt: Tensor, cotangent: bool) -> None:
        self.forward = Forward([y, wrt])
        more = missing_shares(self.forward)
        if more:
            self.forward = Forward([*self.forward.asked, *more], resolved=True)
        self.numbers = random_numbers(training([y]))
        self.y, self.wrt = (self.forward.definitions[t] for t in self.forward.outputs[:2])
        self.shares = Shares(list(self.forward.definitions.values()))
        self.normals = Normals(self.forward.definitions)
        self.cotangent: Source | None = None
        self.jacobian: tuple[Letter, ...] = ()
        self.adjoints: dict[Tensor, Adjoint] = {}
        self.path = self._path()
        self.depends = bool(self.path) or self.y.source in self._reached(whole=True)
        self.layers = [d for d in self.forward.definitions.values() if is_layer(d)]
        if y.ndim and not cotangent:
            self.jacobian = tuple(letter(_JACOBIAN + k, e) for k, e in enumerate(y.shape))
        if cotangent:
            self.cotangent = Source.of(self.y.tensor, adjoint=True, order=self.y.source.order + 1)
        if self.path:
            self._run()

    @property
    def result(self) -> Any:
        """The formula of the derivative by the variable."""
        if self.wrt.tensor not in self.adjoints:
            return ZERO
        expr = self.adjoints[self.wrt.tensor].expr
        return symmetrised(expr, self.wrt.letters) if is_symmetric(self.wrt.source) else expr

    def _path(self) -> list[Definition]:
        """The definitions between the variable and the output, both included."""
        reached = self._reached()
        if self.y.source not in reached:
            return []
        return [self.wrt, *(d for d in self.forward.definitions.values() if d.source in reached and d is not self.wrt)]

    def _reached(self, whole: bool = False) -> dict[Source, Definition]:
        """What the variable reaches, through floats alone, or with ``whole`` through whole numbers and conditions too."""
        reached = {self.wrt.source: self.wrt}
        for d in self.forward.definitions.values():
            if d.recurrence is not None:
                # A carry reads what is made of it: once more for what it reaches so.
                for one in (*d.recurrence.body, *d.recurrence.body) if d is d.recurrence.body[0] else ():
                    self._reach(one, reached, whole)
            else:
                self._reach(d, reached, whole)
        return reached

    def _reach(self, d: Definition, reached: dict[Source, Definition], whole: bool) -> None:
        if d.operand is not None and d.operand in reached:
            reached[d.source] = d
        formula = d.drawn if d.expr is None and whole else d.expr
        if formula is None or d is self.wrt or (d.tensor.dtype != "float" and not whole):
            return
        formulas = [formula, *([d.recurrence.initial[d.source]] if d.recurrence is not None and d.source in d.recurrence.initial else [])]
        if any(e.source in reached for f in formulas for e in entries(f)):
            reached[d.source] = d

    def _seed(self) -> Any:
        if self.cotangent is not None:
            return Entry(self.cotangent, *self.y.letters)
        seed: Any = ONE
        for own, other in zip(self.y.letters, self.jacobian, strict=True):
            seed = seed * Select(sympy.Eq(own, other), ONE, ZERO)
        return seed

    def _run(self) -> None:
        wanted = [d.source for d in self.path]
        parts: dict[Source, list[Part]] = {self.y.source: [Part(self._seed(), self.y)]}

        def share(d: Definition, symbol: Any) -> list[tuple[Source, Any]]:
            return contributions(d, symbol, wanted, self.shares, self.normals)

        walked: list[Recurrence] = []
        needed = self.needed
        for d in reversed(self.path):
            if d.recurrence is not None and d is not self.wrt:
                if self.jacobian:
                    raise no_formula(self.y, f"its Jacobian goes through the recurrence of {d.name}: derive its product with a cotangent='Ybar'")
                if d.recurrence not in walked:
                    walked.append(d.recurrence)
                    own = [x for x in d.recurrence.body if x in self.path and x.source in needed]
                    for one, expr, source, users in through_time(d.recurrence, own, parts, share, self._timed):
                        self.adjoints[one.tensor] = Adjoint(one, expr, source, users)
                continue
            if d.source not in parts:
                continue
            expr = shortest(sympy.Add(*(p.value for p in parts[d.source])))
            source = self._named(d, expr)
            users = () if d is self.y else tuple(dict.fromkeys(p.user for p in parts[d.source]))
            self.adjoints[d.tensor] = Adjoint(d, expr, source, users)
            if d is self.wrt:
                break
            symbol = Entry(source, *d.letters) if source is not None else expr
            if symbol == ZERO:
                continue
            for target, value in share(d, symbol):
                parts.setdefault(target, []).append(Part(value, d))

    @cached_property
    def needed(self) -> set[Source]:
        """What the output is made of."""
        found: set[Source] = set()
        pending = [self.y]
        while pending:
            d = pending.pop()
            if d.source in found:
                continue
            found.add(d.source)
            formulas = [d.expr, d.recurrence.initial.get(d.source) if d.recurrence is not None else None]
            reads = [e.source for f in formulas if f is not None for e in entries(f)]
            reads += [d.operand] if d.operand is not None else []
            pending += [self.forward.definitions[s.tensor] for s in reads if s.tensor in self.forward.definitions]
        return found

    def _timed(self, d: Definition, expr: Any) -> bool:
        """Whether the adjoint of what is made over time gets a symbol: that of a layer, and a long one."""
        return d in self.layers or size_of(expr) > _LONGEST

    def _named(self, d: Definition, expr: Any) -> Source | None:
        """A symbol for an adjoint that later formulas should not spell out."""
        if d is self.wrt or d is self.y or self.jacobian:
            return None
        if d in self.normals or (self.shares.has(d) and has_sum_of_products(expr)):
            return Source.of(d.tensor, adjoint=True, order=d.source.order)
        deep = d in self.layers and not _plain(expr) and (len(self.layers) > 1 or has_sum_of_products(expr) or _outer(expr))
        if deep or size_of(expr) > _LONGEST:
            return Source.of(d.tensor, adjoint=True, order=d.source.order)
        return None


def is_layer(d: Definition) -> bool:
    """Whether a definition is a sum of products, plus what it likes: the input of an activation."""
    if d.expr is None or not d.tensor.ndim or not has_sum_of_products(d.expr):
        return False
    atoms = outer_atoms(d.expr)
    symbols = {a: sympy.Dummy() for a in atoms}
    body = d.expr.xreplace(symbols)
    return all(not body.diff(s).free_symbols & set(symbols.values()) for s in symbols.values())


def _plain(expr: Any) -> bool:
    """Whether a formula is a name, or the difference or sum of two."""
    terms = sympy.Add.make_args(expr)
    return len(terms) <= 2 and all(isinstance(t, Entry) or isinstance(-t, Entry) for t in terms)


def _outer(expr: Any) -> bool:
    """Whether columns that are matrices meet as a row and a column, as what comes back through the weights of one output."""
    read = {letters for e in expr.atoms(Entry) if is_column(e) and (letters := frozenset(letters_of(e)))}
    return len(read) > 1


def shape_words(shape: tuple[Any, ...]) -> tuple[int | str, ...]:
    """A shape as numbers and names."""
    return tuple(str(e) if isinstance(e, Dim) else e for e in shape)


def no_formula(d: Definition, why: str) -> DerivationError:
    """The error that names the node which stopped a derivation."""
    return DerivationError(f"{d.name or d.tensor.describe()}: {why}")
