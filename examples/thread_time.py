"""What threads gain and cost: ``python examples/thread_time.py [seconds]``.

Programs are compiled for one thread and for all of them, and run in turns. The figures of "best" are those of a machine of
one's own, those of "mean" include what others do on it; "beside a neighbour" another process keeps one processor busy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Any

import numpy as np

import graphc as gx
from graphc.lower import cost
from graphc.runtime import table
from graphc.runtime.threads import thread_count

Made = tuple[Any, dict[Any, Any]]
CALLS = 20
BLOCK = 0.1  # seconds for which one program runs before the other has its turn


def product(size: int) -> Made:
    """One product of matrices."""
    a, b = gx.tensor("a", (size, size)), gx.tensor("b", (size, size))
    rng = np.random.default_rng(0)
    return a @ b, {t: rng.normal(size=(size, size)) for t in (a, b)}


def chain(size: int) -> Made:
    """Kernels that run entry by entry, each on what the one before has written, from last to first."""
    x = gx.tensor("x", (size,))
    h = x
    for _ in range(CALLS):
        h = gx.tanh(h)[::-1]
    return h, {x: np.random.default_rng(0).normal(size=size)}


def network(batch: int, *widths: int) -> Made:
    """One training step with Adam."""
    rng = np.random.default_rng(0)
    x, y = gx.tensor("x", ("n", widths[0])), gx.tensor("y", ("n", widths[-1]))
    weights = [gx.parameter(f"w{k}", (m, n), init=rng.normal(size=(m, n)) / m**0.5) for k, (m, n) in enumerate(pairwise(widths))]
    h: Any = x
    for w in weights[:-1]:
        h = gx.relu(h @ w)
    loss = -gx.mean(gx.sum(y * gx.log_softmax(h @ weights[-1]), axis=1))
    feed = {x: rng.normal(size=(batch, widths[0])), y: np.eye(widths[-1])[rng.integers(0, widths[-1], batch)]}
    return [loss, *gx.optimizers.Adam(1e-3).updates(loss, weights)], feed


CASES: dict[str, Callable[[], Made]] = {
    "product of 128 × 128 matrices": lambda: product(128),
    "product of 256 × 256 matrices": lambda: product(256),
    "product of 512 × 512 matrices": lambda: product(512),
    f"{CALLS} kernels of 16,384 entries": lambda: chain(16384),
    f"{CALLS} kernels of 65,536 entries": lambda: chain(65536),
    "a step of 64-128-64-10, batch 32": lambda: network(32, 64, 128, 64, 10),
    "a step of 784-512-256-10, batch 128": lambda: network(128, 784, 512, 256, 10),
}


def runner(made: Made, threads: int) -> Callable[[], float]:
    """A function that runs a program once and says how many seconds that took."""
    os.environ["GRAPHC_NUM_THREADS"] = str(threads)
    outputs, feed = made
    f = gx.compile(outputs, inputs=list(feed))
    arrays = [a.astype("float32") for a in feed.values()]
    f(*arrays)
    _, row = f.bind(tuple(a.shape for a in arrays))

    def run() -> float:
        f.set_control(0, 0)
        assert arrays  # the kernels read them where they are
        start = time.perf_counter()
        f._execute(row.ctypes.data)  # pyright: ignore[reportPrivateUsage]
        return time.perf_counter() - start

    return run


def in_turns(runs: list[Callable[[], float]], seconds: float) -> list[Any]:
    """The times of each, in microseconds."""
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for run, found in zip(runs, times, strict=True):
            until = time.perf_counter() + BLOCK
            while time.perf_counter() < until:
                found.append(run() * 1e6)
    return [np.array(t) for t in times]


@contextlib.contextmanager
def neighbour(count: int) -> Generator[None]:
    """Other processes that keep as many processors busy."""
    processes = [multiprocessing.get_context("spawn").Process(target=_burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    time.sleep(0.5 * bool(count))
    yield
    for process in processes:
        process.kill()


def _burn() -> None:
    while True:
        pass


def nothing_to_do() -> float:
    """What it costs to divide a call that nobody helps with, in nanoseconds."""
    before = cost.LEAST, cost.CHUNK, table.WORTH
    cost.LEAST, cost.CHUNK, table.WORTH = 0, 1, 1 << 60  # everything is divided, and nobody is woken
    made = chain(1024)
    divided, alone = runner(made, 2), runner(made, 1)
    cost.LEAST, cost.CHUNK, table.WORTH = before
    first, second = (min(t) for t in in_turns([divided, alone], 2.0))
    return (first - second) / CALLS * 1e3


def main(seconds: float) -> None:
    """Print the table."""
    threads = thread_count()
    made = {name: make() for name, make in CASES.items()}
    runs = {name: [runner(m, 1), runner(m, threads)] for name, m in made.items()}
    print(f"a divided call with nobody to help: {nothing_to_do():.0f} ns")
    for count in (0, 1):
        print(f"\nµs with 1 and with {threads} threads" + (", beside a neighbour" if count else ""))
        with neighbour(count):
            for name, pair in runs.items():
                one, many = in_turns(pair, seconds)
                print(f"{name:38s} best {one.min():8.1f} {many.min():8.1f}   mean {one.mean():8.1f} {many.mean():8.1f}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
