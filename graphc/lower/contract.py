"""Sums of products as kernels: every loop of them is a level of one contraction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.chunks import PIECE, Chunks
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.loops import collapse
from graphc.rewrite.products import Contraction, along_sum, contraction, nominal

__all__ = ["Contraction", "contraction", "contraction_kernel"]


def contraction_kernel(
    emitter: Emitter, tensor: Tensor, found: Contraction, target: Tensor | None = None, start: tuple[Tensor, tuple[Affine, ...]] | None = None,
    starts: Extent = 1, ends: Tensor | None = None,
) -> ir.Kernel:  # fmt: skip
    """The kernel: its indices by levels, merged where memory runs on.

    Args:
        target: whose memory a result, or a part of one, is written to.
        start: what the sums are added to: a tensor, and its places by the stage's indices.
        starts: whether they are, where there is such a tensor: 0 or 1.
        ends: 0 is written in place of the entries where this tensor is not greater; the result itself, or one that lies in memory as it does.
    """
    op = tensor.op
    assert isinstance(op, Stage)
    flats = [emitter.flat(r.coords, tensor.inputs[r.operand].shape) for r in op.reads]
    flats = [emitter.flat(op.write, tensor.shape), flats[found.left], flats[found.right]]
    flats += [] if start is None else [emitter.flat(start[1], start[0].shape)]
    places = [ir.Integer(0, p) for p in flats]  # type: ignore[arg-type]
    shared = {v for p in op.reads[found.right].coords for v in p.variables}
    # The rows go along A's memory, whatever the result's order is: rows beside each other are read from one line.
    rows = sorted([*(x for x in found.outer if x not in shared), found.m], key=lambda x: -abs(nominal([flats[1].coefficient(x)])))
    outer = [x for x in found.outer if x in shared]
    columns = [[*found.columns], [found.n]] if found.beside else [[], [*found.columns, found.n]]
    if along_sum(tensor, found):  # the kernel sees one column, and the others as further rectangles
        columns = [[*found.columns, found.n], []]
    ones = [x for x in range(len(op.extents)) if op.extents[x] == 1]
    groups = [ones, outer, rows, *columns, [*found.sums, found.k]]
    merged, sizes, (_, outer, rows, others, columns, sums) = collapse(places, op.extents, groups)
    # The last of the columns lie side by side in C; those before them are loops around.
    outer = [*outer, *others[:-1], *columns[:-1]]
    memory = [tensor if target is None else target, *(tensor.inputs[op.reads[r].operand] for r in (found.left, found.right))]
    memory += [] if start is None else [start[0]]
    levels = rows, columns[-1] if columns else None, sums, outer
    return _kernel(emitter, memory, [s.place for s in merged], sizes, levels, others[-1] if others else None, starts, ends)


def _kernel(
    emitter: Emitter,
    memory: Sequence[Tensor],
    places: Sequence[Affine],
    sizes: dict[int, Extent],
    levels: tuple[list[int], int | None, list[int], list[int]],
    other: int | None,
    starts: Extent,
    ends: Tensor | None,
) -> ir.Kernel:
    """The kernel of levels that are merged: its numbers are parameters of its own, in the order that the kernel wants.

    Args:
        memory, places: of the result, of both operands, and of what the sums start from, if there is such a thing.
        other: the index along which the right operand has further rectangles for the same left one, if there are any.
    """
    own = emitter.own_param
    rows, n, sums, outer = levels
    added = len(memory) == 4
    c, a, b, d = places if added else (*places, Affine())
    # Each operand has a buffer of its own, even where both are one tensor: all contractions are one kernel.
    roots = [emitter.root(t) for t in memory]
    chosen = roots[0] if ends is None else emitter.root(ends)
    emitter.buffers = [*roots, *([] if added else roots[:1]), chosen, Scratch(PIECE, "double")]
    size = (product(sizes[x] for x in rows), 1 if n is None else sizes[n], product(sizes[x] for x in sums))
    around = product(sizes[x] for x in outer)
    others = (1, 0, 0, 0) if other is None else (sizes[other], *(p.coefficient(other) for p in (b, c, d)))
    work = (*size[:2], size[2] * others[0], around)
    fields: list[Any] = [0, 0, 1, 2, 3, 4, 5]  # the loop's variable and the buffers
    along = (1, 0) if n is None else (b.coefficient(n), a.coefficient(n))
    fields += [own(p.offset) for p in (c, a, b, d)] + [own(e) for e in (*size, *along)]
    fields += [tuple(own(e) for e in others), own(starts if added else 0), own(0 if ends is None else 1 if chosen is roots[0] else 2)]
    fields += [own(Chunks(kind, *work)) for kind in ("rows", "columns")]
    for group in (rows, sums, outer):
        own(len(group))
    piece = own(PIECE)
    for group, operands in ((rows, (a, c)), (sums, (a, b)), (outer, (c, a, b, d)), (rows, (d, Affine()))):
        fields.append(tuple((own(sizes[x]), *(own(p.coefficient(x)) for p in operands)) for x in group))
    build: Any = ir.Contract
    contract = build(*fields, piece, beside=n is None or a.coefficient(n) != 0)
    loop = ir.Loop(0, own(Chunks("all", *work)), (contract,), parallel=True)
    kinds: tuple[ir.Kind, ...] = ("float", "float", "float", "float", "float", "double")
    return ir.Kernel(kinds, (True, False, False, False, False, True), len(emitter.params), (loop,), ((5, piece),))
