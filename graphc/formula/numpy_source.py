"""The NumPy source of a derivation's result, printed from its program, and its count of operations."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import DerivationError
from graphc.expr.dims import Dim, Extent, FloorDiv
from graphc.expr.operation import Leaf, Random
from graphc.expr.postorder import postorder
from graphc.expr.tensor import Node
from graphc.formula.atoms import Entry, Letter, Source, entries, letter
from graphc.formula.definition import Definition, axes
from graphc.formula.loops import Loop, Rows, in_loops, kept_inside, members_of, place_text, rows_of
from graphc.formula.matrices import matrix_call
from graphc.formula.names import identifier
from graphc.formula.program import Array, Program, Value, stable
from graphc.formula.sweep import Adjoint
from graphc.source.module import RANDOM_HELPERS, literal
from graphc.source.scalars import HELPERS

__all__ = ["Listing"]

_ATOM, _POWER, _UNARY, _PRODUCT, _SUM, _COMPARE = 6, 5, 4, 3, 2, 1
_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER, "neg": _UNARY, "//": _PRODUCT, "%": _PRODUCT}
_HELPERS = {**HELPERS, **RANDOM_HELPERS}
_READ = '''def _read(array, *places):
    """The entries at the places, which are kept inside the array."""
    return array[tuple(np.clip(p, 0, size - 1) for p, size in zip(places, array.shape))]
'''


class Listing:
    """A formula with everything it needs, as NumPy source.

    Attributes:
        arguments: the tensors that are given, by the name of the keyword.
        draws: the random ones, which are drawn where they are not given.
        seeded: whether anything is drawn, from the keywords ``seed`` and ``step``.
        operations: how many array operations there are.
        text: the source.
    """

    def __init__(
        self,
        expr: Any,
        letters: Sequence[Letter],
        defined: Sequence[Definition],
        adjoints: Mapping[Source, Adjoint],
        names: dict[Source, str],
        numbers: Mapping[Node, int],
        title: str,
    ) -> None:
        self.letters, self.adjoints, self.names, self.numbers, self.title = tuple(letters), dict(adjoints), names, numbers, title
        self.definitions = {d.source: d for d in defined}
        self.arguments: dict[str, Source] = {}
        self.draws: dict[str, Source] = {}
        self._bases: dict[Source, Value] = {}
        self._variables: dict[str, Source | None] = {}
        self._rows: Rows = {}
        self._loops: dict[Array, Loop] = {}
        self._walked: dict[Any, Array] = {}
        self._reached = self._closure(expr)
        self._leaf_names = {names[s] for s in names if self._formula(s) is None and self._matrix(s) is None}
        self.seed, self.step = (self._variable(None, n) for n in ("seed", "step")) if numbers else ("", "")
        self.program = Program(self._base, self._size)
        self.result = self._full(self.program(stable(expr)), self.letters).array
        self.order = _reachable(self.result)
        self.seeded = any(v.op == "draw" for v in self.order)
        self.operations = sum(v.counted for v in _reachable(self.result, drawn=False))
        self.text = self._source()

    def _closure(self, expr: Any) -> list[Source]:
        """Every source that the formula needs, directly or not."""
        found: dict[Source, None] = {}
        pending = [expr]
        while pending:
            for e in entries(pending.pop()):
                if e.source not in found:
                    found[e.source] = None
                    below = self._formula(e.source)
                    if below is not None:
                        pending.append(below[1])
                    d = self.definitions.get(e.source)
                    if d is not None and d.recurrence is not None and e.source in d.recurrence.initial:
                        pending.append(d.recurrence.initial[e.source])
                    matrix = self._matrix(e.source)
                    if matrix is not None and matrix.operand is not None:
                        pending.append(Entry(matrix.operand, *axes(matrix.operand.tensor)))
        return list(found)

    def _formula(self, source: Source) -> tuple[Sequence[Letter], Any] | None:
        if source in self.adjoints:
            return self.adjoints[source].definition.letters, self.adjoints[source].expr
        d = self.definitions.get(source)
        return None if d is None or d.expr is None else (d.letters, d.expr)

    def _matrix(self, source: Source) -> Definition | None:
        """The definition of an inverse or a determinant."""
        d = self.definitions.get(source)
        return d if d is not None and d.operand is not None else None

    def _base(self, source: Source) -> Value:
        """The variable that holds a source."""
        row = self._row(source) if self._rows else None
        if row is not None:
            return row
        if source not in self._bases and source.start is not None:
            self._walk(source)
        if source not in self._bases:
            formula = self._formula(source)
            matrix = self._matrix(source)
            if matrix is not None:
                assert matrix.operand is not None
                value = self.program.make("reduce", matrix_call(matrix.tensor), (self._base(matrix.operand),), matrix.letters)
                self._bases[source] = self.program.make("name", self._variable(source), (value,))
            elif formula is None:
                self._bases[source] = self._random(source) if self._is_random(source) else self._given(source)
            else:
                letters, expr = formula
                value = self._full(self.program(stable(expr)), letters)
                self._bases[source] = self.program.make("name", self._variable(source), (value,))
        return self._bases[source]

    def _row(self, source: Source) -> Value | None:
        """The row of an array over time at the clock."""
        found = next((key for key, row in self._rows.items() if row == source), None)
        if found is None:
            return None
        of, at, length = found
        place = kept_inside(at, place_text(at, self.program.clock, self._size), of, length)
        loop = next((x for x in self._loops.values() if of in x.variables), None)
        if loop is not None and not loop.values:
            name = loop.variables[of]
            return self.program.make("row", f"{name}[{place.format(name)}]")
        return self.program.make("row", f"{{}}[{place}]", (self._base(of),))

    def _walk(self, source: Source) -> None:
        """The loop that makes a source over time, with everything else that it makes."""
        owner = self.adjoints[source].definition if source.barred else self.definitions[source]
        recurrence = owner.recurrence
        assert recurrence is not None
        members = members_of(recurrence, source.barred, self._reached, self.adjoints)
        if not self._loops:
            self.program.clock = self._variable(None, "t")
        array = Array("loop", str(len(self._loops)))
        loop = self._loops[array] = Loop(members, {m.source: self._variable(m.source) for m in members}, source.barred != recurrence.reverse)
        values = [self._full(self.program(rows_of(stable(m.expr), self._rows, recurrence.length)), m.letters).array for m in members]
        initial: list[Array] = []
        for m in members:
            shape = [self._rows_text(m.source.tensor.shape[0]), *(self._size(e) for e in m.source.tensor.shape[1:])]
            kind = {"int": ", int", "bool": ", bool"}.get(m.source.tensor.dtype, "")
            loop.head.append(f"{loop.variables[m.source]} = np.zeros({_tuple(shape)}{kind})")
            if m.source in recurrence.initial:
                first = self._full(self.program(stable(recurrence.initial[m.source])), m.letters).array
                loop.head.append(f"{loop.variables[m.source]}[{place_text(recurrence.start, '', self._size)}] = {{{len(initial)}}}")
                initial.append(first)
        loop.length, loop.values, loop.initial = self._rows_text(recurrence.length), values, initial
        made = Array("loop", array.text, (*initial, *values))
        self._loops[made] = self._loops.pop(array)
        self._walked[recurrence, source.barred] = made
        for m in members:
            axes_ = tuple(letter(k, e) for k, e in enumerate(m.source.tensor.shape))
            self._bases[m.source] = Value(self.program.make("made", loop.variables[m.source], (Value(made),)).array, axes_)

    def _rows_text(self, extent: Extent) -> str:
        return self._size(extent).removeprefix("(").removesuffix(")") if isinstance(extent, Dim) else str(extent)

    def _given(self, source: Source) -> Value:
        name = self.names[source]
        op = source.tensor.op
        if isinstance(op, Leaf) and op.kind == "constant":
            array = source.tensor.value
            shaped = f".reshape({array.shape})" if array.size == 0 else ""
            return self.program.make("name", self._variable(source), (self.program.make("number", f"np.array({literal(array)}){shaped}"),))
        if self.arguments.setdefault(name, source) != source:
            raise DerivationError(f"two tensors are called {name}: rename one of them")
        return self.program.make("name", self._variable(source))

    def _is_random(self, source: Source) -> bool:
        d = self.definitions.get(source)
        return d is not None and (d.drawn is not None or isinstance(d.tensor.op, Random))

    def _random(self, source: Source) -> Value:
        """Random numbers: drawn, but for those with a name that the caller gives."""
        d = self.definitions[source]
        if isinstance(d.tensor.op, Random):
            shape = _tuple([self._size(e) for e in d.tensor.shape])
            value = self.program.make("draw", f"_uniform({shape}, {self.seed}, {self.step}, {self.numbers[d.tensor.node]})", (), d.letters)
        else:
            value = self._full(self.program(stable(d.drawn)), d.letters)
        if not d.name:
            return value
        if self.draws.setdefault(d.name, source) != source:
            raise DerivationError(f"two tensors are called {d.name}: rename one of them")
        return self.program.make("drawn", self._variable(source), (value,))

    def _variable(self, source: Source | None, base: str = "") -> str:
        """A Python name for a source that no other has."""
        given = source is not None and self._formula(source) is None and self._matrix(source) is None
        name = self.names[source] if source is not None else base
        text = name if given and name.isidentifier() and not keyword.iskeyword(name) and name != "np" else identifier(name)
        while text in self._variables or keyword.iskeyword(text) or text == "np" or (not given and text in self._leaf_names):
            text += "_"
        self._variables[text] = source
        return text

    def _size(self, extent: Extent) -> str:
        """A size, read off an argument's shape."""
        if isinstance(extent, int):
            return str(extent)
        if len(extent.terms) == 1 and extent == Dim.named(extent.names[0]):
            return self._named_size(extent)
        terms: list[str] = []
        for monomial, c in extent.terms:
            factors = [f"({self._size(a.numerator)}) // {a.denominator}" if isinstance(a, FloorDiv) else self._size(Dim.named(a)) for a in monomial]
            terms.append(" * ".join([str(c), *factors] if c != 1 or not factors else factors))
        return "(" + " + ".join(terms) + ")"

    def _named_size(self, extent: Dim) -> str:
        given = [*self._reached, *(s for s in self.definitions if s not in self._reached)]
        for source in given:
            if self._formula(source) is None and not self._is_random(source) and extent in source.tensor.shape and source.tensor.name:
                return f"{self._base(source).array.text}.shape[{source.tensor.shape.index(extent)}]"
        raise DerivationError(f"the size {extent} stands in no input's shape, so the formula cannot know it")

    def _full(self, value: Value, letters: Sequence[Letter]) -> Value:
        """A value with all axes, in order and at their full size."""
        if set(value.letters) == set(letters):
            return self.program.aligned(value, letters)
        shape = _tuple([self._size(x.extent) for x in letters])
        return self.program.make("view", f"np.broadcast_to({{}}, {shape})", (self.program.aligned(value, letters),), letters)

    def _source(self) -> str:
        self._uses: dict[Array, int] = {}
        for v in self.order:
            for p in v.parts:
                self._uses[p] = self._uses.get(p, 0) + 1
        self._inside = in_loops(self.order)
        self._hoisted = {p for v in self._inside for p in v.parts if p not in self._inside and p.counted}
        texts: dict[Array, tuple[str, int]] = {}
        lines: list[str] = []
        self._listed([v for v in self.order if v not in self._inside], texts, lines)
        lines.append(f"return np.asarray({texts[self.result][0]})")
        return self._module(lines)

    def _listed(self, order: Sequence[Array], texts: dict[Array, tuple[str, int]], lines: list[str]) -> None:
        """The source of arrays; what is used twice, or is long, gets a line of its own."""
        for v in order:
            texts[v] = self._loop(v, texts, lines) if v.op == "loop" else self._text(v, texts, lines)
            simple = v.op in ("name", "number", "size", "drawn", "made", "row", "clock", "loop") or v is self.result
            wide = len(texts[v][0]) > 100
            if not simple and (self._uses.get(v, 0) > 1 or wide or v in self._hoisted):
                name = self._variable(None, "t")
                lines.append(f"{name} = {texts[v][0]}")
                texts[v] = (name, _ATOM)

    def _loop(self, v: Array, texts: dict[Array, tuple[str, int]], lines: list[str]) -> tuple[str, int]:
        """The lines of a loop over time."""
        loop = self._loops[v]
        lines += [h.format(*(texts[a][0] for a in loop.initial)) for h in loop.head]
        walk = f"range({loop.length})"
        lines.append(f"for {self.program.clock} in {f'reversed({walk})' if loop.backward else walk}:")
        inner, listed = list[str](), set[Array]()
        for m, value in zip(loop.members, loop.values, strict=True):
            fresh = [a for a in _reachable(value) if a in self._inside and a not in listed]
            listed.update(fresh)
            self._listed(fresh, texts, inner)
            inner.append(f"{loop.variables[m.source]}[{place_text(m.row, self.program.clock, self._size)}] = {texts[value][0]}")
        lines += [f"    {line}" for line in inner]
        return "", _ATOM

    def _text(self, v: Array, texts: dict[Array, tuple[str, int]], lines: list[str]) -> tuple[str, int]:
        parts = [texts[p] for p in v.parts]
        if v.op == "name":
            if parts:
                lines.append(f"{v.text} = {parts[0][0]}")
            return v.text, _ATOM
        if v.op == "drawn":
            lines.append(f"{v.text} = {parts[0][0]} if {v.text} is None else np.asarray({v.text})")
            return v.text, _ATOM
        if v.op == "row":
            return (v.text.format(*[_wrap(parts[0], _ATOM)] * v.text.count("{}")) if parts else v.text), _ATOM
        if v.op == "made":
            return v.text, _ATOM
        if v.op in ("number", "size", "range", "draw", "clock"):
            return v.text, _UNARY if v.text.startswith("-") else _ATOM
        if v.op == "infix":
            return _infix(v.text, parts)
        if v.op == "product":
            left, right = parts
            return f"{_wrap(left, _PRODUCT)} @ {_wrap(right, _UNARY)}", _PRODUCT
        if v.op == "einsum":
            return f'np.einsum("{v.text}", {parts[0][0]}, {parts[1][0]})', _ATOM
        if v.op in ("view", "reduce"):
            inner = parts[0][0] if v.text.startswith("np.") and "{}." not in v.text else _wrap(parts[0], _ATOM)
            return v.text.format(*[inner] * v.text.count("{}")), _ATOM
        return f"{v.text}({', '.join(p[0] for p in parts)})", _ATOM

    def _module(self, lines: Sequence[str]) -> str:
        body = "\n".join(f"    {line}" for line in lines)
        helpers = [_HELPERS[h] for h in sorted(_HELPERS) if f"{h}(" in body] + ([_READ] if "_read(" in body else [])
        given = sorted(self.arguments, key=lambda n: (self.arguments[n].barred, self.arguments[n].order))
        drawn = sorted(self.draws, key=lambda n: self.draws[n].order)
        local = {n: self._bases[s].array.text for n, s in (*self.arguments.items(), *self.draws.items())}
        other = [n for n in (*given, *drawn) if local[n] != n]
        seeds = [self.seed, self.step] if self.seeded else []
        named = [*(n for n in given if n not in other), *(f"{n}=None" for n in drawn if n not in other), *(f"{n}=0" for n in seeds)]
        signature = ", ".join([*(["*"] if named else []), *named, *(["**values"] if other else [])])
        unpacked = [f"    {local[n]} = values.get({n!r})\n" if n in drawn else f"    {local[n]} = np.asarray(values[{n!r}])\n" for n in other]
        arrays = [f"    {n} = np.asarray({n})\n" for n in given if n not in other]
        imports = ("import math\n\n" if any("math." in h for h in helpers) else "") + "import numpy as np\n"
        head = f"def gradient({signature}):\n{self._described(given, drawn, seeds)}"
        return "\n\n".join([imports, *helpers, f"{head}{''.join([*unpacked, *arrays])}{body}\n"])

    def _described(self, given: Sequence[str], drawn: Sequence[str], seeds: Sequence[str]) -> str:
        """The docstring: the result, and what each keyword is."""
        lines = [f"{self.title}, {_shape([x.extent for x in self.letters])}.", ""]
        lines += [f"{n}: {_shape(self.arguments[n].tensor.shape)}" for n in given]
        lines += [f"{n}: {_shape(self.draws[n].tensor.shape)}; random, drawn where not given" for n in drawn]
        if seeds:
            lines.append(f"{', '.join(seeds)}: what random numbers are drawn from")
        plain = ["".join(c if c.isprintable() else " " for c in line) for line in lines]  # names may hold anything
        text = "\n".join(f"    {line}".rstrip() for line in plain).strip().replace("\\", r"\\").replace('"', r"\"")
        return f'    """{text}{"" if len(lines) == 2 else chr(10) + "    "}"""\n'


def _shape(shape: Sequence[Extent]) -> str:
    """A shape in words."""
    return f"of shape {_tuple([str(e) for e in shape])}" if shape else "a number"


def _tuple(parts: Sequence[str]) -> str:
    """A tuple's source."""
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _reachable(value: Array, drawn: bool = True) -> list[Array]:
    """Everything an array is made of, parts first; ``drawn`` says whether what random arrays are made of counts too."""
    return postorder([value], lambda v: v.parts if v.op != "drawn" or drawn else ())


def _wrap(text: tuple[str, int], least: int) -> str:
    return text[0] if text[1] >= least else f"({text[0]})"


def _infix(sign: str, parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
    binding = _BINDING.get(sign, _COMPARE)
    if sign == "neg":
        return f"-{_wrap(parts[0], _UNARY)}", _UNARY
    left, right = parts
    least = binding + 1 if sign in ("-", "/", "**", "*", "//", "%") else binding
    low = binding + 1 if sign == "**" or binding == _COMPARE else binding
    return f"{_wrap(left, low)} {sign} {_wrap(right, max(least, _SUM if binding == _COMPARE else least))}", binding
