"""The outputs of layers: what marks them in a graph, and how they are found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.graph import topological
from graphc.expr.operation import Scan
from graphc.expr.tensor import Tensor
from graphc.layers.mask import Masked

__all__ = ["LayerOutput", "calls_of", "layers_of"]


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput(Masked):
    """The output of a layer: the tensor that its formula gives, under the layer's name.

    ``inputs`` are the tensors that the layer was called on, so that pictures can group what lies between. ``mask`` says
    which entries of a sequence count; see :mod:`graphc.layers.mask`.
    """

    layer: Any = None
    inputs: tuple[Tensor, ...] = ()


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
