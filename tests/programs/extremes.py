"""The rule of ties: the first of equals takes the whole gradient. PyTorch's ``amax`` splits it, so its side is written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.programs.program import apart, torch

__all__ = ["first_extreme", "larger", "winner"]


def _flat(x: Any, axes: Sequence[int]) -> Any:
    kept = [a for a in range(x.ndim) if a not in axes]
    return x.permute((*kept, *axes)).reshape((*(x.shape[a] for a in kept), math.prod(x.shape[a] for a in axes)))


def winner(x: Any, axes: Sequence[int], sign: int) -> Any:
    """The flat position, among the axes in their order, of the first largest (``sign`` 1) or smallest entry."""
    flat = sign * _flat(x.detach(), axes)
    if flat.shape[-1] > 1 and flat.numel():
        top = torch.topk(flat.double(), 2, dim=-1).values
        apart(top[..., 0] - top[..., 1])
    return torch.tensor(np.asarray(np.argmax(flat.numpy(), axis=-1)))


def first_extreme(x: Any, axes: Sequence[int], keepdims: bool, sign: int) -> Any:
    """The largest or smallest entry over the axes."""
    at = winner(x, axes, sign)
    value = torch.gather(_flat(x, axes), -1, at[..., None])[..., 0]
    for axis in sorted(axes) if keepdims else ():
        value = value.unsqueeze(axis)
    return value


def larger(x: Any, y: Any, sign: int = 1) -> Any:
    """The larger (``sign`` 1) or smaller of two; the first on a tie."""
    x, y = torch.broadcast_tensors(x, y)
    apart(x.double() - y.double())
    return torch.where(sign * x >= sign * y, x, y)
