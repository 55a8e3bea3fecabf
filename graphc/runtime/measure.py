"""What each call of a program takes, measured in place: in the memory of its last run, which is left as if nothing had happened."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from graphc.codegen.peak import peak_flops
from graphc.codegen.rates import best_together
from graphc.runtime.loop import Part

__all__ = ["Measured", "bandwidth", "measure", "peak"]

_SECONDS = 0.2  # for all calls of a program together, after the first run
_WHOLE = 0.05  # for runs of the whole program
_BURST = 20e-6  # a call is repeated until so much time has passed between two looks at the clock
_MOST = 256  # how often, at most
_ROUNDS = 10
_QUICK = 0.04  # for the machine's peak, and for what its memory carries


@dataclass
class Measured:
    """Seconds of a run of the whole program, and of each call by its ``id``: in bodies of recurrences, of one iteration, and in
    groups, of one piece.
    """

    whole: float = 0.0
    calls: dict[int, float] = field(default_factory=dict)


def measure(bound: Any, control: Any, prepare: Callable[[], None], execute: Callable[[int], None]) -> Measured:
    """Time the calls of a program that has run.

    Args:
        bound: the program laid out.
        control: its control words.
        prepare: sets the control words for a run.
        execute: runs the kernels of a table, given the address of its row.
    """
    clock = _Clock(control, execute)
    with _untouched(bound, control):
        prepare()
        known = _entries(bound.program, bound.rows)
        clock.first(known)
        clock.again(known, time.perf_counter() + _SECONDS)
        clock.whole(bound.rows.table, time.perf_counter() + _WHOLE)
    return clock.found


@contextlib.contextmanager
def _untouched(bound: Any, control: Any) -> Generator[None]:
    """States, parameters and control words are afterwards as they were before; inputs are not read where callers had them."""
    words = control.copy()
    kept = [(mirror.array, mirror.array.copy()) for mirror in bound.written]
    # A large input was read where it lay, and may be gone since: zeros in our own memory stand for it.
    for tensor in list(bound.patched):
        bound.rows.words[bound.rows.uses.get(tensor, [])] = bound.memory[tensor]
        bound.arrays[tensor][...] = 0
        bound.patched.discard(tensor)
    try:
        yield
    finally:
        for array, before in kept:
            array[...] = before
        control[:] = words


@dataclass
class _Entry:
    """A call, its four words of a table, and the entries of a recurrence's body."""

    call: int
    words: Any
    body: list[_Entry]


def _entries(program: Any, rows: Any) -> list[_Entry]:
    """The entries of a table. Those inside a recurrence are of its first part, with the addresses of the iteration that was last; those of
    a group are of the first thread's pieces, with the addresses of the one that was last.
    """
    found: list[_Entry] = []
    for number, call in enumerate(program.calls):
        parts: list[Part] = rows.parts.get(number, [])
        body = _entries(call.inside, parts[0].rows) if call.inside is not None and parts else []
        found.append(_Entry(id(call), rows.table[4 * number : 4 * number + 4], body))
    return found


class _Clock:
    """Times of entries: the least of all that were taken."""

    def __init__(self, control: Any, execute: Callable[[int], None]) -> None:
        self.control, self.execute = control, execute
        self.found = Measured()

    def run(self, table: Any) -> float:
        """The seconds of one run of a table, whatever its kernels find wrong."""
        count = len(table) // 4
        row = np.array([self.control.ctypes.data, table.ctypes.data, count, count], np.int64)
        address = row.ctypes.data
        start = time.perf_counter()
        self.execute(address)
        return time.perf_counter() - start

    def note(self, entry: _Entry, repeats: int) -> None:
        """Take the time of an entry once more."""
        spent = self.run(np.tile(entry.words, repeats)) / repeats
        self.found.calls[entry.call] = min(spent, self.found.calls.get(entry.call, spent))

    def first(self, entries: list[_Entry]) -> None:
        """Run all entries once, in their order, so that each finds the values that it is made for."""
        for entry in entries:
            self.note(entry, 1)
            self.first(entry.body)

    def again(self, entries: list[_Entry], end: float) -> None:
        """Repeat short entries until their times are known, or the time is over."""
        flat: list[_Entry] = []
        waiting = list(reversed(entries))
        while waiting:
            flat.append(waiting.pop())
            waiting += reversed(flat[-1].body)
        for _ in range(_ROUNDS):
            for entry in flat:
                if time.perf_counter() > end:
                    return
                self.note(entry, max(1, min(int(_BURST / max(self.found.calls[entry.call], 1e-9)), _MOST)))

    def whole(self, table: Any, end: float) -> None:
        """Run the whole table, once at least; where it is short, several times between two looks at the clock."""
        best = self.run(table)
        for _ in range(4 * _ROUNDS):
            if time.perf_counter() > end:
                break
            repeats = max(1, min(int(_BURST / max(best, 1e-9)), _MOST))
            best = min(best, self.run(np.tile(table, repeats)) / repeats)
        self.found.whole = best


@cache
def peak(threads: int, double: bool) -> float:
    """The operations a second that the machine reaches at all, measured once a process; half as many in double precision."""
    return peak_flops(threads, _QUICK) / (2.0 if double else 1.0)


def bandwidth(threads: int, size: int) -> float:
    """The bytes a second that are read and written where memory of such a size is copied: what is small lies in a cache."""
    return _copied(threads, min(max(size, 1).bit_length(), 27))


@cache
def _copied(threads: int, bits: int) -> float:
    half = max(1 << bits >> 1, 1 << 17)  # at least 256 KiB in all: less is not moved any faster
    source, target = np.ones(half, np.uint8), np.zeros(half, np.uint8)

    def prepare(number: int) -> Callable[[], float]:
        part = slice(number * half // threads, (number + 1) * half // threads)
        mine, to = source[part], target[part]

        def run() -> float:
            np.copyto(to, mine)
            return 2.0 * mine.nbytes

        return run

    return best_together(threads, _QUICK, prepare)
