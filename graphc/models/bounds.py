"""What a graph from a file must keep to, so that no kernel made of it leaves its arrays.

The language sees to this where a formula is declared; a file may say anything. What sizes alone decide becomes a guard,
which is checked when they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphc.errors import FileFormatError
from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product, provably_at_least
from graphc.expr.operation import Alias, Assign, Leaf, Linalg, Phase, Random, Reshape, Scan
from graphc.expr.origin import Origin
from graphc.expr.stage import Stage
from graphc.expr.tensor import Guard, Tensor

__all__ = ["added_guards", "check_array"]

Shape = Sequence[Extent]


def added_guards(op: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor], origin: Origin, known: Sequence[Guard]) -> list[Guard]:
    """The guards that a node of a file needs beside those that it has.

    Raises:
        FileFormatError: for a node that certainly leaves its arrays, or of which it cannot be told.
    """
    wanted = [_equal(a, b, origin) for one, other in _same(op, inputs, outputs) for a, b in _pairs(one, other)]
    if isinstance(op, Stage) and not any(e == 0 for e in op.extents):
        wanted += [_inside(place, size, op.extents, origin) for place, size in _places(op, inputs)]
    have = {(g.left, g.right, g.kind) for g in known}
    return [g for g in dict.fromkeys(wanted) if g is not None and (g.left, g.right, g.kind) not in have]


def _same(op: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Iterator[tuple[Shape, Shape]]:
    """The shapes that are to be equal."""
    shapes, made = [t.shape for t in inputs], [t.shape for t in outputs]
    if isinstance(op, Stage | Random):
        yield from ((op.shape, shape) for shape in made)
    elif isinstance(op, Reshape):
        yield [product(shapes[0])], [product(made[0])]
    elif isinstance(op, Alias):
        yield shapes[0], made[0]
    elif isinstance(op, Phase | Assign):
        yield from ((shape, made[0]) for shape in shapes)
    elif isinstance(op, Linalg):
        yield [shapes[0][-1]], [shapes[0][-2]]
    elif isinstance(op, Scan):
        n, length = op.carries, op.length
        carries, results = [t.shape for t in op.parameters[:n]], [t.shape for t in op.results[n:]]
        yield from zip(made, [*carries, *((length, *s) for s in (*results, *carries))], strict=True)
        yield from (((s[0],), (length,)) for s in shapes[n : n + op.sequences])


def _pairs(one: Shape, other: Shape) -> Iterator[tuple[Extent, Extent]]:
    if len(one) != len(other):
        raise FileFormatError(f"the shapes {tuple(one)} and {tuple(other)} of one tensor differ")
    yield from zip(one, other, strict=True)


def _equal(left: Extent, right: Extent, origin: Origin) -> Guard | None:
    if left == right:
        return None
    if isinstance(left, int) and isinstance(right, int):
        raise FileFormatError(f"the sizes {left} and {right} of one axis differ")
    return Guard(left, right, f"the model was saved with axes of equal size: {left} and {right}", origin)


def _places(op: Stage, inputs: Sequence[Tensor]) -> Iterator[tuple[Affine, Extent]]:
    """The places that are read and written without a check of their own, each with the size of its axis."""
    if not op.guarded:
        yield from zip(op.write, op.shape, strict=True)
    for read in op.reads:
        if read.outside is None:
            yield from zip(read.coords, inputs[read.operand].shape, strict=True)


def _inside(place: Affine, size: Extent, extents: Sequence[Extent], origin: Origin) -> Guard | None:
    if any(v < 0 for v in place.variables) or (place.bare is not None and extents[place.bare] == size):
        return None  # ids are checked as they are read
    bounds = place.bounds(extents)
    if bounds is None:
        raise FileFormatError(f"a place with the factors {[c for _, c in place.terms]} cannot be checked")
    low, room = bounds[0], size - 1 - bounds[1]
    if any(isinstance(e, int) and e < 0 for e in (low, room)):
        raise FileFormatError(f"a formula leaves its tensor: it runs from {low} to {bounds[1]} along an axis of size {size}")
    if provably_at_least(low, 0) and provably_at_least(room, 0):
        return None
    return Guard(low, room, f"a formula of the model runs from {low} to {bounds[1]} along an axis of size {size}", origin, "inside")


def check_array(op: Leaf, array: Any, tensor: Tensor) -> None:
    """See that a constant's array has the shape and the kind that its tensor has.

    Raises:
        FileFormatError: for another one.
    """
    kinds = {"float": "fiub", "int": "iub", "bool": "b"}[tensor.dtype]
    if op.kind == "constant" and (tuple(array.shape) != tensor.shape or array.dtype.kind not in kinds):
        raise FileFormatError(f"a constant {tensor.shape} of the kind {tensor.dtype} has an array {array.shape} of {array.dtype}")
