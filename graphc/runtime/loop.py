"""A scan laid out: a body in memory of its own that reads its items, and writes its outputs, where they lie outside.

Between iterations nothing is copied where that can be helped: the addresses in the rows of the body's kernels move on. An item
is read from its sequence, an output is written to its stack. The next value of a carry is written where the carry is read
in the next iteration: to its place among the saved carries, to the stack of the outputs, or else to the other one of two
buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.expr.dims import evaluate_extent, product
from graphc.expr.feed import numpy_dtype
from graphc.expr.tensor import Tensor
from graphc.lower.fuse import root_of
from graphc.lower.program import Call

__all__ = ["Loop"]


class _Moving(NamedTuple):
    """An address that moves: in the k-th iteration ``start + k * step``, and ``other`` beside it where k is odd.

    ``first`` and ``last`` are what it is in the first and the last iteration instead, where they are not 0.
    """

    start: int
    step: int = 0
    other: int = 0
    first: int = 0
    last: int = 0


Copy = tuple[_Moving, _Moving, int]  # source, target, bytes


class Loop:
    """The loop of one call of a program that is laid out.

    Args:
        outer: the program around it.
        call: the call.
        bind: lays out the body: from the addresses of what lies elsewhere and from what needs memory throughout.
    """

    def __init__(self, outer: Any, call: Call, bind: Callable[[dict[Tensor, int], Sequence[Tensor]], Any]) -> None:
        assert call.loop is not None
        self.loop, self.outer = call.loop, outer
        op = self.op = self.loop.scan
        moving = op.carries + op.sequences
        self.roots = [root_of(t) for t in self.loop.body.outputs]
        fixed = {t for c in self.loop.body.calls if c.loop is not None for t in c.buffers}
        self.sources = [outer.memory[t] for t in self.loop.inputs]
        self.targets = [None if t is None else outer.memory[t] for t in self.loop.outputs]
        self.led = self._leaders(fixed)
        # Items that move are read where they are; what is written to a stack alone needs no memory here.
        given = dict(zip(op.parameters[moving:], self.sources[moving:], strict=True))
        given |= {p: self.sources[op.carries + k] for k, p in enumerate(op.parameters[op.carries : moving]) if p not in fixed}
        given |= {self.roots[j]: t for j in self.led.values() if j >= op.carries and (t := self.targets[j]) is not None}
        self.fixed = fixed
        always = [p for p in op.parameters[:moving] if p not in given]
        self.body = bind(given, [*always, *(r for r in dict.fromkeys(self.roots) if r not in given)])

    def _leaders(self, fixed: set[Tensor]) -> dict[Tensor, int]:
        """By memory of the body's results: the one whose place in the loop it is written to; none where its address cannot move."""
        op, count = self.op, len(self.op.results)
        led: dict[Tensor, int] = {}
        for root in dict.fromkeys(self.roots):
            roles = [k for k, r in enumerate(self.roots) if r is root]
            stacked = [k for k in roles if k >= op.carries and self.targets[k] is not None]
            carried = [k for k in roles if k < op.carries and op.parameters[k] not in fixed]
            saved = [k for k in carried if self.targets[count + k] is not None]
            wanted = [*saved, *stacked, *carried]
            if root not in fixed and wanted:
                led[root] = wanted[0]
        return led

    def row(self, sizes: Mapping[str, int], kept: list[Any]) -> tuple[list[int], float]:
        """The row of the kernel that repeats the body, and what that costs; what it points to is added to ``kept``."""
        op = self.op
        length = evaluate_extent(op.length, sizes)
        rows = self.body.rows_for(sizes, length)
        places, copies = _Places(self, sizes, length).found()
        base = rows.words.ctypes.data
        moves = [(base + 8 * word, *place) for tensor, place in places.items() for word in rows.uses.get(tensor, [])]
        flat = [[x for m in moves for x in m], *([x for source, target, n in part for x in (*source, *target, n)] for part in copies)]
        words = [np.array(part or [0], np.int64) for part in flat]
        kept += [rows, *words]
        pairs = [x for w, part in zip(words, (moves, *copies), strict=True) for x in (w.ctypes.data, len(part))]
        row = [self.outer.control.ctypes.data, rows.table.ctypes.data, len(self.body.program.calls), length, int(op.reverse), *pairs]
        return row, length * rows.division.cost

    def bytes(self, tensor: Tensor, sizes: Mapping[str, int]) -> int:
        """How many bytes a tensor has."""
        return evaluate_extent(product(tensor.shape), sizes) * numpy_dtype(tensor.dtype, self.outer.floats).itemsize


class _Places:
    """Where a loop's carries, items and results lie in each iteration, and what is still copied."""

    def __init__(self, loop: Loop, sizes: Mapping[str, int], length: int) -> None:
        self.loop, self.length = loop, length
        self.given = [loop.bytes(p, sizes) for p in loop.op.parameters]
        self.made = [loop.bytes(r, sizes) for r in loop.op.results]
        self.places: dict[Tensor, _Moving] = {}
        self.first: list[Copy] = []
        self.before: list[Copy] = []
        self.after: list[Copy] = []
        self.final: list[Copy] = []

    def found(self) -> tuple[dict[Tensor, _Moving], tuple[list[Copy], list[Copy], list[Copy], list[Copy]]]:
        """The places that move, and the copies before an iteration, after it, before the loop and after it."""
        loop, op = self.loop, self.loop.op
        n = op.carries
        for k in range(n, n + op.sequences):
            item, at = op.parameters[k], self._stack(loop.sources[k], self.given[k])
            if item in loop.fixed:
                self.before.append((at, self._memory(item), self.given[k]))
            else:
                self.places[item] = at
        for root, leader in loop.led.items():
            self._lead(root, leader)
        for k in range(n):
            self._carry(k)
        for k in range(n, len(op.results)):
            target = loop.targets[k]
            if target is not None and loop.led.get(loop.roots[k]) != k:
                self.after.append((self._result(k), self._stack(target, self.made[k]), self.made[k]))
        if self.length == 0:  # the last carries are the first ones
            last = [(_Moving(loop.sources[k]), _Moving(t), self.given[k]) for k in range(n) if (t := loop.targets[k]) is not None]
            return {}, ([], [], last, [])
        return self.places, (self.before, self.after, self.first, self.final)

    def _stack(self, start: int, size: int, later: int = 0) -> _Moving:
        """Where a stack's item is in each iteration, or the one of so many iterations later."""
        at, step = (self.length - 1, -size) if self.loop.op.reverse else (0, size)
        return _Moving(start + at * size + later * step, step)

    def _memory(self, tensor: Tensor) -> _Moving:
        return _Moving(self.loop.body.memory[tensor])

    def _result(self, k: int) -> _Moving:
        root = self.loop.roots[k]
        return self.places.get(root) or self._memory(root)

    def _lead(self, root: Tensor, k: int) -> None:
        """The place of a result: among the saved carries, in the stack of an output, or in one of two buffers."""
        loop, op = self.loop, self.loop.op
        target = loop.targets[k]
        if k >= op.carries:
            assert target is not None
            self.places[root] = self._stack(target, self.made[k])
            return
        parameter, saved = op.parameters[k], loop.targets[len(op.results) + k]
        own, other = loop.body.memory[root], loop.body.memory[parameter]
        if saved is not None:
            self.places[root] = self._stack(saved, self.given[k], 1)._replace(last=target or own)
            self.places[parameter] = self._stack(saved, self.given[k])
            self.first.append((_Moving(loop.sources[k]), self.places[parameter], self.given[k]))
        else:
            self.places[root] = _Moving(own, 0, other - own, 0, target or 0)
            self.places[parameter] = _Moving(other, 0, own - other, loop.sources[k])

    def _carry(self, k: int) -> None:
        """What is still to be copied for a carry: nothing where its result leads, less where it follows the stack of an output."""
        loop, op = self.loop, self.loop.op
        root, parameter, size = loop.roots[k], op.parameters[k], self.given[k]
        leader = loop.led.get(root)
        if leader == k:
            return
        saved, target = loop.targets[len(op.results) + k], loop.targets[k]
        source = _Moving(loop.sources[k])
        if leader is not None and leader >= op.carries and parameter not in loop.fixed:
            stack = loop.targets[leader]
            assert stack is not None
            self.places[parameter] = self._stack(stack, size, -1)._replace(first=loop.sources[k])
        else:
            self.places[parameter] = self._memory(parameter)
            self.first.append((source, self.places[parameter], size))
            self.after.append((self._result(k), self.places[parameter], size))
        if saved is not None:
            self.before.append((self.places[parameter], self._stack(saved, size), size))
        if target is not None:  # the value of the last iteration
            made = self._result(k)
            end = made.last or made.start + (self.length - 1) * made.step + (made.other if self.length % 2 == 0 else 0)
            self.final.append((_Moving(end), _Moving(target), size))
