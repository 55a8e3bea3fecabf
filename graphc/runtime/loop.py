"""A scan laid out: a body in memory of its own that reads its items, and writes its outputs, where they lie outside.

Between iterations nothing is copied where that can be helped: the addresses in the rows of the body's kernels move on. An item
is read from its sequence, an output is written to its stack. The next value of a carry is written where the carry is read
in the next iteration: to its place among the saved carries, to the stack of the outputs, or else to the other one of two
buffers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.codegen.executor import REPEAT, executor_address
from graphc.expr.dims import evaluate_extent
from graphc.expr.tensor import Tensor
from graphc.lower.fuse import root_of
from graphc.lower.program import Call
from graphc.runtime.memory import bytes_of

__all__ = ["Loop", "Part"]


class _Moving(NamedTuple):
    """An address that moves: in the k-th iteration ``start + k * step``, and ``other`` beside it where k is odd.

    ``first`` and ``last`` are what it is in the first and the last iteration instead, where they are not 0.
    """

    start: int
    step: int = 0
    other: int = 0
    first: int = 0
    last: int = 0


_FEWEST = 4  # rows of a part, at least
_WORTH = 30_000  # ns of a loop that is done in parts
Copy = tuple[_Moving, _Moving, int]  # source, target, bytes


class Part(NamedTuple):
    """The row of a part of a loop, about how many ns it takes, the rows of its kernels, what the row points to, and its sizes."""

    row: Any
    cost: float
    rows: Any
    words: list[Any]
    sizes: Mapping[str, int]


class Loop:
    """The loop of one call of a program that is laid out; where its rows do not meet, in parts that may run beside each other.

    Args:
        outer: the program around it.
        call: the call.
        bind: lays out the body: from its sizes, the addresses of what lies elsewhere, what needs memory throughout, and how many
            threads may share its calls.
    """

    def __init__(self, outer: Any, call: Call, bind: Callable[[Mapping[str, int], dict[Tensor, int], Sequence[Tensor], int], Any]) -> None:
        assert call.loop is not None
        self.loop, self.outer = call.loop, outer
        op = self.op = self.loop.scan
        moving = op.carries + op.sequences
        self.roots = [root_of(t) for t in self.loop.body.outputs]
        # What a loop in this one touches stays where it is: its address is in tables.
        self.fixed = {t for c in self.loop.body.calls if c.loop is not None for t in c.buffers}
        self.sources = [outer.memory[t] for t in self.loop.inputs]
        self.targets = [None if t is None else outer.memory[t] for t in self.loop.outputs]
        self.leaders = self._leaders()
        # Items that move are read where they are; what is written to a stack alone needs no memory here.
        given = dict(zip(op.parameters[moving:], self.sources[moving:], strict=True))
        given |= {p: self.sources[op.carries + k] for k, p in enumerate(op.parameters[op.carries : moving]) if p not in self.fixed}
        given |= {self.roots[j]: t for j in self.leaders.values() if j >= op.carries and (t := self.targets[j]) is not None}
        always = [p for p in op.parameters[:moving] if p not in given]
        always += [r for r in dict.fromkeys(self.roots) if r not in given]
        # The first one has memory for all rows: where there is too little to do, it does it all.
        count = 1 if self.loop.rows is None else evaluate_extent(self.loop.rows.extent, outer.sizes)
        parts = 1 if self.loop.rows is None else max(1, min(outer.workers, count // _FEWEST))
        self._most = -(-count // parts)  # rows that a part has memory for
        rows = (count, *[self._most] * (parts - 1))
        self.bodies = [bind(self.sizes(outer.sizes, n), given, always, outer.workers if parts == 1 else 1) for n in rows]

    @property
    def body(self) -> Any:
        """The body as it is laid out for the first rows, or for all."""
        return self.bodies[0]

    def _parts(self, sizes: Mapping[str, int]) -> list[tuple[int, int]]:
        """The first row of each part and how many it has; all of them in one where there are few."""
        if self.loop.rows is None:
            return [(0, 1)]
        count = evaluate_extent(self.loop.rows.extent, sizes)
        parts = min(len(self.bodies), count // _FEWEST)
        parts = max(parts, -(-count // self._most)) if parts > 1 else 1
        starts = [k * count // parts for k in range(parts + 1)]
        return [(a, b - a) for a, b in itertools.pairwise(starts)]

    def sizes(self, sizes: Mapping[str, int], rows: int) -> dict[str, int]:
        """The sizes of the body of a part of so many rows."""
        return dict(sizes) if self.loop.rows is None else {**sizes, self.loop.rows.name: rows}

    def _leaders(self) -> dict[Tensor, int]:
        """By memory of the body's results: the one whose place in the loop it is written to; none where its address cannot move."""
        op, count = self.op, len(self.op.results)
        found: dict[Tensor, int] = {}
        for root in dict.fromkeys(self.roots):
            roles = [k for k, r in enumerate(self.roots) if r is root]
            stacked = [k for k in roles if k >= op.carries and self.targets[k] is not None]
            carried = [k for k in roles if k < op.carries and op.parameters[k] not in self.fixed]
            saved = [k for k in carried if self.targets[count + k] is not None]
            wanted = [*saved, *stacked, *carried]
            if root not in self.fixed and wanted:
                found[root] = wanted[0]
        return found

    def row(self, sizes: Mapping[str, int], kept: list[Any]) -> tuple[list[int], int, float]:
        """The row of the kernel that runs the loop, in how many parts, and what that costs; what it points to is added to ``kept``."""
        length = evaluate_extent(self.op.length, sizes)
        parts = [p for p in self._parts(sizes) if p[1] > 0] or [(0, 0)]
        made = [self._part(b, sizes, *p, length) for b, p in zip(self.bodies, parts, strict=False)]
        cost = sum(m.cost for m in made)
        if len(made) > 1 and cost < _WORTH:
            made = [self._part(self.body, sizes, 0, sum(n for _, n in parts), length)]
        addresses = np.array([m.row.ctypes.data for m in made], np.int64)
        kept += [addresses, *made]
        return [executor_address(REPEAT), addresses.ctypes.data], len(made), cost

    def _part(self, body: Any, sizes: Mapping[str, int], start: int, count: int, length: int) -> Part:
        """The row of one part of the loop, and what it costs."""
        own = self.sizes(sizes, count)
        rows = body.rows_for(own, length)
        places, copies = _Places(self, body, sizes, start, count, length).found()
        base = rows.words.ctypes.data
        moves = [(base + 8 * word, *place) for tensor, place in places.items() for word in rows.uses.get(tensor, [])]
        flat = [[x for m in moves for x in m], *([x for source, target, n in part for x in (*source, *target, n)] for part in copies)]
        words = [np.array(part or [0], np.int64) for part in flat]
        pairs = [x for w, part in zip(words, (moves, *copies), strict=True) for x in (w.ctypes.data, len(part))]
        # Parts run beside each other: they leave the number of the iteration alone, which nothing in them asks for.
        number = 0 if self.loop.rows is not None else self.outer.control.ctypes.data
        row = [number, rows.table.ctypes.data, len(body.program.calls), length, int(self.op.reverse), *pairs]
        return Part(np.array(row, np.int64), length * rows.division.cost, rows, words, own)

    def bytes(self, tensor: Tensor, sizes: Mapping[str, int]) -> int:
        """How many bytes a tensor has; for the sizes of one row, how many that has."""
        return bytes_of(tensor, sizes, self.outer.floats)


class _Size(NamedTuple):
    """The bytes of a tensor, of the rows of it that a part works on, and before them."""

    whole: int
    part: int
    before: int


class _Places:
    """Where a loop's carries, items and results lie in each iteration, and what is still copied, for some rows of them."""

    def __init__(self, loop: Loop, body: Any, sizes: Mapping[str, int], start: int, rows: int, length: int) -> None:
        self.loop, self.body, self.length = loop, body, length
        op, by = loop.op, loop.loop.rows
        apart = (False,) * len(op.parameters) if by is None else by.apart
        count = 1 if by is None else max(evaluate_extent(by.extent, sizes), 1)

        single = loop.sizes(sizes, 1)

        def size(tensor: Tensor, has_rows: bool) -> _Size:
            one = loop.bytes(tensor, single)
            return _Size(one * count, one * rows, one * start) if has_rows else _Size(one, one, 0)

        self.given = [size(p, a) for p, a in zip(op.parameters, apart, strict=True)]
        self.made = [size(r, by is not None) for r in op.results]
        self.sources = [at + s.before for at, s in zip(loop.sources, self.given, strict=True)]
        outputs = [*self.made, *self.given[: op.carries]]
        self.targets = [None if t is None else t + s.before for t, s in zip(loop.targets, outputs, strict=True)]
        self.places: dict[Tensor, _Moving] = {}
        self.first: list[Copy] = []
        self.before: list[Copy] = []
        self.after: list[Copy] = []
        self.final: list[Copy] = []

    def found(self) -> tuple[dict[Tensor, _Moving], tuple[list[Copy], list[Copy], list[Copy], list[Copy]]]:
        """The places that move, and the copies before an iteration, after it, before the loop and after it."""
        loop, op = self.loop, self.loop.op
        n = op.carries
        for k in range(n, len(op.parameters)):
            parameter, size = op.parameters[k], self.given[k]
            if k >= n + op.sequences:
                if size.before:
                    self.places[parameter] = _Moving(self.sources[k])
            elif parameter in loop.fixed:
                self.before.append((self._stack(self.sources[k], size), self._memory(parameter), size.part))
            else:
                self.places[parameter] = self._stack(self.sources[k], size)
        for root, leader in loop.leaders.items():
            self._lead(root, leader)
        for k in range(n):
            self._carry(k)
        for k in range(n, len(op.results)):
            target, size = self.targets[k], self.made[k]
            if target is not None and loop.leaders.get(loop.roots[k]) != k:
                self.after.append((self._result(k), self._stack(target, size), size.part))
        if self.length == 0:  # the last carries are the first ones
            last = [(_Moving(self.sources[k]), _Moving(t), self.given[k].part) for k in range(n) if (t := self.targets[k]) is not None]
            return {}, ([], [], last, [])
        return self.places, (self.before, self.after, self.first, self.final)

    def _stack(self, start: int, size: _Size, later: int = 0) -> _Moving:
        """Where a stack's item is in each iteration, or the one of so many iterations later."""
        at, step = (self.length - 1, -size.whole) if self.loop.op.reverse else (0, size.whole)
        return _Moving(start + at * size.whole + later * step, step)

    def _memory(self, tensor: Tensor) -> _Moving:
        return _Moving(self.body.memory[tensor])

    def _result(self, k: int) -> _Moving:
        root = self.loop.roots[k]
        return self.places.get(root) or self._memory(root)

    def _lead(self, root: Tensor, k: int) -> None:
        """The place of a result: among the saved carries, in the stack of an output, or in one of two buffers."""
        op, target = self.loop.op, self.targets[k]
        if k >= op.carries:
            assert target is not None
            self.places[root] = self._stack(target, self.made[k])
            return
        parameter, saved, size = op.parameters[k], self.targets[len(op.results) + k], self.given[k]
        own, other = self.body.memory[root], self.body.memory[parameter]
        if saved is not None:
            self.places[root] = self._stack(saved, size, 1)._replace(last=target or own)
            self.places[parameter] = self._stack(saved, size)
            self.first.append((_Moving(self.sources[k]), self._stack(saved, size)._replace(step=0), size.part))
        else:
            self.places[root] = _Moving(own, 0, other - own, 0, target or 0)
            self.places[parameter] = _Moving(other, 0, own - other, self.sources[k])

    def _carry(self, k: int) -> None:
        """What is still to be copied for a carry: nothing where its result leads, less where it follows the stack of an output."""
        op, root = self.loop.op, self.loop.roots[k]
        parameter, size, leader = op.parameters[k], self.given[k], self.loop.leaders.get(root)
        if leader == k:
            return
        saved, target = self.targets[len(op.results) + k], self.targets[k]
        if leader is not None and leader >= op.carries and parameter not in self.loop.fixed:
            stack = self.targets[leader]
            assert stack is not None
            self.places[parameter] = self._stack(stack, size, -1)._replace(first=self.sources[k])
        else:
            self.places[parameter] = self._memory(parameter)
            self.first.append((_Moving(self.sources[k]), self.places[parameter], size.part))
            self.after.append((self._result(k), self.places[parameter], size.part))
        if saved is not None:
            self.before.append((self.places[parameter], self._stack(saved, size), size.part))
        if target is not None:  # the value of the last iteration
            made = self._result(k)
            end = made.last or made.start + (self.length - 1) * made.step + (made.other if self.length % 2 == 0 else 0)
            self.final.append((_Moving(end), _Moving(target), size.part))
