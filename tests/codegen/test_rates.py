"""Rates that are measured: how often, beginning when, and what counts; the clock is one that the tests wind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from graphc.codegen.rates import best_rate, best_together


def clocked(takes: list[float]) -> tuple[Callable[[], float], Callable[[], float], list[int]]:
    """Runs that take so long, one after the other, the last for ever; the clock that tells, and how many there were."""
    now, runs = [100.0], [0]

    def run() -> float:
        now[0] += takes[min(runs[0], len(takes) - 1)]
        runs[0] += 1
        return 6.0

    return run, lambda: now[0], runs


@pytest.mark.parametrize(
    ("takes", "seconds", "rate", "count"),
    [
        ([1.0], 0.0, 6.0, 6),  # the first, and five that are timed
        ([1.0], 8.0, 6.0, 9),
        ([0.5, 1.0], 0.0, 6.0, 6),  # the first does not count, not even where it is the fastest
        ([9.0, 1.0], 0.0, 6.0, 6),  # nor does it use up the time
        ([1.0, 30.0, 30.0, 0.5, 30.0], 1.0, 12.0, 6),  # a disturbed moment at the beginning is outlived
        ([1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.25, 2.0], 12.0, 24.0, 8),
        ([0.0], 0.0, 6e9, 6),  # a clock that stands still
    ],
)
def test_the_best_of_several_runs(takes: list[float], seconds: float, rate: float, count: int) -> None:
    run, clock, runs = clocked(takes)
    assert best_rate(run, seconds, clock) == pytest.approx(rate)
    assert runs == [count]


def test_threads_run_together_and_add_up() -> None:
    meeting, numbers = threading.Barrier(3, timeout=60), []

    def prepare(number: int) -> Callable[[], float]:
        meeting.wait()  # which all must reach: nobody's runs come after another's
        numbers.append(number)
        return lambda: 0.0 if number == 1 else 1e30

    alone = best_together(1, 0.0, lambda _: lambda: 0.0)
    assert alone == 0.0
    assert best_together(3, 0.0, prepare) > 2e30
    assert sorted(numbers) == [0, 1, 2]
