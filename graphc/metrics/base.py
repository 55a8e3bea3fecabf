"""What a metric is: averages of formulas of (y_true, y_pred) over all samples, and what is made of them in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.expr.tensor import Tensor
from graphc.losses.base import as_tensor, entries_of, number_or_tensor, reduce_entries

__all__ = ["Metric"]


class Metric:
    """A metric from formulas: ``result(mean(part_1), mean(part_2), ...)``, the means over all samples of a run.

    So the metric of an epoch is exact, however the samples fall into batches.

    Args:
        name: how logs call it.
        parts: a function ``(y_true, y_pred)`` that gives one tensor, or several.
        result: what is made of the means; it must take tensors and numbers. By default the mean itself.
        source: what it is made of, so that files can say it: a loss, or its name in the catalogue with its options.
    """

    def __init__(self, name: str, parts: Callable[..., Any], result: Callable[..., Any] | None = None, source: Any = None) -> None:
        self.name = name
        self.__name__ = name
        self.__doc__ = parts.__doc__ or self.__doc__
        self._parts = parts
        self.combine = result
        self.source = source

    def renamed(self, name: str) -> Metric:
        """The same metric under another name."""
        return Metric(name, self.parts, self.combine, self.source)

    def parts(self, y_true: Any, y_pred: Any) -> tuple[Tensor, ...]:
        """What is averaged over the samples."""
        found = self._parts(y_true, y_pred)
        return tuple(found) if isinstance(found, tuple | list) else (as_tensor(found),)

    def result(self, *means: Any) -> Any:
        """The metric, from the means of its parts."""
        return means[0] if self.combine is None else self.combine(*means)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The metric as a scalar tensor, or as a number where all arguments are arrays."""
        means = [reduce_entries(part, sample_weight) for part in self.parts(y_true, y_pred)]
        if sample_weight is not None:
            share = reduce_entries(as_tensor(sample_weight))
            means = [m / share for m in means]
        return number_or_tensor(as_tensor(self.result(*means)), y_true, y_pred, sample_weight)

    def __repr__(self) -> str:
        return f"<metric {self.name}>"


def from_loss(name: str, loss: Any) -> Metric:
    """A loss read as a metric."""
    return Metric(name, entries_of(loss), source=loss)
