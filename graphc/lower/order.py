"""The order of a program's calls: what needs which, and which of two orders that keep to that needs less memory.

A gradient by a weight comes as soon as what it is made of is there, and not after all of the gradients by what layers are given: in that
order the calls follow each other as backpropagation is taught, and what only that layer needs is in the cache still, and gone afterwards.
Where large results come early and much else later, the order of the graph may need less: then it stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from graphc.expr.operation import Leaf
from graphc.expr.postorder import postorder
from graphc.expr.tensor import Tensor
from graphc.rewrite.products import nominal

if TYPE_CHECKING:
    from graphc.lower.program import Call

__all__ = ["needed_before", "ordered", "shallow_first"]


def ordered(calls: Sequence[Call], kept: Collection[Any]) -> list[Call]:
    """The calls as they are, or with what is shallow first, whichever needs less memory; ``kept`` is memory that is needed afterwards."""
    return min(shallow_first(calls), list(calls), key=lambda order: _room(order, kept))


def _room(calls: Sequence[Call], kept: Collection[Any]) -> float:
    """How many entries are in memory at a time, at most, at the sizes that are taken for unknown ones."""
    life: dict[Tensor, list[int]] = {}
    for number, call in enumerate(calls):
        for buffer in call.buffers:
            if isinstance(buffer, Tensor) and not isinstance(buffer.op, Leaf):
                life.setdefault(buffer, [number, number])[1] = len(calls) if buffer in kept else number
    changes = [0.0] * (len(calls) + 2)
    for buffer, (first, last) in life.items():
        changes[first] += nominal(buffer.shape)
        changes[last + 1] -= nominal(buffer.shape)
    return max(itertools.accumulate(changes))


def needed_before(calls: Sequence[Call]) -> list[list[int]]:
    """For each call those that it must come after: what writes the memory that it reads, or reads or writes what it writes over."""
    found: list[list[int]] = []
    writers: dict[Any, int] = {}
    readers: dict[Any, list[int]] = {}
    for number, call in enumerate(calls):
        before: dict[int, None] = {}
        for buffer, written in _touched(call):
            if buffer in writers:
                before[writers[buffer]] = None
            if written:
                before.update(dict.fromkeys(readers.pop(buffer, [])))
                writers[buffer] = number
            else:
                readers.setdefault(buffer, []).append(number)
        before.pop(number, None)
        found.append(list(before))
    return found


def _touched(call: Call) -> list[tuple[Any, bool]]:
    """The memory of a call, and whether it is written."""
    if call.loop is not None:
        written = {t for t in call.loop.outputs if t is not None}
        return [(b, b in written) for b in call.buffers]
    return [(b, w) for b, w in zip(call.buffers, call.kernel.written, strict=True)]


def shallow_first(calls: Sequence[Call]) -> list[Call]:
    """The calls, each behind what it needs: first all that leads to a result which few calls lie before, one after the other."""
    needed = needed_before(calls)
    depths: list[int] = []
    for before in needed:
        depths.append(1 + max((depths[k] for k in before), default=0))
    used = {k for before in needed for k in before}
    ends = sorted((k for k in range(len(calls)) if k not in used), key=lambda k: depths[k])
    return [calls[k] for k in postorder(ends, lambda k: sorted(needed[k]))]
