"""The measurement: libraries take turns, round by round, and medians count."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from graphc.bench.flops import contraction_flops
from graphc.bench.peers.with_graphc import declare
from graphc.bench.results import Panel, Results, Row
from graphc.bench.worker import Library, library
from graphc.bench.workloads import Workload, families
from graphc.errors import GraphcError

__all__ = ["measure", "measure_growth", "processors"]

_PAUSE = 0.005  # seconds between turns, until another library's threads have stopped waiting for work
_LONGEST = 20.0  # seconds of rounds for one workload; after three rounds this ends them
Say = Callable[[str], None]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(
    workloads: Sequence[Workload], peers: Sequence[str], *, rounds: int = 15, threads: int = 2, seed: int = 0, say: Say = lambda _: None
) -> Results:
    """The table: every workload in every library that has its parts.

    Args:
        workloads: what is trained.
        peers: the libraries, ``"graphc"`` among them; see :data:`graphc.bench.peers.PEERS`.
        rounds: how often each takes its turn.
        threads: for every library.
        seed: of weights and data.
        say: is told what comes next.

    It starts processes: a script calls it under ``if __name__ == "__main__":``.
    """
    with ExitStack() as stack:
        libraries = [stack.enter_context(library(name, threads)) for name in peers]
        results = _begun(libraries, threads, rounds)
        for workload in workloads:
            say(f"{workload.name}: {workload.title}")
            results.rows.append(_row(workload, libraries, rounds, seed, results.notes))
        return results


def measure_growth(peers: Sequence[str], *, rounds: int = 5, threads: int = 2, seed: int = 0, say: Say = lambda _: None) -> Results:
    """Cost against size: rows of networks of which one size grows; arguments as for :func:`measure`."""
    with ExitStack() as stack:
        libraries = [stack.enter_context(library(name, threads)) for name in peers]
        results = _begun(libraries, threads, rounds)
        for title, (along, row) in families().items():
            panel = Panel(title, along, list(row), [])
            results.panels.append(panel)
            for workload in row.values():
                say(workload.title)
                panel.rows.append(_row(workload, libraries, rounds, seed, results.notes))
        return results


def _begun(libraries: Sequence[Library], threads: int, rounds: int) -> Results:
    from graphc.codegen.peak import peak_flops

    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    return Results(threads, rounds, _machine(), {x.name: x.version() for x in libraries}, max(peak_flops(threads) for _ in range(3)), load)


def _row(workload: Workload, libraries: Sequence[Library], rounds: int, seed: int, notes: list[str]) -> Row:
    losses: dict[str, dict[str, float]] = {}
    for x in libraries:
        with _without(x, workload, notes):
            losses[x.name] = x.load(workload, seed)
    present = [x for x in libraries if losses.get(x.name)]
    times: dict[str, dict[str, list[float]]] = {x.name: {way: [] for way in losses[x.name]} for x in present}
    started = time.perf_counter()
    for number in range(rounds):
        for x in [x for x in present if x.name in times]:
            time.sleep(_PAUSE)
            found: dict[str, float] = {}
            with _without(x, workload, notes):
                found = x.turn()
            if not found:
                del times[x.name]
            for way, value in found.items():
                times[x.name][way].append(value)
        if number >= 2 and time.perf_counter() - started > _LONGEST:
            if number + 1 < rounds:
                notes.append(f"{workload.title}: {number + 1} rounds, which took longer than {_LONGEST:.0f} s")
            break
    middle = {name: {way: statistics.median(values) for way, values in ways.items()} for name, ways in times.items()}
    ways = {name: min(found, key=lambda way: found[way]) for name, found in middle.items()}
    _, _, loss = declare(workload, workload.sized(1, 1).data(seed).weights)
    return Row(
        workload.name,
        workload.title,
        {name: middle[name][way] for name, way in ways.items()},
        ways,
        {name: losses[name][way] for name, way in ways.items()},
        contraction_flops(loss, {"n": workload.batch}),
    )


@contextmanager
def _without(x: Library, workload: Workload, notes: list[str]) -> Generator[None]:
    """What stops another library is noted, and the measurement goes on without it."""
    try:
        yield
    except GraphcError as error:
        if x.name == "graphc":
            raise
        notes.append(f"{workload.title}: {error}")


def _machine() -> str:
    """The kind of processor, as far as it concerns the figures."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    kinds = {"avx512f": " with AVX-512", "avx2": " with AVX2", "asimd": " with NEON"}
    vectors = next((words for flag, words in kinds.items() if f" {flag}" in text), "")
    return f"{platform.machine()}{vectors}, {processors()} processors"
