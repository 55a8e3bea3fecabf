"""The passes one by one, with what each took from the graph and what it put there instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.expr.graph import topological
from graphc.expr.operation import Linalg, Random, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.passes import BODIES, rewrite

__all__ = ["Change", "changed", "trace"]


@dataclass(frozen=True)
class Change:
    """What one pass did: the nodes that went and those that came, in the order of the graph.

    ``depth``: in how many recurrences the graph is that it was applied to.
    """

    name: str
    went: list[Node]
    came: list[Node]
    depth: int = 0


def trace(outputs: Sequence[Tensor], numbers: Mapping[Node, int]) -> tuple[list[Tensor], list[Change]]:
    """The graph after all passes, as ``rewrite`` gives it, and what each pass changed."""
    changes = list[Change]()

    def note(name: str, before: Sequence[Tensor], after: Sequence[Tensor], depth: int) -> None:
        # What the passes did in a body is told by itself.
        went, came = changed(before, after, bodies=name != BODIES)
        if went or came:
            changes.append(Change(name, went, came, depth))

    return rewrite(outputs, numbers, note=note), changes


def changed(before: Sequence[Tensor], after: Sequence[Tensor], bodies: bool = True) -> tuple[list[Node], list[Node]]:
    """The nodes of one graph that are not in the other, and the other way round; what only reads other tensors now is the same."""
    old, new = _nodes(before, bodies), _nodes(after, bodies)
    return _without(old, new), _without(new, old)


def _nodes(outputs: Sequence[Tensor], bodies: bool) -> list[Node]:
    """The nodes that compute, each recurrence followed by its body's."""
    found: list[Node] = []
    for node in topological(outputs):
        if isinstance(node.op, Stage | Scan | Random | Linalg):
            found.append(node)
        if bodies and isinstance(node.op, Scan):
            found += _nodes(node.op.results, bodies)
    return found


def _without(nodes: Sequence[Node], others: Sequence[Node]) -> list[Node]:
    """Those nodes whose operation is none of the others': operations stay where only their inputs change."""
    # A scan's operation holds its body, so it is another one whenever the body is: then the body's stages tell what is new.
    left: dict[object, int] = {}
    for node in others:
        left[_key(node)] = left.get(_key(node), 0) + 1
    found: list[Node] = []
    for node in nodes:
        left[_key(node)] = left.get(_key(node), 0) - 1
        if left[_key(node)] < 0:
            found.append(node)
    return found


def _key(node: Node) -> object:
    return (type(node.op), node.op.length, node.op.reverse, node.op.carries) if isinstance(node.op, Scan) else (id(node.op), node.outputs[0].dtype)
