"""Losses on numbers: squared and absolute errors and their kin."""

from __future__ import annotations

import math
from typing import Any

import sympy

from graphc.expr.build import elementwise
from graphc.expr.numbers import POSITIVE, settings
from graphc.expr.scalar import Absolute, Select, Softplus
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.losses.base import Loss, LossFunction, Reduction, align
from graphc.ops.arithmetic import abs, log, log1p, maximum, square

__all__ = [
    "Huber", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "huber", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "poisson",
]  # fmt: skip

_EPSILON = 1e-7


@LossFunction
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """The squared error ``(y_true - y_pred)^2``, averaged.

    Example:
        >>> import graphc as gx
        >>> round(gx.losses.mean_squared_error([90.0, 20.0, 95.0], [30.0, 80.0, 85.0]), 4)
        2433.3333
    """
    target, output = align(y_true, y_pred)
    return square(target - output)


@LossFunction
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """The absolute error ``|y_true - y_pred|``, averaged."""
    target, output = align(y_true, y_pred)
    return abs(target - output)


@LossFunction
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """``100 |y_true - y_pred| / |y_true|``, averaged; targets below 1e-7 count as 1e-7."""
    target, output = align(y_true, y_pred)
    return 100 * (abs(target - output) / maximum(abs(target), _EPSILON))


@LossFunction
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """``(log(1 + y_true) - log(1 + y_pred))^2``, averaged; values below 1e-7 count as 1e-7."""
    target, output = align(y_true, y_pred)
    return square(log1p(maximum(target, _EPSILON)) - log1p(maximum(output, _EPSILON)))


@LossFunction
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """``e^2 / 2`` where ``|e| <= delta``, else ``delta |e| - delta^2 / 2``, for the error ``e = y_true - y_pred``.

    Source: Huber, Annals of Mathematical Statistics 35 (1964).
    """
    target, output = align(y_true, y_pred)
    (d,) = settings("huber", POSITIVE, delta=delta)
    e, half = read_symbol(0), sympy.Rational(1, 2)
    body = Select(sympy.Le(Absolute(e), d), half * e**2, d * Absolute(e) - half * d**2)
    return elementwise("Huber", body, (target - output,), dtype="float", latex=r"\operatorname{Huber}({0})")


@LossFunction
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """``log(cosh(y_pred - y_true))``, averaged: squared near 0, absolute far from it."""
    target, output = align(y_true, y_pred)
    e = read_symbol(0)
    return elementwise("logcosh", e + Softplus(-2 * e) - math.log(2), (output - target,), dtype="float", latex=r"\log\cosh({0})")


@LossFunction
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """``y_pred - y_true log(y_pred)``, averaged: the Poisson likelihood of counts, with 1e-7 added inside the logarithm."""
    target, output = align(y_true, y_pred)
    return output - target * log(output + _EPSILON)


class _Formula(Loss):
    """A class around one of the functions above."""

    formula: LossFunction
    targets = "numbers"
    columns = True

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of the function."""
        return self.formula.entries(y_true, y_pred)


class MeanSquaredError(_Formula):
    """The squared error; see :func:`mean_squared_error`."""

    formula = mean_squared_error


class MeanAbsoluteError(_Formula):
    """The absolute error; see :func:`mean_absolute_error`."""

    formula = mean_absolute_error


class MeanAbsolutePercentageError(_Formula):
    """The error in per cent; see :func:`mean_absolute_percentage_error`."""

    formula = mean_absolute_percentage_error


class MeanSquaredLogarithmicError(_Formula):
    """The squared error of logarithms; see :func:`mean_squared_logarithmic_error`."""

    formula = mean_squared_logarithmic_error


class LogCosh(_Formula):
    """The logarithm of the hyperbolic cosine of the error; see :func:`log_cosh`."""

    formula = log_cosh


class Poisson(_Formula):
    """The Poisson likelihood; see :func:`poisson`."""

    formula = poisson


class Huber(Loss):
    """Squared near 0, absolute beyond ``delta``; see :func:`huber`."""

    targets = "numbers"
    columns = True

    def __init__(self, delta: float = 1.0, name: str | None = None, reduction: Reduction | None = "sum_over_batch_size") -> None:
        super().__init__(name, reduction)
        (self.delta,) = settings("Huber", POSITIVE, delta=delta)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of :func:`huber`."""
        return huber.entries(y_true, y_pred, self.delta)
