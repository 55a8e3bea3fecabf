"""What the machine's cores reach together: each thread's best of many short runs, all of them running at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

__all__ = ["best_rate", "best_together"]

_LEAST = 5  # runs that are timed, however long they take: a neighbour may disturb some


def best_together(threads: int, seconds: float, prepare: Callable[[int], Callable[[], float]]) -> float:
    """The sum of the threads' best rates.

    Args:
        threads: how many there are.
        seconds: how long they repeat what they do.
        prepare: called in each thread with its number, gives what the thread repeats, which tells how much it did.
    """
    best = [0.0] * threads

    def work(number: int) -> None:
        best[number] = best_rate(prepare(number), seconds)

    workers = [Thread(target=work, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(best)


def best_rate(run: Callable[[], float], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """The most that a run did in a second. The first one is not timed: it may find its memory or its code not there yet."""
    run()
    best, runs, start = 0.0, 0, clock()
    end = start + seconds
    while runs < _LEAST or start < end:
        done = run()
        now = clock()
        best = max(best, done / max(now - start, 1e-9))
        start, runs = now, runs + 1
    return best
