"""Accesses as NumPy source: slices and transposes where they are plain, index arrays where they are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, FloorDiv
from graphc.expr.stage import Read, Stage

__all__ = ["PLACE_HELPERS", "Names", "StagePlaces", "Value", "extent_text"]

Names = dict[str, str]


@dataclass(frozen=True, slots=True)
class Value:
    """A piece of source and the stage's indices that its axes stand for, in order."""

    text: str
    axes: tuple[int, ...]


def extent_text(extent: Extent, names: Names, tight: bool = False) -> str:
    """A size as Python source; ``tight``: to stand within a product."""
    if isinstance(extent, int):
        return str(extent) if extent >= 0 or not tight else f"({extent})"
    terms: list[str] = []
    for monomial, coefficient in extent.terms:
        factors = [_atom_text(a, names) for a in monomial]
        if coefficient != 1 or not factors:
            factors.insert(0, str(coefficient))
        terms.append(" * ".join(factors))
    text = " + ".join(terms).replace("+ -", "- ")
    plain = len(terms) == 1 and not text.startswith("-") and " " not in text
    return text if plain or not tight else f"({text})"


def _atom_text(atom: str | FloorDiv, names: Names) -> str:
    if isinstance(atom, str):
        return names[atom]
    return f"(({extent_text(atom.numerator, names)}) // {atom.denominator})"


class StagePlaces:
    """The accesses of one stage, on their way to source.

    Args:
        stage: whose accesses.
        inputs: the source of each operand, and its shape.
        names: the source of each named size.
        emit: gives an expression a line and a name; returns the name.
    """

    def __init__(self, stage: Stage, inputs: Sequence[tuple[str, tuple[Extent, ...]]], names: Names, emit: Callable[[str], str]) -> None:
        self.stage, self.inputs, self.names, self.emit = stage, inputs, names, emit
        self.order = (*(stage.free or ()), *(k for k in range(len(stage.extents)) if k not in (stage.free or ())))
        self._grids: dict[int, str] = {}

    def size(self, index: int) -> str:
        """The source of an index's extent."""
        return extent_text(self.stage.extents[index], self.names)

    def index(self, index: int) -> str:
        """An index's values, along its own axis of the box."""
        if index not in self._grids:
            after = len(self.order) - 1 - self.order.index(index)
            shape = f".reshape({', '.join(['-1', *['1'] * after])})" if after else ""
            self._grids[index] = self.emit(f"np.arange({self.size(index)}){shape}")
        return self._grids[index]

    def place(self, place: Affine, earlier: Sequence[str]) -> str:
        """An affine place over the box's index arrays and the values of earlier reads."""
        terms: list[str] = []
        for variable, coefficient in place.terms:
            source = self.index(variable) if variable >= 0 else earlier[-variable - 1]
            terms.append(source if coefficient == 1 else f"{extent_text(coefficient, self.names, True)} * {source}")
        if place.offset != 0 or not terms:
            terms.append(extent_text(place.offset, self.names))
        return " + ".join(terms).replace("+ -", "- ")

    def read(self, read: Read, earlier: Sequence[str]) -> Value:
        """The value of an access: its axes are some of the box's, each in the box's order."""
        text, shape = self.inputs[read.operand]
        plain = self.slices(read, shape)
        if plain is None:
            return self._gathered(read, text, shape, earlier)
        parts, flips, axes = plain
        if any(p != ":" for p in parts):
            text += f"[{', '.join(parts)}]"
        if any(flips):
            text += f"[{', '.join('::-1' if f else ':' for f in flips)}]"
        return Value(text, axes)

    def is_slice(self, read: Read) -> bool:
        """Whether an access is a slice of its tensor."""
        return self.slices(read, self.inputs[read.operand][1]) is not None

    def aligned(self, value: Value) -> str:
        """The value with its axes in the box's order, and 1 for the rest, so that values broadcast."""
        kept = [k for k in self.order if k in value.axes]
        text = value.text
        if tuple(kept) != value.axes:
            text += f".transpose({', '.join(str(value.axes.index(k)) for k in kept)})"
        if not kept:
            return text
        leading = self.order.index(kept[0])
        inner = [":" if k in kept else "None" for k in self.order[leading:]]
        return text + f"[{', '.join(inner)}]" if "None" in inner else text

    def slices(self, read: Read, shape: tuple[Extent, ...]) -> tuple[list[str], list[bool], tuple[int, ...]] | None:
        """Slices, which of the kept axes run backwards, and their indices; ``None`` for an access that is no slice."""
        if read.outside is not None:
            return None
        parts: list[str] = []
        flips: list[bool] = []
        axes: list[int] = []
        for place, size in zip(read.coords, shape, strict=True):
            if not place.terms:
                parts.append(extent_text(place.offset, self.names))
                continue
            (index, step), *more = place.terms
            if more or index < 0 or index in axes or not isinstance(step, int):
                return None
            axes.append(index)
            flips.append(step < 0)
            parts.append(self._slice(place.offset, step, self.stage.extents[index], size))
        return parts, flips, tuple(axes)

    def _slice(self, start: Extent, step: int, count: Extent, size: Extent) -> str:
        if start == 0 and step == 1 and count == size:
            return ":"
        if step < 0:
            start, step = start + step * (count - 1), -step
            if start == 0 and step == 1 and count == size:
                return ":"
        stop = start + step * count
        text = f"{'' if start == 0 else extent_text(start, self.names)}:{extent_text(stop, self.names)}"
        return text if step == 1 else f"{text}:{step}"

    def checked(self, at: str, place: Affine, size: Extent, where: str) -> str:
        """Places that go through ids, which must lie inside; ``where`` is what they go to, empty where it has no name."""
        ids = next(self.inputs[self.stage.reads[-v - 1].operand][0] for v in place.variables if v < 0)
        source, target = ids if ids.isidentifier() else "", where or "the axis that it goes to"
        return f"_checked({at}, {extent_text(size, self.names)}, {source!r}, {target!r})"

    def _gathered(self, read: Read, text: str, shape: tuple[Extent, ...], earlier: Sequence[str]) -> Value:
        """The value of an access that is no slice, over the whole box."""
        at = [self.place(p, earlier) for p in read.coords]
        if read.outside is None:
            for axis, p in enumerate(read.coords):
                if any(v < 0 for v in p.variables):
                    at[axis] = self.checked(at[axis], p, shape[axis], f"axis {axis} of {text}" if text.isidentifier() else "")
            return Value(f"{text}[{', '.join(at)}]", self.order)
        named = [a if a.isidentifier() else self.emit(a) for a in at]
        return Value(f"_inside({text}, ({', '.join(named)}{',' if len(named) == 1 else ''}), {_float(read.outside)})", self.order)


def _float(value: float) -> str:
    """A number as source; infinities by name."""
    return repr(value) if math.isfinite(value) else f'float("{value}")'


PLACE_HELPERS: dict[str, str] = {
    "_inside": '''def _inside(array, places, other):
    """The entries at the places, and ``other`` where a place leaves the array."""
    within = np.True_
    for at, size in zip(places, array.shape):
        within = within & (at >= 0) & (at < size)
    if array.size == 0:
        return np.full(np.shape(within), other, dtype=array.dtype)
    clipped = tuple(np.clip(at, 0, size - 1) for at, size in zip(places, array.shape))
    return np.where(within, array[clipped], np.asarray(other, dtype=array.dtype))
''',
    "_checked": '''def _checked(ids, size, source, target):
    """The ids, all of which must lie in 0 ... size - 1."""
    ids = np.asarray(ids)
    if ids.size and (ids.min() < 0 or ids.max() >= size):
        bad = ids[(ids < 0) | (ids >= size)].flat[0]
        given = f"{source} holds {bad}, and" if source else f"{bad} is read, and"
        raise IndexError(f"{given} {target} runs from 0 to {size - 1}: an id is out of range")
    return ids
''',
}
