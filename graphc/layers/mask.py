"""Masks: which entries of a sequence count. A layer's output carries one along, and layers after it find it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from graphc.expr.operation import Alias, Carry, Phase
from graphc.expr.tensor import Tensor, make
from graphc.ops.arithmetic import logical_and

__all__ = ["Masked", "all_of", "mask_of", "masked", "masks_of", "set_mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Masked(Alias):
    """A tensor with the mask that belongs to it: truth values (n, time), or none."""

    mask: Any = None


def mask_of(tensor: Any) -> Tensor | None:
    """The mask that a tensor carries: that of the layer which gave it."""
    while isinstance(tensor, Tensor) and isinstance(tensor.op, Alias | Phase | Carry):
        if isinstance(tensor.op, Masked):
            return tensor.op.mask
        tensor = tensor.node.inputs[0]
    return None


def masks_of(given: Sequence[Any]) -> Any:
    """The mask of what a layer is called on: that of its first input, or a list where it is a list, or there are several."""
    found = [[mask_of(t) for t in x] if isinstance(x, list) else mask_of(x) for x in given]
    return found[0] if len(found) == 1 else found


def all_of(masks: Sequence[Any]) -> Tensor | None:
    """Where all of several masks are true; those that are ``None`` do not count."""
    known = [m for m in masks if m is not None]
    return reduce(logical_and, known) if known else None


def masked(tensor: Tensor, mask: Tensor | None) -> Tensor:
    """The tensor, carrying this mask and no other."""
    if mask is None and mask_of(tensor) is None:
        return tensor
    return make(Masked(mask), (tensor,), tensor.shape, tensor.dtype, name=tensor.name, call=tensor.call)


def set_mask(tensor: Tensor, mask: Tensor) -> None:
    """Let the layer's output that was read from a file carry its mask again: it comes after the output there."""
    if isinstance(tensor.op, Masked):
        object.__setattr__(tensor.op, "mask", mask)
