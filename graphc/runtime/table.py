"""The table of a program: its calls in order, those that are worth it divided among threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.codegen.division import CHUNKS, SPLIT
from graphc.codegen.executor import executor_address
from graphc.lower import ir
from graphc.lower.cost import Division, divide, nanoseconds

__all__ = ["WORTH", "Entry", "Table"]

_NEAR = 75_000  # ns: helpers are still awake when this much has passed since the last divided call
WORTH = 30_000  # ns of divided calls near each other for which sleeping helpers are woken


@dataclass(frozen=True)
class Entry:
    """One call: the kernel's address, its row's, the kernel itself, its parameters; what it costs where that is known, and how many
    threads it has memory for where that is not all.
    """

    address: int
    row: int
    kernel: ir.Kernel
    params: Sequence[int]
    cost: float | None = None
    workers: int | None = None


class Table:
    """Four words a call: address, row, extent, grain; the address and the row of a divided one are those of its division.

    Args:
        entries: the calls.
        control: the address of the control words.
        workers: how many threads may share a call.
        double: whether numbers have 64 bits.
        times: how often the whole table runs in a row.

    Attributes:
        words: the table.
        cost: about how many ns one run takes on one thread.
        divided: how many calls are divided.
    """

    def __init__(self, entries: Sequence[Entry], control: int, workers: int, double: bool, times: int = 1) -> None:
        costs = [e.cost if e.cost is not None else nanoseconds(e.kernel, e.params, double) for e in entries]
        extents = [_extent(e) for e in entries]
        known = zip(entries, extents, costs, strict=True)
        divisions = [divide(e.kernel, n, c, CHUNKS) if workers > 1 and n > 1 else None for e, n, c in known]
        self.cost = sum(costs)
        self.divided = sum(d is not None for d in divisions)
        wakes = _waking(costs, divisions, times)
        rows: list[int] = []
        words: list[int] = []
        self.rows = np.zeros(max(9 * self.divided, 1), np.int64)
        base = self.rows.ctypes.data
        for entry, extent, division, wake in zip(entries, extents, divisions, wakes, strict=True):
            if division is None:
                words += [entry.address, entry.row, extent, 0]
                continue
            words += [executor_address(SPLIT), base + 8 * len(rows), extent, division.grain]
            most = workers if entry.workers is None else min(workers, entry.workers)
            rows += [control, entry.address, entry.row, extent, division.grain, division.chunks, most, division.cost, int(wake)]
        self.rows[: len(rows)] = rows
        self.words: Any = np.array(words or [0], np.int64)


def _extent(entry: Entry) -> int:
    extent = entry.kernel.extent
    return entry.params[extent.number] if isinstance(extent, ir.Param) else extent


def _waking(costs: Sequence[float], divisions: Sequence[Division | None], times: int) -> list[bool]:
    """Which calls wake helpers: those that have, together with the divided ones near them, work for more than it takes to wake."""
    groups: list[list[int]] = []
    gap = float("inf")
    for number, (cost, division) in enumerate(zip(costs, divisions, strict=True)):
        if division is None:
            gap += cost
        elif gap <= _NEAR:
            groups[-1].append(number)
            gap = 0.0
        else:
            groups.append([number])
            gap = 0.0
    wakes = [False] * len(costs)
    for group in groups:
        for number in group:
            wakes[number] = times * sum(costs[k] for k in group) >= WORTH
    return wakes
