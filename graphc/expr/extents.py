"""The ranges of indices: inferred from accesses, and checked against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import Access, same_extent
from graphc.expr.dims import Dim, Extent, provably_at_least
from graphc.expr.origin import caller
from graphc.expr.tensor import Guard, Tensor

__all__ = ["check_inside", "infer_extents", "joint_extents"]


def joint_extents(reads: Sequence[Access], given: Mapping[int, Extent], count: int, guarded: bool) -> dict[int, Extent]:
    """What can be said about the extents of ``count`` indices from accesses that different stages will make."""
    extents: dict[int, Extent] = dict(given)
    for tensor, axis, place in _axes(reads):
        if place.bare is not None:
            extents.setdefault(place.bare, tensor.shape[axis])
    if not guarded:
        _fit(reads, extents, count)
    return extents


def infer_extents(
    reads: Sequence[Access], labels: Sequence[str], given: Mapping[int, Extent], guarded: bool, elsewhere: Mapping[int, Extent]
) -> tuple[list[Extent], list[Guard]]:
    """The extent of every index, numbered as in ``labels``.

    A bare index takes its axis's extent, then what is known of it ``elsewhere`` in the formula; otherwise it gets the
    largest extent that keeps every access inside, unless accesses may leave their tensors (``guarded``).

    Raises:
        ShapeError: where a bare index stands on axes that certainly differ.
        DeclarationError: where an extent cannot be inferred.
    """
    extents: dict[int, Extent] = dict(given)
    guards: list[Guard] = []
    for tensor, axis, place in _axes(reads):
        index = place.bare
        if index is None:
            continue
        known, found = extents.get(index), tensor.shape[axis]
        if known is None:
            extents[index] = found
            continue
        if index in given:
            continue
        guard = same_extent(
            known,
            found,
            f"the index {labels[index]} runs over {known}, but axis {axis} of {tensor.describe()} is {found}: "
            "an index has one extent; use another index, or give extents={...}",
        )
        if guard is not None:
            guards.append(guard)
    for index, extent in elsewhere.items():
        extents.setdefault(index, extent)
    if not guarded:
        _fit(reads, extents, len(labels))
    missing = [labels[k] for k in range(len(labels)) if k not in extents]
    if missing:
        raise DeclarationError(f"the extent of {', '.join(missing)} cannot be inferred from the formula: give it, extents={{{missing[0]}: 28}}")
    for k, label in enumerate(labels):
        extent = extents[k]
        if not provably_at_least(extent, 0):
            read = ", ".join(dict.fromkeys(t.describe() for t, _, place in _axes(reads) if place.coefficient(k) != 0))
            text = f"the index {label}, by which {read} is read, runs over {extent}, which is negative: give arrays large enough for every access"
            guards.append(Guard(extent, 0, text, caller(), "inside"))
    return [extents[k] for k in range(len(labels))], guards


def _axes(reads: Sequence[Access]) -> list[tuple[Tensor, int, Affine]]:
    return [(read[0], axis, place) for read in reads for axis, place in enumerate(read[1])]


def _fit(reads: Sequence[Access], extents: dict[int, Extent], count: int) -> None:
    """Give each index that is left the largest extent that keeps its accesses inside, one after the other."""
    for index in (k for k in range(count) if k not in extents):
        limits: list[Extent] = []
        for tensor, axis, place in _axes(reads):
            coefficient = place.coefficient(index)
            others = [v for v in place.variables if v != index]
            if coefficient == 0 or any(v < 0 or v not in extents for v in others):
                continue
            known = [extents.get(k, 0) for k in range(count)]
            bounds = Affine(tuple(t for t in place.terms if t[0] != index), place.offset).bounds(known)
            if bounds is None or not isinstance(coefficient, int):
                continue
            low, high = bounds
            # The greatest step k with 0 <= c*k + rest < size, for every value of the rest.
            room = tensor.shape[axis] - 1 - high if coefficient > 0 else low
            limits.append(room // abs(coefficient) + 1)
        if not limits:
            continue
        extents[index] = _least(limits)


def _least(limits: Sequence[Extent]) -> Extent:
    numbers = [e for e in limits if isinstance(e, int)]
    symbolic = [e for e in dict.fromkeys(limits) if isinstance(e, Dim)]
    if not symbolic:
        return max(min(numbers), 0)
    for candidate in symbolic:
        if all(provably_at_least(other - candidate, 0) for other in [*symbolic, *numbers]):
            return candidate
    return symbolic[0]


def check_inside(reads: Sequence[Access], extents: Sequence[Extent], labels: Sequence[str]) -> list[Guard]:
    """Check that no access leaves its tensor; what sizes alone decide is checked when they are known.

    Raises:
        ShapeError: for an access that certainly leaves its tensor.
    """
    guards: list[Guard] = []
    for tensor, axis, place in _axes(reads):
        # Nothing is read at an index that takes no value; what stands beside it may be computed all the same.
        if any(v >= 0 and extents[v] == 0 for v in place.variables):
            continue
        bounds = place.bounds(extents)
        if bounds is None or (place.bare is not None and tensor.shape[axis] == extents[place.bare]):
            continue
        low, high = bounds
        size = tensor.shape[axis]
        text = (
            f"axis {axis} of {tensor.describe()} is read at {_text(place, labels)}, which runs from {low} to {high} and leaves 0 to {size - 1}: "
            "change the place, give smaller extents={...}, or say gx.define(..., outside=0) to read 0 there"
        )
        if (isinstance(low, int) and low < 0) or (isinstance(size - 1 - high, int) and size - 1 - high < 0):
            raise ShapeError(text)
        if not (provably_at_least(low, 0) and provably_at_least(size - 1 - high, 0)):
            guards.append(Guard(low, size - 1 - high, text, caller(), "inside"))
    return guards


def _text(place: Affine, labels: Sequence[str]) -> str:
    def name(v: int) -> str:
        return labels[v] if v >= 0 else "an id"

    parts = [name(v) if c == 1 else f"{c}*{name(v)}" for v, c in place.terms]
    if place.offset != 0 or not parts:
        parts.append(str(place.offset))
    return " + ".join(parts).replace("+ -", "- ")
