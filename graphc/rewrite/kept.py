"""Kept values: what a recurrence has computed is not computed again by another one over its carries.

The adjoint of a scan walks over the saved carries and the items, and its body begins with the body of the scan itself: the
products and the functions from which its derivatives are made. Those that only the carries give are outputs of the first scan
and items of the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.expr.graph import rebuild, substitute, topological
from graphc.expr.operation import Leaf, Reshape, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor, make, make_scan
from graphc.rewrite.common import merge_common
from graphc.rewrite.moves import fold_moves
from graphc.rewrite.shared import share_functions
from graphc.rewrite.weight import is_dear

__all__ = ["keep_values"]


def keep_values(outputs: Sequence[Tensor], numbers: Mapping[Node, int]) -> list[Tensor]:
    """The graph in which scans over the same carries and items share what they compute."""
    scans = [n for n in topological(outputs) if isinstance(n.op, Scan)]
    loops: dict[Node, _Loop] = {}
    for node in scans:
        loop = loops[node] = _Loop(node, numbers)
        for source in dict.fromkeys(t.node for t in node.inputs):
            if source in loops:
                loop.take(loops[source], numbers)
    if not any(loop.changed for loop in loops.values()):
        return list(outputs)
    extra: dict[Tensor, Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        return loops[node].made(inputs, extra) if node in loops and loops[node].changed else None

    return rebuild(outputs, change)


class _Loop:
    """A scan on its way: its parameters and what they are outside, its results, and what others want of it."""

    def __init__(self, node: Node, numbers: Mapping[Node, int]) -> None:
        assert isinstance(node.op, Scan)
        self.node, self.op = node, node.op
        first, second = self.op.carries, self.op.carries + self.op.sequences
        self.carries = self.op.parameters[:first]
        self.items = dict(zip(self.op.parameters[first:second], node.inputs[first:second], strict=True))
        self.invariants = dict(zip(self.op.parameters[second:], node.inputs[second:], strict=True))
        self.results = merge_common(fold_moves(self.op.results), numbers)
        self.wanted: dict[Tensor, Tensor] = {}  # values of the body, and what stands for their stack outside
        self.taken: dict[Tensor, Tensor] = {}  # items that other scans give
        self.changed = False

    def take(self, source: _Loop, numbers: Mapping[Node, int]) -> None:
        """Read from another scan what it computes as well."""
        same = self._shared(source)
        if not any(t in source.carries for t in same.values()):
            return
        theirs = [*source.results, *source.wanted]
        joint = merge_common(share_functions(merge_common([*theirs, *substitute(self.results, same)], numbers)), numbers)
        theirs, ours = joint[: len(theirs)], joint[len(theirs) :]
        found = _known(ours, theirs, source.carries)
        if not found:
            return
        source.wanted = dict(zip(theirs[len(source.results) :], source.wanted.values(), strict=True))
        source.results = theirs[: len(source.results)]
        replaced: dict[Tensor, Tensor] = {}
        for tensor in found:
            if tensor not in source.wanted:
                source.wanted[tensor] = make(Leaf("input"), (), (source.op.length, *tensor.shape), tensor.dtype)
            item = make(Leaf("input"), (), tensor.shape, tensor.dtype)
            self.taken[item] = source.wanted[tensor]
            replaced[tensor] = item
        back = {there: here for here, there in reversed(same.items())}
        self.results = substitute(ours, {**back, **replaced})
        self.changed = source.changed = True

    def _shared(self, source: _Loop) -> dict[Tensor, Tensor]:
        """Our items and invariants that are carries, items and invariants of another scan."""
        if source.op.length != self.op.length:
            return {}
        saved = source.node.outputs[len(source.op.results) :]
        moving = {t: p for p, t in source.items.items()} | dict(zip(saved, source.carries, strict=True))
        still = {t: p for p, t in source.invariants.items()}
        return {p: moving[t] for p, t in self.items.items() if t in moving} | {p: still[t] for p, t in self.invariants.items() if t in still}

    def made(self, inputs: Sequence[Tensor], extra: dict[Tensor, Tensor]) -> list[Tensor]:
        """The scan's outputs as they were, now with more items or more outputs; those go to ``extra``."""
        first = self.op.carries
        outside = dict(zip(self.node.inputs, inputs, strict=True))
        wanted = [*self.results, *self.wanted]
        reached = {t for n in topological(wanted) for t in n.outputs}
        items = {p: outside[t] for p, t in self.items.items() if p in reached} | {p: extra[t] for p, t in self.taken.items() if p in reached}
        items = items or {p: outside[t] for p, t in list(self.items.items())[:1]}
        invariants = {p: outside[t] for p, t in self.invariants.items() if p in reached}
        op = Scan((*self.carries, *items, *invariants), tuple(wanted), first, len(items), self.op.length, self.op.reverse)
        outputs = make_scan(op, [*inputs[:first], *items.values(), *invariants.values()], self.node.guards, self.node.origin).outputs
        count = len(self.results)
        extra.update(zip(self.wanted.values(), outputs[count:], strict=False))
        return [*outputs[:count], *outputs[len(wanted) :]]


def _known(results: Sequence[Tensor], source: Sequence[Tensor], carries: Sequence[Tensor]) -> list[Tensor]:
    """What results are computed from that a scan computes from its carries too, and that costs more than reading it."""
    bound = set(carries)
    for node in topological(source):
        if any(t in bound for t in node.inputs):
            bound.update(node.outputs)
    found: dict[Tensor, None] = {}
    stack, seen = list(reversed(results)), set[Tensor]()
    while stack:
        tensor = stack.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor in bound and _dear(tensor):
            found[tensor] = None
        else:
            stack.extend(reversed(tensor.inputs))
    return list(found)


def _dear(tensor: Tensor) -> bool:
    """Whether a tensor is more than a few sums and products of what it is computed from."""
    op = tensor.op
    if not isinstance(op, Stage):
        return not isinstance(op, Leaf | Reshape)
    return not op.elementwise or is_dear(op.body)
