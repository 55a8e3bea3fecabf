"""The metrics: shares of right answers, errors, precision and recall."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import elementwise, stage
from graphc.expr.numbers import COUNT, FINITE, settings
from graphc.expr.scalar import Select
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.losses import probability, regression
from graphc.losses.base import align, as_tensor
from graphc.losses.probability import checked_labels, class_labels, picked
from graphc.metrics.base import Metric, from_loss
from graphc.ops.arithmetic import equal, where
from graphc.ops.reduction import argmax

__all__ = [
    "BinaryAccuracy", "Precision", "Recall", "TopKCategoricalAccuracy", "accuracy", "binary_accuracy", "binary_crossentropy",
    "categorical_accuracy", "categorical_crossentropy", "f1", "kl_divergence", "mean_absolute_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "precision", "recall", "root_mean_squared_error", "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)
x, y = read_symbol(0), read_symbol(1)


def _hits(name: str, condition: Any, *values: Tensor) -> Tensor:
    return elementwise(name, Select(condition, ONE, ZERO), values, dtype="float", latex=rf"\operatorname{{{name}}}({{0}}, {{1}})")


def _fired(threshold: float) -> Any:
    return Select(sympy.Gt(y, threshold), ONE, ZERO)


def _binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """The share of entries where ``y_pred > 0.5`` agrees with ``y_true``."""
    target, output = align(y_true, y_pred)
    return _hits("hit", sympy.Eq(x, _fired(threshold)), target, output)


def _categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """The share of samples whose largest output is that of the one-hot target."""
    target, output = align(y_true, y_pred)
    return where(equal(argmax(target, -1), argmax(output, -1)), 1.0, 0.0)


def _sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """The share of samples whose largest output is that of the class label."""
    output = as_tensor(y_pred)
    return where(equal(class_labels(y_true, output), argmax(output, -1)), 1.0, 0.0)


def _accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """The share of right answers: binary, one-hot or by class label, as the shapes say."""
    target, output = as_tensor(y_true), as_tensor(y_pred)
    if output.ndim < 2 or output.shape[-1] == 1:
        return _binary_accuracy(target, output)
    if target.ndim < output.ndim or target.shape[-1] == 1:
        return _sparse_categorical_accuracy(target, output)
    return _categorical_accuracy(target, output)


def _in_top(labels: Tensor, output: Tensor, k: int) -> Tensor:
    right = picked(labels, output)
    rank = output.ndim
    places = tuple(Affine.variable(a) for a in range(rank))
    body = Select(sympy.Gt(x, y), ONE, ZERO)
    better = stage(output.shape, [(output, places), (right, places[:-1])], body, outputs=rank - 1, reducer="sum", dtype="float")
    return where(better < k, 1.0, 0.0)


def _top_k(k: int) -> Any:
    def parts(y_true: Any, y_pred: Any) -> Tensor:
        """The share of samples whose class is among the ``k`` largest outputs; targets are one-hot."""
        target, output = align(y_true, y_pred)
        return _in_top(argmax(target, -1), output, k)

    return parts


def _sparse_top_k(y_true: Any, y_pred: Any) -> Tensor:
    """The share of samples whose class label is among the 5 largest outputs."""
    output = as_tensor(y_pred)
    return _in_top(checked_labels(y_true, output), output, 5)


def ratio(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where ``b`` is 0."""
    if isinstance(b, Tensor):
        return where(b > 0.0, a / b, 0.0)
    return a / b if b > 0 else 0.0


def _root(mean: Any) -> Any:
    return mean**0.5


def _precision(threshold: float) -> Any:
    def parts(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
        """The share of positive answers that are right; 0 where there are none."""
        target, output = align(y_true, y_pred)
        both = sympy.And(sympy.Gt(y, threshold), sympy.Ne(x, 0))
        return _hits("right", both, target, output), _hits("fired", sympy.Eq(_fired(threshold), 1), target, output)

    return parts


def _recall(threshold: float) -> Any:
    def parts(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
        """The share of positive samples that are found; 0 where there are none."""
        target, output = align(y_true, y_pred)
        both = sympy.And(sympy.Gt(y, threshold), sympy.Ne(x, 0))
        return _hits("right", both, target, output), where(target > 0, 1.0, 0.0)

    return parts


def _f1_parts(y_true: Any, y_pred: Any) -> tuple[Tensor, ...]:
    """The harmonic mean of precision and recall."""
    (right, fired), (_, positive) = _precision(0.5)(y_true, y_pred), _recall(0.5)(y_true, y_pred)
    return right, fired, positive


def _harmonic(right: Any, fired: Any, positive: Any) -> Any:
    return ratio(2 * right, fired + positive)


# What metrics make of the means of their parts, by name: so that files can say which.
RESULTS = {"root": _root, "ratio": ratio, "harmonic": _harmonic}


def BinaryAccuracy(threshold: float = 0.5, name: str = "binary_accuracy") -> Metric:
    """The share of entries where ``y_pred > threshold`` agrees with ``y_true``."""
    (limit,) = settings("BinaryAccuracy", FINITE, threshold=threshold)
    return Metric(name, lambda y_true, y_pred: _binary_accuracy(y_true, y_pred, limit), source=("BinaryAccuracy", {"threshold": limit}))


def Precision(thresholds: float = 0.5, name: str = "precision") -> Metric:
    """The share of positive answers (``y_pred > thresholds``) that are right; 0 where there are none."""
    (limit,) = settings("Precision", FINITE, thresholds=thresholds)
    return Metric(name, _precision(limit), ratio, ("Precision", {"thresholds": limit}))


def Recall(thresholds: float = 0.5, name: str = "recall") -> Metric:
    """The share of positive samples that are found (``y_pred > thresholds``); 0 where there are none."""
    (limit,) = settings("Recall", FINITE, thresholds=thresholds)
    return Metric(name, _recall(limit), ratio, ("Recall", {"thresholds": limit}))


def TopKCategoricalAccuracy(k: int = 5, name: str = "top_k_categorical_accuracy") -> Metric:
    """The share of samples whose class is among the ``k`` largest outputs; targets are one-hot."""
    (k,) = settings("TopKCategoricalAccuracy", COUNT, k=k)
    return Metric(name, _top_k(k), source=("TopKCategoricalAccuracy", {"k": k}))


accuracy = Metric("accuracy", _accuracy)
binary_accuracy = Metric("binary_accuracy", _binary_accuracy)
categorical_accuracy = Metric("categorical_accuracy", _categorical_accuracy)
sparse_categorical_accuracy = Metric("sparse_categorical_accuracy", _sparse_categorical_accuracy)
top_k_categorical_accuracy = TopKCategoricalAccuracy()
sparse_top_k_categorical_accuracy = Metric("sparse_top_k_categorical_accuracy", _sparse_top_k)
precision, recall = Precision(), Recall()
f1 = Metric("f1", _f1_parts, _harmonic)
mean_squared_error = from_loss("mean_squared_error", regression.mean_squared_error)
mean_absolute_error = from_loss("mean_absolute_error", regression.mean_absolute_error)
mean_squared_logarithmic_error = from_loss("mean_squared_logarithmic_error", regression.mean_squared_logarithmic_error)
root_mean_squared_error = Metric("root_mean_squared_error", regression.mean_squared_error.entries, _root)
binary_crossentropy = from_loss("binary_crossentropy", probability.binary_crossentropy)
categorical_crossentropy = from_loss("categorical_crossentropy", probability.categorical_crossentropy)
sparse_categorical_crossentropy = from_loss("sparse_categorical_crossentropy", probability.sparse_categorical_crossentropy)
kl_divergence = from_loss("kl_divergence", probability.kl_divergence)

# What has no options is its name in the catalogue.
for _name, _metric in list(globals().items()):
    if isinstance(_metric, Metric) and _metric.source is None:
        _metric.source = (_name, {})
