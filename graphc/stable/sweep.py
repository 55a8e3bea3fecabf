"""The sweep over a graph: each stage's formula rewritten, from the leaves on; what no rule touches stays itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.compose import accesses
from graphc.expr.graph import replace_inputs, topological, with_body
from graphc.expr.operation import Reshape, Scan
from graphc.expr.scalar import Log1p, normalise
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.stable.frame import Frame
from graphc.stable.reach import Reach
from graphc.stable.rules import Rules

__all__ = ["sweep"]


def sweep(outputs: Sequence[Tensor], kept: Sequence[Tensor], made: dict[Tensor, Tensor] | None = None) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs in a stable form, and what became of the tensors that are not looked through; ``made``: of all tensors."""
    made = {} if made is None else made
    rules = Rules(Reach([*outputs, *kept], kept), made)
    for node in topological([*outputs, *kept]):
        made.update(zip(node.outputs, _node(node, rules, made), strict=True))
    return [made[t] for t in outputs], [made[t] for t in kept]


def _node(node: Node, rules: Rules, made: dict[Tensor, Tensor]) -> Sequence[Tensor]:
    if isinstance(node.op, Stage) and _promising(node.op.body):
        found = _rewritten(node, rules, made)
        if found is not None:
            return found
    elif isinstance(node.op, Stage | Reshape):
        rules.pass_on(node.outputs[0])
    inputs = tuple(made[t] for t in node.inputs)
    if isinstance(node.op, Scan):  # its body is a graph of its own, over leaves of its own
        found = with_body(node, inputs, sweep(node.op.results, ())[0])
        return node.outputs if found is None else found
    return node.outputs if inputs == node.inputs else replace_inputs(node, inputs, made).outputs


def _promising(body: Any) -> bool:
    """Whether a rule may apply at all."""
    return any(isinstance(part, sympy.log | Log1p | sympy.Pow | sympy.Mul | sympy.Add) for part in sympy.preorder_traversal(body))


def _rewritten(node: Node, rules: Rules, made: dict[Tensor, Tensor]) -> tuple[Tensor, ...] | None:
    op, old = node.op, node.outputs[0]
    assert isinstance(op, Stage)
    frame = Frame(op.extents)
    frame.guards.update(dict.fromkeys(node.guards))
    maps = frame.adopt(accesses(old), {k: Affine.variable(k) for k in range(len(op.extents))})
    before = op.body.xreplace(op.dim_values()).xreplace(maps)
    after = rules.rewrite(before, frame)
    if after is before or after == before:
        rules.pass_on(old)
        return None
    rules.note(old, op, after, frame)
    after = rules.grouped(after, frame)
    moved = {k: Affine.variable(k) for k in range(len(op.extents))}
    for k in range(len(op.reads)):
        number = frame.number(maps[read_symbol(k)])
        assert number is not None
        moved[-k - 1] = Affine.variable(-number - 1)
    reads = [(made.get(t, t), places, outside) for t, places, outside in frame.accesses]
    call = None if old.call is None else old.call.on(made)
    new = stage(
        op.extents, reads, normalise(after), write=[p.substitute(moved) for p in op.write], shape=op.shape, reducer=op.reducer,
        guarded=op.guarded, dtype=old.dtype, name=old.name, call=call, guards=tuple(frame.guards), origin=node.origin,
    )  # fmt: skip
    for fresh, former in zip(new.node.outputs[1:], node.outputs[1:], strict=True):
        fresh.name = former.name
        if former.call is not None:
            fresh.call = former.call.on(made)
    return new.node.outputs
