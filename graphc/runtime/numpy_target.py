"""``target="numpy"``: the program as one NumPy function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.graph import assigns, leaves
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor
from graphc.lower.fuse import root_of
from graphc.runtime.compiled import Compiled
from graphc.source.module import numpy_source
from graphc.stable import stabilise

__all__ = ["NumpyCompiled"]


class NumpyCompiled(Compiled):
    """A function of arrays that runs in NumPy, from source that can be read and taken along."""

    def _build(self) -> None:
        self._stable = stabilise(self.prepared.named)
        used = leaves(self._stable)
        self._leaves: list[Tensor] = list(dict.fromkeys([*self.prepared.placed, *used.values()]))
        self._assigned = assigns(self._stable)
        outputs = [*self._stable, *(a.inputs[1] for a in self._assigned)]
        self._text = numpy_source(outputs, self.prepared.placed, "compute", self.dtype, self.prepared.numbers)
        space: dict[str, Any] = {}
        exec(compile(self._text, "<graphc numpy>", "exec"), space)  # noqa: S102 - our own source
        self._function = space["compute"]
        self._draws = "seed=0, step=0" in self._text.rsplit("def compute(", 1)[1].split("):", 1)[0]
        self._by_name = {t.name: k for k, t in enumerate(self.inputs)}

    def __call__(self, /, *arrays: Any, seed: Any = None, step: Any = None, **named: Any) -> Any:
        """The outputs for these arrays; see :meth:`Compiled.__call__`."""
        seed, step = self._draw(seed, step, named)
        given = [None if v is None else self.accept(t, v) for t, v in zip(self.prepared.placed, self._given(arrays, named), strict=True)]
        self.sizes([None if a is None else a.shape for a in given])
        values = {t.name: a for t, a in zip(self.prepared.placed, given, strict=True)}
        values |= {t.name: t.value for t in self._leaves if t not in self.prepared.placed}
        options = {"seed": int(seed), "step": self.step if step is None else int(step)} if self._draws else {}
        self.step += step is None
        try:
            results = [r.copy() for r in self._function(**values, **options)]
        except (IndexError, np.linalg.LinAlgError) as error:
            raise DataError(str(error)) from None
        count = self.prepared.count
        for assigned, value in zip(self._assigned, results[len(self._stable) :], strict=True):
            state = root_of(assigned.inputs[0])
            assert isinstance(state.op, Leaf)
            state.value = value
        return results[:count] if self._many else results[0]

    def run(
        self, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int = 0, first_step: int = 0,
        fixed: dict[Tensor, Any] | None = None, on_slice: Callable[[int, int, list[float]], None] | None = None,
    ) -> list[float]:  # fmt: skip
        """Run over batches of samples, one call a batch; see :meth:`Compiled.run`."""
        order = np.asarray(order, np.int64).reshape(-1)
        arrays = {t: np.asarray(a) for t, a in batched.items()}
        length = min((len(a) for a in arrays.values()), default=0)
        bad = order[(order < 0) | (order >= length)]
        if len(bad):
            raise DataError(f"the position {bad[0]} in the order of the samples is out of range")
        wanted = self._stable[: self.prepared.count]
        sums = np.zeros(len(wanted))
        batches = -(-len(order) // batch_size)
        for batch in range(batches):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            values = self._batch({t: a[rows] for t, a in arrays.items()}, fixed, seed, first_step + batch)
            sums += [float(v) * len(rows) if t.ndim == 0 and t.dtype == "float" else np.nan for t, v in zip(wanted, values, strict=True)]
            if on_slice is not None:
                on_slice(batch + 1, batches, list(sums / min((batch + 1) * batch_size, len(order))))
        return [float(s) for s in sums / max(len(order), 1)]

    def map(self, batched: dict[Tensor, Any], batch_size: int = 256, seed: int = 0, fixed: dict[Tensor, Any] | None = None) -> list[Any]:
        """Every output for all samples; see :meth:`Compiled.map`."""
        arrays = {t: np.asarray(a) for t, a in batched.items()}
        length = min((len(a) for a in arrays.values()), default=0)
        starts = range(0, length, batch_size) if length else [0]
        parts = [self._batch({t: a[s : s + batch_size] for t, a in arrays.items()}, fixed, seed, k) for k, s in enumerate(starts)]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _batch(self, arrays: dict[Tensor, Any], fixed: dict[Tensor, Any] | None, seed: int, step: int) -> list[Any]:
        given = arrays | (fixed or {})
        result = self(*[given[t] for t in self.inputs], seed=seed, step=step)
        return result if self._many else [result]

    @property
    def source(self) -> str:
        """The NumPy source."""
        return self._text

    def explain(self) -> str:
        """What runs: the source itself."""
        return f"one NumPy function\n\n{self._text}"
