"""The places of one axis that a stride leaves apart: classes of residues, and what the scatter's indices are in each.

A place is ``p = s*o + d*u + r`` with an index ``o`` that is solved for and a tap ``u``. Within the class ``p = s*q + c`` the
taps are ``u = u0 + (s/g)*v``, ``g = gcd(s, d)``, and ``o = q + e - (d/g)*v``: all steps are whole numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent, provably_at_least
from graphc.expr.stage import Stage
from graphc.rewrite.products import nominal

__all__ = ["Places", "solved_places"]

# A class: its residue, its first tap, how many taps, its first q, how many q, and e.
_Row = tuple[int, int, int, int, Extent, int]


@dataclass(frozen=True)
class Places:
    """How some places of an axis are written: by indices of the new stage, under names of our own.

    Attributes:
        write: where, over the new indices.
        values: what each old index that the place had is now.
        ranges: the extents of new indices that are written, and of those that are summed over.
        pivot: the old index that was solved for.
    """

    write: Affine
    values: Mapping[int, Affine]
    written: tuple[tuple[int, Extent], ...]
    summed: tuple[tuple[int, Extent], ...]
    pivot: int | None = None


def solved_places(op: Stage, axis: int, place: Affine) -> list[Places] | None:
    """The classes of an axis whose place has a stride and a tap, or is one index that may leave the axis."""
    found: list[list[Places]] = []
    for pivot, stride in place.terms:
        taps = [t for t in place.terms if t[0] != pivot]
        if len(taps) > 1 or not isinstance(stride, int) or not isinstance(place.offset, int):
            continue
        tap, dilation = taps[0] if taps else (None, 0)
        count = op.extents[tap] if tap is not None else 1
        if isinstance(dilation, int) and isinstance(count, int) and _related(op.shape[axis], op.extents[pivot]):
            found.append(_classes(op, axis, (pivot, stride), (tap, dilation, count), place.offset))
    return min(found, key=lambda classes: sum(nominal([e for _, e in (*c.written, *c.summed)]) for c in classes), default=None)


def _related(size: Extent, extent: Extent) -> bool:
    """Whether an axis has about as many places as an index can reach, as far as names show it."""
    names = [set(e.names) if isinstance(e, Dim) else set() for e in (size, extent)]
    return names[0] == names[1]


def _classes(op: Stage, axis: int, step: tuple[int, int], tap: tuple[int | None, int, int], offset: int) -> list[Places]:
    pivot, stride = step
    number, dilation, count = tap
    s, sign = abs(stride), 1 if stride > 0 else -1
    g = math.gcd(s, dilation)
    rows: list[_Row] = []
    for c in range(s):
        first = next((u for u in range(s // g) if (c - offset - dilation * u) % s == 0), None)
        if first is None or first >= count:
            continue
        taps = -(-(count - first) // (s // g))
        shift = (c - offset - dilation * first) // s
        low, size = _range(op.shape[axis], op.extents[pivot], (s, c, sign), shift, dilation // g * (taps - 1))
        if size != 0:
            rows.append((c, first, taps, low, size, shift))
    return [_places((pivot, number), run, s, sign, s // g, dilation // g, axis) for run in _runs(rows)]


def _range(size: Extent, extent: Extent, what: tuple[int, int, int], shift: int, reach: int) -> tuple[int, Extent]:
    """The first q of a class that any tap reaches, and how many there are."""
    s, c, sign = what
    low, high = (0, extent - 1) if sign > 0 else (1 - extent, 0)
    first = low - shift + min(reach, 0)
    first = max(first, 0) if isinstance(first, int) else 0
    count = (size - c + s - 1) // s if isinstance(size, Dim) else max(-(-(size - c) // s), 0)
    reached = high - shift + max(reach, 0) + 1  # one more than the last q that a tap reaches
    if isinstance(count, int) and isinstance(reached, int):
        return first, max(min(count, reached) - first, 0)
    least = reached if provably_at_least(count - reached, 0) else count
    return (first, least - first) if provably_at_least(least - first, 0) else (0, count)


def _runs(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Neighbouring classes that differ only in where they and their taps begin."""
    runs: list[list[_Row]] = []
    for row in rows:
        last = runs[-1] if runs else []
        if last and row[0] == last[-1][0] + 1 and row[2:] == last[-1][2:]:
            slopes = {b[1] - a[1] for a, b in itertools.pairwise([*last, row])}
            if len(slopes) == 1 and abs(next(iter(slopes))) <= 1:
                last.append(row)
                continue
        runs.append([row])
    return runs


def _places(
    old: tuple[int, int | None], run: Sequence[_Row], s: int, sign: int, gap: int, slope: int, axis: int
) -> Places:  # fmt: skip
    """The class of a run; the new indices of an axis are -1 - 3*axis and the two below."""
    c, first, taps, low, size, shift = run[0]
    q, k, v = (-1 - 3 * axis - n for n in range(3))
    pace = run[1][1] - first if len(run) > 1 else 0
    place, behind = Affine.variable(q), Affine.constant(0)
    write = place.scaled(s) + (s * low + c)
    outs: list[tuple[int, Extent]] = [(q, size)]
    if len(run) > 1:
        write = write + Affine.variable(k)
        behind = behind + Affine.variable(k).scaled(pace)
        outs.append((k, len(run)))
    at = place + (low + shift)
    sums: tuple[tuple[int, Extent], ...] = ()
    tap = behind + first
    if taps > 1:
        at = at - Affine.variable(v).scaled(slope)
        tap = tap + Affine.variable(v).scaled(gap)
        sums = ((v, taps),)
    values = {old[0]: at.scaled(sign)}
    if old[1] is not None:
        values[old[1]] = tap
    return Places(write, values, tuple(outs), sums, old[0])
