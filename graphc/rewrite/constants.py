"""Constants: what depends on numbers alone is computed once, when the program is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.expr.build import constant
from graphc.expr.dims import Dim
from graphc.expr.graph import rebuild
from graphc.expr.operation import Reshape
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.reference.evaluate import evaluate_stage

__all__ = ["fold_constants"]

_LARGEST = 1 << 16  # entries of a box that is worth computing now


def fold_constants(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with stages over constants replaced by constants."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if any(t.kind != "constant" for t in inputs) or (not inputs and not (isinstance(op, Stage) and op.reducer is not None)):
            return None
        if isinstance(op, Reshape) and not any(isinstance(e, Dim) for e in op.shape):
            return [constant(inputs[0].value.reshape(op.shape), dtype=node.outputs[0].dtype)]
        if not isinstance(op, Stage) or any(isinstance(e, Dim) for e in (*op.extents, *op.shape, *op.dims)):
            return None
        if np.prod([e for e in op.extents if isinstance(e, int)], dtype=np.int64) > _LARGEST:
            return None
        kinds = {"float": np.dtype(np.float64), "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}
        with np.errstate(all="ignore"):
            values = evaluate_stage(op, [t.value for t in inputs], {}, kinds[node.outputs[0].dtype], [t.label for t in inputs])
        return [constant(v, dtype=t.dtype) for v, t in zip(values, node.outputs, strict=True)]

    return rebuild(outputs, change)
