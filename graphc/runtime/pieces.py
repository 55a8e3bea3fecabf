"""Calls in which samples do not meet, run for some samples at a time: all of them for these, then all of them for the next ones.

What they compute for each other then lies in memory that stays in the cache, one for each thread, whatever the batch. Threads that
take pieces wait for each other once, not after every call. Against that stands that each call does less at a time: a product
reads its right operand again for each piece. How many samples are a piece follows from sizes alone, and so the results do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.codegen.executor import PIECE, executor_address
from graphc.expr.dims import Dim, evaluate_extent
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.cost import nanoseconds
from graphc.lower.groups import Grouped
from graphc.lower.program import Call
from graphc.runtime.loop import Part
from graphc.runtime.memory import bytes_of

__all__ = ["Pieces", "counts_of", "lane_length", "piece_size", "whole"]

_CACHE = 2_000_000  # bytes of a second-level cache, of which a piece may have half
_BYTE = 0.008  # ns: how much longer it takes to move a byte that has left that cache
_EDGE = 6.0  # rows of a product that beginning one costs as much as
_CALL = 60.0  # ns that a call costs beside what it does
_WAIT = 2500.0  # ns for which threads wait for each other in a call that they share
_SHARED = 8_000.0  # ns of such a call
_FEWEST = 4  # pieces that are worth it
_MOST = 16
_LANES = 8  # sums over some samples each, that are added up at the end
_GAIN = 0.06  # of the time, at least


def whole(param: Any, sizes: Mapping[str, int]) -> int:
    """A run-time number: an extent, a random node's number or the code of a check."""
    if isinstance(param, tuple):
        return int(param[1]) & 0xFFFFFFFF if param[0] == "number" else int(param[1])
    return evaluate_extent(param, sizes)


def piece_size(call: Call, sizes: Mapping[str, int], floats: Any) -> int:
    """For how many samples the calls of a group run at a time; 0 where it is better to run each for all."""
    try:
        return _Estimate(call, sizes, floats).best()
    except KeyError:  # a size is not known, which is said where memory is laid out
        return 0


def lane_length(group: Grouped, count: int, size: int) -> int:
    """How many pieces of so many samples one thread walks through: several where sums go on. It stays when there are fewer samples."""
    added = any(t.shape[0] == group.lanes for t in group.sums.values())
    return max(-(-count // size // _LANES), 1) if added else 1


def counts_of(count: int, size: int, each: int) -> tuple[int, int]:
    """How many pieces there are, and lanes of so many pieces."""
    pieces = -(-count // size)
    return pieces, -(-pieces // each)


class _Estimate:
    def __init__(self, call: Call, sizes: Mapping[str, int], floats: Any) -> None:
        assert call.group is not None
        self.group, self.sizes, self.floats = call.group, sizes, np.dtype(floats)
        self.calls = self.group.body.calls
        self.shared = {*call.buffers, *call.group.sums}
        self.count = sizes[str(self.group.rows)]

    def best(self) -> int:
        """What costs least, if it is worth it."""
        if self.count < _FEWEST:
            return 0
        double = self.floats.itemsize == 8
        numbers = [[whole(p, self.sizes) for p in c.params] for c in self.calls]
        costs = [nanoseconds(c.kernel, n, double) for c, n in zip(self.calls, numbers, strict=True)]
        total = sum(costs)
        edges = [c * _EDGE / rows for call, c in zip(self.calls, costs, strict=True) if (rows := self.rows(call)) > 0]
        alive, moved = self._bytes()
        waits = sum(_WAIT for c in costs if c >= _SHARED)
        found, least = 0, -_GAIN * total
        for pieces in (_MOST, 12, 8, 6, _FEWEST):
            size = -(-self.count // pieces)
            many = -(-self.count // size)
            if many < _FEWEST:
                continue
            kept = min(1.0, _CACHE / max(2 * alive * size / self.count, 1.0)) * max(0.0, 1.0 - _CACHE / max(alive, 1))
            change = (many - 1) * (sum(edges) + _CALL * len(costs)) - waits - _BYTE * moved * kept + self._uneven(size) * total
            if change < least:
                found, least = size, change
        return found

    def _uneven(self, size: int) -> float:
        """How much longer two threads take because one of them has more samples."""
        each = lane_length(self.group, self.count, size)
        _, lanes = counts_of(self.count, size, each)
        more = min((lanes + 1) // 2 * each * size, self.count)
        return 2 * more / self.count - 1

    def _bytes(self) -> tuple[int, int]:
        """The bytes that all samples have in memory at a time, at most, and those that the calls move."""
        first: dict[Tensor, int] = {}
        last: dict[Tensor, int] = {}
        moved = 0
        for number, call in enumerate(self.calls):
            for buffer in dict.fromkeys(b for b in call.buffers if isinstance(b, Tensor)):
                if buffer in self.shared and buffer not in self.group.apart:
                    continue
                if buffer not in self.shared or buffer in first:  # what others have, or need, is moved once in any case
                    moved += bytes_of(buffer, self.sizes, self.floats)
                first.setdefault(buffer, number)
                last[buffer] = number
        changes = [0] * (len(self.calls) + 1)
        for buffer, number in first.items():
            changes[number] += bytes_of(buffer, self.sizes, self.floats)
            changes[last[buffer] + 1] -= bytes_of(buffer, self.sizes, self.floats)
        return max(itertools.accumulate(changes)), moved

    def rows(self, call: Call) -> int:
        """The rows of a call's product; 0 where it is none, or has products for each sample by itself."""
        for s in call.kernel.body:
            for x in s.body if isinstance(s, ir.Loop) else ():
                if isinstance(x, ir.Contract) and isinstance(x.m, ir.Param):
                    param = call.params[x.m.number]
                    rows = whole(param, self.sizes)
                    return rows if rows > whole(param, {**self.sizes, str(self.group.rows): 1}) else 0
        return 0


class Pieces:
    """A group of calls that is laid out: for each worker its calls, in memory of their own.

    Args:
        outer: the program around it.
        call: the call.
        size: for how many samples they run at a time; ``each``: pieces in a lane.
        bind: lays out the calls: from their sizes, the addresses of what lies elsewhere, and a worker.
    """

    def __init__(self, outer: Any, call: Call, size: int, each: int, bind: Callable[[Mapping[str, int], Mapping[Tensor, int], int], Any]) -> None:
        assert call.group is not None
        self.group, self.outer, self.size, self.each = call.group, outer, size, each
        self.given: dict[Tensor, int] = {t: outer.memory[t] for t in call.buffers}
        self.given |= {t: outer.memory[lanes] for t, lanes in self.group.sums.items()}
        _, lanes = counts_of(outer.sizes[str(self.group.rows)], size, each)
        workers = max(min(outer.workers, lanes), 1)
        self.bodies = [bind(self.sizes(outer.sizes, size), self.given, worker) for worker in range(workers)]

    @property
    def body(self) -> Any:
        """The calls as they are laid out for the first worker."""
        return self.bodies[0]

    def sizes(self, sizes: Mapping[str, int], rows: int) -> dict[str, int]:
        """The sizes of calls that run for so many samples."""
        return {**sizes, str(self.group.rows): rows}

    def row(self, sizes: Mapping[str, int], kept: list[Any]) -> tuple[list[int], int, float]:
        """The row of the kernel that runs the pieces, how many lanes there are, and what that costs; what it points to is added to ``kept``."""
        count = sizes[str(self.group.rows)]
        pieces, lanes = counts_of(count, self.size, self.each)
        rest = count - max(pieces - 1, 0) * self.size
        made = [self._piece(b, sizes, rows, count) for b in self.bodies for rows in (self.size, rest)]
        addresses = np.array([m.row.ctypes.data for m in made], np.int64)
        kept += [addresses, *made]
        return [executor_address(PIECE), addresses.ctypes.data, pieces, self.each], lanes, pieces * made[0].cost

    def _piece(self, body: Any, sizes: Mapping[str, int], rows: int, count: int) -> Part:
        """The row of a worker's pieces of so many samples."""
        own = self.sizes(sizes, rows)
        found = body.rows_for(own)
        base = found.words.ctypes.data
        by_piece: list[int] = []
        by_lane: list[int] = []
        again: list[int] = []
        for tensor, start in self.given.items():
            words = [base + 8 * word for word in found.uses.get(tensor, [])]
            if tensor in self.group.apart:
                step = self.size * (bytes_of(tensor, sizes, self.outer.floats) // max(count, 1))
                by_piece += [x for word in words for x in (word, start, step)]
            elif tensor in self.group.sums:
                moved = by_lane if self.group.sums[tensor].shape[0] == self.group.lanes else by_piece
                moved += [x for word in words for x in (word, start, bytes_of(tensor, sizes, self.outer.floats))]
        before = str(self.group.before)
        for word, param in found.numbers:
            if not isinstance(param, Dim):
                continue
            if param == self.group.again:
                again.append(base + 8 * word)
            elif before in param.names:
                first = evaluate_extent(param, {**own, before: 0})
                by_piece += [base + 8 * word, first, evaluate_extent(param, {**own, before: self.size}) - first]
        words = [np.array(part or [0], np.int64) for part in (by_piece, by_lane, again)]
        counts = (len(by_piece) // 3, len(by_lane) // 3, len(again))
        pairs = [x for w, n in zip(words, counts, strict=True) for x in (w.ctypes.data, n)]
        row = np.array([found.table.ctypes.data, len(body.program.calls), self.each, *pairs], np.int64)
        return Part(row, found.division.cost, found, words, own)
