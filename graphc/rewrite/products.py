"""Sums of products, recognised by their structure: two reads, an index that only they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent
from graphc.expr.places import written
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["Contraction", "along_sum", "contraction", "flat_place", "nominal", "reads_whole"]

_FEW, _NARROW = 16, 8  # columns of a sum that may go along its operands' memory: where the right one lies across, and in any case
_LONG = 16  # terms beside each other that are worth it


@dataclass(frozen=True)
class Contraction:
    """How a stage is a sum of products.

    Attributes:
        left, right: the reads that lie along ``m`` and along ``n``.
        beside: whether the left read lies along ``n`` as well, and both of them entry after entry.
        m, n: the output's indices of the inner product; along ``n`` the result lies entry after entry.
        k: the reduced index of the inner product.
        outer: the other output indices; ``columns``: those of the right read alone; ``sums``: the other reduced indices.
    """

    left: int
    right: int
    m: int
    n: int
    k: int
    outer: tuple[int, ...]
    columns: tuple[int, ...]
    sums: tuple[int, ...]
    beside: bool = False


def contraction(tensor: Tensor, *, padded: bool = False) -> Contraction | None:
    """A stage as a sum of products; ``None`` where it is none, or has no two output axes to itself.

    Args:
        padded: whether reads that may leave their tensors, and give 0 there, are taken too.
    """
    op = tensor.op
    if not isinstance(op, Stage) or op.reducer != "sum" or tensor.dtype != "float" or not _product(op):
        return None
    indices = written(op)
    if not indices or any(tensor.inputs[r.operand].dtype != "float" for r in op.reads):
        return None
    if any(r.outside is not None and not (padded and r.outside == 0) for r in op.reads):
        return None
    if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
        return None
    used = [{v for p in r.coords for v in p.variables} for r in op.reads]
    free = [k for k in indices if op.extents[k] != 1]
    reduced = [k for k in range(len(op.extents)) if k not in indices and op.extents[k] != 1]
    shared = [k for k in reduced if k in used[0] and k in used[1]]
    if not free or not shared or len(shared) != len(reduced):
        return None
    n = free[-1]
    sides = [r for r in (0, 1) if n in used[r]]
    if not sides or flat_place(op.write, op.shape).coefficient(n) != 1:
        return None
    flats = [flat_place(r.coords, tensor.inputs[r.operand].shape) for r in op.reads]
    beside = len(sides) == 2
    if beside:
        if any(p.coefficient(n) != 1 for p in flats):
            return None
        # The operand with more indices to itself has the rows.
        sides.sort(key=lambda r: nominal([op.extents[k] for k in free if k in used[r] and k not in used[1 - r]]))
    right, left = sides[0], 1 - sides[0]
    rows = [k for k in free if k in used[left] and k not in used[right]]
    if not rows:
        return None
    # The sum runs along the left read's memory, so that neighbouring sums may merge.
    along = flats[left]
    shared.sort(key=lambda index: -abs(nominal([along.coefficient(index)])))
    m, k = rows[-1], shared[-1]
    columns = tuple(f for f in free if f != n and f not in used[left] and f in used[right])
    outer = tuple(f for f in free if f not in (m, n) and f not in columns)
    return Contraction(left, right, m, n, k, outer, columns, tuple(s for s in shared if s != k), beside)


def along_sum(tensor: Tensor, found: Contraction) -> bool:
    """Whether a sum of products with few columns goes along the memory of both operands, so that vectors of terms are multiplied."""
    op = tensor.op
    assert isinstance(op, Stage)
    columns = [op.extents[k] for k in (found.n, *found.columns)]
    flats = [flat_place(r.coords, tensor.inputs[r.operand].shape) for r in op.reads]
    most = _NARROW if flats[found.right].coefficient(found.n) == 1 else _FEW
    if found.beside or not all(isinstance(e, int) for e in columns) or nominal(columns) > most:
        return False
    return all(p.coefficient(found.k) == 1 for p in flats) and nominal([op.extents[found.k]]) >= _LONG


def _product(op: Stage) -> bool:
    return len(op.reads) == 2 and op.body == sympy.Mul(read_symbol(0), read_symbol(1))


def flat_place(coords: Sequence[Affine], shape: Sequence[Extent]) -> Affine:
    """The flat position of coordinates in a row-major array."""
    place, step = Affine(), 1
    for coordinate, extent in zip(reversed(coords), reversed(shape), strict=True):
        place = place + coordinate.scaled(step)
        step = step * extent
    return place


def reads_whole(tensor: Tensor, read: Read) -> bool:
    """Whether a stage reads all of an operand, and not a part of it, each entry for that of the result at the same place."""
    op = tensor.op
    assert isinstance(op, Stage)
    same = read.outside is None and tuple(p.bare for p in read.coords) == op.free
    return same and tensor.inputs[read.operand].shape == tensor.shape


def nominal(extents: Sequence[Extent]) -> float:
    """How many index tuples a box has, with every named size taken as 64."""
    return math.prod(e.evaluate(dict.fromkeys(e.names, 64)) if isinstance(e, Dim) else e for e in extents)
