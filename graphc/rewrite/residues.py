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
from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.graph import rebuild
from graphc.expr.places import single, written
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, affine_formula, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.classes import Places, solved_places
from graphc.rewrite.parts import put_together
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
        return [put_together(node.outputs[0], parts)]

    return rebuild(outputs, change)


def _ways(op: Stage) -> list[list[Places]] | None:
    """The classes of each axis; ``None`` where an axis cannot be solved, or the gathers would take too many steps."""
    ways: list[list[Places]] = []
    used: set[int] = set()
    for axis, place in enumerate(op.write):
        moving = Affine(tuple(t for t in place.terms if op.extents[t[0]] != 1), place.offset)
        if any(v in used for v in moving.variables):
            return None
        used.update(moving.variables)
        order = single(moving, op.extents) if not op.guarded or _within(moving, op.extents, op.shape[axis]) else None
        if order is not None:
            ways.append([Places(moving, {}, tuple((k, op.extents[k]) for k in order), ())])
            continue
        classes = solved_places(op, axis, moving)
        if classes is None:
            return None
        ways.append(classes)
    if math.prod(len(w) for w in ways) > _MOST_PARTS or _steps(op, ways) > _MORE_STEPS * nominal(op.extents):
        return None
    return ways


def _steps(op: Stage, ways: Sequence[Sequence[Places]]) -> float:
    """The steps that the gathers take together."""
    gone = {k for classes in ways for c in classes for k in (*c.values, *c.write.variables) if k >= 0}
    rest = nominal([e for k, e in enumerate(op.extents) if k not in gone])
    return rest * math.prod(sum(nominal([e for _, e in (*c.written, *c.summed)]) for c in classes) for classes in ways)


def _part(node: Node, op: Stage, inputs: Sequence[Tensor], choice: Sequence[Places]) -> Tensor:
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
        if isinstance(part, Select):  # there a factor may be infinite, so only numbers may stand beside the zero
            ends: tuple[Any, ...] = part.args[1:]
            return all(p == 0 or (vanishes(p) and set(sympy.Mul.make_args(p)) <= {*zeros, *p.atoms(sympy.Number)}) for p in ends)
        return any(f in zeros for f in sympy.Mul.make_args(part))

    zeros = {
        read_symbol(n) for n, r in enumerate(op.reads)
        if r.outside in (None, 0.0) and any(p.bare == index and size == extent for p, size in zip(r.coords, inputs[r.operand].shape, strict=True))
    }  # fmt: skip
    return vanishes(op.body)
