"""Where temporaries lie: one block of memory, reused as soon as nothing needs what was there."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["place_blocks"]

_ALIGN = 64


def place_blocks(blocks: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """An offset for each block ``(bytes, first call, last call)``, and the size of it all.

    Blocks that are alive at the same time do not overlap. Each goes to the lowest place that is free for its whole life,
    the largest first.
    """
    order = sorted(range(len(blocks)), key=lambda k: (-blocks[k][0], k))
    offsets = [0] * len(blocks)
    placed: list[int] = []
    total = 0
    for k in order:
        size, first, last = blocks[k]
        size = max(_ALIGN, -(-size // _ALIGN) * _ALIGN)
        taken = sorted(
            (offsets[p], offsets[p] + max(_ALIGN, -(-blocks[p][0] // _ALIGN) * _ALIGN))
            for p in placed
            if blocks[p][1] <= last and first <= blocks[p][2]
        )
        at = 0
        for start, end in taken:
            if at + size <= start:
                break
            at = max(at, end)
        offsets[k] = at
        placed.append(k)
        total = max(total, at + size)
    return offsets, total
