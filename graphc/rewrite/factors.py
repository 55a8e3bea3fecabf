"""Factors: a number, or anything that no summed index touches, leaves a sum of products."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import rebuild
from graphc.expr.stage import Stage, dimension_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor

__all__ = ["take_out_factors"]


def take_out_factors(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with ``sum(c * a * b)`` as ``c * sum(a * b)``, for numbers and dimensions ``c``."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if not isinstance(op, Stage) or op.reducer != "sum" or op.free is None or not isinstance(op.body, sympy.Mul):
            return None
        reads = {read_symbol(k) for k in range(len(op.reads))}
        inside = [f for f in op.body.args if f in reads]
        outside = [f for f in op.body.args if f.is_number or not f.free_symbols - {dimension_symbol(k) for k in range(len(op.dims))}]
        if len(inside) != 2 or not outside or len(inside) + len(outside) != len(op.body.args) or node.outputs[0].dtype != "float":
            return None
        accesses = [(inputs[r.operand], r.coords, r.outside) for r in op.reads]
        out = node.outputs[0]
        total = stage(
            op.extents, accesses, sympy.Mul(*inside).xreplace(op.dim_values()), write=op.write, shape=op.shape, reducer="sum", dtype="float"
        )
        places = tuple(Affine.variable(a) for a in range(out.ndim))
        factor = sympy.Mul(*outside).xreplace(op.dim_values())
        return stage(out.shape, [(total, places)], factor * read_symbol(0), dtype="float", call=out.call, name=out.name).node.outputs

    return rebuild(outputs, change)
