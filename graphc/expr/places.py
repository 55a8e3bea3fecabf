"""Where stages write: maps that give each place to one index tuple, and parts of a result that do not touch.

A scatter whose map is such a map is no accumulation: it fills a part of its result and leaves the rest at 0. A sum of
scatters whose parts do not touch is one result, put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product, provably_at_least
from graphc.expr.stage import Stage

__all__ = ["cover", "disjoint", "written"]

_MOST_RESIDUES = 64


def written(op: Stage) -> tuple[int, ...] | None:
    """The indices that the write map uses, axis by axis and the wider steps first; ``None`` where two tuples may meet at a place.

    Every other index is reduced. For a gather these are its free indices.
    """
    if op.free is not None:
        return op.free
    if op.guarded:
        return None
    found: list[int] = []
    for place in op.write:
        order = single(place, op.extents)
        if order is None or any(k in found for k in order):
            return None
        found += order
    return tuple(found)


def single(place: Affine, extents: Sequence[Extent]) -> list[int] | None:
    """The indices of a map, the wider steps first, where it never takes a value twice; else ``None``."""
    terms: list[tuple[int, int]] = []
    for index, coefficient in place.terms:
        if index < 0 or not isinstance(coefficient, int):
            return None
        terms.append((abs(coefficient), index))
    terms.sort()
    reach = 0  # of the steps so far
    for position, (step, index) in enumerate(terms):
        if step <= reach:
            return None
        extent = extents[index]
        if isinstance(extent, int):
            reach += step * max(extent - 1, 0)
        elif position != len(terms) - 1:
            return None
    return [index for _, index in reversed(terms)]


def disjoint(parts: Sequence[Stage]) -> bool:
    """Whether no two of several stages write to one place."""
    return all(any(_apart(a, b, axis) for axis in range(len(a.write))) for a, b in combinations(parts, 2))


def _apart(a: Stage, b: Stage, axis: int) -> bool:
    """Whether two stages certainly write to different places of an axis."""
    range_a, range_b = (op.write[axis].bounds(op.extents) for op in (a, b))
    if range_a is not None and range_b is not None:
        (low, high), (other_low, other_high) = range_a, range_b
        if provably_at_least(other_low - high, 1) or provably_at_least(low - other_high, 1):
            return True
    steps = [max((c for _, c in op.write[axis].terms if isinstance(c, int)), default=0) for op in (a, b)]
    step = steps[0] if steps[0] == steps[1] else 0
    if not 1 < step <= _MOST_RESIDUES:
        return False
    left, right = (_residues(op, axis, step) for op in (a, b))
    return left is not None and right is not None and left.isdisjoint(right)


def _residues(op: Stage, axis: int, step: int) -> set[int] | None:
    """What is left of an axis's places divided by a step."""
    place = op.write[axis]
    rest = Affine(tuple(t for t in place.terms if t[1] != step), place.offset)
    bounds = rest.bounds(op.extents)
    if bounds is None or not isinstance(bounds[0], int) or not isinstance(bounds[1], int):
        return None
    low, high = bounds
    return {r % step for r in range(low, min(high, low + step) + 1)}


def cover(parts: Sequence[Stage], shape: Sequence[Extent]) -> bool:
    """Whether parts that do not touch certainly fill a result."""
    total: Extent = 0
    for op in parts:
        indices = written(op)
        assert indices is not None
        total = total + product(op.extents[k] for k in indices)
    return total == product(shape)
