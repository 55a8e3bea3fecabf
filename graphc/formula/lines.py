"""Lines of a derivation: both sides of an equation, in matrix form where there is one, in index notation elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.scalar import Select
from graphc.formula.atoms import Letter, Source, entries, extent_formula, time_letters
from graphc.formula.definition import Definition
from graphc.formula.display import Show, atom, latex, text
from graphc.formula.matrix import MatrixSpeller, NoMatrixFormError
from graphc.formula.naming import Naming, gradient_of
from graphc.formula.spell import IndexSpeller, Vocabulary
from graphc.formula.sweep import Adjoint, Sweep
from graphc.formula.times import Timed, timed_name

__all__ = ["Lines", "formula_text"]

Sides = tuple[Show, Show]


class Lines:
    """Equations under the names of a derivation."""

    def __init__(self, naming: Naming) -> None:
        self.sweep: Sweep = naming.sweep
        self.words: Vocabulary = naming.words
        self.timed = Timed(self.words)

    def left(self, source: Source, below: Show | None = None) -> Show:
        """The derivative by a source, as it stands on the left."""
        return gradient_of(self.words, self.sweep, source, below)

    def gradient(self, source: Source, expr: Any, letters: Sequence[Letter], extra: Sequence[Letter] = ()) -> Sides:
        """``∂L/∂w = ...``; ``extra`` are the letters of the output's axes in a Jacobian."""
        try:
            time, rest = _time(expr, letters)
            axis = 0 if time is None else [x for x in letters if x not in extra].index(time)
            below = None if time is None else timed_name(self.words.name(source), atom("t", "t"), axis, len(source.tensor.shape))
            return self.left(source, below), self._matrix(expr, time, rest)
        except NoMatrixFormError:
            return self.indexed_gradient(source, expr, letters, extra)

    def indexed_gradient(self, source: Source, expr: Any, letters: Sequence[Letter], extra: Sequence[Letter] = ()) -> Sides:
        """The same in index notation."""
        time, _ = _time(expr, letters)
        speller = IndexSpeller(self.words).with_letters(letters, () if time is None else (time,))
        own = speller.entry(source, [x for x in letters if x not in extra])
        above = speller.entry(self.sweep.y.source, extra) if extra else self.words.name(self.sweep.y.source)
        if self.sweep.cotangent is not None:
            bar = self.words.name(self.sweep.cotangent)
            above = atom(f"⟨{bar.plain}, {above.plain}⟩", rf"\langle {bar.tex}, {above.tex} \rangle")
        return atom(f"∂{text(above)}/∂{text(own)}", rf"\frac{{\partial {latex(above)}}}{{\partial {latex(own)}}}"), speller(expr)

    def definition(self, d: Definition, expr: Any = None) -> Sides:
        """``h = σ(z)``; what is made over time at a time."""
        return self._named(d.source, d, d.expr if expr is None else expr)

    def adjoint(self, a: Adjoint) -> Sides:
        """``δ = ∂L/∂z = ...``, for an adjoint that has a symbol of its own."""
        assert a.source is not None
        d = a.definition
        begins = self._begins(d)
        name, right = self._named(a.source, d, a.expr if begins is None else begins[0])
        if begins is not None:
            right = self._within(d, right)
        if name.plain.endswith("]") and d.recurrence is None and name != self.words.name(a.source):
            return name, right
        below = None
        if d.recurrence is not None:
            below = timed_name(self.words.name(d.source), atom("t", "t"))
        elif name != self.words.name(a.source):
            return name, right
        other = self.left(d.source, below)
        if other.plain == name.plain:
            return name, right
        return atom(f"{name.plain} = {other.plain}", f"{name.tex} = {other.tex}"), right

    def boundary(self, source: Source, d: Definition) -> Sides | None:
        """The row with which a carry begins, or that lies behind the last one of an adjoint over time."""
        recurrence = d.recurrence
        if recurrence is None:
            return None
        row = self.timed.row
        begins = self._begins(d) if source.barred else None
        if begins is not None:
            name, shown = self._named(source, d, begins[1], begins[2])
            return name, shown
        if source.barred:
            end = sympy.Integer(0) if recurrence.reverse else extent_formula(recurrence.length) + 1
            return self.words.name(row(source, end)), atom("0", "0")
        if source not in recurrence.initial:
            return None
        first = self.words.name(row(source, sympy.expand(recurrence.start + (source.start or 0))))
        own = d.letters[1:]
        expr = recurrence.initial[source]
        try:
            shown = MatrixSpeller(self.words)(self.timed.rows(expr, None), own)
        except NoMatrixFormError:
            speller = IndexSpeller(self.words).with_letters(own)
            return atom(text(first), latex(first)), speller(expr)
        return None if text(shown) == text(first) else (first, shown)

    def _begins(self, d: Definition) -> tuple[Any, Any, Any] | None:
        """The adjoint of what is made over time where the output reads the last time alone: at the times before it, at it, and that time."""
        a = self.sweep.adjoints.get(d.tensor)
        if d.recurrence is None or a is None or a.source is None:
            return None
        time, length = d.letters[0], extent_formula(d.recurrence.length)
        last = sympy.Integer(0) if d.recurrence.reverse else sympy.expand(length - 1)
        found = [s for s in a.expr.atoms(Select) if s.args[1:] == (1, 0) and _is_time(s.args[0], time - last)]
        terms = sympy.Add.make_args(a.expr)
        before = [t for t in terms if not any(s in sympy.Mul.make_args(t) for s in found)]
        if len(found) != 1 or not before or any(t.has(found[0]) for t in before):
            return None
        # Behind the last time adjoints are zero, so what is left of the others there is what reads none of them.
        step = -1 if d.recurrence.reverse else 1
        behind = [{e.source.start + e.places[0] - time - 1 for e in entries(t) if e.source.barred and e.source.start is not None} for t in before]
        now = [t for t, times in zip(before, behind, strict=True) if step not in times]
        return sympy.Add(*before), sympy.Add(*now, *(t / found[0] for t in terms if t not in before)), last

    def _within(self, d: Definition, right: Show) -> Show:
        """A right-hand side that holds at all times but the last one."""
        assert d.recurrence is not None
        end = "1" if d.recurrence.reverse else text(IndexSpeller(self.words)(extent_formula(d.recurrence.length)))
        sign, tex = (">", ">") if d.recurrence.reverse else ("<", "<")
        return atom(f"{text(right)} for t {sign} {end}", rf"{latex(right)} \;\; (t {tex} {end})")

    def _named(self, source: Source, d: Definition, expr: Any, at: Any = None) -> Sides:
        if at is not None:
            letters = d.letters[1:]
            expr, place = expr.xreplace({d.letters[0]: at}), d.places[0].subs(d.letters[0], at)
            row = self.timed.row(source, sympy.expand(place + (source.start or 0)))
            try:
                return self.words.name(row), MatrixSpeller(self.words)(self.timed.rows(expr, None), letters)
            except NoMatrixFormError:
                return self.words.name(row), IndexSpeller(self.words).with_letters(letters)(expr)
        name = self.words.name(source)
        letters = d.letters
        time = letters[0] if d.recurrence is not None else None
        rest = letters if time is None else letters[1:]
        try:
            right = self._matrix(expr, time, rest, source)
            return (name if time is None else timed_name(name, atom("t", "t"))), right
        except NoMatrixFormError:
            speller = IndexSpeller(self.words).with_letters(letters, () if time is None else (time,))
            return speller.entry(source, d.places), speller(expr)

    def _matrix(self, expr: Any, time: Letter | None, rest: Sequence[Letter], source: Source | None = None) -> Show:
        if source in self.words.indexed:
            raise NoMatrixFormError
        return MatrixSpeller(self.words)(self.timed.rows(expr, time), rest)


def _time(expr: Any, letters: Sequence[Letter]) -> tuple[Letter | None, list[Letter]]:
    """The letter among an array's axes that stands for the time, and the others."""
    found = time_letters(expr)
    times = [x for x in letters if x in found]
    if len(times) > 1:
        raise NoMatrixFormError
    return (times[0] if times else None), [x for x in letters if x not in times]


def _is_time(condition: Any, difference: Any) -> bool:
    """Whether a condition says that a difference is zero."""
    if not isinstance(condition, sympy.Eq):
        return False
    sides: Any = condition.args
    left, right = sides
    moved: Any = sympy.expand(left - right)
    return moved in (sympy.expand(difference), sympy.expand(-difference))


def formula_text(d: Definition, words: Vocabulary) -> str:
    """The formula of a definition in a line."""
    time = d.letters[0] if d.recurrence is not None else None
    try:
        return text(MatrixSpeller(words)(Timed(words).rows(d.expr, time), d.letters if time is None else d.letters[1:]))
    except NoMatrixFormError:
        return text(IndexSpeller(words).with_letters(d.letters, () if time is None else (time,))(d.expr))
