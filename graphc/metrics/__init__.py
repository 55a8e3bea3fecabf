"""Metrics; ``gx.metrics``. A metric is a plain function ``(y_true, y_pred) -> tensor`` whose entries are averaged."""

from __future__ import annotations

from typing import Any, cast

from graphc.errors import DeclarationError
from graphc.losses.base import Loss
from graphc.metrics import catalogue
from graphc.metrics.base import Metric, from_loss
from graphc.metrics.catalogue import *  # noqa: F403

__all__ = [
    "MAE", "MSE", "MSLE", "RMSE", "CategoricalAccuracy", "MeanAbsoluteError", "MeanSquaredError", "Metric", "RootMeanSquaredError",
    "SparseCategoricalAccuracy", "acc", "get", "mae", "mse", "msle", "rmse",
]  # fmt: skip
__all__ += catalogue.__all__

acc = catalogue.accuracy
mse = MSE = catalogue.mean_squared_error
mae = MAE = catalogue.mean_absolute_error
msle = MSLE = catalogue.mean_squared_logarithmic_error
rmse = RMSE = catalogue.root_mean_squared_error


def CategoricalAccuracy(name: str = "categorical_accuracy") -> Metric:
    """The share of samples whose largest output is that of the one-hot target."""
    return catalogue.categorical_accuracy.renamed(name)


def SparseCategoricalAccuracy(name: str = "sparse_categorical_accuracy") -> Metric:
    """The share of samples whose largest output is that of the class label."""
    return catalogue.sparse_categorical_accuracy.renamed(name)


def MeanSquaredError(name: str = "mean_squared_error") -> Metric:
    """The mean squared error."""
    return catalogue.mean_squared_error.renamed(name)


def MeanAbsoluteError(name: str = "mean_absolute_error") -> Metric:
    """The mean absolute error."""
    return catalogue.mean_absolute_error.renamed(name)


def RootMeanSquaredError(name: str = "root_mean_squared_error") -> Metric:
    """The root of the mean squared error."""
    return catalogue.root_mean_squared_error.renamed(name)


def get(metric: Any) -> Metric:
    """The metric that ``metric`` means: a name, a metric, a loss, or a function ``(y_true, y_pred) -> tensor``.

    Raises:
        DeclarationError: for an unknown name, listing the known ones.

    Example:
        >>> import graphc as gx
        >>> gx.metrics.get("acc").name
        'acc'
    """
    if isinstance(metric, str):
        found = globals().get(metric) if metric in __all__ else None
        if isinstance(found, Metric):
            return found.renamed(metric)
        if callable(found) and metric not in ("Metric", "get"):
            return cast("Metric", found())
        names = sorted(n for n in __all__ if isinstance(globals().get(n), Metric))
        raise DeclarationError(f"the metric {metric!r} is unknown: give a function (y_true, y_pred) -> tensor, or one of {', '.join(names)}")
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, Loss):
        return from_loss(metric.name, metric)
    if callable(metric):
        made = metric() if isinstance(metric, type) or metric in _FACTORIES else None
        return get(made) if made is not None else from_loss(getattr(metric, "__name__", "metric"), metric)
    raise DeclarationError(f"{metric!r} is no metric: give a name, or a function (y_true, y_pred) -> tensor")


_FACTORIES = (
    CategoricalAccuracy, SparseCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError, RootMeanSquaredError, catalogue.BinaryAccuracy,
    catalogue.Precision, catalogue.Recall, catalogue.TopKCategoricalAccuracy,
)  # fmt: skip
