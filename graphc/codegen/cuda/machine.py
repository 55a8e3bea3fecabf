"""Memory of the device, and launches of functions on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import cuda

from graphc.codegen.cuda.device import LANES, simulated
from graphc.codegen.cuda.grid import Launch
from graphc.lower import ir

__all__ = ["allocate", "copier", "copy", "launcher", "part"]

# The simulator has a thread of Python's for each of the device's; few of them take several turns each. Up to so
# many results that are reduced, the threads of a block share each of them.
_THREADS, _BLOCKS, _ROWS, _FEW = (2, 2, 2, 4) if simulated else (128, 4096, 32768, 8192)
_cuda: Any = cuda
Run = Callable[[int], None]


def allocate(count: int, dtype: Any) -> Any:
    """Flat memory for so many entries; a buffer of none has one, so that it has an address."""
    return _cuda.device_array(max(count, 1), dtype)


def part(memory: Any, offset: int, count: int, dtype: Any) -> Any:
    """A piece of memory in bytes, as entries of a type."""
    return memory[offset : offset + max(count, 1) * np.dtype(dtype).itemsize].view(dtype)


def copy(target: Any, values: Any) -> None:
    """Write a host's array to the beginning of a buffer."""
    flat = np.ascontiguousarray(values, target.dtype).reshape(-1)
    if flat.size:
        target[: flat.size].copy_to_device(flat)


def launcher(function: Any, launch: Launch, buffers: Sequence[Any], numbers: Sequence[int]) -> Run | None:
    """What launches a function with its arguments, given the iteration; ``None`` where there is nothing to do.

    Args:
        function: compiled; it takes the control words first, which are the first of ``buffers``.
        launch: how it is shared out.
        buffers: the control words and the kernel's buffers.
        numbers: the kernel's whole numbers.
    """

    def number(c: ir.Coefficient) -> int:
        return numbers[c.number] if isinstance(c, ir.Param) else c

    counts = [number(s.extent) for s in launch.shared]
    units = int(np.prod(counts, dtype=np.int64))
    blocks: tuple[int, int] = (1, 1)
    threads: Any = 1
    if launch.product is not None:
        entries = number(launch.product.m) * number(launch.product.n) * number(launch.product.others[0])
        units = int(np.prod([number(level[0]) for level in launch.product.outer], dtype=np.int64))
        blocks, threads = (_blocks(entries), max(1, min(units, _ROWS))), _THREADS
        units *= entries
    elif launch.lanes is not None:
        wide = units <= _FEW and number(launch.lanes) >= LANES // 2
        threads = (LANES, 1) if wide else (1, _THREADS)
        blocks = (max(1, min(units if wide else -(-units // _THREADS), _BLOCKS)), 1)
        blocks, threads = (blocks, threads) if launch.shared else ((1, 1), (LANES if wide else 1, 1))
    elif launch.shared:
        blocks, threads = (_blocks(units), 1), _THREADS
    if units == 0:
        return None
    control, *memory = buffers
    rest = [*memory, *numbers, *counts]
    configured = _configured(function, blocks, threads)
    return lambda iteration: configured()(control, iteration, *rest)


def _configured(function: Any, blocks: Any, threads: Any) -> Callable[[], Any]:
    """What gives a function for a grid; the simulator's forgets its grid with the next one that is asked for."""
    if simulated:
        return lambda: function[blocks, threads]
    with warnings.catch_warnings():  # of grids that leave much of a device idle: small tensors have no other
        warnings.simplefilter("ignore")
        made = function[blocks, threads]
    return lambda: made


def _blocks(units: int) -> int:
    return max(1, min(-(-units // _THREADS), _BLOCKS))


@_cuda.jit
def _copy(target: Any, target_at: Any, source: Any, source_at: Any, count: Any) -> None:
    for k in range(cuda.grid(1), count, cuda.gridsize(1)):  # type: ignore[attr-defined]
        target[target_at + k] = source[source_at + k]


def copier(source: Any, source_step: int, target: Any, target_step: int, count: int) -> Run:
    """What copies entries between two buffers, from and to places that move with the iteration."""
    configured = _configured(_copy, _blocks(count), _THREADS)

    def run(iteration: int) -> None:
        if count:
            configured()(target, iteration * target_step, source, iteration * source_step, count)

    return run
