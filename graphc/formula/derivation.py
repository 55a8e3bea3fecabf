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
from graphc.formula.display import Show, atom, latex, text
from graphc.formula.forward import Definition, axes
from graphc.formula.index_form import words_of
from graphc.formula.matrices import formula_name, matrix_names
from graphc.formula.matrix import MatrixSpeller, NoMatrixFormError
from graphc.formula.numpy_source import Listing
from graphc.formula.reasons import reason_of
from graphc.formula.spell import IndexSpeller, Vocabulary, symbol
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
        self._words = words_of(self._sweep.forward)
        self._names: dict[Source, str] = {}
        self._spelled: set[Source] = set()  # what is called by its own formula
        self._name_everything()

    # Names

    def _name_everything(self) -> None:
        sweep = self._sweep
        used = {d.name for d in sweep.forward.definitions.values()}
        counts = dict.fromkeys("utM", 0)
        operands = {d.operand for d in sweep.forward.definitions.values()}
        for d in sweep.forward.definitions.values():
            if d.operand is not None:
                self._words.late.setdefault(d.source, d.source.order)
                self._words.names[d.source], self._names[d.source] = matrix_names(d.tensor, self._words.name(d.operand), self._names[d.operand])
                continue
            name = d.name
            if not name and d is sweep.y:
                name = next(n for n in (("L", "J", "L_0") if not d.tensor.ndim else ("Y", "F", "Y_0")) if n not in used)
                used.add(name)
            base = "u" if isinstance(d.tensor.op, Random) else "M" if d.source in operands else "t"
            while not name:
                counts[base] += 1
                name = f"{base}{counts[base]}" if f"{base}{counts[base]}" not in used else ""
            self._name(d.source, name)
            if d.source in operands and not d.name and d is not sweep.y and (shown := formula_name(d.expr, d.letters, self._words)):
                self._words.names[d.source] = shown
                self._spelled.add(d.source)
        if sweep.cotangent is not None:
            assert self.cotangent is not None
            self._name(sweep.cotangent, self.cotangent)
        self._name_adjoints(used)

    def _name(self, source: Source, name: str) -> None:
        self._names[source] = name
        self._words.names[source] = symbol(name)
        self._words.late.setdefault(source, source.order)

    def _name_adjoints(self, used: set[str]) -> None:
        named = [a for a in self._sweep.adjoints.values() if a.source is not None]
        clash = any(n == "δ" or n.startswith(("delta", "δ")) for n in used)
        for a in named:
            assert a.source is not None
            layer = a.definition in self._sweep.layers
            if layer and not clash:
                number = self._sweep.layers.index(a.definition) + 1
                name = "δ" if len([b for b in named if b.definition in self._sweep.layers]) == 1 else f"δ{number}"
                self._name(a.source, name)
            else:
                below = self._words.name(a.definition.source)
                above = self._words.name(self._sweep.y.source)
                self._names[a.source] = f"d_{self._names[a.definition.source]}"
                self._words.names[a.source] = atom(f"∂{above.plain}/∂{below.plain}", rf"\frac{{\partial {above.tex}}}{{\partial {below.tex}}}")
            self._words.late[a.source] = a.source.order + 0.5

    # Both sides

    def _left(self, source: Source) -> Show:
        above, below = self._words.name(self._sweep.y.source), self._words.name(source)
        if self._sweep.cotangent is not None:
            bar = self._words.name(self._sweep.cotangent)
            return atom(
                f"∂⟨{bar.plain}, {above.plain}⟩/∂{below.plain}", rf"\frac{{\partial \langle {bar.tex}, {above.tex} \rangle}}{{\partial {below.tex}}}"
            )
        return atom(f"∂{above.plain}/∂{below.plain}", rf"\frac{{\partial {above.tex}}}{{\partial {below.tex}}}")

    @property
    def _letters(self) -> tuple[Letter, ...]:
        own, other = self._sweep.wrt.letters, self._sweep.jacobian
        return (*own, *other) if self.layout == "denominator" else (*other, *own)

    def _line(self, left: Show, source: Source, expr: Any, letters: Sequence[Letter], extra: Sequence[Letter] = ()) -> tuple[Show, Show]:
        """Both sides of an equation, in matrix form where there is one."""
        try:
            return left, MatrixSpeller(self._words)(expr, letters)
        except NoMatrixFormError:
            return self._index_line(left, source, expr, letters, extra)

    def _index_line(self, left: Show, source: Source, expr: Any, letters: Sequence[Letter], extra: Sequence[Letter] = ()) -> tuple[Show, Show]:
        speller = IndexSpeller(self._words).with_letters(letters)
        own = speller.entry(source, [x for x in letters if x not in extra])
        if left == self._words.name(source):
            return own, speller(expr)
        above = self._words.name(self._sweep.y.source)
        if extra:
            above = speller.entry(self._sweep.y.source, extra)
        if self._sweep.cotangent is not None:
            bar = self._words.name(self._sweep.cotangent)
            above = atom(f"⟨{bar.plain}, {above.plain}⟩", rf"\langle {bar.tex}, {above.tex} \rangle")
        shown = atom(f"∂{text(above)}/∂{text(own)}", rf"\frac{{\partial {latex(above)}}}{{\partial {latex(own)}}}")
        return shown, speller(expr)

    @cached_property
    def _result(self) -> tuple[Show, Show]:
        wrt = self._sweep.wrt
        return self._line(self._left(wrt.source), wrt.source, self._sweep.result, self._letters, self._sweep.jacobian)

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
        left, right = self._index_line(self._left(wrt.source), wrt.source, self._sweep.result, self._letters, self._sweep.jacobian)
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

    def _formula(self, source: Source) -> tuple[tuple[Letter, ...], Any] | None:
        for a in self._sweep.adjoints.values():
            if a.source == source:
                return a.definition.letters, a.expr
        if source == self._sweep.cotangent:
            return None
        d = self._sweep.forward.definitions[source.tensor]
        return None if d.expr is None or source.barred else (d.letters, d.expr)

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
        """The named quantities that the result uses, each with its formula."""
        found: list[Named] = []
        for source in self._used:
            if source in self._spelled:
                continue
            formula = self._formula(source)
            draw = self._draw(source)
            uniform = [source] if isinstance(source.tensor.op, Random) else []
            lines: list[tuple[str, str]] = []
            if formula is not None or draw is not None:
                left, right = self._defining(source, *(formula or draw or ()))
                lines = [(text(left) + " = " + text(right), latex(left) + " = " + latex(right))]
            if draw is not None:
                uniform = [s for s in dict.fromkeys(e.source for e in entries(draw[1])) if self._is_unnamed_draw(s)]
            shown = [self._words.name(s) for s in uniform]
            lines += constant_line(source.tensor, self._words.name(source))
            lines += [(f"{s.plain} ∼ U(0, 1)", rf"{s.tex} \sim \mathcal{{U}}(0, 1)") for s in shown]
            if lines:
                name = self._names[source] if not source.barred else self._words.name(source).plain
                plain, tex = zip(*lines, strict=True)
                found.append(Named(name, r",\; ".join(tex), ", ".join(plain), shape_words(source.tensor.shape)))
        return found

    def _defining(self, source: Source, letters: tuple[Letter, ...], expr: Any) -> tuple[Show, Show]:
        name = self._words.name(source)
        left, right = self._line(name, source, expr, letters)
        if source.barred and left == name:
            other = self._left(self._sweep.forward.definitions[source.tensor].source)
            if other.plain != name.plain:
                left = atom(f"{name.plain} = {other.plain}", f"{name.tex} = {other.tex}")
        return left, right

    # Steps

    @cached_property
    def steps(self) -> list[Step]:
        """The derivation, from the definitions to the result; every line true by itself."""
        lines: list[Step] = []
        for d in self._sweep.path:
            if d.expr is not None and d is not self._sweep.wrt and d.source not in self._spelled:
                left, right = self._line(self._words.name(d.source), d.source, d.expr, d.letters)
                reason = f"definition of {self._words.name(d.source).plain}"
                lines.append(Step(f"{latex(left)} = {latex(right)}", f"{text(left)} = {text(right)}", reason, shape_words(d.tensor.shape)))
        for a in self._sweep.adjoints.values():
            if a.definition is self._sweep.y and a.definition is not self._sweep.wrt:
                continue
            if a.definition.operand is not None and a.expr.is_number:
                continue
            lines.append(self._step(a))
        if self._sweep.wrt.tensor not in self._sweep.adjoints:
            lines.append(Step(self.latex, self.text, self._zero_words, shape_words(self.wrt.shape)))
        return lines

    def _step(self, a: Adjoint) -> Step:
        d = a.definition
        if d is self._sweep.wrt:
            left, right = self._result
            shape: tuple[Any, ...] = tuple(x.extent for x in self._letters)
        else:
            source = a.source or d.source
            letters = (*d.letters, *self._sweep.jacobian)
            if a.source is not None:
                left, right = self._defining(a.source, d.letters, a.expr)
            else:
                left, right = self._line(self._left(d.source), source, a.expr, letters, self._sweep.jacobian)
            shape = tuple(x.extent for x in letters)
        reason = reason_of(a, self._words, self._sweep)
        return Step(f"{latex(left)} = {latex(right)}", f"{text(left)} = {text(right)}", reason, shape_words(shape))

    # Numbers

    @cached_property
    def _listing(self) -> Listing:
        adjoints = {a.source: (a.definition.letters, a.expr) for a in self._sweep.adjoints.values() if a.source is not None}
        definitions = list(self._sweep.forward.definitions.values())
        return Listing(self._sweep.result, self._letters, definitions, adjoints, self._names, self._sweep.numbers, self.text)

    def numpy(self) -> str:
        """Source of one function ``gradient(...)`` that needs NumPy alone; its keywords are the names of the leaves used.

        Random quantities are keywords too: where they are left out they are drawn from ``seed=0, step=0``, as
        :func:`graphc.evaluate` draws them.
        """
        return self._listing.text

    @property
    def operations(self) -> int:
        """How many array operations the result takes from the leaves on, shared quantities once."""
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


def derive(y: Any, wrt: Any, layout: str = "denominator", cotangent: str | None = None) -> Any:
    r"""The derivative of ``y`` by ``wrt`` as a formula, with its steps, their reasons and shapes.

    Args:
        y: a tensor; for one that is no scalar the result is the Jacobian, or with ``cotangent`` the vector-Jacobian product.
        wrt: a tensor, or the name of one in the graph of ``y``; a list gives a list.
        layout: ``"denominator"`` (shape ``wrt.shape + y.shape``) or ``"numerator"`` (``y.shape + wrt.shape``).
        cotangent: the name of a symbol of ``y``'s shape.

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


def vocabulary(derivation: Derivation) -> Vocabulary:
    """The names that a derivation uses."""
    return derivation._words  # pyright: ignore[reportPrivateUsage]
