"""The same training epochs in several libraries: each module reads the parts of a workload its own way.

A module has ``library``, the module that must be installed, and ``epochs(workload, data)``: the ways of running an epoch over an
order of the samples, each by its name, each giving the mean loss. It imports its library when that is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from graphc.bench.workloads import Data, Workload
from graphc.errors import DataError

__all__ = ["PEERS", "Epoch", "Epochs", "chosen", "epochs_of"]

Epoch = Callable[[Any], float]
Epochs = dict[str, Epoch]

# Each with what must be installed, all of it, and the line that says how.
PEERS: dict[str, tuple[tuple[str, ...], str]] = {
    "graphc": ((), ""),
    "torch": (("torch",), "pip install torch"),
    "jax": (("jax",), "pip install jax"),
    "keras": (("keras",), "pip install keras jax"),
    "pytensor": (("pytensor",), "pip install pytensor"),
}


def _installed(name: str) -> bool:
    return all(find_spec(module) is not None for module in PEERS[name][0])


def chosen(wanted: Sequence[str] | None) -> list[str]:
    """The libraries to measure, graphc first: those wanted, or all that are installed.

    Raises:
        DataError: for one that is unknown or not installed.
    """
    for name in wanted or ():
        if name not in PEERS:
            raise DataError(f"there is no peer {name!r}: choose of {', '.join(n for n in PEERS if n != 'graphc')}")
        if not _installed(name):
            raise DataError(f"{name} is not installed: {PEERS[name][1]}")
    return [name for name in PEERS if name == "graphc" or (name in wanted if wanted is not None else _installed(name))]


def epochs_of(name: str, workload: Workload, data: Data) -> Epochs:
    """The ways in which a library runs an epoch; none where it lacks a part of the network."""
    return import_module(f"graphc.bench.peers.with_{name}").epochs(workload, data)
