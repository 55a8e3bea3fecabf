"""One step of a graph by itself, its arguments in the place of what computes them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from graphc.expr.graph import replace_inputs, substitute, topological, training
from graphc.expr.operation import Leaf
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor, make

__all__ = ["form_of", "isolated"]


def form_of(step: Tensor, arguments: Iterable[Tensor]) -> Hashable:
    """What one stage over its arguments is, whatever they are called: steps of one form have one derivative; ``None`` for more than a stage."""
    order = {t: k for k, t in enumerate(dict.fromkeys(arguments))}
    if not isinstance(step.op, Stage) or any(t not in order for t in step.inputs):
        return None
    return step.op, step.output, tuple(order[t] for t in step.inputs), tuple((t.shape, t.dtype) for t in order)


def isolated(step: Tensor, arguments: Iterable[Tensor]) -> tuple[Tensor, dict[Tensor, Tensor]]:
    """The training reading of a step on fresh leaves, and the leaf of each argument; what lies before them is not walked."""
    fresh = {t: make(Leaf("input"), (), t.shape, t.dtype, name=t.name or f"v{k}") for k, t in enumerate(dict.fromkeys(arguments))}
    made: dict[Tensor, Tensor] = dict(fresh)
    for node in topological([step], stop=fresh):
        if any(t in fresh for t in node.outputs) and step not in node.outputs:
            continue
        if any(t not in made for t in node.inputs):  # another output of an argument's node: its inputs are needed after all
            return training(substitute([step], fresh))[0], fresh
        inputs = tuple(made[t] for t in node.inputs)
        outputs = node.outputs if inputs == node.inputs else replace_inputs(node, inputs).outputs
        made.update((old, new) for old, new in zip(node.outputs, outputs, strict=True) if old not in fresh)
    return training([made[step]])[0], fresh
