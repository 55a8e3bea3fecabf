"""Programs that are called once for each batch: what targets other than the CPU do with whole epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.numbers import whole_above
from graphc.expr.tensor import Tensor
from graphc.runtime.compiled import Compiled
from graphc.runtime.given import check_rows, draw, positions, samples_of, tables

__all__ = ["ByBatches"]


class ByBatches(Compiled):
    """A compiled function whose epochs are loops over its calls."""

    def run(
        self, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int = 0, first_step: int = 0,
        fixed: dict[Tensor, Any] | None = None, on_slice: Callable[[int, int, list[float]], None] | None = None,
    ) -> list[float]:  # fmt: skip
        """Run over batches of samples, one call a batch; see :meth:`Compiled.run`."""
        batch_size = whole_above(1, "batch_size", batch_size, "run")
        seed, first_step = draw(seed=seed, first_step=first_step)
        batched, others = tables(batched, fixed)
        order, length = positions(order), samples_of(self, batched, others)
        arrays = {t: np.asarray(a) for t, a in batched.items()}
        bad = order[(order < 0) | (order >= length)]
        if len(bad):
            raise DataError(f"the position {bad[0]} in the order of the samples is out of range")
        wanted = self.prepared.named[: self.prepared.count]
        sums = np.zeros(len(wanted))
        batches = -(-len(order) // batch_size)
        for batch in range(batches):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            values = self._batch({t: a[rows] for t, a in arrays.items()}, others, seed, first_step + batch)
            sums += [float(v) * len(rows) if t.ndim == 0 and t.dtype == "float" else np.nan for t, v in zip(wanted, values, strict=True)]
            if on_slice is not None:
                on_slice(batch + 1, batches, list(sums / min((batch + 1) * batch_size, len(order))))
        return [float(s) for s in sums / max(len(order), 1)]

    def map(
        self, batched: dict[Tensor, Any], batch_size: int = 256, seed: int = 0, fixed: dict[Tensor, Any] | None = None, first_step: int = 0
    ) -> list[Any]:  # fmt: skip
        """Every output for all samples; see :meth:`Compiled.map`."""
        batch_size = whole_above(1, "batch_size", batch_size, "map")
        seed, first_step = draw(seed=seed, first_step=first_step)
        batched, others = tables(batched, fixed)
        length = samples_of(self, batched, others)
        check_rows(self, batched)
        arrays = {t: np.asarray(a) for t, a in batched.items()}
        starts = range(0, length, batch_size) if length else [0]
        parts = [self._batch({t: a[s : s + batch_size] for t, a in arrays.items()}, others, seed, first_step + k) for k, s in enumerate(starts)]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _batch(self, arrays: dict[Tensor, Any], others: dict[Tensor, Any], seed: int, step: int) -> list[Any]:
        given = {**arrays, **others}
        result = self(*[given[t] for t in self.inputs], seed=seed, step=step)
        return result if self._many else [result]
