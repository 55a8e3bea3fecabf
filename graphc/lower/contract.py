"""Sums of products, recognised by their structure: two reads, an index that only they share."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from graphc.expr.affine import Affine
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.kernels import clear_loop, finish
from graphc.lower.loops import collapse, nest, resolve

__all__ = ["Contraction", "contraction", "contraction_kernel"]

_SCRATCH = 16384  # floats that a product may use for copies


@dataclass(frozen=True)
class Contraction:
    """How a stage is a sum of products.

    Attributes:
        left, right: the reads that lie along ``m`` and along ``n``.
        m, n: the output's indices of the inner product; ``n`` is its last axis.
        k: the reduced index of the inner product.
        outer: the other output indices; ``sums``: the other reduced indices.
    """

    left: int
    right: int
    m: int
    n: int
    k: int
    outer: tuple[int, ...]
    sums: tuple[int, ...]


def contraction(tensor: Tensor) -> Contraction | None:
    """A stage as a sum of products; ``None`` where it is none, or has no two output axes to itself."""
    op = tensor.op
    if not isinstance(op, Stage) or op.reducer != "sum" or op.free is None or tensor.dtype != "float":
        return None
    if len(op.reads) != 2 or op.body != sympy.Mul(read_symbol(0), read_symbol(1)) or not op.reduced or not op.free:
        return None
    if any(tensor.inputs[r.operand].dtype != "float" or r.outside is not None for r in op.reads):
        return None
    if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
        return None
    used = [{v for p in r.coords for v in p.variables} for r in op.reads]
    free = [k for k in op.free if op.extents[k] != 1]
    reduced = [k for k in op.reduced if op.extents[k] != 1]
    shared = [k for k in reduced if k in used[0] and k in used[1]]
    if not free or not shared or len(shared) != len(reduced):
        return None
    n = free[-1]
    sides = [r for r in (0, 1) if n in used[r]]
    if len(sides) != 1:
        return None
    right, left = sides[0], 1 - sides[0]
    rows = [k for k in free if k in used[left] and k not in used[right]]
    if not rows:
        return None
    m = rows[-1]
    k = shared[-1]
    return Contraction(left, right, m, n, k, tuple(f for f in free if f not in (m, n)), tuple(s for s in shared if s != k))


def contraction_kernel(emitter: Emitter, tensor: Tensor, found: Contraction) -> ir.Kernel:
    """The kernel: loops over the other indices around one inner product of matrices."""
    op = tensor.op
    assert isinstance(op, Stage)
    assert op.free is not None
    flats = [emitter.flat(r.coords, tensor.inputs[r.operand].shape) for r in op.reads]
    a, b = flats[found.left], flats[found.right]
    c = emitter.flat([Affine.variable(k) for k in op.free], tensor.shape)
    sums = [ir.Integer(0, p) for p in (a, b, c)]  # type: ignore[arg-type]
    groups = [list(found.outer), [found.m], [found.n], list(found.sums), [found.k]]
    ones = [x for x in range(len(op.extents)) if op.extents[x] == 1]
    merged, sizes, (_, ms, ns, ks) = collapse(sums, op.extents, [ones, *_mergeable(groups)])
    a, b, c = (s.place for s in merged)
    m, n, k = (group[-1] for group in (ms, ns, ks))
    outer, extra = ms[:-1], ks[:-1]
    inner = {m: Affine.constant(0), n: Affine.constant(0), k: Affine.constant(0)}
    adds = Affine.constant(1 if extra else 0)
    buffers = [emitter.buffer(tensor.inputs[op.reads[r].operand]) for r in (found.left, found.right)]
    own = emitter.own_param
    statement = ir.Contract(
        emitter.buffer(tensor, True), buffers[0], buffers[1],
        c.substitute(inner), a.substitute(inner), b.substitute(inner),  # type: ignore[arg-type]
        own(sizes[m]), own(sizes[n]), own(sizes[k]), own(c.coefficient(m)), own(a.coefficient(m)), own(a.coefficient(k)),
        own(b.coefficient(k)), own(b.coefficient(n)), adds,  # type: ignore[arg-type]
        emitter.buffer(Scratch(_SCRATCH), True),
    )  # fmt: skip
    loops = nest(emitter, [*outer, *extra], sizes, [resolve(emitter, statement)])
    # Where the sum takes several runs of the inner product, each adds to the result, which is cleared first.
    cleared = [clear_loop(emitter, len(op.extents), tensor.shape, statement.c, "sum", "float")] if extra else []
    return finish(emitter, [*cleared, *loops])


def _mergeable(groups: list[list[int]]) -> list[list[int]]:
    """The last of the other output indices may merge into m, the last of the other sums into k."""
    outer, m, n, sums, k = groups
    return [[*outer, *m], n, [*sums, *k]]
