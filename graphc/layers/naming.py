"""How layers are called that were given no name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from graphc.expr.graph import topological
from graphc.expr.tensor import Node, Tensor
from graphc.layers.output import layers_of

__all__ = ["free_name", "snake_case", "unique"]

# The names of the layers that read an input, directly or through others: kept as long as the input is.
_taken: WeakKeyDictionary[Node, set[str]] = WeakKeyDictionary()


def unique(name: str, taken: set[str]) -> str:
    """``name``, or ``name_1``, ``name_2``, ... where it is taken; the result is taken from now on."""
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def free_name(name: str, inputs: Sequence[Tensor]) -> str:
    """A name that no layer bears which ``inputs`` come through, and none that reads the same inputs of the graph.

    So layers beside each other are told apart as those behind each other are, before there is a model that names them.
    """
    sources = [_taken.setdefault(node, set()) for node in topological(inputs) if getattr(node.op, "kind", None) == "input"]
    taken = {layer.name for layer in layers_of(inputs)}.union(*sources)
    found = unique(name, taken)
    for names in sources:
        names.add(found)
    return found


def snake_case(name: str) -> str:
    """``BatchNormalization`` as ``batch_normalization``, ``Conv2D`` as ``conv2d``."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
