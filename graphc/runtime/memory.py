"""Where temporaries lie: one block of memory, reused as soon as nothing needs what was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.expr.dims import evaluate_extent, product
from graphc.expr.feed import numpy_dtype
from graphc.expr.tensor import Tensor

__all__ = ["bytes_of", "place_blocks"]

_ALIGN = 64


def bytes_of(tensor: Tensor, sizes: Mapping[str, int], floats: Any) -> int:
    """The bytes of a tensor where named sizes are known; ``floats``: the type of floating-point numbers."""
    return evaluate_extent(product(tensor.shape), sizes) * numpy_dtype(tensor.dtype, floats).itemsize


def place_blocks(blocks: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """An offset for each block ``(bytes, first call, last call)``, and the size of it all.

    Blocks that are alive at the same time do not overlap. Each goes to the lowest place that is free for its whole life,
    the largest first.
    """
    order = sorted(range(len(blocks)), key=lambda k: (-blocks[k][0], k))
    offsets = [0] * len(blocks)
    placed = np.zeros((len(blocks), 4), dtype=np.int64)  # start, end, first call, last call; ordered by start
    total = 0
    for count, k in enumerate(order):
        size, first, last = blocks[k]
        size = max(_ALIGN, -(-size // _ALIGN) * _ALIGN)
        at = _lowest_gap(placed[:count], size, first, last)
        offsets[k] = at
        row = int(np.searchsorted(placed[:count, 0], at))
        placed[row + 1 : count + 1] = placed[row:count].copy()
        placed[row] = at, at + size, first, last
        total = max(total, at + size)
    return offsets, total


def _lowest_gap(placed: np.ndarray[Any, Any], size: int, first: int, last: int) -> int:
    """The lowest place where ``size`` bytes are free from call ``first`` to ``last``."""
    taken = placed[(placed[:, 2] <= last) & (placed[:, 3] >= first)]
    if not len(taken):
        return 0
    ends = np.maximum.accumulate(taken[:, 1])  # the end of all that starts no later
    before = np.concatenate(([0], ends[:-1]))
    wide = np.flatnonzero(taken[:, 0] - before >= size)
    return int(before[wide[0]]) if len(wide) else int(ends[-1])
