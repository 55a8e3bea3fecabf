"""Tiles: a convolution by a small filter, or its gradient by the filter, with a part of the multiplications.

Several neighbouring places of the filter, a tile, are computed at once (see ``winograd.py``): what the tile reads is transformed,
the filter is transformed, and of the sum of products there is left a product for each entry of these. A tile of 4 by 4 places and a
filter of 3 by 3 taps leave 36 products of 144. The transforms are sums of few entries, written out entry by entry.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent
from graphc.expr.entry import Entry, Table
from graphc.expr.graph import rebuild
from graphc.expr.stage import Read, Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, nominal
from graphc.rewrite.winograd import Fast, fast

__all__ = ["compute_by_tiles"]

_TILES = (4, 2)  # places of a tile along an axis, the first that divides the axis
_TAPS = (3, 5)  # taps of a filter along an axis: at least, and at most
_MOST_AXES = 2

_WORTH = 1 << 20  # products of two numbers in a sum that is worth it
_CHANNELS = 16  # that a filter must have on either side
_FEWEST = 16  # tiles that share a transformed filter
_KEPT, _MOST = 1 << 22, 1 << 26  # entries of a transformed image that is kept for the gradient by the filter, and of any

Axes = Mapping[int, Affine]  # of a tensor's axes: the index that goes along each


@dataclass(frozen=True)
class _Slide:
    """An axis that a filter slides along.

    Attributes:
        axis: of the image.
        place, tap: the indices of places and of taps.
        turned: whether taps go against the places.
        start: what the image's coordinate is at the first place and the tap that comes first there.
        tiles: how many tiles there are.
        by: its matrices.
    """

    axis: int
    place: int
    tap: int
    turned: bool
    start: Extent
    tiles: int
    by: Fast


@dataclass(frozen=True)
class _Sliding:
    """A sum of products as a filter that slides along an image; ``image``, ``other``: the reads; ``taps``: whether these are summed."""

    image: int
    other: int
    slides: tuple[_Slide, ...]
    taps: bool


@dataclass(frozen=True)
class _Step:
    """A matrix along an axis of a tensor: what it multiplies lies at ``start + step*tile + turn*k``, and there are so many tiles.

    Without tiles the axis is gone.
    """

    axis: int
    table: Table
    start: Extent = 0
    step: int = 0
    turn: int = 1
    tiles: int | None = None


def compute_by_tiles(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which small filters slide tile by tile."""
    made: dict[Any, Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or op.free is None or contraction(out) is None:
            return None
        found = _sliding(op)
        if found is None:
            return None
        return [_Tiled(op, out, inputs, _order(found, inputs[op.reads[found.image].operand]), made).result()]

    return rebuild(outputs, change)


def _sliding(op: Stage) -> _Sliding | None:
    """How a filter slides in a sum of products; ``None`` where none does, or where it is not worth it."""
    for image in (0, 1):
        axes = range(len(op.reads[image].coords) - 1)  # the last one are the channels
        slides = tuple(s for axis in axes if (s := _slide(op, image, axis)) is not None)
        taps = {s.tap in op.reduced for s in slides}
        if len(taps) == 1 and len(slides) <= _MOST_AXES:
            found = _Sliding(image, 1 - image, slides, taps.pop())
            return found if _worth(op, found) else None
    return None


def _order(found: _Sliding, image: Tensor) -> _Sliding:
    """In which order the entries of a tile stand.

    In another order a large image is another tensor for the gradient by the filter: it is transformed again there, and its transform,
    twice as large as itself, takes no memory from the value to the gradient. Along one axis, where it is half as large again, it is kept.
    """
    size = nominal(image.shape) * math.prod(s.by.n / s.by.m for s in found.slides)
    return found if found.taps or size <= _KEPT else dataclasses.replace(found, slides=found.slides[::-1])


def _worth(op: Stage, found: _Sliding) -> bool:
    """Whether enough products read each entry of what is transformed, and enough are summed to each entry that is transformed back."""
    gone = {k for s in found.slides for k in (s.place, s.tap)}
    image, other = ({v for p in op.reads[r].coords for v in p.variables} - gone for r in (found.image, found.other))
    alone, shared = image - other, image & other & set(op.reduced)
    inner, samples = (shared, alone) if found.taps else (alone, shared)
    channels = min(nominal([op.extents[k] for k in some]) for some in (other - image, inner))
    tiles = nominal([*(op.extents[k] for k in samples), *(s.tiles for s in found.slides)])
    largest = tiles * math.prod(s.by.n for s in found.slides) * max(nominal([op.extents[k] for k in some]) for some in (other - image, inner))
    return nominal(op.extents) >= _WORTH and channels >= _CHANNELS and tiles >= _FEWEST and largest <= _MOST


def _slide(op: Stage, image: int, axis: int) -> _Slide | None:
    """The axis of a read as one that a filter slides along: a place, and a tap that the other read or the result has too."""
    coordinate = op.reads[image].coords[axis]
    if len(coordinate.terms) != 2:
        return None
    for (place, step), (tap, turn) in (coordinate.terms, coordinate.terms[::-1]):
        m, r = op.extents[place], op.extents[tap]
        if step != 1 or turn not in (1, -1) or not isinstance(m, int) or not isinstance(r, int) or not _TAPS[0] <= r <= _TAPS[1] or m <= r:
            continue
        by = next((f for size in _TILES if m % size == 0 and (f := fast(size, r)) is not None), None)
        summed, kept = (place, tap) if place in op.reduced else (tap, place)
        if by is not None and _alone(op, image, summed, kept):
            turned = turn == -1
            return _Slide(axis, place, tap, turned, coordinate.offset - (r - 1 if turned else 0), m // by.m, by)
    return None


def _alone(op: Stage, image: int, summed: int, kept: int) -> bool:
    """Whether the image alone has the index that the result has, and both operands have the one that is summed, each in one place."""
    if summed not in op.reduced or kept in op.reduced:
        return False
    uses = [[p for p in op.reads[r].coords if k in p.variables] for r in (image, 1 - image) for k in (summed, kept)]
    return [len(u) for u in uses] == [1, 1, 1, 0] and uses[2][0].terms == ((summed, 1),)


class _Tiled:
    """A sum of products in the making: the transforms of both operands, the products that are left, and the transform of these.

    In the products an index of places counts tiles, and one of taps the entries of a transformed tile. Those entries stand
    before the first axis that has tiles, so that an image's tiles lie together for each of them.
    """

    def __init__(self, op: Stage, out: Tensor, inputs: Sequence[Tensor], found: _Sliding, made: dict[Any, Tensor]) -> None:
        self.op, self.out, self.inputs, self.found, self.made = op, out, inputs, found, made
        self.slides = found.slides
        self.entries = tuple(Affine.variable(s.tap) for s in self.slides)

    def result(self) -> Tensor:
        """The sum."""
        op, taps = self.op, self.found.taps
        extents = list(op.extents)
        for s in self.slides:
            extents[s.place], extents[s.tap] = s.tiles, s.by.n
        reads = {self.found.image: self._image(), self.found.other: self._filter() if taps else self._places()}
        axes = [_axis(op.write, s.place if taps else s.tap) for s in self.slides]
        at = min(axes) if taps else 0
        kept = [a for a in range(self.out.ndim) if taps or a not in axes]
        write = tuple(op.write[a] for a in kept)
        write = (*write[:at], *self.entries, *write[at:])
        shape = [extents[p.variables[0]] for p in write]
        products = stage(extents, [reads[0], reads[1]], op.body, write=write, shape=shape, reducer="sum", dtype="float", origin=self.out.origin)
        now = {a: number + (len(self.slides) if number >= at else 0) for number, a in enumerate(kept)}  # where the result's axes are
        steps = [_Step(at + k, (s.by.places if taps else s.by.taps).T) for k, s in enumerate(self.slides)]

        def place(there: Axes, rows: Sequence[Affine]) -> list[Affine]:
            coords = {a: there[axis] for a, axis in now.items()}
            for a, row, s in zip(axes, rows, self.slides, strict=True):
                last = Affine.constant(s.by.r - 1)
                coords[a] = coords[a].scaled(s.by.m) + row if taps else last - row if s.turned else row
            return [coords[a] for a in range(self.out.ndim)]

        return _transform(products, steps, place, self.out.shape, self.out)

    def _image(self) -> Access:
        """The transformed image: tiles in place of places."""
        steps = [_Step(s.axis, s.by.values, s.start, s.by.m, 1, s.tiles) for s in self.slides]
        return self._tiles(self.found.image, steps, [s.axis for s in self.slides])

    def _places(self) -> Access:
        """What the gradient by the filter multiplies the image with, transformed: tiles in place of places."""
        coords = self.op.reads[self.found.other].coords
        axes = [_axis(coords, s.place) for s in self.slides]
        steps = [_Step(a, s.by.places, coords[a].offset, s.by.m, 1, s.tiles) for a, s in zip(axes, self.slides, strict=True)]
        return self._tiles(self.found.other, steps, axes)

    def _tiles(self, number: int, steps: Sequence[_Step], axes: Sequence[int]) -> Access:
        read, tensor = self._read(number)
        coords = list(read.coords)
        for a, s in zip(axes, self.slides, strict=True):
            coords[a] = Affine.variable(s.place)
        at = min(axes)
        key = tensor, tuple(steps)
        if key not in self.made:
            tiles = {s.axis: s.tiles for s in steps}
            shape = [tiles.get(a, e) for a, e in enumerate(tensor.shape)]
            whole = [*shape[:at], *(s.table.shape[0] for s in steps), *shape[at:]]

            def place(there: Axes, rows: Sequence[Affine]) -> list[Affine]:
                before, after = ([there[a] for a in some] for some in (range(at), range(at, tensor.ndim)))
                return [*before, *rows, *after]

            self.made[key] = _transform(tensor, steps, place, whole)  # type: ignore[arg-type]
        return self.made[key], (*coords[:at], *self.entries, *coords[at:])

    def _filter(self) -> Access:
        """The transformed filter: its entries first, then what is summed, then the result's columns."""
        read, tensor = self._read(self.found.other)
        order = sorted(range(tensor.ndim), key=lambda a: not any(v in self.op.reduced for v in read.coords[a].variables))
        if order != list(range(tensor.ndim)):  # a small copy, which is turned faster than the large result
            places = tuple(Affine.variable(order.index(a)) for a in range(tensor.ndim))
            tensor = stage([tensor.shape[a] for a in order], [(tensor, places)], read_symbol(0), dtype="float", origin=tensor.origin)
        coords = tuple(read.coords[a] for a in order)
        axes = [_axis(coords, s.tap) for s in self.slides]
        steps = [
            _Step(a, s.by.taps, coords[a].offset + (s.by.r - 1 if s.turned else 0), 0, -1 if s.turned else 1)
            for a, s in zip(axes, self.slides, strict=True)
        ]
        kept = [a for a in range(tensor.ndim) if a not in axes]
        shape = [*(s.by.n for s in self.slides), *(tensor.shape[a] for a in kept)]
        made = _transform(tensor, steps, lambda there, rows: [*rows, *(there[a] for a in kept)], shape)
        return made, (*self.entries, *(coords[a] for a in kept))

    def _read(self, number: int) -> tuple[Read, Tensor]:
        read = self.op.reads[number]
        return read, self.inputs[read.operand]


def _axis(places: Sequence[Affine], index: int) -> int:
    """The axis along which an index goes alone."""
    return next(a for a, p in enumerate(places) if p.variables == (index,))


def _transform(
    tensor: Tensor, steps: Sequence[_Step], place: Callable[[Axes, Sequence[Affine]], Sequence[Affine]], shape: Sequence[Extent],
    like: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A matrix along each of some axes, one after the other.

    Args:
        place: where an entry is written: given the index along each of the tensor's axes, and the rows of the matrices.
        shape: of the result; ``like``: what it is the same as.
    """
    there = {a: a for a in range(tensor.ndim)}  # where the tensor's axes are now
    rows: list[int] = []
    for number, step in enumerate(steps):
        along = there[step.axis]
        kept = [a for a in range(tensor.ndim) if a != along or step.tiles is not None]
        at = {a: Affine.variable(kept.index(a)) for a in kept}
        row, column = len(kept), len(kept) + 1
        window = at.get(along, Affine()).scaled(step.step) + Affine.variable(column).scaled(step.turn) + step.start
        coords = tuple(window if a == along else at[a] for a in range(tensor.ndim))
        extents = [step.tiles if a == along and step.tiles is not None else tensor.shape[a] for a in kept]
        body = Entry(step.table, index_symbol(row), index_symbol(column)) * read_symbol(0)
        there = {a: kept.index(now) for a, now in there.items() if now in kept}
        rows = [*(kept.index(r) for r in rows), row]
        written: dict[str, Any] = {"outputs": row + 1}
        if number == len(steps) - 1:
            axes = {a: Affine.variable(now) for a, now in there.items()}
            written = {"write": place(axes, [Affine.variable(r) for r in rows]), "shape": shape}
            written |= {} if like is None else {"name": like.name, "call": like.call, "guards": like.node.guards}
        origin = tensor.origin if like is None else like.origin
        tensor = stage([*extents, *step.table.shape], [(tensor, coords)], body, reducer="sum", dtype="float", origin=origin, **written)
    return tensor
