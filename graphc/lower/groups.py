"""Calls in which samples do not meet, brought together, so that they may be run for some samples at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.expr.dims import Dim
from graphc.expr.graph import root_of
from graphc.expr.operation import Linalg
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.order import needed_before
from graphc.rewrite.samples import Samples

if TYPE_CHECKING:
    from graphc.lower.program import Call, Program

__all__ = ["Grouped", "arrange", "computed_apart"]

FEWEST = 3  # calls of a group


@dataclass
class Grouped:
    """Calls that may be run for some samples at a time.

    Attributes:
        body: the calls.
        rows: the size that says for how many samples they run; ``before``: how many samples come before those.
        again: whether sums of products over samples are added to what is there; ``lanes``: how many such sums there are.
        pieces: how many times the calls run for some samples: so many of all other sums there are.
        apart: the memory that has samples among what the calls share with others.
        sums: the sums over samples, and where those over some are; ``gathers``: the calls that add these up.
    """

    body: Program
    rows: Dim
    before: Dim
    again: Dim
    lanes: Dim
    pieces: Dim
    apart: frozenset[Tensor]
    sums: dict[Tensor, Tensor]
    gathers: list[Call]


def computed_apart(call: Call, samples: Samples, stored: Callable[[Tensor], bool]) -> bool:
    """Whether a call computes nothing but tensors with samples, and reads of such what belongs to the same sample."""
    if call.last or call.loop is not None or isinstance(call.tensors[0].op, Linalg) or _checks(call.kernel.body):
        return False
    if call.whole is not None and call.whole not in samples.computed:
        return False
    waiting, seen = list(call.tensors), set(call.tensors)
    if any(t not in samples.computed for t in waiting) and not adds(call, samples):
        return False
    while waiting:
        tensor = waiting.pop()
        for other in tensor.inputs:
            if stored(other):
                if tensor not in samples.computed and tensor not in samples.sums and root_of(other) in samples.apart:
                    return False
            elif other not in seen:
                seen.add(other)
                waiting.append(other)
    return True


def adds(call: Call, samples: Samples) -> bool:
    """Whether a call is a sum over samples."""
    return all(t in samples.sums for t in call.tensors) and call.whole is None


def _checks(body: Sequence[ir.Statement]) -> bool:
    return any(isinstance(s, ir.Checked) or (isinstance(s, ir.Loop) and _checks(s.body)) for s in body)


def arrange(calls: Sequence[Call], apart: Collection[int], sums: Collection[int]) -> list[list[Call]]:
    """The calls in an order that keeps what each needs before it, in runs of those that are ``apart`` and of others in turn.

    The first run is of others, and may be empty. Each run is as long as can be: what it does not need comes later. ``sums`` come
    as soon as they can; what needs them comes after their run.
    """
    needed = needed_before(calls)
    missing = [len(before) for before in needed]
    users: list[list[int]] = [[] for _ in calls]
    for number, before in enumerate(needed):
        for other in before:
            users[other].append(number)
    ready: tuple[list[tuple[bool, int]], list[tuple[bool, int]]] = ([], [])
    done: list[int] = [k for k in range(len(calls)) if not missing[k]]
    runs: list[list[Call]] = [[]]
    turn = False

    def release(freed: Sequence[int]) -> None:
        for k in freed:
            heapq.heappush(ready[k in apart], (k not in sums, k))

    def finish(number: int) -> list[int]:
        for user in users[number]:
            missing[user] -= 1
        return [user for user in users[number] if not missing[user]]

    release(done)
    waiting: list[int] = []
    while ready[0] or ready[1] or waiting:
        if not ready[turn]:
            for number in waiting:
                release(finish(number))
            waiting = []
            turn = not turn
            runs.append([])
            continue
        _, number = heapq.heappop(ready[turn])
        runs[-1].append(calls[number])
        if number in sums:
            waiting.append(number)
        else:
            release(finish(number))
    return runs
