"""Runs over many batches inside compiled code."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.expr.tensor import Tensor
from graphc.runtime.bound import RoomError
from graphc.runtime.given import check_rows, positions, samples_of

if TYPE_CHECKING:
    from graphc.runtime.compiled import Compiled

__all__ = ["Plan", "map_rows", "run"]

_SLICE = 0.05  # seconds between two looks at Ctrl-C and callbacks
_KEPT = 4  # plans that a program keeps: training, measuring, and some more
_ORDER, _FIRST, _END, _STEP = 5, 8, 9, 10  # words of the executor's row


class Plan:
    """A run over so many samples of some arrays: the two layouts, and the executor's row but for the order."""

    def __init__(self, program: Compiled, batched: dict[Tensor, Any], count: int, size: int, fixed: dict[Tensor, Any]) -> None:
        self.program, self.count, self.asked = program, count, size
        self.busy = False
        self.length = samples_of(program, batched, fixed)
        placed = program.prepared.placed
        by_user = dict(zip(program.inputs, placed, strict=True)) | {t: t for t in placed}
        self.batched = {by_user[t]: program.accept(by_user[t], a) for t, a in batched.items() if t in by_user}
        self.fixed = {by_user[t]: program.accept(by_user[t], a) for t, a in fixed.items() if t in by_user}
        self.size = min(int(size), max(count, 1))
        self.batches = -(-count // self.size)
        self.bound, _ = program.bind(self._shapes(self.size))
        rest = count % self.size
        self.short_sizes = program.sizes(self._shapes(rest)) if rest else None
        self.short = self.bound.rows if self.short_sizes is None else self.bound.rows_for(self.short_sizes)
        # Only arrays that are read where they are can be met again; their memory is the caller's to free.
        self.again = not fixed and all(self.batched.get(by_user[t]) is a for t, a in batched.items() if t in by_user)
        self.met = {t: (weakref.ref(a), a.ctypes.data, a.shape) for t, a in batched.items()} if self.again else {}

    def _shapes(self, rows: int) -> tuple[tuple[int, ...], ...]:
        return tuple((rows, *self.batched[t].shape[1:]) if t in self.batched else self.fixed[t].shape for t in self.program.prepared.placed)

    def fits(self, batched: dict[Tensor, Any], count: int, size: int) -> bool:
        """Whether this plan is that of another run without fixed arrays."""
        if self.busy or (count, size, batched.keys()) != (self.count, self.asked, self.met.keys()):
            return False
        known = ((a, *self.met[t]) for t, a in batched.items())
        return all(reference() is a and a.ctypes.data == address and a.shape == shape for a, reference, address, shape in known)

    def prepare(self, means: list[tuple[int, int]], results: list[tuple[int, int, int]]) -> None:
        """Make the executor's row.

        Args:
            means: the scalar outputs to add up: address, whether in double precision.
            results: the outputs to keep: address, target, bytes a row.
        """
        from graphc.codegen.executor import STEPS, executor

        self.run: Callable[[int], None] = executor(STEPS)
        program, bound = self.program, self.bound
        gathers = [(a.ctypes.data, bound.memory[t], a[:1].nbytes if len(a) else 0) for t, a in self.batched.items() if t in bound.inputs]
        self.words = [np.array([x for row in rows for x in row] or [0], np.int64) for rows in (gathers, means, results)]
        self.sums, self.done = np.zeros(max(len(means), 1)), np.zeros(1, np.int64)
        self.row = np.array(
            [
                program.control.ctypes.data, bound.rows.table.ctypes.data, self.short.table.ctypes.data, bound.early, len(bound.program.calls),
                0, self.count, self.size, 0, 0, 0, self.words[0].ctypes.data, len(gathers), self.words[1].ctypes.data, len(means),
                self.sums.ctypes.data, self.words[2].ctypes.data, len(results), self.done.ctypes.data, self.length,
            ],
            np.int64,
        )  # fmt: skip
        self.at = self.row.ctypes.data

    def _read_in(self) -> None:
        """Put the fixed arrays where the kernels of all batches read them."""
        bound = self.bound
        for tensor, array in self.fixed.items():
            bound.inputs.get(tensor, np.empty(array.shape))[...] = array
        for tensor in list(bound.patched):
            bound.rows.words[bound.rows.uses.get(tensor, [])] = bound.memory[tensor]
            bound.patched.discard(tensor)

    def execute(self, order: Any, seed: int, first_step: int, on_slice: Any) -> Any:
        """Run all batches in slices; returns the sums of the scalar outputs."""
        program, bound, row, done = self.program, self.bound, self.row, self.done
        self.sums[:] = 0.0
        done[0] = first = 0
        row[_ORDER], row[_STEP] = order.ctypes.data, first_step
        # The first run looks at the clock after one batch; later ones know how long a batch takes.
        count = program.pace.get(self.size, 1)
        while first < self.batches:
            # Between two slices the caller's function may have run other programs, and this one too.
            self._read_in()
            for mirror in bound.mirrors.values():
                mirror.refresh()
            program.set_control(seed, first_step)
            row[_FIRST], row[_END] = first, min(first + count, self.batches)
            started = time.perf_counter()
            try:
                self.run(self.at)
            finally:  # Ctrl-C is noticed as soon as this returns: what has been done counts
                reached = int(done[0])
                if reached > first:
                    for mirror in bound.written:
                        mirror.written()
            spent = time.perf_counter() - started
            sizes = bound.sizes if self.short_sizes is None or reached < self.batches - 1 else bound.all_sizes(self.short_sizes)
            program.raise_error(functools.partial(bound.size, sizes=sizes))
            if on_slice is not None:
                on_slice(reached, self.batches, self.sums / min(reached * self.size, self.count))
            program.pace[self.size] = count = max(1, min(int((reached - first) * min(_SLICE / max(spent, 1e-9), 64.0)), 1 << 40))
            first = reached
        return self.sums


def run(
    program: Compiled, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int, first_step: int, fixed: dict[Tensor, Any],
    on_slice: Callable[[int, int, list[float]], None] | None,
) -> list[float]:  # fmt: skip
    """See :meth:`Compiled.run`."""
    order = positions(order)
    scalar = program.scalars
    try:
        plan = _plan(program, batched, len(order), batch_size, fixed)
    except RoomError:
        return _last_apart(program, batched, order, batch_size, seed, first_step, fixed, on_slice)
    outputs = program.prepared.count

    def spread(values: Any) -> list[float]:
        result = [float("nan")] * outputs
        for k, value in zip(scalar, values, strict=False):
            result[k] = float(value)
        return result

    report = (lambda done, total, values: on_slice(done, total, spread(values))) if on_slice is not None else None
    plan.busy = True
    try:
        sums = plan.execute(order, seed, first_step, report)
    finally:
        plan.busy = False
    return spread(sums / max(len(order), 1))


def _last_apart(
    program: Compiled, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int, first_step: int, fixed: dict[Tensor, Any],
    on_slice: Callable[[int, int, list[float]], None] | None,
) -> list[float]:  # fmt: skip
    """A run whose last batch, though shorter, needs more memory than the others: that one by itself."""
    batches = len(order) // batch_size
    whole = batches * batch_size

    def joined(values: list[float], rows: int) -> list[float]:
        return [(a * whole + b * rows) / (whole + rows) for a, b in zip(before, values, strict=True)]

    early = None if on_slice is None else lambda done, _, values: on_slice(done, batches + 1, values)
    before = run(program, batched, order[:whole], batch_size, seed, first_step, fixed, early)
    rest = len(order) - whole
    late = None if on_slice is None else lambda done, _, values: on_slice(batches + done, batches + 1, joined(values, rest))
    return joined(run(program, batched, order[whole:], rest, seed, first_step + batches, fixed, late), rest)


def _plan(program: Compiled, batched: dict[Tensor, Any], count: int, size: int, fixed: dict[Tensor, Any]) -> Plan:
    """The plan of an earlier run of the same arrays, or a new one."""
    if not fixed:
        for plan in program.plans:
            if plan.fits(batched, count, size):
                return plan
    plan = Plan(program, batched, count, size, fixed)
    plan.prepare([(plan.bound.outputs[k].ctypes.data, int(program.dtype == "float64")) for k in program.scalars], [])
    if plan.again:
        plan.batched = {}
        program.plans[:] = [*program.plans[-_KEPT + 1 :], plan]
    return plan


def map_rows(
    program: Compiled, batched: dict[Tensor, Any], batch_size: int, seed: int, fixed: dict[Tensor, Any], first_step: int = 0
) -> list[Any]:  # fmt: skip
    """See :meth:`Compiled.map`."""
    samples = samples_of(program, batched, fixed)
    check_rows(program, batched)
    try:
        plan = Plan(program, batched, samples, batch_size, fixed)
    except RoomError:  # for the last samples, although they are fewer: these by themselves
        batches = samples // batch_size
        cuts = ((slice(batches * batch_size), batch_size, first_step), (slice(batches * batch_size, None), batch_size, first_step + batches))
        parts = [map_rows(program, {t: a[cut] for t, a in batched.items()}, size, seed, fixed, step) for cut, size, step in cuts]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]
    results: list[Any] = []
    copies: list[tuple[int, int, int]] = []
    for view in plan.bound.outputs[: program.prepared.count]:
        results.append(np.empty((samples, *view.shape[1:]), view.dtype))
        copies.append((view.ctypes.data, results[-1].ctypes.data, int(np.prod(view.shape[1:], dtype=np.int64)) * view.itemsize))
    plan.prepare([], copies)
    plan.execute(np.arange(samples), seed, first_step, None)
    return results
