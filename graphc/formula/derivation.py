"""A derivation: the formula of a gradient with its names, steps, NumPy source and proof by numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphc.errors import DeclarationError, DerivationError
from graphc.expr.build import operand
from graphc.expr.graph import topological
from graphc.expr.operation import Random
from graphc.expr.tensor import Tensor
from graphc.formula.arrays import constant_line
from graphc.formula.atoms import Entry, Letter, Source, entries
from graphc.formula.definition import Definition, axes
from graphc.formula.display import Show, latex, text
from graphc.formula.lines import Lines
from graphc.formula.naming import Naming
from graphc.formula.numpy_source import Listing
from graphc.formula.reasons import reason_of
from graphc.formula.sweep import Adjoint, Sweep, shape_words
from graphc.formula.variable import variable_of

__all__ = ["Derivation", "Named", "Step", "derive"]

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Named:
    """A named quantity that a result uses."""

    name: str
    latex: str
    text: str
    shape: Shape


@dataclass(frozen=True)
class Step:
    """One line of a derivation, true by itself."""

    latex: str
    text: str
    reason: str
    shape: Shape


class Derivation:
    """The derivative of ``y`` by ``wrt`` in closed form; made by :func:`derive`."""

    def __init__(self, y: Tensor, wrt: Tensor, layout: str, cotangent: str | None) -> None:
        self.y, self.wrt, self.layout, self.cotangent = y, wrt, layout, cotangent
        self._sweep = _swept(y, wrt, cotangent is not None)
        self._naming = Naming(self._sweep, cotangent)
        self._words, self._names = self._naming.words, self._naming.names
        self._lines = Lines(self._naming)

    # Both sides

    @property
    def _letters(self) -> tuple[Letter, ...]:
        own, other = self._sweep.wrt.letters, self._sweep.jacobian
        return (*own, *other) if self.layout == "denominator" else (*other, *own)

    @cached_property
    def _result(self) -> tuple[Show, Show]:
        wrt = self._sweep.wrt
        return self._lines.gradient(wrt.source, self._sweep.result, self._letters, self._sweep.jacobian)

    @property
    def zero(self) -> bool:
        """Whether the gradient is zero everywhere."""
        return self._sweep.result == 0

    @property
    def _zero_words(self) -> str:
        y, wrt = (self._words.name(d.source).plain for d in (self._sweep.y, self._sweep.wrt))
        why = "does not depend on" if not self._sweep.depends else "is piecewise constant in"
        return f"zero everywhere, because {y} {why} {wrt}"

    @property
    def latex(self) -> str:
        """The result in matrix form, as LaTeX; in index notation where there is no matrix form."""
        line = " = ".join(map(latex, self._result))
        return rf"{line} \quad \text{{({self._zero_words.split(',')[0]})}}" if self.zero else line

    @property
    def text(self) -> str:
        """The result in one line of Unicode."""
        line = " = ".join(map(text, self._result))
        return f"{line} ({self._zero_words})" if self.zero else line

    @property
    def index_latex(self) -> str:
        """The result in index notation, as LaTeX."""
        wrt = self._sweep.wrt
        left, right = self._lines.indexed_gradient(wrt.source, self._sweep.result, self._letters, self._sweep.jacobian)
        return f"{latex(left)} = {latex(right)}"

    # What it uses

    @cached_property
    def _used(self) -> list[Source]:
        """The sources that the result uses, directly or through named quantities; nearest the output first."""
        found: dict[Source, None] = {}
        pending = [self._sweep.result]
        while pending:
            for e in entries(pending.pop(0)):
                if e.source not in found and not self._is_unnamed_draw(e.source):
                    found[e.source] = None
                    made_of = self._definition(e.source)
                    if made_of is not None and made_of.operand is not None:
                        pending.append(Entry(made_of.operand, *axes(made_of.operand.tensor)))
                    formula = self._formula(e.source) or self._draw(e.source)
                    if formula is not None:
                        pending.append(formula[1])
        return sorted(found, key=lambda s: (not s.barred, -s.order if s.barred else s.order))

    @cached_property
    def _adjoints(self) -> dict[Source, Adjoint]:
        return {a.source: a for a in self._sweep.adjoints.values() if a.source is not None}

    def _formula(self, source: Source) -> tuple[tuple[Letter, ...], Any] | None:
        if source.barred:
            found = self._adjoints.get(source)
            return None if found is None else (found.definition.letters, found.expr)
        d = self._sweep.forward.definitions[source.tensor]
        return None if d.expr is None else (d.letters, d.expr)

    def _definition(self, source: Source) -> Definition | None:
        return None if source.barred else self._sweep.forward.definitions.get(source.tensor)

    def _draw(self, source: Source) -> tuple[tuple[Letter, ...], Any] | None:
        """How random numbers are made of uniform ones."""
        d = self._sweep.forward.definitions.get(source.tensor)
        return None if d is None or d.drawn is None or source.barred else (d.letters, d.drawn)

    def _is_unnamed_draw(self, source: Source) -> bool:
        return isinstance(source.tensor.op, Random) and not self._sweep.forward.definitions[source.tensor].name

    @cached_property
    def where(self) -> list[Named]:
        """The named quantities that the result uses, each with its formula; what a scan makes is named at a time ``t``."""
        return [n for source in self._used if source not in self._naming.spelled and (n := self._entry(source)) is not None]

    def _entry(self, source: Source) -> Named | None:
        """What there is to say about one quantity."""
        draw, lines = self._draw(source), list[tuple[str, str]]()
        sides = self._sides(source)
        if sides is not None:
            lines = [_joined(sides)]
        uniform = [source] if isinstance(source.tensor.op, Random) else []
        if draw is not None:
            uniform = [s for s in dict.fromkeys(e.source for e in entries(draw[1])) if self._is_unnamed_draw(s)]
        if sides is not None and (first := self._lines.boundary(source, self._owner(source))) is not None:
            lines.append(_joined(first))
        shown = [self._words.name(s) for s in uniform]
        lines += constant_line(source.tensor, self._words.name(source))
        lines += [(f"{s.plain} ∼ U(0, 1)", rf"{s.tex} \sim \mathcal{{U}}(0, 1)") for s in shown]
        if not lines:
            return None
        name = self._names[source] if not source.barred else self._words.name(source).plain
        timed = source.start is not None
        plain, tex = zip(*lines, strict=True)
        return Named(f"{name.removesuffix('_t')}_t" if timed else name, r",\; ".join(tex), ", ".join(plain), shape_words(source.tensor.shape[timed:]))

    def _owner(self, source: Source) -> Definition:
        return self._adjoints[source].definition if source.barred else self._sweep.forward.definitions[source.tensor]

    def _sides(self, source: Source) -> tuple[Show, Show] | None:
        """Both sides of what defines a quantity; ``None`` where it is given."""
        if source in self._adjoints:
            return self._lines.adjoint(self._adjoints[source])
        draw = self._draw(source)
        if draw is not None:
            return self._lines.definition(self._owner(source), draw[1])
        return self._lines.definition(self._owner(source)) if self._formula(source) is not None else None

    # Steps

    @cached_property
    def steps(self) -> list[Step]:
        """The derivation, from the definitions to the result; every line true by itself."""
        lines: list[Step] = []
        for d in self._sweep.path:
            if d.expr is not None and d is not self._sweep.wrt and d.source in self._sweep.needed and d.source not in self._naming.spelled:
                sides = [self._lines.definition(d), self._lines.boundary(d.source, d)]
                name = self._words.name(d.source).plain
                lines.append(_step(sides, f"definition of {name}" + (" over time" if d.recurrence is not None else ""), self._shape(d)))
        for a in self._sweep.adjoints.values():
            if a.definition is self._sweep.y and a.definition is not self._sweep.wrt:
                continue
            if a.definition.operand is not None and a.expr.is_number:
                continue
            lines.append(self._step(a))
        if self._sweep.wrt.tensor not in self._sweep.adjoints:
            lines.append(Step(self.latex, self.text, self._zero_words, shape_words(self.wrt.shape)))
        return lines

    def _shape(self, d: Definition) -> Shape:
        return shape_words(d.tensor.shape[d.recurrence is not None :])

    def _step(self, a: Adjoint) -> Step:
        d = a.definition
        reason = reason_of(a, self._words, self._sweep)
        if d is self._sweep.wrt:
            return _step([self._result], reason, shape_words(tuple(x.extent for x in self._letters)))
        if a.source is not None:
            return _step([self._lines.adjoint(a), self._lines.boundary(a.source, d)], reason, self._shape(d))
        letters = (*d.letters, *self._sweep.jacobian)
        sides = self._lines.gradient(d.source, a.expr, letters, self._sweep.jacobian)
        return _step([sides], reason, shape_words(tuple(x.extent for x in letters[d.recurrence is not None :])))

    # Numbers

    @cached_property
    def _listing(self) -> Listing:
        definitions = list(self._sweep.forward.definitions.values())
        return Listing(self._sweep.result, self._letters, definitions, self._adjoints, self._names, self._sweep.numbers, self.text)

    def numpy(self) -> str:
        """Source of one function ``gradient(...)`` that needs NumPy alone; its keywords are the names of the leaves used.

        Random quantities are keywords too: where they are left out they are drawn from ``seed=0, step=0``, as
        :func:`graphc.evaluate` draws them.
        """
        return self._listing.text

    @property
    def operations(self) -> int:
        """How many array operations the result takes from the leaves on, shared quantities once.

        What a loop over time does counts once, whatever the number of items: the count is that of the formula.
        """
        return self._listing.operations

    def verify(self, seed: int = 0) -> Any:
        """Check the formula at random values against the gradient of the stages and against central differences."""
        from graphc.formula.verify import verify

        return verify(self, seed)

    def save(self, path: Any) -> None:
        """Write the derivation to a file: ``.html``, ``.md`` or ``.tex``."""
        from graphc.formula.page import save

        save(self, path)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<derivation {self.text}>"

    def _repr_html_(self) -> str:
        from graphc.formula.page import html

        return html(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"

    def _repr_markdown_(self) -> str:
        from graphc.formula.page import markdown

        return markdown(self)


def _joined(sides: tuple[Show, Show]) -> tuple[str, str]:
    left, right = sides
    return f"{text(left)} = {text(right)}", f"{latex(left)} = {latex(right)}"


def _step(equations: Sequence[tuple[Show, Show] | None], reason: str, shape: Shape) -> Step:
    plain, tex = zip(*(_joined(e) for e in equations if e is not None), strict=True)
    return Step(r",\; ".join(tex), ", ".join(plain), reason, shape)


def derive(y: Any, wrt: Any, layout: str = "denominator", cotangent: str | None = None) -> Any:
    r"""The derivative of ``y`` by ``wrt`` as a formula, with its steps, their reasons and shapes.

    Args:
        y: a tensor; for one that is no scalar the result is the Jacobian, or with ``cotangent`` the vector-Jacobian product.
        wrt: a tensor, or the name of one in the graph of ``y``; a list gives a list.
        layout: ``"denominator"`` (shape ``wrt.shape + y.shape``) or ``"numerator"`` (``y.shape + wrt.shape``).
        cotangent: the name of a symbol of ``y``'s shape.

    What a recurrence makes is named at a time, ``h_t``; times are counted from 1, and time 0 is that of the initial carry.

    Raises:
        DeclarationError: for a variable or a layout that is unknown, or a cotangent's name that the graph of ``y`` has already.
        DerivationError: where no closed form is known, naming the tensor that stopped it.

    Example:
        >>> import graphc as gx
        >>> X, w, y = gx.tensor("X", ("n", 3)), gx.tensor("w", (3,)), gx.tensor("y", ("n",))
        >>> print(derive(((X @ w - y) ** 2).sum().named("L"), w))
        ∂L/∂w = 2 Xᵀ (X w − y)
    """
    if isinstance(wrt, list | tuple):
        return [derive(y, w, layout, cotangent) for w in wrt]
    if layout not in ("denominator", "numerator"):
        raise DeclarationError(f"layout={layout!r}: it is 'denominator' or 'numerator'")
    y = operand(y)
    if cotangent is not None and (not isinstance(cotangent, str) or not cotangent):
        raise DeclarationError(f"cotangent={cotangent!r}: give the name of a symbol, such as 'Ybar'")
    if cotangent is not None and any(t.name == cotangent for n in topological([y]) for t in n.outputs):
        raise DeclarationError(f"cotangent={cotangent!r}: {y.describe()} has a tensor of that name already; give another, such as '{cotangent}_bar'")
    variable = variable_of(y, wrt)
    if variable.dtype != "float":
        raise DerivationError(f"{variable.describe()} holds {variable.dtype} values, and derivatives are by floats: declare it with dtype='float'")
    return Derivation(y, variable, layout, cotangent)


def _swept(y: Tensor, wrt: Tensor, cotangent: bool) -> Sweep:
    """The sweep; what SymPy cannot do becomes an error that names the tensor."""
    try:
        return Sweep(y, wrt, cotangent)
    except (RecursionError, TypeError, ValueError, NotImplementedError, AttributeError, ZeroDivisionError) as error:
        raise DerivationError(
            f"no closed form of the derivative of {y.describe()} by {wrt.describe()} was found ({type(error).__name__}: {error}): "
            "name intermediate results with .named(...), or derive up to one of them"
        ) from error
