"""Borders: a stage that asks at every entry whether it is inside is cut into boxes, most of which need not ask.

What a stage asks are conditions on its indices: of reads that may leave their tensors, and of choices in its formula. Each
cuts the range of an index of the result where it becomes certainly true or certainly false. In a box the conditions that
are decided are gone, and boxes that are 0 have no stage. Joined, padded and shifted tensors fall apart into plain copies, a
window that slides over an edge into an interior and thin borders. Ranges of named sizes are not cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import sympy
from sympy.core.relational import GreaterThan, LessThan, Relational, StrictGreaterThan, StrictLessThan

from graphc.expr import scalar
from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.graph import rebuild
from graphc.expr.stage import Read, Stage, index_symbol, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.parts import put_together
from graphc.rewrite.products import contraction, nominal

__all__ = ["split_borders"]

_MOST_BOXES = 9
_LEAST = 2048  # entries below which a kernel more costs more than conditions do
Box = tuple[tuple[int, Extent], ...]  # of each index its first value and how many there are


def split_borders(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with guarded stages as sums of boxes."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or op.free is None or op.reducer not in (None, "sum") or out.dtype != "float":
            return None
        if any(v < 0 for r in op.reads for p in r.coords for v in p.variables) or nominal(op.extents) < _LEAST:
            return None
        whole: Box = tuple((0, e) for e in op.extents)
        asked = [c for c in dict.fromkeys(_asked(op, inputs)) if _truth(c, whole) is None]
        boxes = _boxes(op, asked) if asked else []
        if len(boxes) < 2 or len(boxes) > _MOST_BOXES or contraction(out, padded=True) is not None:
            return None
        decided = [b for b in boxes if all(_truth(c, b) is not None for c in asked)]
        if 2 * sum(_size(op, b) for b in decided) < _size(op, whole):
            return None
        parts = [p for p in (_part(node, op, inputs, b) for b in boxes) if p is not None]
        return [put_together(out, parts)]

    return rebuild(outputs, change)


def _size(op: Stage, box: Box) -> float:
    assert op.free is not None
    return nominal([box[k][1] for k in op.free])


# Conditions, as maps that must not be negative -----------------------------------------------------------------------


def _asked(op: Stage, inputs: Sequence[Tensor]) -> Iterable[Affine]:
    """What a stage asks of its indices."""
    for read in op.reads:
        if read.outside is not None:
            yield from (c for pair in _inside(read, inputs[read.operand]) for c in pair)
    for relation in sorted(op.body.atoms(GreaterThan, LessThan, StrictGreaterThan, StrictLessThan), key=str):
        condition = _condition(relation, len(op.extents))
        if condition is not None:
            yield condition


def _inside(read: Read, source: Tensor) -> list[tuple[Affine, Affine]]:
    """That a read's places are not before, and not behind, their axes."""
    return [(p, Affine.constant(size - 1) - p) for p, size in zip(read.coords, source.shape, strict=True)]


def _condition(relation: Any, indices: int) -> Affine | None:
    """A comparison of indices; ``None`` where it is about anything else."""
    sides: tuple[Any, ...] = relation.args
    greater, less = sides if isinstance(relation, GreaterThan | StrictGreaterThan) else sides[::-1]
    difference: Any = sympy.expand(greater - less)
    if isinstance(relation, StrictGreaterThan | StrictLessThan):
        difference = difference - 1
    terms: list[tuple[int, int]] = []
    offset = 0
    parts: list[Any] = list(sympy.Add.make_args(difference))
    for part in parts:
        number, rest = part.as_coeff_Mul()
        index = None if rest == 1 else next((k for k in range(indices) if rest == index_symbol(k)), -1)
        if not number.is_Integer or index == -1:
            return None
        if index is None:
            offset += int(number)
        else:
            terms.append((index, int(number)))
    return Affine.collect(terms, offset)


def _truth(condition: Affine, box: Box) -> bool | None:
    """Whether a map is nowhere negative in a box, or negative everywhere."""
    moved = condition.substitute({k: Affine.variable(k) + first for k, (first, _) in enumerate(box)})
    bounds = moved.bounds([e for _, e in box])
    if bounds is None:
        return None
    if provably_at_least(bounds[0], 0):
        return True
    return False if provably_at_least(-1 - bounds[1], 0) else None


# Boxes ---------------------------------------------------------------------------------------------------------------


def _boxes(op: Stage, asked: Sequence[Affine]) -> list[Box]:
    """The box of a stage, cut along the indices of its result."""
    assert op.free is not None
    cuts: dict[int, set[int]] = {k: set() for k in op.free}
    for condition in asked:
        for index, positions in _cuts(condition, op):
            cuts[index].update(positions)
    ranges: list[list[tuple[int, Extent]]] = []
    for k, extent in enumerate(op.extents):
        ends = [0, *sorted(c for c in cuts.get(k, ()) if isinstance(extent, int) and 0 < c < extent)]
        pieces: list[tuple[int, Extent]] = [(a, b - a) for a, b in itertools.pairwise(ends)]
        ranges.append([*pieces, (ends[-1], extent - ends[-1])])
        if len(ranges[-1]) > _MOST_BOXES:
            return []
    return list(itertools.product(*ranges))


def _cuts(condition: Affine, op: Stage) -> list[tuple[int, tuple[int, ...]]]:
    """Where along the longest index of the result a condition becomes certainly false, and certainly true."""
    assert op.free is not None
    candidates = [(op.extents[v], v, c) for v, c in condition.terms if v in op.free and isinstance(op.extents[v], int) and isinstance(c, int)]
    if not candidates:
        return []
    _, index, step = max(candidates, key=lambda entry: (entry[0], -entry[1]))
    rest = Affine(tuple(t for t in condition.terms if t[0] != index), condition.offset).bounds(op.extents)
    if rest is None or not isinstance(rest[0], int) or not isinstance(rest[1], int):
        return []
    # step*i + rest >= 0: from -rest/step on where the step goes up, up to it where it goes down.
    low, high = rest
    return [(index, (-(low // step), -(high // step)) if step > 0 else (low // -step + 1, high // -step + 1))]


_CHOOSING = (sympy.Add, scalar.Select, scalar.Maximum, scalar.Minimum, Relational, sympy.And, sympy.Or, sympy.Not)  # exact on any numbers


def _part(node: Node, op: Stage, inputs: Sequence[Tensor], box: Box) -> Tensor | None:
    """The stage of one box; ``None`` where it is 0."""
    places = {k: Affine.variable(k) + first for k, (first, _) in enumerate(box)}
    values: dict[Any, Any] = {}
    numbers: dict[Any, Any] = {}
    for relation in op.body.atoms(GreaterThan, LessThan, StrictGreaterThan, StrictLessThan):
        condition = _condition(relation, len(op.extents))
        truth = None if condition is None else _truth(condition, box)
        if truth is not None:
            values[relation] = sympy.true if truth else sympy.false
    reads: list[Access] = []
    for number, read in enumerate(op.reads):
        outside = read.outside
        if outside is not None:
            truths = [_truth(c, box) for pair in _inside(read, inputs[read.operand]) for c in pair]
            if all(truths):
                outside = None
            elif False in truths and (float(outside).is_integer() or op.body == read_symbol(number)):
                numbers[read_symbol(number)] = sympy.Integer(int(outside)) if float(outside).is_integer() else sympy.sympify(outside)
        reads.append((inputs[read.operand], tuple(p.substitute(places) for p in read.coords), outside))
    # Only a copy may be infinite: a formula would do SymPy's arithmetic with it.
    values |= numbers if _stays(op.body, set(numbers)) else {}
    body = substitute_indices(op.body.xreplace(values).xreplace(op.dim_values()), places)
    if body == 0:
        return None
    write = tuple(p.substitute(places) for p in op.write)
    return stage([e for _, e in box], reads, body, write=write, shape=op.shape, reducer="sum", dtype="float", guards=node.guards, origin=node.origin)


def _stays(part: Any, known: set[Any]) -> bool:
    """Whether a formula means the same with numbers for some reads: none is a factor, which might absorb a NaN, nor all that a function is of."""
    if part in known or known.isdisjoint(part.free_symbols):
        return True
    if isinstance(part, _CHOOSING) or (isinstance(part, sympy.Mul) and sum(not a.is_number for a in part.args) == 1):
        return all(_stays(a, known) for a in part.args)
    return all(_stays(a, known) and not (a.free_symbols and known.issuperset(a.free_symbols)) for a in part.args)
