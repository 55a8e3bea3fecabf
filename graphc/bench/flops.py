"""How many operations the sums of products of a training step need, counted from the stages of its loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphc.expr.dims import evaluate_extent
from graphc.expr.graph import topological, training
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.rewrite.products import contraction

__all__ = ["contraction_flops"]


def contraction_flops(loss: Tensor, sizes: Mapping[str, int]) -> int:
    """The operations of all contractions of a step, forward and back, a multiplication and its addition as two.

    A sum of products is needed once forward, and once more for each of its two factors that a parameter has part in.

    Args:
        loss: what is trained.
        sizes: of the named dimensions.
    """
    return _count(training([loss]), sizes, set())


def _count(outputs: Sequence[Tensor], sizes: Mapping[str, int], varied: set[Tensor]) -> int:
    """``varied`` holds the tensors that parameters have part in; those of the graph are added."""
    total = 0
    for node in topological(outputs):
        depends = any(t in varied for t in node.inputs) or node.outputs[0].kind == "parameter"
        if depends:
            varied.update(node.outputs)
        op = node.op
        if isinstance(op, Scan):
            # A carry depends on whatever the body does.
            inner = {p for k, (p, t) in enumerate(zip(op.parameters, node.inputs, strict=True)) if t in varied or (k < op.carries and depends)}
            total += evaluate_extent(op.length, sizes) * _count(list(op.results), sizes, inner)
        elif isinstance(op, Stage) and contraction(node.outputs[0], padded=True) is not None:
            times = 1 + sum(node.inputs[r.operand] in varied for r in op.reads)
            total += 2 * times * math.prod(evaluate_extent(e, sizes) for e in op.extents)
    return total
