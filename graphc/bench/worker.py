"""A process for each library, so that the number of threads is set before it is imported, and only one works at a time."""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from graphc.bench.peers import Epoch, epochs_of
from graphc.bench.workloads import Data, Workload
from graphc.errors import GraphcError

__all__ = ["Library", "library"]

_TURN = 0.03  # seconds that a turn lasts at least
_SLOWER = 1.5  # a way that is so much slower than another of the same library is left out


class Library:
    """A library in a process of its own, by its name."""

    def __init__(self, name: str, connection: Any) -> None:
        self.name, self._connection = name, connection

    def load(self, workload: Workload, seed: int = 0) -> dict[str, float]:
        """Compile a network and train two epochs: of each way of running an epoch the mean loss of the first one.

        It is empty where the library has not all parts of the network.
        """
        return self._ask("load", workload, seed)

    def turn(self) -> dict[str, float]:
        """The µs of a step, by way."""
        return self._ask("turn")

    def version(self) -> str:
        """The library's version."""
        return self._ask("version")

    def _ask(self, *request: Any) -> Any:
        try:
            self._connection.send(request)
            fine, answer = self._connection.recv()
        except (EOFError, OSError):
            raise GraphcError(f"the process that runs {self.name} has ended: try without it, --peers ...") from None
        if not fine:
            raise GraphcError(f"{self.name} failed: {answer}")
        return answer


@contextmanager
def library(name: str, threads: int) -> Generator[Library]:
    """A process that runs a library on so many threads, for as long as the block lasts."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, name, threads), daemon=True)
    with _environment(threads):
        process.start()
    theirs.close()
    try:
        yield Library(name, ours)
    finally:
        ours.close()
        process.terminate()
        process.join()


@contextmanager
def _environment(threads: int) -> Generator[None]:
    """What a process that is started here reads before its libraries are imported."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GRAPHC_NUM_THREADS", "NPROC")
    wanted = dict.fromkeys(names, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class _Loaded:
    """A network that is ready: its ways, how often a turn repeats each, and how many epochs have been run."""

    data: Data
    steps: int
    ways: dict[str, Epoch]
    repeats: dict[str, int]
    done: int = 2


def _serve(connection: Any, name: str, threads: int) -> None:
    """Answer requests until the pipe closes."""
    # What libraries print on their way is none of the table's.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    if sys.platform == "linux":
        # Not every library reads a number of threads; all keep to the processors that they are given.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    loaded: _Loaded | None = None
    while True:
        try:
            kind, *arguments = connection.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return
        try:
            if kind == "load":
                loaded, answer = _load(name, *arguments)
            elif kind == "turn" and loaded is not None:
                answer = _turn(loaded)
            else:
                answer = _version(name)
            connection.send((True, answer))
        except Exception as error:  # noqa: BLE001 - whatever a library raises is told by the process that asked
            connection.send((False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))


def _load(name: str, workload: Workload, seed: int) -> tuple[_Loaded, dict[str, float]]:
    data = workload.data(seed)
    ways, losses, seconds = epochs_of(name, workload, data), dict[str, float](), dict[str, float]()
    for way, epoch in ways.items():
        losses[way] = float(epoch(data.order(0)))
        order, start = data.order(1), time.perf_counter()
        epoch(order)
        seconds[way] = time.perf_counter() - start
    least = min(seconds.values(), default=0.0)
    kept = {way: epoch for way, epoch in ways.items() if seconds[way] <= _SLOWER * least}
    repeats = {way: max(1, min(200, round(_TURN / seconds[way]))) for way in kept}
    return _Loaded(data, workload.steps, kept, repeats), {way: losses[way] for way in kept}


def _turn(loaded: _Loaded) -> dict[str, float]:
    """The median over a few epochs, their orders drawn before."""
    most = max(loaded.repeats.values(), default=0)
    orders = [loaded.data.order(loaded.done + k) for k in range(most)]
    loaded.done += most
    found: dict[str, float] = {}
    for way, epoch in loaded.ways.items():
        times: list[float] = []
        for order in orders[: loaded.repeats[way]]:
            start = time.perf_counter()
            epoch(order)
            times.append(time.perf_counter() - start)
        found[way] = statistics.median(times) / loaded.steps * 1e6
    return found


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    import graphc

    try:
        return graphc.__version__ if name == "graphc" else version(name)
    except PackageNotFoundError:
        return ""
