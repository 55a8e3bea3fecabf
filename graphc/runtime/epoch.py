"""Runs over many batches inside compiled code."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.dims import Dim
from graphc.expr.tensor import Tensor

if TYPE_CHECKING:
    from graphc.runtime.compiled import Compiled

__all__ = ["map_rows", "run"]

_SLICE = 0.05  # seconds between two looks at Ctrl-C and callbacks
_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Run:
    """One run: the arrays, the two layouts, the executor's row."""

    def __init__(self, program: Compiled, batched: dict[Tensor, Any], order: Any, size: int, fixed: dict[Tensor, Any]) -> None:
        self.program = program
        self.order = np.ascontiguousarray(order, np.int64).reshape(-1)
        placed = program.prepared.placed
        by_user = dict(zip(program.inputs, placed, strict=True)) | {t: t for t in placed}
        self.batched = {by_user[t]: program.accept(by_user[t], a) for t, a in batched.items() if t in by_user}
        self.fixed = {by_user[t]: program.accept(by_user[t], a) for t, a in fixed.items() if t in by_user}
        missing = [t for t in placed if t not in self.batched and t not in self.fixed]
        if missing:
            raise DataError(f"{missing[0].describe()} has no array: give one among batched or fixed")
        lengths = {a.shape[0] for a in self.batched.values()}
        if len(lengths) != 1:
            raise DataError(f"the arrays have {', '.join(map(str, sorted(lengths))) or 'no'} samples: give arrays of equal length")
        self.length = lengths.pop()
        self.size = min(int(size), max(len(self.order), 1))
        self.batches = -(-len(self.order) // self.size)
        self.bound, _ = program.bind(self._shapes(self.size))
        rest = len(self.order) % self.size
        self.short = self.bound.rows_for(program.sizes(self._shapes(rest))) if rest else self.bound.rows
        for tensor, array in self.fixed.items():
            self.bound.inputs.get(tensor, np.empty(array.shape))[...] = array
        for tensor in list(self.bound.patched):
            for rows in {id(r): r for r in (self.bound.rows, self.short)}.values():
                rows.words[rows.uses.get(tensor, [])] = self.bound.memory[tensor]
            self.bound.patched.discard(tensor)

    def _shapes(self, rows: int) -> tuple[tuple[int, ...], ...]:
        return tuple((rows, *self.batched[t].shape[1:]) if t in self.batched else self.fixed[t].shape for t in self.program.prepared.placed)

    def execute(self, seed: int, first_step: int, means: list[tuple[int, int]], results: list[tuple[int, int, int]], on_slice: Any) -> Any:
        """Run all batches in slices; returns the sums of the scalar outputs."""
        from graphc.codegen.executor import STEPS, executor_address

        execute = _RUN(executor_address(STEPS))
        program, bound = self.program, self.bound
        gathers = [(a.ctypes.data, bound.memory[t], a[:1].nbytes if len(a) else 0) for t, a in self.batched.items() if t in bound.inputs]
        words = [np.array([x for row in rows for x in row] or [0], np.int64) for rows in (gathers, means, results)]
        sums, done = np.zeros(max(len(means), 1)), np.zeros(1, np.int64)
        row = np.array(
            [
                program.control.ctypes.data, bound.rows.table.ctypes.data, self.short.table.ctypes.data, bound.early, len(program.program.calls),
                self.order.ctypes.data, len(self.order), self.size, 0, 0, first_step, words[0].ctypes.data, len(gathers),
                words[1].ctypes.data, len(means), sums.ctypes.data, words[2].ctypes.data, len(results), done.ctypes.data, self.length,
            ],
            np.int64,
        )  # fmt: skip
        for mirror in bound.mirrors.values():
            mirror.refresh()
        program.set_control(seed, first_step)
        # The first run looks at the clock after one batch; later ones know how long a batch takes.
        count = program.pace.get(self.size, 1)
        while done[0] < self.batches:
            first = int(done[0])
            row[8], row[9] = first, min(first + count, self.batches)
            started = time.perf_counter()
            execute(row.ctypes.data)
            spent = time.perf_counter() - started
            if done[0] > first:
                for mirror in bound.written:
                    mirror.written()
            program.raise_error(bound)
            if on_slice is not None:
                on_slice(int(done[0]), self.batches, sums / min(int(done[0]) * self.size, len(self.order)))
            share = (int(done[0]) - first) * min(_SLICE / max(spent, 1e-9), 64.0)
            program.pace[self.size] = count = max(1, min(int(share), 1 << 40))
        return sums


def run(
    program: Compiled, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int, first_step: int, fixed: dict[Tensor, Any],
    on_slice: Callable[[int, int, list[float]], None] | None,
) -> list[float]:  # fmt: skip
    """See :meth:`Compiled.run`."""
    state = _Run(program, batched, order, batch_size, fixed)
    scalar = [k for k, t in enumerate(program.program.outputs) if t.ndim == 0 and t.dtype == "float"]
    means = [(state.bound.outputs[k].ctypes.data, int(program.dtype == "float64")) for k in scalar]
    outputs = len(program.program.outputs)

    def spread(values: Any) -> list[float]:
        result = [float("nan")] * outputs
        for k, value in zip(scalar, values, strict=False):
            result[k] = float(value)
        return result

    report = (lambda done, total, values: on_slice(done, total, spread(values))) if on_slice is not None else None
    sums = state.execute(seed, first_step, means, [], report)
    return spread(sums / max(len(state.order), 1))


def map_rows(program: Compiled, batched: dict[Tensor, Any], batch_size: int, seed: int, fixed: dict[Tensor, Any]) -> list[Any]:
    """See :meth:`Compiled.map`."""
    samples = len(next(iter(batched.values()))) if batched else 0
    state = _Run(program, batched, np.arange(samples), batch_size, fixed)
    results: list[Any] = []
    copies: list[tuple[int, int, int]] = []
    for tensor, view in zip(program.program.outputs, state.bound.outputs, strict=True):
        if not tensor.ndim or not isinstance(tensor.shape[0], Dim):
            raise DataError(f"{tensor.describe()} has no row for each sample, so it cannot be computed batch by batch")
        results.append(np.empty((samples, *view.shape[1:]), view.dtype))
        copies.append((view.ctypes.data, results[-1].ctypes.data, int(np.prod(view.shape[1:], dtype=np.int64)) * view.itemsize))
    state.execute(seed, 0, [], copies, None)
    return results
