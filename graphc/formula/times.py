"""What is made over time as one writes it: ``h_t`` for a row, ``h_{t-1}`` for the one before, a sum over the items as ``Σ_t``.

Times are counted from 1, as in textbooks: item 1 is the first one, and time 0 is that of the initial carry.
"""

from __future__ import annotations

import re
from typing import Any

import sympy

from graphc.expr.operation import Leaf
from graphc.expr.tensor import make
from graphc.formula.arrays import NoMatrixFormError
from graphc.formula.atoms import Entry, Letter, Reduced, Source, entries, letter, letters_of, opened, time_letters
from graphc.formula.display import Show, atom, latex, text
from graphc.formula.names import to_subscript
from graphc.formula.spell import IndexSpeller, Vocabulary
from graphc.formula.sums import total

__all__ = ["TimeSum", "Timed", "timed_name"]

_CLOCK = letter(400, 0)  # the time of a line, as a number
_NAMES = ("t", "s", "r")
_DIGITS = tuple("₀₁₂₃₄₅₆₇₈₉")


class TimeSum(Reduced):
    """A sum over all times of a formula of rows: arguments are its kind, the formula and the name of the time."""

    @property
    def bound(self) -> tuple[Letter, ...]:
        """No index: the rows are spelled as they are."""
        return ()

    @property
    def free_symbols(self) -> Any:
        """The symbols of the formula."""
        return self.body.free_symbols


def timed_name(name: Show, at: Show, axis: int = 0, axes: int = 1) -> Show:
    """A name with its time: ``h`` at ``t - 1`` is ``h_{t-1}``, ``δ₁`` at ``t`` is ``δ_{1,t}``; ``X[:, t]`` where it is another axis."""
    if axis:
        marks = [":"] * axes
        marks[axis] = text(at)
        return atom(f"{name.plain}[{', '.join(marks)}]", rf"{{{name.tex}}}_{{{','.join([':'] * axis + [latex(at)] + [':'] * (axes - axis - 1))}}}")
    # A user's h_t is h at the time t.
    name = atom(name.plain.removesuffix("_t"), name.tex.removesuffix("_{t}")) if name.kind == "atom" else name
    short, tex = text(at).replace(" ", "").replace("−", "-"), latex(at).replace(" ", "")
    fraction = re.fullmatch(r"∂(.*)/∂(.*)", name.plain)
    if fraction:
        below = timed_name(atom(fraction[2], re.sub(r"^.*\\partial (.*)\}$", r"\1", name.tex)), at)
        return atom(f"∂{fraction[1]}/∂{below.plain}", re.sub(r"(\\partial )(?!.*\\partial ).*\}$", lambda m: f"{m[1]}{below.tex}}}", name.tex))
    subscript = to_subscript(short)
    apart = "," if name.plain[-1:] in _DIGITS and subscript[:1] in _DIGITS else ""
    plain = name.plain + apart + subscript
    marked = re.fullmatch(r"(.*[^\\])_\{(.*)\}", name.tex)
    return atom(plain, f"{marked[1]}_{{{marked[2]},{tex}}}" if marked else f"{name.tex}_{{{tex}}}")


class Timed:
    """Formulas whose rows are named by their time."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self._rows: dict[tuple[Any, ...], Source] = {}
        self._clocks: dict[str, Source] = {}

    def row(self, source: Source, at: Any, shown: str = "t", axis: int = 0) -> Source:
        """The row of a tensor at a time, as a source of its own; another slice where the time is another axis."""
        key = (source, at, shown, axis)
        if key not in self._rows:
            tensor = source.tensor
            shape = (*tensor.shape[:axis], *tensor.shape[axis + 1 :])
            found = Source.of(make(Leaf("input"), (), shape, tensor.dtype), adjoint=source.barred, order=source.order)
            speller = IndexSpeller(self.words)
            speller.letters[_CLOCK] = atom(shown, shown)
            self.words.names[found] = timed_name(self.words.name(source), speller(at), axis, tensor.ndim)
            self.words.late[found] = self.words.late.get(source, source.order)
            self._rows[key] = found
        return self._rows[key]

    def _clock(self, shown: str) -> Entry:
        """The time itself, as a number."""
        if shown not in self._clocks:
            source = self._clocks[shown] = Source.of(make(Leaf("input"), (), (), "float"), order=0)
            self.words.names[source] = atom(shown, shown)
            self.words.clocks.add(source)
        return Entry(self._clocks[shown])

    def at(self, expr: Any, time: Letter | None, shown: str = "t") -> Any:
        """A formula with rows in place of the entries whose first place is a time.

        Raises:
            NoMatrixFormError: where a time stands in another place too.
        """
        found: dict[Any, Any] = {}
        for e in entries(expr):
            own = [k for k, p in enumerate(e.places) if time is not None and time in p.free_symbols]
            fixed = not own and bool(e.places) and e.source.start is not None and not letters_of(e.places[0])
            if not own and not fixed:
                continue
            axis = 0 if fixed else own[0]
            if len(own) > 1 or (own and letters_of(e.places[axis]) != {time}):
                raise NoMatrixFormError
            start = 1 if e.source.start is None or axis else e.source.start
            place = e.places[axis]
            when = sympy.expand((place if fixed else place.xreplace({time: _CLOCK - 1})) + start)
            found[e] = Entry(self.row(e.source, when, shown, axis), *e.places[:axis], *e.places[axis + 1 :])
        expr = expr.xreplace(found) if found else expr
        return expr.xreplace({time: self._clock(shown) - 1}) if time is not None and time in expr.free_symbols else expr

    def summed(self, expr: Any, depth: int = 0) -> Any:
        """A formula with its sums over times apart from those over other indices."""
        found: dict[Any, Any] = {}
        for part in _sums(expr):
            body, bound = opened(part)
            times = time_letters(body) & set(bound)
            if len(times) > 1 or depth >= len(_NAMES):
                raise NoMatrixFormError
            if times:
                (time,) = times
                rows = total(self.at(body, time, _NAMES[depth]), [x for x in bound if x is not time])
                found[part] = TimeSum(sympy.Symbol("sum"), self.summed(rows, depth + 1), sympy.Symbol(_NAMES[depth]))
        return expr.xreplace(found) if found else expr

    def rows(self, expr: Any, time: Letter | None) -> Any:
        """A formula of rows at ``time``, for the matrix form."""
        if any(isinstance(p, Reduced) and p.reducer != "sum" and time_letters(p.body) & set(p.bound) for p in sympy.preorder_traversal(expr)):
            raise NoMatrixFormError
        return self.summed(self.at(expr, time), 0 if time is None else 1)


def _sums(expr: Any) -> list[Any]:
    """The sums of a formula that stand in no other reduction."""
    found: dict[Any, None] = {}
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, Reduced):
            if part.reducer == "sum" and not isinstance(part, TimeSum):
                found[part] = None
        elif not isinstance(part, Entry):
            stack.extend(part.args)
    return sorted(found, key=str)
