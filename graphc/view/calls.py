"""Calls of layers: what lies between the tensors that a layer was called on and its output belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphc.expr.tensor import Tensor

__all__ = ["is_layer", "kinds_of", "within_calls"]

Path = tuple[str, ...]


def is_layer(tensor: Tensor) -> bool:
    """Whether a tensor is what a layer gives, under the layer's name."""
    return getattr(tensor.op, "layer", None) is not None


def path_of(output: Tensor) -> Path:
    """The name of the layer, scope by scope."""
    return tuple(output.name.split("/"))


def within_calls(
    outputs: Sequence[Tensor], sources: Mapping[Tensor, Tensor], inputs: Mapping[Tensor, Sequence[Tensor]]
) -> tuple[dict[Tensor, Path], set[Path]]:
    """The innermost layer that each tensor is made in, and the layers that hold others.

    Args:
        outputs: what layers give, inner layers before those that hold them.
        sources: the item that each tensor belongs to.
        inputs: the items that each item that is computed reads; what is given belongs to no call.
    """
    found: dict[Tensor, Path] = {}
    holders: set[Path] = set()
    for output in outputs:
        path = path_of(output)
        op: Any = output.op
        given = {sources[t] for t in op.inputs if t in sources}
        pending, seen = [sources[output]], set[Tensor]()
        while pending:
            tensor = pending.pop()
            if tensor in seen or tensor not in inputs or (tensor in given and tensor is not output):
                continue
            seen.add(tensor)
            if found.setdefault(tensor, path) != path:
                holders.add(path)
            pending.extend(inputs[tensor])
    return found, holders


def kinds_of(outputs: Collection[Tensor]) -> dict[Path, str]:
    """The class of each layer, as the user knows it."""
    kinds: dict[Path, str] = {}
    for output in outputs:
        op: Any = output.op
        kinds.setdefault(path_of(output), type(op.layer).__name__)
    return kinds
