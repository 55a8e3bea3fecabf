"""Data checked against a model, with the kinds of its targets and the classes of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.data import Column, as_floats
from graphc.errors import DataError
from graphc.models.feeding import Feed, TargetKind, sample_weights, target, target_kind
from graphc.models.target import output_names

__all__ = ["Prepared", "prepare", "weighted_by_class"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prepared:
    """Checked data with the kinds of its targets."""

    feed: Feed
    kinds: tuple[TargetKind, ...]
    labels: Array | None = None

    def take(self, positions: Array) -> Prepared:
        """The samples at some positions."""
        return Prepared(self.feed.take(positions), self.kinds)


def prepare(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Prepared:
    """Data checked against the model, which is built where it was not.

    Raises:
        DataError: naming what does not fit.
    """
    model.build_from(x)
    objectives = model.objectives
    inputs = model.fit_inputs(x)
    count = len(inputs[0])
    names = ["y"] if len(objectives) == 1 else [f"y[{k}]" for k in range(len(objectives))]
    given = _targets_given(model, y)
    arrays = [target(n, v, t, o.function, count) for n, v, t, o in zip(names, given, model.outputs, objectives, strict=True)]
    kinds = tuple(target_kind(a, t, o.function) for a, t, o in zip(arrays, model.outputs, objectives, strict=True))
    floats = np.dtype(model.float_type)
    targets = tuple(
        as_floats(Column(n, a), a, floats) if kind == "float" else np.ascontiguousarray(a, dtype=np.int64)
        for n, a, (kind, _) in zip(names, arrays, kinds, strict=True)
    )
    weight = sample_weights(sample_weight, count)
    feed = Feed(inputs, targets, None if weight is None else as_floats(Column("sample_weight", weight), weight, floats))
    return Prepared(feed, kinds, _class_labels(arrays[0], objectives[0].function))


def _targets_given(model: Any, y: Any) -> list[Any]:
    """The targets of each output, as the user gave them: one array, several, or by the outputs' names."""
    count = len(model.outputs)
    if y is None:
        raise DataError("y is missing: give the targets, fit(x, y)")
    if isinstance(y, Mapping):
        names = [t.name if t.name in y else n for t, n in zip(model.outputs, output_names(model.outputs), strict=True)]
        missing = [n for n in names if n not in y]
        if missing:
            there = ", ".join(map(repr, y)) or "nothing"
            raise DataError(f"y has nothing for the output {missing[0]!r}: it has {there}, and the model's outputs are {', '.join(names)}")
        extra = [n for n in y if n not in names]
        if extra:
            raise DataError(f"y has {extra[0]!r}, which is no output of the model's: leave it out, or name one of {', '.join(names)}")
        return [y[n] for n in names]
    given: list[Any] = list(y) if count > 1 and isinstance(y, list | tuple | np.ndarray) else [y]
    if len(given) != count:
        raise DataError(f"the model has {count} outputs, and {len(given)} arrays of targets are given")
    return given


def _class_labels(y: Array, loss: Any) -> Array | None:
    """The classes of the samples, where the targets are classes: labels, 0 and 1, or one-hot rows."""
    if getattr(loss, "targets", None) == "labels":
        return y if y.ndim == 1 else None
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        flat = y.reshape(-1)
        whole = y.dtype.kind in "iub" or getattr(loss, "targets", None) == "unit"
        return flat if whole and np.array_equal(flat, np.floor(flat)) and len(np.unique(flat)) <= max(2, len(flat) // 2) else None
    return y.argmax(axis=1) if y.ndim == 2 and _one_hot(y).all() else None


def weighted_by_class(model: Any, data: Prepared, class_weight: Mapping[Any, float] | None) -> Prepared:
    """Data to train on: each sample's weight times that of its class.

    Raises:
        DataError: for ``class_weight`` that is no table of weights, or targets that are not one class a sample.
    """
    if class_weight is None:
        return data
    objectives = model.objectives
    if len(objectives) > 1:
        raise DataError(f"class_weight is given, and the model has {len(objectives)} outputs: give sample_weight, made of the classes that are meant")
    table = _class_table(class_weight)
    classes = _classes(data.feed.targets[0], objectives[0].function)
    # As in Keras, a class that is not in the table weighs 1.
    weight = np.array([table.get(float(c), 1.0) for c in classes])
    weight = weight if data.feed.weight is None else weight * data.feed.weight
    floats = np.dtype(model.float_type)
    return replace(data, feed=replace(data.feed, weight=as_floats(Column("class_weight", weight), weight, floats)))


def _classes(y: Array, loss: Any) -> Array:
    """The class of each sample.

    Raises:
        DataError: for targets that are neither labels nor one-hot rows.
    """
    if y.size == len(y):
        classes = y.reshape(-1)
        bad = np.flatnonzero(classes != np.floor(classes))
        if len(bad):
            raise DataError(f"class_weight needs class labels, and y has {classes[bad[0]]:g} in row {bad[0]}: give sample_weight instead")
        return classes
    if y.ndim != 2 or getattr(loss, "targets", None) == "labels":
        raise DataError(f"class_weight needs one class a sample, and the targets have the shape {y.shape}: give sample_weight instead")
    bad = np.flatnonzero(~_one_hot(y))
    if len(bad):
        raise DataError(f"class_weight needs one class a sample, and y has no one-hot row in row {bad[0]}: give sample_weight instead")
    return y.argmax(axis=1)


def _one_hot(y: Array) -> Array:
    """Which rows have a single 1 and are 0 elsewhere."""
    return np.isin(y, (0, 1)).all(axis=1) & (y.sum(axis=1) == 1)


def _class_table(class_weight: Mapping[Any, float]) -> dict[float, float]:
    try:
        table = {float(k): float(v) for k, v in class_weight.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError(f"class_weight={class_weight!r}: give the weight of each class by its label, {{0: 1.0, 1: 3.0}}") from None
    for label, value in table.items():
        if not 0 <= value < np.inf:
            raise DataError(f"class_weight has {value:g} for the class {label:g}: a weight is a number of 0 or more")
    return table
