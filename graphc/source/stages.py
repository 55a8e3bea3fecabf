"""One stage as NumPy source: its accesses, its body, its reducer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy
from sympy.core.relational import Relational

from graphc.expr.dims import Extent
from graphc.expr.operation import DType
from graphc.expr.stage import Stage, dimension_symbol, index_symbol, read_symbol
from graphc.source.places import Names, StagePlaces, Value, extent_text
from graphc.source.scalars import body_text

__all__ = ["StageSource"]

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
_AT = {"sum": "np.add", "prod": "np.multiply", "max": "np.maximum", "min": "np.minimum"}
_IDENTITY = {"sum": "0", "prod": "1", "max": "-np.inf", "min": "np.inf"}


class StageSource:
    """A stage on its way to source.

    Args:
        stage: what to print.
        inputs: source, shape and kind of each operand.
        dtype: the kind of the result.
        floats: ``"float64"`` or ``"float32"``.
        names: the source of each named size.
        emit: gives an expression a line and a name; returns the name.
    """

    def __init__(
        self, stage: Stage, inputs: Sequence[tuple[str, tuple[Extent, ...], DType]], dtype: DType, floats: str, names: Names,
        emit: Callable[[str], str],
    ) -> None:  # fmt: skip
        self.stage, self.inputs, self.dtype, self.floats, self.names, self.emit = stage, inputs, dtype, floats, names, emit
        self.places = StagePlaces(stage, [(text, shape) for text, shape, _ in inputs], names, emit)
        self.kind = {"float": f"np.{floats}", "int": "np.int64", "bool": "np.bool_"}[dtype]
        self._aligned: list[str] = []

    def outputs(self, wanted: int) -> list[str]:
        """The source of the stage's value and, where it reduces by max or min and ``wanted`` is 2, of the winners."""
        contraction = self._contraction()
        if contraction is not None:
            return [contraction]
        value = self._body()
        if self.stage.free is None:
            return [self._scatter(value)]
        reduced = len(self.stage.extents) - len(self.stage.free)
        if self.stage.reducer is None or (not reduced and self.stage.reducer in ("sum", "prod")):
            return [self._typed(value)]
        return self._reduced(value, reduced, wanted)

    def _read(self, number: int) -> Value:
        read = self.stage.reads[number]
        value = self.places.read(read, [self._earlier(k) for k in range(number)])
        kind = self.inputs[read.operand][2]
        if kind == "bool" and not self._only_compared(number):
            return Value(f"{value.text}.astype({'np.int64' if self.dtype != 'float' else self.kind})", value.axes)
        places = [*self.stage.write, *(p for r in self.stage.reads for p in r.coords)]
        as_place = any(-v - 1 == number for p in places for v in p.variables)
        if kind == "int" and self.dtype == "float" and self.floats == "float32" and not as_place:
            return Value(f"{value.text}.astype(np.float32)", value.axes)
        return value

    def _earlier(self, number: int) -> str:
        return self._aligned[number] if number < len(self._aligned) else ""

    def _only_compared(self, number: int) -> bool:
        symbol = read_symbol(number)
        return (isinstance(self.stage.body, Relational) and symbol in self.stage.body.args) or (all(
            not part.has(symbol) or isinstance(part, Relational) or symbol not in part.args
            for part in sympy.preorder_traversal(self.stage.body)
            if part != symbol
        ) and self.stage.body != symbol)  # fmt: skip

    def _contraction(self) -> str | None:
        """A sum of products as ``np.einsum``; ``None`` for any other stage."""
        stage = self.stage
        factors = sympy.Mul.make_args(stage.body)
        symbols: dict[Any, int] = {read_symbol(k): k for k in range(len(stage.reads))}
        plain = all(r.outside is None and all(v >= 0 for p in r.coords for v in p.variables) for r in stage.reads)
        if stage.reducer != "sum" or stage.free is None or not plain or self.dtype != "float" or len(stage.extents) > len(_LETTERS):
            return None
        numbers = [f for f in factors if f.is_Number or f in [dimension_symbol(k) for k in range(len(stage.dims))]]
        reads = [symbols[b] for f in factors for b in _repeated(f) if b in symbols]
        if len(reads) < 2 or len(numbers) + sum(len(_repeated(f)) for f in factors if f not in numbers) != len(numbers) + len(reads):
            return None
        if any(self.inputs[stage.reads[k].operand][2] == "bool" for k in reads):
            return None
        values = [self._spanning(k) for k in reads]
        if {a for v in values for a in v.axes} != set(range(len(stage.extents))):
            return None
        letters = [_LETTERS[k] for k in range(len(stage.extents))]
        spec = ",".join("".join(letters[a] for a in v.axes) for v in values) + "->" + "".join(letters[a] for a in stage.free)
        text = f'np.einsum("{spec}", {", ".join(v.text for v in values)})'
        for number in numbers:
            dims: dict[Any, str] = {dimension_symbol(k): extent_text(d, self.names, True) for k, d in enumerate(stage.dims)}
            text = f"{dims[number] if number in dims else body_text(number, {}, self.emit)} * {text}"
        return text

    def _spanning(self, number: int) -> Value:
        """A read's value with all the axes that it claims: what is picked by index arrays lacks those that they leave out."""
        read, value = self.stage.reads[number], self._read(number)
        if self.places.is_slice(read):
            return value
        sizes = [self.places.size(k) for k in self.places.order]
        return Value(f"np.broadcast_to({value.text}, ({', '.join(sizes)}{',' if len(sizes) == 1 else ''}))", value.axes)

    def _body(self) -> str:
        """The body over the whole box, or broadcasting to it."""
        stage = self.stage
        counted = dict.fromkeys(range(len(stage.reads)), 0)
        for part in sympy.preorder_traversal(stage.body):
            for number in counted:
                counted[number] += part == read_symbol(number)
        for number in range(len(stage.reads)):
            text = self.places.aligned(self._read(number))
            as_place = any(-v - 1 == number for r in stage.reads for p in r.coords for v in p.variables)
            if (counted[number] > 1 or as_place) and not text.isidentifier():
                text = self.emit(text)
            self._aligned.append(text)
        symbols: dict[Any, str] = {read_symbol(k): t for k, t in enumerate(self._aligned)}
        for k, dim in enumerate(stage.dims):
            symbols[dimension_symbol(k)] = extent_text(dim, self.names, True)
        for k in range(len(stage.extents)):
            if index_symbol(k) in stage.body.free_symbols:
                symbols[index_symbol(k)] = self.places.index(k)
        return body_text(stage.body, symbols, self.emit)

    def _covered(self) -> bool:
        """Whether the reads of the body span the whole box by themselves."""
        spanned: set[int] = set()
        symbols = self.stage.body.free_symbols
        for number, read in enumerate(self.stage.reads):
            if read_symbol(number) in symbols:
                slices = self.places.slices(read, self.inputs[read.operand][1])
                spanned |= set(slices[2]) if slices is not None else {k for p in read.coords for k in p.variables if k >= 0}
        spanned |= {k for k in range(len(self.stage.extents)) if index_symbol(k) in symbols}
        return len(spanned) == len(self.stage.extents)

    def _boxed(self, value: str) -> str:
        if self._covered():
            return value
        sizes = [self.places.size(k) for k in self.places.order]
        return f"np.broadcast_to({value}, ({', '.join(sizes)}{',' if len(sizes) == 1 else ''}))"

    def _typed(self, value: str) -> str:
        """The value as an array of the result's kind and full shape."""
        text = self._boxed(value)
        certain = self.dtype == "float" and self._covered() and any(self.inputs[r.operand][2] == "float" for r in self.stage.reads)
        mixed = self.floats == "float32" and bool(self.stage.body.atoms(sympy.Symbol) & {index_symbol(k) for k in range(len(self.stage.extents))})
        if certain and not mixed:
            return text
        return f"np.asarray({text}, dtype={self.kind})"

    def _reduced(self, value: str, count: int, wanted: int) -> list[str]:
        reducer = self.stage.reducer
        assert reducer is not None
        axes = ", ".join(str(-k) for k in range(count, 0, -1))
        axis = f"axis=({axes})" if count > 1 else f"axis={axes or '()'}"
        boxed = self._boxed(value)
        if (wanted == 2 and count) or (not boxed.isidentifier() and wanted == 2):
            boxed = self.emit(f"np.asarray({boxed})")
        extra = f", initial={_IDENTITY[reducer]}" if reducer in ("max", "min") and self.dtype == "float" else ""
        extra = f", dtype={self.kind}" if reducer in ("sum", "prod") and self.dtype != "bool" and not self._certainly_float() else extra
        # Whole numbers have no infinity to start from.
        floats = reducer in ("max", "min") and self.dtype == "float" and not self._certainly_float()
        result = f"np.{reducer}({f'np.asarray({boxed}, dtype={self.kind})' if floats else boxed}, {axis}{extra})"
        results = [f"np.asarray({result}, dtype={self.kind})" if self.dtype == "bool" else result]  # it is a whole number so far
        if wanted == 2:
            results.append(f"_winner(np.arg{reducer}, {boxed}, {count})")
        return results

    def _certainly_float(self) -> bool:
        return self.floats == "float64" and any(self.inputs[r.operand][2] == "float" for r in self.stage.reads)

    def _scatter(self, value: str) -> str:
        stage = self.stage
        shape = ", ".join(extent_text(e, self.names) for e in stage.shape)
        reducer = stage.reducer or "sum"
        at: list[str] = []
        for axis, place in enumerate(stage.write):
            text = self.places.place(place, self._aligned)
            checked = any(v < 0 for v in place.variables) and not stage.guarded
            at.append(self.places.checked(text, place, stage.shape[axis], f"axis {axis} of what is written") if checked else text)
        guard = ", True" if stage.guarded else ""
        places = f"({', '.join(at)}{',' if len(at) == 1 else ''})"
        start = f"np.full(({shape}{',' if len(stage.shape) == 1 else ''}), {_IDENTITY[reducer]}, dtype={self.kind})"
        return f"_scattered({_AT[reducer]}, {start}, {places}, {self._boxed(value)}{guard})"


def _repeated(factor: Any) -> list[Any]:
    """The factors of a power with a small whole exponent."""
    if isinstance(factor, sympy.Pow) and factor.exp.is_Integer and 0 < factor.exp <= 3:
        return [factor.base] * int(factor.exp)
    return [factor]


STAGE_HELPERS: dict[str, str] = {
    "_winner": '''def _winner(search, values, count):
    """The flat position of the largest or smallest entry along the last ``count`` axes."""
    kept = values.shape[: values.ndim - count]
    flat = values.reshape(*kept, math.prod(values.shape[values.ndim - count :]))
    return search(flat, axis=-1) if flat.shape[-1] else np.zeros(kept, dtype=np.int64)
''',
    "_scattered": '''def _scattered(combine, result, places, values, guarded=False):
    """The values combined into the result at their places; those outside are left out where that is allowed."""
    places = np.broadcast_arrays(*places, np.empty(np.shape(values), dtype=np.bool_))[:-1]
    values = np.broadcast_to(values, places[0].shape if places else np.shape(values))
    if guarded:
        within = np.ones(values.shape, dtype=np.bool_)
        for at, size in zip(places, result.shape):
            within &= (at >= 0) & (at < size)
        places, values = [at[within] for at in places], values[within]
    combine.at(result, tuple(places), values.astype(result.dtype))
    return result
''',
}
