"""The bodies of recurrences, each a graph of its own that goes through all passes, and what no iteration of them changes.

A body's weights are the same in every iteration: what only moves them about, such as a layout that products want, is done once
before the loop. Outputs that nobody reads, equal ones, and carries that nothing depends on, go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.expr.graph import rebuild, substitute, topological
from graphc.expr.operation import Leaf, Reshape, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor, make, make_scan
from graphc.rewrite.layouts import lay_out_products
from graphc.rewrite.moves import is_move
from graphc.rewrite.products import nominal

__all__ = ["improve_bodies"]

Again = Callable[[Sequence[Tensor]], list[Tensor]]


def improve_bodies(outputs: Sequence[Tensor], again: Again) -> list[Tensor]:
    """The graph with the bodies of its scans improved.

    Args:
        outputs: of the graph.
        again: all passes, for a body.
    """
    used = {t for node in topological(outputs) for t in node.inputs} | set(outputs)

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        return _Body(node, node.op, inputs, used).improved(again) if isinstance(node.op, Scan) else None

    return rebuild(outputs, change)


class _Body:
    """A scan on its way, with its inputs outside and which of its outputs are used."""

    def __init__(self, node: Node, op: Scan, inputs: Sequence[Tensor], used: set[Tensor]) -> None:
        self.node, self.op, self.inputs = node, op, inputs
        self.used = [t in used for t in node.outputs]
        first, second = op.carries, op.carries + op.sequences
        self.items = dict(zip(op.parameters[first:second], inputs[first:second], strict=True))
        self.invariants = dict(zip(op.parameters[second:], inputs[second:], strict=True))

    def improved(self, again: Again) -> list[Tensor]:
        """The outputs of the scan that takes its place; those that nothing uses are any tensors."""
        results = again(self.op.results)
        still = self._still(results)
        results = [_plain(t) for t in lay_out_products(results, still, nominal([self.op.length]))]
        results = self._before(results)
        carried, wanted = self._wanted(results)
        return self._made(results, carried, wanted)

    def _still(self, results: Sequence[Tensor]) -> set[Tensor]:
        """What is the same in every iteration, and is made of invariants."""
        still = set(self.invariants)
        for node in topological(results):
            fixed = [t in still for t in node.inputs if t.kind != "constant"]
            if isinstance(node.op, Stage | Reshape) and fixed and all(fixed):
                still.update(node.outputs)
        return still

    def _before(self, results: Sequence[Tensor]) -> list[Tensor]:
        """The results, with what is the same in every iteration and no larger than what it is made of as an invariant."""
        still = self._still(results)
        found: dict[Tensor, Tensor] = {}
        stack, seen = list(reversed(results)), set[Tensor]()
        while stack:
            tensor = stack.pop()
            if tensor in seen or tensor in self.invariants:
                continue
            seen.add(tensor)
            if tensor in still and nominal(tensor.shape) <= max(nominal(t.shape) for t in tensor.inputs):
                found[tensor] = make(Leaf("input"), (), tensor.shape, tensor.dtype, name=tensor.name)
            else:
                stack.extend(reversed(tensor.inputs))
        if not found:
            return list(results)
        outside = substitute(list(found), dict(self.invariants))
        self.invariants.update(zip(found.values(), outside, strict=True))
        return substitute(results, found)

    def _wanted(self, results: Sequence[Tensor]) -> tuple[list[int], list[int]]:
        """The carries that something depends on, and the other results that are used."""
        first, count = self.op.carries, len(results)
        wanted = [k for k in range(first, count) if self.used[k]]
        carried = [k for k in range(first) if self.used[k] or self.used[count + k]]
        while True:
            reached = {t for n in topological([results[k] for k in (*carried, *wanted)]) for t in n.outputs}
            more = [k for k in range(first) if k in carried or self.op.parameters[k] in reached]
            if more == carried:
                return carried, wanted
            carried = more

    def _made(self, results: Sequence[Tensor], carried: list[int], wanted: list[int]) -> list[Tensor]:
        """The new scan's outputs in the places of the old one's."""
        first, count = self.op.carries, len(results)
        stacked = list(dict.fromkeys(results[k] for k in wanted))
        body = [*(results[k] for k in carried), *stacked]
        reached = {t for n in topological(body) for t in n.outputs}
        items = {p: t for p, t in self.items.items() if p in reached} or dict(list(self.items.items())[:1])
        invariants = {p: t for p, t in self.invariants.items() if p in reached}
        parameters = (*(self.op.parameters[k] for k in carried), *items, *invariants)
        op = Scan(parameters, tuple(body), len(carried), len(items), self.op.length, self.op.reverse)
        inputs = [*(self.inputs[k] for k in carried), *items.values(), *invariants.values()]
        made = make_scan(op, inputs, self.node.guards, self.node.origin).outputs
        place = dict(zip(carried, made, strict=False)) | {k: made[len(carried) + stacked.index(results[k])] for k in wanted}
        place |= {count + k: made[len(body) + n] for n, k in enumerate(carried)}
        return [place.get(k, self.inputs[0]) for k in range(count + first)]


def _plain(tensor: Tensor) -> Tensor:
    """A tensor behind moves that leave every entry where it is."""
    while is_move(tensor) and not isinstance(tensor.inputs[0].op, Leaf):
        op = tensor.op
        assert isinstance(op, Stage)
        if tensor.shape != tensor.inputs[0].shape or tuple(p.bare for p in op.reads[0].coords) != op.free:
            break
        tensor = tensor.inputs[0]
    return tensor
