"""Residues: a scatter along strides becomes gathers, one for each class of places that the stride leaves apart.

With the place ``p = s*o + d*u + r`` along an axis of the result, ``o`` an index that the stage steps along and ``u`` a tap,
the places ``p = s*q + c`` of one class ``c`` are reached by the taps ``u = u0 + (s/g)*v`` alone, ``g = gcd(s, d)``, from
``o = q + e - (d/g)*v``. So each class is a sum over its own taps with steps of 1, and all classes together take as many
steps as the scatter. Neighbouring classes that have equally many taps and places share a stage, whose index ``k`` counts
the classes; a class that no tap reaches has no stage.

The gradient of a strided convolution, a transposed convolution and the gradient of pooling are such scatters.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Dim, Extent, provably_at_least
from graphc.expr.graph import rebuild
from graphc.expr.places import single, written
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, affine_formula, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import nominal

__all__ = ["split_residues"]

_MOST_PARTS = 16
_MORE_STEPS = 2  # times the scatter's: more is not worth a gather


def split_residues(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with strided scatters as sums of gathers that write to places of their own."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if not isinstance(op, Stage) or op.free is not None or op.reducer != "sum" or written(op) is not None:
            return None
        if any(v < 0 for places in (op.write, *(r.coords for r in op.reads)) for p in places for v in p.variables):
            return None
        ways = _ways(op)
        if ways is None:
            return None
        parts = [_part(node, op, inputs, choice) for choice in itertools.product(*ways)]
        return [_together(node.outputs[0], parts)]

    return rebuild(outputs, change)


# One axis ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Class:
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


def _ways(op: Stage) -> list[list[_Class]] | None:
    """The classes of each axis; ``None`` where an axis cannot be solved, or the gathers would take too many steps."""
    ways: list[list[_Class]] = []
    used: set[int] = set()
    for axis, place in enumerate(op.write):
        moving = Affine(tuple(t for t in place.terms if op.extents[t[0]] != 1), place.offset)
        if any(v in used for v in moving.variables):
            return None
        used.update(moving.variables)
        order = single(moving, op.extents) if not op.guarded or _within(moving, op.extents, op.shape[axis]) else None
        if order is not None:
            ways.append([_Class(moving, {}, tuple((k, op.extents[k]) for k in order), ())])
            continue
        classes = _solved(op, axis, moving)
        if classes is None:
            return None
        ways.append(classes)
    if math.prod(len(w) for w in ways) > _MOST_PARTS or _steps(op, ways) > _MORE_STEPS * nominal(op.extents):
        return None
    return ways


def _solved(op: Stage, axis: int, place: Affine) -> list[_Class] | None:
    """The classes of an axis whose place has a stride and a tap, or is one index that may leave the axis."""
    found: list[list[_Class]] = []
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


def _classes(op: Stage, axis: int, step: tuple[int, int], tap: tuple[int | None, int, int], offset: int) -> list[_Class]:
    pivot, stride = step
    number, dilation, count = tap
    s, sign = abs(stride), 1 if stride > 0 else -1
    g = math.gcd(s, dilation)
    rows: list[tuple[int, int, int, int, Extent, int]] = []
    for c in range(s):
        first = next((u for u in range(s // g) if (c - offset - dilation * u) % s == 0), None)
        if first is None or first >= count:
            continue
        taps = -(-(count - first) // (s // g))
        shift = (c - offset - dilation * first) // s
        low, size = _range(op.shape[axis], op.extents[pivot], (s, c, sign), shift, dilation // g * (taps - 1))
        if size != 0:
            rows.append((c, first, taps, low, size, shift))
    return [_class((pivot, number), run, s, sign, s // g, dilation // g, axis) for run in _runs(rows)]


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


def _runs(rows: Sequence[tuple[int, int, int, int, Extent, int]]) -> list[list[tuple[int, int, int, int, Extent, int]]]:
    """Neighbouring classes that differ only in where they and their taps begin."""
    runs: list[list[tuple[int, int, int, int, Extent, int]]] = []
    for row in rows:
        last = runs[-1] if runs else []
        if last and row[0] == last[-1][0] + 1 and row[2:] == last[-1][2:]:
            slopes = {b[1] - a[1] for a, b in itertools.pairwise([*last, row])}
            if len(slopes) == 1 and abs(next(iter(slopes))) <= 1:
                last.append(row)
                continue
        runs.append([row])
    return runs


def _class(
    old: tuple[int, int | None], run: Sequence[tuple[int, int, int, int, Extent, int]], s: int, sign: int, gap: int, slope: int, axis: int
) -> _Class:  # fmt: skip
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
    return _Class(write, values, tuple(outs), sums, old[0])


def _steps(op: Stage, ways: Sequence[Sequence[_Class]]) -> float:
    """The steps that the gathers take together."""
    gone = {k for classes in ways for c in classes for k in (*c.values, *c.write.variables) if k >= 0}
    rest = nominal([e for k, e in enumerate(op.extents) if k not in gone])
    return rest * math.prod(sum(nominal([e for _, e in (*c.written, *c.summed)]) for c in classes) for classes in ways)


# The stages ----------------------------------------------------------------------------------------------------------


def _part(node: Node, op: Stage, inputs: Sequence[Tensor], choice: Sequence[_Class]) -> Tensor:
    """The stage of one class of each axis."""
    values = {k: place for c in choice for k, place in c.values.items()}
    outs = [entry for c in choice for entry in c.written]
    sums = [entry for c in choice for entry in c.summed]
    solved = {k for c in choice for k in (*c.values, *(v for v, _ in c.written))}
    sums += [(k, e) for k, e in enumerate(op.extents) if k not in solved]
    number = {old: new for new, (old, _) in enumerate([*outs, *sums])}
    ranges = [e for _, e in [*outs, *sums]]
    places = {k: Affine.variable(number[k]) if k in number else values[k].renumber(number.__getitem__) for k in range(len(op.extents))}
    pivots = [c.pivot for c in choice if c.pivot is not None]
    doubtful = [k for k in pivots if not _within(places[k], ranges, op.extents[k])]
    body = op.body.xreplace(op.dim_values())
    held = {k for k in doubtful if _says_zero(op, inputs, k)}
    reads: list[Access] = []
    for read in op.reads:
        outside = read.outside
        if outside is None and any(k in p.variables for p in read.coords for k in doubtful):
            outside = 0.0
        reads.append((inputs[read.operand], tuple(p.substitute(places) for p in read.coords), outside))
    body = substitute_indices(body, places)
    conditions = [(places[k], op.extents[k]) for k in doubtful if k not in held]
    if conditions:
        inside = [rel for at, e in conditions for rel in (sympy.Ge(affine_formula(at), 0), sympy.Lt(affine_formula(at), sympy.sympify(e)))]
        body = Select(sympy.And(*inside), body, sympy.Integer(0))
    write = tuple(c.write.renumber(number.__getitem__) for c in choice)
    plain = not sums and tuple(p.bare for p in write) == tuple(range(len(ranges))) and tuple(ranges) == op.shape
    return stage(
        ranges, reads, body, write=write, shape=op.shape, reducer=None if plain else "sum", dtype="float", guards=node.guards, origin=node.origin
    )


def _within(place: Affine, ranges: Sequence[Extent], extent: Extent) -> bool:
    if place.bare is not None and ranges[place.bare] == extent:
        return True
    bounds = place.bounds(ranges)
    return bounds is not None and provably_at_least(bounds[0], 0) and provably_at_least(extent - 1 - bounds[1], 0)


def _says_zero(op: Stage, inputs: Sequence[Tensor], index: int) -> bool:
    """Whether a read at ``index`` alone, 0 outside its tensor, makes the body 0 wherever the index leaves its range."""
    extent = op.extents[index]

    def vanishes(part: Any) -> bool:
        if isinstance(part, Select):
            return all(p == 0 or vanishes(p) for p in part.args[1:])
        return any(f in zeros for f in sympy.Mul.make_args(part))

    zeros = {
        read_symbol(n) for n, r in enumerate(op.reads)
        if r.outside in (None, 0.0) and any(p.bare == index and size == extent for p, size in zip(r.coords, inputs[r.operand].shape, strict=True))
    }  # fmt: skip
    return vanishes(op.body)


def _together(out: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """The sum of the parts; zeros where there is none."""
    if len(parts) == 1:
        return parts[0]
    axes = tuple(Affine.variable(a) for a in range(out.ndim))
    body = sympy.Add(*(read_symbol(k) for k in range(len(parts))))
    return stage(out.shape, [(p, axes) for p in parts], body, dtype="float", name=out.name, call=out.call, origin=out.origin)
