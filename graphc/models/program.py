"""The compiled programs of a model: one for a step of training, one for measuring, one for predicting.

This is the only place where models meet the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.expr.dims import Extent
from graphc.expr.graph import leaves, resolve_phase
from graphc.expr.operation import DType
from graphc.expr.tensor import Tensor
from graphc.layers.mask import mask_of
from graphc.layers.naming import unique
from graphc.losses.base import as_tensor, entries_of, reduce_entries
from graphc.metrics import Metric
from graphc.models.feeding import Feed
from graphc.ops.arithmetic import equal, where
from graphc.ops.layout import expand_dims
from graphc.ops.reduction import mean
from graphc.ops.state import tensor

__all__ = ["Measured", "Program", "measured", "predictor"]

Array = np.ndarray[Any, Any]
Logs = dict[str, float]


@dataclass(frozen=True)
class Loss:
    """What a model minimises for one output: the loss, its share of the whole, the metrics beside it."""

    function: Any
    share: float
    metrics: tuple[Metric, ...]
    prefix: str = ""


@dataclass(frozen=True)
class Reader:
    """How a named number is made of the means of ``scalars[start:stop]``, each divided by that of ``scalars[over]``."""

    name: str
    start: int
    stop: int
    result: Callable[..., Any] | None
    over: int | None


@dataclass(frozen=True)
class Measured:
    """A model's loss and metrics as tensors: ``scalars`` are averaged over the batches, ``readers`` make the logs of them."""

    targets: tuple[Tensor, ...]
    weight: Tensor | None
    scalars: tuple[Tensor, ...]
    readers: tuple[Reader, ...]

    @property
    def loss(self) -> Tensor:
        """What training minimises."""
        return self.scalars[0]

    def finish(self, means: Sequence[float]) -> Logs:
        """The named numbers."""
        logs: Logs = {}
        for r in self.readers:
            share = 1.0 if r.over is None else means[r.over]
            values = [m / share if share else m for m in means[r.start : r.stop]]
            logs[r.name] = float(values[0] if r.result is None else r.result(*values))
        return logs

    def means_of(self, means: Sequence[float], other: Measured) -> list[float]:
        """The means that ``other`` measured, for the same numbers with or without weights, as this one has them: what has no weight weighs 1."""
        if other is self:
            return list(means)
        found = [1.0] * len(self.scalars)
        for mine, theirs in zip(self.readers, other.readers, strict=True):
            found[mine.start : mine.stop] = means[theirs.start : theirs.stop]
            if mine.over is not None and theirs.over is not None:
                found[mine.over] = means[theirs.over]
        return found


def measured(
    outputs: Sequence[Tensor],
    losses: Sequence[Loss],
    penalties: Sequence[Tensor],
    kinds: Sequence[tuple[DType, tuple[Extent, ...]]],
    weighted: bool,
) -> Measured:
    """The loss and the metrics of a model, for targets of the given kinds."""
    taken = set(leaves([*outputs, *penalties]))
    targets = tuple(tensor(unique("y", taken), shape, dtype=dtype) for dtype, shape in kinds)
    weight = tensor(unique("sample_weight", taken), (outputs[0].shape[0],)) if weighted else None
    scalars: list[Tensor] = []
    readers: list[Reader] = []
    named: set[str] = set()

    def add(name: str, values: Sequence[Tensor], result: Callable[..., Any] | None = None, over: int | None = None) -> None:
        name = unique(name, named)  # metrics of one name are told apart, and none takes the loss's
        readers.append(Reader(name, len(scalars), len(scalars) + len(values), result, over))
        scalars.extend(values)

    total: Tensor | None = None
    single: list[tuple[str, Tensor]] = []
    for loss, y, output in zip(losses, targets, outputs, strict=True):
        reduction: Any = getattr(loss.function, "reduction", "sum_over_batch_size")
        entries, mask = as_tensor(entries_of(loss.function)(y, output)), mask_of(output)
        if reduction == "mean_with_sample_weight" and weight is not None and mask is not None and entries.ndim >= mask.ndim:
            value = reduce_entries(entries, _counted(_spread(weight, mask), mask, plain=True), reduction)
        else:
            value = reduce_entries(reduce_entries(_counted(entries, mask, reduction == "sum"), weight, reduction))
        single.append((f"{loss.prefix}loss", value))
        value = value if loss.share == 1.0 else loss.share * value
        total = value if total is None else total + value
    for penalty in penalties:
        total = penalty if total is None else total + penalty
    assert total is not None
    add("loss", [total.named(unique("loss", taken))])
    if len(losses) > 1:
        for name, value in single:
            add(name, [value])
    shares: dict[Tensor, int] = {}  # which scalar is the mean of some weights
    for loss, y, output in zip(losses, targets, outputs, strict=True):
        seen = _seen(mask_of(output), weight)
        for metric in loss.metrics:
            parts = metric.parts(y, output)
            weights = weight if seen is None or any(p.ndim < seen.ndim for p in parts) else seen
            if weights is not None and weights not in shares:
                shares[weights] = len(scalars)
                scalars.append(reduce_entries(weights))
            over = None if weights is None else shares[weights]
            add(f"{loss.prefix}{metric.name}", [reduce_entries(p, weights) for p in parts], metric.combine, over)
    return Measured(targets, weight, tuple(scalars), tuple(readers))


def _seen(mask: Tensor | None, weight: Tensor | None) -> Tensor | None:
    """What the entries of a metric are multiplied by where a mask leaves some out, so that these count in no batch."""
    if mask is None:
        return None
    return where(mask, 1.0, 0.0) if weight is None else _counted(_spread(weight, mask), mask, plain=True)


def _spread(weight: Tensor, mask: Tensor) -> Tensor:
    """The weight of each sample at each place that a mask speaks of."""
    return expand_dims(weight, tuple(range(1, mask.ndim))) if mask.ndim > 1 else weight


def _counted(entries: Tensor, mask: Tensor | None, plain: bool = False) -> Tensor:
    """Entries of which those that a mask leaves out are 0; unless ``plain``, their mean is that of the others."""
    if mask is None or entries.ndim < mask.ndim:
        return entries
    seen = where(mask, 1.0, 0.0)
    share = mean(seen)
    seen = seen if plain else seen / where(equal(share, 0.0), 1.0, share)
    return entries * expand_dims(seen, tuple(range(mask.ndim, entries.ndim)))


class Program:
    """A compiled program over batches."""

    def __init__(self, what: Measured | None, inputs: Sequence[Tensor], outputs: Sequence[Tensor], target: str, dtype: str) -> None:
        from graphc.runtime import compile as compile_

        self.what = what
        self.inputs = tuple(inputs)
        targets = () if what is None else what.targets
        self.weight = None if what is None else what.weight
        given = [*inputs, *targets, *([] if self.weight is None else [self.weight])]
        self.compiled = compile_(list(outputs), given, target=target, dtype=dtype)

    def _feeds(self, feed: Feed) -> dict[Tensor, Array]:
        targets = () if self.what is None else self.what.targets
        found = dict(zip((*self.inputs, *targets), (*feed.inputs, *feed.targets), strict=False))
        if self.weight is not None:
            assert feed.weight is not None
            found[self.weight] = feed.weight
        return found

    def run(
        self, feed: Feed, order: Array, batch_size: int, *, seed: int = 0, first_step: int = 0, on_slice: Callable[..., None] | None = None
    ) -> list[float]:
        """All batches in one go; the means of the measured numbers, each batch weighted by its size."""
        assert self.what is not None
        means = self.compiled.run(batched=self._feeds(feed), order=order, batch_size=batch_size, seed=seed, first_step=first_step, on_slice=on_slice)
        return [float(m) for m in means[: len(self.what.scalars)]]

    def map(self, feed: Feed, batch_size: int, first_step: int = 0) -> list[Array]:
        """The outputs for all samples."""
        return list(self.compiled.map(self._feeds(feed), batch_size=batch_size, first_step=first_step))

    def logs(self, means: Sequence[float]) -> Logs:
        """The measured numbers by name."""
        assert self.what is not None
        return self.what.finish(means)


def trainer(what: Measured, inputs: Sequence[Tensor], updates: Sequence[Tensor], target: str, dtype: str) -> Program:
    """The program of a step of training: it measures, and it updates."""
    return Program(what, inputs, [*what.scalars, *updates], target, dtype)


def measurer(what: Measured, inputs: Sequence[Tensor], target: str, dtype: str) -> Program:
    """The program that measures in inference."""
    return Program(what, inputs, resolve_phase(what.scalars, 1), target, dtype)


def predictor(inputs: Sequence[Tensor], outputs: Sequence[Tensor], target: str, dtype: str) -> Program:
    """The program that gives the outputs in inference."""
    return Program(None, inputs, resolve_phase(outputs, 1), target, dtype)


def weighted_mean(rows: Sequence[tuple[int, Sequence[float]]]) -> list[float]:
    """The means of several runs, each weighted by its number of samples."""
    total = sum(size for size, _ in rows)
    return [sum(size * means[k] for size, means in rows) / total for k in range(len(rows[0][1]))] if rows else []
