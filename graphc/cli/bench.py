"""``graphc bench``: training steps timed beside the libraries that are installed, as a table and as a drawing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from graphc.errors import DataError

__all__ = ["add_bench", "bench"]

_KINDS = (".svg", ".json", ".md")


def add_bench(commands: Any) -> None:
    """The command and its arguments."""
    parser = commands.add_parser(
        "bench",
        help="time training steps beside PyTorch, JAX, Keras and PyTensor",
        description="Trains the networks of a table in graphc and in each of PyTorch, JAX, Keras and PyTensor that is installed: the same "
        "weights, the same order of the samples, Adam, float32, whole epochs. They take turns, each in a process of its own; medians are "
        "printed, and how many times faster graphc is than the best of the others.",
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="mlp30 mlp64 mlp784 lenet vgg lstm gru encoder vae; by default all")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each library takes its turn (default 15; with --sizes 5)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads for everyone (default 2, or 1 where there is one processor)")
    parser.add_argument("--peers", metavar="NAMES", help="which of torch,jax,keras,pytensor; by default all installed; none for graphc alone")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="measure N networks drawn by --seed; the table too where 'all' is given")
    parser.add_argument("--seed", type=int, default=0, help="the seed of drawn networks, weights and data (default 0)")
    parser.add_argument("--sizes", action="store_true", help="instead of the table, time against batch, width, depth and length")
    parser.add_argument("--out", type=Path, metavar="FILE", help="leave the figures in a file too: .svg .json .md")
    parser.set_defaults(run=bench)


def bench(given: argparse.Namespace) -> int:
    """Measure, print the table, leave the file.

    Raises:
        DataError: for arguments that do not fit.
    """
    from graphc.bench import drawn, measure, measure_growth, named, table
    from graphc.bench.peers import PEERS, chosen
    from graphc.bench.timing import processors

    threads = min(2, processors()) if given.threads is None else given.threads
    sizes: bool = given.sizes
    rounds = (5 if sizes else 15) if given.rounds is None else given.rounds
    for name, value, least in (("--threads", threads, 1), ("--rounds", rounds, 1), ("--random", given.random, 0), ("--seed", given.seed, 0)):
        if value < least:
            raise DataError(f"{name} {value}: a number of {least} or more")
    if threads > processors():
        raise DataError(f"--threads {threads}: this process may use {processors()} processors")
    if given.out is not None and given.out.suffix not in _KINDS:
        raise DataError(f"{given.out} is none of {' '.join(_KINDS)}: give --out one of these endings")
    if sizes and (given.workloads or given.random):
        raise DataError("--sizes has networks of its own: leave out workloads and --random")
    names = [n for n in given.workloads if n != "all"]
    workloads = [] if given.random and not given.workloads else named(names)
    wanted = None if given.peers is None else [n for n in given.peers.split(",") if n and n != "none"]
    peers = chosen(wanted)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    options: dict[str, Any] = {"rounds": rounds, "threads": threads, "seed": given.seed, "say": _say}
    results = measure_growth(peers, **options) if sizes else measure([*workloads, *drawn(given.random, given.seed)], peers, **options)
    sys.stdout.write(table(results))
    if peers == ["graphc"] and wanted is None:
        sys.stdout.write("nothing is installed to compare with: " + ", or ".join(how for _, how in PEERS.values() if how) + "\n")
    if given.out is not None:
        given.out.write_text(_written(results, given.out.suffix), encoding="utf-8")
        sys.stdout.write(f"{given.out}\n")
    return 0


def _written(results: Any, kind: str) -> str:
    from graphc.bench import bars, growth, markdown, written

    if kind == ".svg":
        return growth(results) if results.panels else bars(results)
    return written(results) if kind == ".json" else markdown(results)


def _say(text: str) -> None:
    """What is going on, for someone who waits; the table alone goes to the output."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
