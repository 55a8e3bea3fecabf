"""Normalisation by batch or layer statistics."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand
from graphc.expr.numbers import is_real
from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import sqrt
from graphc.ops.reduction import mean, var

__all__ = ["batch_norm", "layer_norm", "standardise"]


def standardise(x: Tensor, average: Any, variance: Any, epsilon: Any) -> Tensor:
    r""":math:`(x - \mu)/\sqrt{\sigma^2 + \epsilon}`."""
    return (x - average) / sqrt(variance + epsilon)


def _normalise(x: Tensor, axes: Any, gamma: Any, beta: Any, epsilon: float, symbol: str) -> Tensor:
    if is_real(epsilon) and not epsilon >= 0:
        raise DeclarationError(f"epsilon={epsilon!r} of {symbol} of {x.describe()}: it is added to the variance, a number of 0 or more")
    for t in (gamma, beta):
        _check_fit(operand(t), x, symbol)
    scaled = standardise(x, mean(x, axes, keepdims=True), var(x, axes, keepdims=True), epsilon)
    given = (x, *(t for t in (gamma, beta) if isinstance(t, Tensor)))
    latex = r"\text{" + symbol.replace("_", r"\_") + "}({0})"
    if len(given) == 2:
        latex = latex.replace("}({0})", "}_{ {1} }({0})")
    if len(given) == 3:
        latex = r"{1} \odot \frac{ {0} - \mu }{\sqrt{\sigma^2 + \epsilon}} + {2}"
    return (scaled * gamma + beta).called(symbol, *given, latex=latex)


def _check_fit(weight: Tensor, x: Tensor, symbol: str) -> None:
    """A scale or a shift may not add entries to what is normalised."""
    grows = any(w != 1 and s == 1 for w, s in zip(reversed(weight.shape), reversed(x.shape), strict=False))
    if weight.ndim > x.ndim or grows:
        raise ShapeError(f"{symbol} of {x.describe()} with {weight.describe()}: gamma and beta may have no axis that is longer; one entry a feature")


def batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-5) -> Tensor:
    r""":math:`\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta`, mean and variance over all axes but the last.

    Source: Ioffe and Szegedy, ICML 2015.
    """
    x = operand(x)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm of {x.describe()}: it has an axis for the batch and one for the features, or more; use x[:, None]")
    return _normalise(x, tuple(range(x.ndim - 1)), gamma, beta, epsilon, "batch_norm")


def layer_norm(x: Any, gamma: Any, beta: Any, axis: Any = -1, epsilon: float = 1e-5) -> Tensor:
    r""":math:`\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta`, mean and variance over ``axis`` of each entry.

    Source: Ba, Kiros, Hinton, arXiv 1607.06450 (2016).
    """
    return _normalise(operand(x), axis, gamma, beta, epsilon, "layer_norm")
