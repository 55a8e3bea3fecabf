"""Layouts: the small operand of a sum of products that is used again and again is first laid out as the kernel wants it.

The gradient of a convolution by its input reads the filter backwards and across. The kernel for contractions would sort
out that order anew for every chunk of the result; a copy of the filter, made once, has entries that are used together
side by side, and lets the sums over taps and over channels run on as one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent
from graphc.expr.graph import rebuild
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import Contraction, along_sum, contraction, flat_place, nominal

__all__ = ["lay_out_products"]

_TIMES = 8  # how often each entry of the copy must at least be used


def lay_out_products(outputs: Sequence[Tensor], still: Collection[Tensor] = (), times: float = 1) -> list[Tensor]:
    """The graph in which the right operands of sums of products lie in the order of their use.

    Args:
        outputs: of the graph.
        still: tensors whose copies serve as often as ``times`` says: in all iterations of a loop.
    """

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        found = contraction(out)
        if not isinstance(op, Stage) or found is None:
            return None
        left, right = (inputs[op.reads[r].operand] for r in (found.left, found.right))
        flats = [flat_place(op.reads[r].coords, t.shape) for r, t in ((found.left, left), (found.right, right))]
        backwards = [k for k in (*found.sums, found.k) if _negative(flats[0].coefficient(k)) and isinstance(op.extents[k], int)]
        if (flats[1].coefficient(found.n) == 1 and not backwards) or along_sum(out, found):
            return None
        order = _order(op, found)
        extents = [op.extents[k] for k in order]
        # How often the kernel runs, and with it every copy that it would make of its own.
        runs = nominal([op.extents[k] for k in (*found.outer, *found.columns, *found.sums)])
        runs *= times if node.inputs[op.reads[found.right].operand] in still else 1
        if runs < _TIMES or nominal(op.extents) < _TIMES * nominal(extents):
            return None
        turned = {k: Affine.constant(op.extents[k] - 1) - Affine.variable(k) for k in backwards}
        number = {k: n for n, k in enumerate(order)}
        places = {k: Affine.constant(0) for k in range(len(op.extents)) if op.extents[k] == 1}
        places |= {k: turned.get(k, Affine.variable(k)).renumber(lambda v: number.get(v, v)) for k in order}
        source: Access = (right, tuple(p.substitute(places) for p in op.reads[found.right].coords))
        copy = stage(extents, [source], read_symbol(0), dtype="float", origin=right.origin)
        reads: list[Access] = [(inputs[r.operand], tuple(p.substitute(turned) for p in r.coords)) for r in op.reads]
        reads[found.right] = (copy, tuple(Affine.variable(k) for k in order))
        return stage(
            op.extents, reads, op.body.xreplace(op.dim_values()), write=op.write, shape=op.shape, reducer=op.reducer,
            dtype=out.dtype, name=out.name, call=out.call, guards=node.guards, origin=node.origin,
        ).node.outputs  # fmt: skip

    return rebuild(outputs, change)


def _negative(coefficient: Extent) -> bool:
    return isinstance(coefficient, int) and coefficient < 0


def _order(op: Stage, found: Contraction) -> list[int]:
    """The right operand's indices, outermost first: what the kernel loops over, the sums, the columns that lie together."""
    used = {v for p in op.reads[found.right].coords for v in p.variables}
    written = flat_place(op.write, op.shape)
    together: list[int] = [found.n]
    for k in reversed(found.columns):
        if written.coefficient(k) != written.coefficient(together[0]) * op.extents[together[0]]:
            break
        together.insert(0, k)
    others = [k for k in (*found.outer, *found.columns) if k in used and k not in together]
    return [*others, *found.sums, found.k, *together]
