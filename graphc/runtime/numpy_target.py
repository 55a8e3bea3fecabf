"""``target="numpy"``: the program as one NumPy function."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.graph import assigns, leaves
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor
from graphc.lower.fuse import root_of
from graphc.runtime.batches import ByBatches
from graphc.source.module import numpy_source
from graphc.stable import stabilise

__all__ = ["NumpyCompiled"]


class NumpyCompiled(ByBatches):
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

    @property
    def source(self) -> str:
        """The NumPy source."""
        return self._text

    def explain(self, measure: bool = True, rewrites: bool = False) -> str:
        """What runs: the source itself."""
        return f"one NumPy function\n\n{self._text}"
