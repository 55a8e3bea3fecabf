"""Sums of products as kernels: loops around the inner product of two matrices."""

from __future__ import annotations

from graphc.expr.affine import Affine
from graphc.expr.dims import provably_at_least
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.kernels import clear_loop, finish
from graphc.lower.loops import collapse
from graphc.rewrite.products import Contraction, contraction

__all__ = ["Contraction", "contraction", "contraction_kernel", "first_term_clears"]

_SCRATCH = 16384  # floats that a product may use for copies


def first_term_clears(op: Stage, found: Contraction) -> bool:
    """Whether the inner product's first run may write, and each later one add, so that nothing must be cleared before."""
    return all(provably_at_least(op.extents[k], 1) for k in found.sums)


def contraction_kernel(emitter: Emitter, tensor: Tensor, found: Contraction, target: Tensor | None = None) -> ir.Kernel:
    """The kernel: loops over the other indices around one inner product of matrices.

    Args:
        target: whose memory a part of a result is written to; it is cleared already where that is needed.
    """
    op = tensor.op
    assert isinstance(op, Stage)
    flats = [emitter.flat(r.coords, tensor.inputs[r.operand].shape) for r in op.reads]
    a, b = flats[found.left], flats[found.right]
    c = emitter.flat(op.write, tensor.shape)
    sums = [ir.Integer(0, p) for p in (a, b, c)]  # type: ignore[arg-type]
    # The last of the other rows may merge into m, of the columns into n, of the other sums into k.
    groups = [[*found.outer, found.m], [*found.columns, found.n], [*found.sums, found.k]]
    ones = [x for x in range(len(op.extents)) if op.extents[x] == 1]
    merged, sizes, (_, ms, ns, ks) = collapse(sums, op.extents, [ones, *groups])
    a, b, c = (s.place for s in merged)
    m, n, k = (group[-1] for group in (ms, ns, ks))
    outer, extra = [*ms[:-1], *ns[:-1]], ks[:-1]
    # Where the sum takes several runs of the inner product, each adds to the result: all but the first, or all after a clearing.
    first = first_term_clears(op, found)
    adds = ir.Place(tuple((x, 1) for x in extra)) if first else ir.Place((), 1 if extra else 0)
    buffers = [emitter.buffer(tensor.inputs[op.reads[r].operand]) for r in (found.left, found.right)]
    own = emitter.own_param

    loops = [*outer, *extra]

    # Every place has every loop, and no number is written into the kernel: products with equally many loops are one kernel.
    def place(p: Affine) -> ir.Place:
        return ir.Place(tuple((x, own(p.coefficient(x))) for x in loops), own(p.offset))

    statement = ir.Contract(
        emitter.buffer(tensor if target is None else target, True), buffers[0], buffers[1],
        place(c), place(a), place(b),
        own(sizes[m]), own(sizes[n]), own(sizes[k]), own(c.coefficient(m)), own(a.coefficient(m)), own(a.coefficient(k)),
        own(b.coefficient(k)), own(b.coefficient(n)), adds, emitter.buffer(Scratch(_SCRATCH), True),
    )  # fmt: skip
    body: list[ir.Statement] = [statement]
    for x in reversed(loops):
        body = [ir.Loop(x, own(sizes[x]), tuple(body))]
    cleared = [clear_loop(emitter, len(op.extents), tensor.shape, statement.c, "sum", "float")] if extra and not first and target is None else []
    return finish(emitter, [*cleared, *body])
