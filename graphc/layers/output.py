"""The outputs of layers: what marks them in a graph, and how they are found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.graph import topological
from graphc.expr.operation import Scan
from graphc.expr.tensor import Node, Tensor
from graphc.layers.mask import Masked

__all__ = ["Called", "LayerOutput", "calls_of", "layers_by_depth", "layers_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """One call of a layer: what it was given and what it gave, so that a file can hold all of it.

    Attributes:
        given: tensors and lists of tensors, by their place.
        options: those by name, tensors, numbers and words; ``...`` for anything else.
        training: the reading that was asked for.
        results: all that it gave, before it was marked, with ``masks``.
        several: whether it gave a list or a tuple.
    """

    given: tuple[Any, ...]
    options: Mapping[str, Any]
    training: bool | None
    results: tuple[Tensor, ...]
    masks: tuple[Any, ...]
    several: bool


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput(Masked):
    """The output of a layer: the tensor that its formula gives, under the layer's name.

    ``inputs`` are the tensors that the layer was called on, so that pictures can group what lies between. ``mask`` says
    which entries of a sequence count; see :mod:`graphc.layers.mask`. ``call`` is the call that gave it, among its other outputs.
    """

    layer: Any = None
    inputs: tuple[Tensor, ...] = ()
    call: Called | None = None


def layers_of(outputs: Sequence[Tensor]) -> list[Any]:
    """The layers whose outputs a graph contains, in order of first use."""
    return list(dict.fromkeys(node.op.layer for node in calls_of(outputs)))


def calls_of(outputs: Sequence[Tensor]) -> list[Any]:
    """The nodes that are outputs of layers, in a graph and in the bodies of its recurrences."""
    found: dict[Any, None] = {}
    for node in topological(outputs):
        if isinstance(node.op, LayerOutput):
            found[node] = None
        elif isinstance(node.op, Scan):
            found.update(dict.fromkeys(calls_of(node.op.results)))
    return list(found)


def layers_by_depth(outputs: Sequence[Tensor]) -> list[Any]:
    """The layers of a graph in Keras's order: the farthest from the outputs first, equals in the order in which a walk from there meets them.

    How far a layer is says the longest way from it to an output, counted in calls of layers and in operations between them.
    """
    met: dict[Any, int] = {}
    far: dict[Node, int] = {}
    farthest: dict[Any, int] = {}
    for node in reversed(_walked(outputs, met)):
        layer = _layer_of(node)
        far[node] = farthest[layer] = max(far.get(node, 0), farthest.get(layer, 0))
        for parent in _parents(node):
            far[parent] = max(far[node] + 1, far.get(parent, 0))
    return sorted((layer for layer in met if not isinstance(layer, Node)), key=lambda layer: (-farthest[layer], met[layer]))


def _walked(outputs: Sequence[Tensor], met: dict[Any, int]) -> list[Node]:
    """The nodes that the user wrote, each behind those it reads; ``met`` takes down when the walk came to each layer."""
    order: list[Node] = []
    begun: set[Node] = set()
    stack = [(t.node, False) for t in reversed(outputs)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in begun:
            begun.add(node)
            met.setdefault(_layer_of(node), len(met))
            stack += [(node, True), *((n, False) for n in reversed(_parents(node)))]
    return order


def _layer_of(node: Node) -> Any:
    """The layer whose output a node is, or the node itself."""
    return node.op.layer if isinstance(node.op, LayerOutput) else node


def _parents(node: Node) -> list[Node]:
    """What was called on what: of a layer the tensors that it was given, of an operation made of several those of the user."""
    op, call = node.op, node.outputs[0].call
    if isinstance(op, LayerOutput):
        return [t.node for t in op.inputs]
    inside = calls_of(op.results) if isinstance(op, Scan) else []
    return [t.node for t in (node.inputs if call is None or inside else call.inputs)] + inside
