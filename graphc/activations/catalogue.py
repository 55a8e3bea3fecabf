"""Activation functions: each one formula, entry by entry; softmax and log-softmax along an axis."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.build import elementwise, operand
from graphc.expr.numbers import FINITE, POSITIVE, settings
from graphc.expr.scalar import Absolute, Maximum, Minimum, Select, Sigmoid, Softplus
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import exp as _exp
from graphc.ops.arithmetic import relu as _relu
from graphc.ops.arithmetic import sigmoid as _sigmoid
from graphc.ops.arithmetic import softplus as _softplus
from graphc.ops.arithmetic import tanh as _tanh
from graphc.ops.reduction import log_softmax as _log_softmax
from graphc.ops.reduction import softmax as _softmax

__all__ = [
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu",
    "sigmoid", "silu", "softmax", "softplus", "softsign", "step", "swish", "tanh",
]  # fmt: skip

x = read_symbol(0)
ZERO, ONE = sympy.Integer(0), sympy.Integer(1)

# The fixed point of Klambauer et al. (2017): mean 0 and variance 1 map to themselves.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def _apply(name: str, formula: Any, value: Any, latex: str = "") -> Tensor:
    return elementwise(name, formula, (operand(value),), dtype="float", latex=latex or rf"\operatorname{{{name}}}({{0}})")


def linear(x: Any) -> Tensor:
    """The identity: a layer's weighted sum as it is."""
    return operand(x)


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """``max(0, x)``, with derivative 0 at 0.

    Args:
        x: a tensor or numbers.
        negative_slope: the slope below ``threshold``.
        max_value: where the function stays constant, ``None`` for nowhere.
        threshold: below it the function is ``negative_slope * (x - threshold)``.

    Source: Nair, Hinton, ICML 2010.
    """
    slope, start = settings("relu", FINITE, negative_slope=negative_slope, threshold=threshold)
    if (slope, max_value, start) == (0, None, 0):
        return _relu(x)
    v, t = read_symbol(0), start or ZERO
    body: Any = Select(sympy.Gt(v, t), v, slope * (v - t))
    if max_value is not None:
        body = Minimum(*settings("relu", FINITE, max_value=max_value), body)
    return _apply("ReLU", body, x)


def relu6(x: Any) -> Tensor:
    """``min(6, max(0, x))``."""
    return _apply("ReLU6", Minimum(6, Maximum(0, read_symbol(0))), x)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """``x`` above 0, ``negative_slope * x`` below; its derivative at 0 is ``negative_slope``.

    Source: Maas, Hannun, Ng, ICML workshop 2013.
    """
    (slope,) = settings("leaky_relu", FINITE, negative_slope=negative_slope)
    v = read_symbol(0)
    return _apply("LeakyReLU", Select(sympy.Gt(v, 0), v, slope * v), x)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below.

    Source: Clevert, Unterthiner, Hochreiter, ICLR 2016.
    """
    (a,) = settings("elu", FINITE, alpha=alpha)
    return _apply("ELU", _elu(a), x)


def _elu(alpha: Any, inner: Any = None) -> Any:
    # The exponential only ever sees what is at most 0: a branch that is not taken must not overflow.
    v = read_symbol(0)
    low = Minimum(v, 0)
    return Select(sympy.Gt(v, 0), v, alpha * (sympy.exp(low if inner is None else inner(low)) - 1))


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above 0, ``alpha * (exp(x / alpha) - 1)`` below.

    Source: Barron, arXiv 1704.07483.
    """
    (a,) = settings("celu", POSITIVE, alpha=alpha)
    return _apply("CELU", _elu(a, lambda low: low / a), x)


def selu(x: Any) -> Tensor:
    """``1.0507 * elu(x, 1.6733)``: activations keep mean 0 and variance 1 from layer to layer.

    Source: Klambauer, Unterthiner, Mayr, Hochreiter, NeurIPS 2017.
    """
    v = read_symbol(0)
    body = Select(sympy.Gt(v, 0), _SELU_SCALE * v, _SELU_SCALE * _SELU_ALPHA * (sympy.exp(Minimum(v, 0)) - 1))
    return _apply("SELU", body, x)


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """``x * P(Z <= x)`` for a standard normal ``Z``: ``x/2 * (1 + erf(x/sqrt(2)))``.

    Args:
        x: a tensor or numbers.
        approximate: take ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`` instead.

    Source: Hendrycks, Gimpel, arXiv 1606.08415.
    """
    v, half = read_symbol(0), sympy.Rational(1, 2)
    inner = sympy.tanh(sympy.sqrt(2 / sympy.pi) * (v + sympy.Float("0.044715") * v**3)) if approximate else sympy.erf(v / sympy.sqrt(2))
    return _apply("GELU", half * v * (1 + inner), x)


def sigmoid(x: Any) -> Tensor:
    """The logistic function ``1/(1 + exp(-x))``."""
    return _sigmoid(x)


def hard_sigmoid(x: Any) -> Tensor:
    """``x/6 + 1/2`` kept within 0 and 1."""
    v = read_symbol(0)
    return _apply("hard_sigmoid", Minimum(1, Maximum(0, v / 6 + sympy.Rational(1, 2))), x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return _tanh(x)


def softplus(x: Any) -> Tensor:
    """``log(1 + exp(x))``."""
    return _softplus(x)


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    v = read_symbol(0)
    return _apply("softsign", v / (Absolute(v) + ONE), x)


def silu(x: Any) -> Tensor:
    """``x * sigmoid(x)``, also called swish.

    Source: Ramachandran, Zoph, Le, arXiv 1710.05941.
    """
    v = read_symbol(0)
    return _apply("silu", v * Sigmoid(v), x)


swish = silu


def mish(x: Any) -> Tensor:
    """``x * tanh(softplus(x))``.

    Source: Misra, BMVC 2020.
    """
    v = read_symbol(0)
    return _apply("mish", v * sympy.tanh(Softplus(v)), x)


def exponential(x: Any) -> Tensor:
    """``exp(x)``."""
    return _exp(x)


def step(x: Any) -> Tensor:
    """The binary step of a threshold unit: 1 from 0 on, 0 below; its derivative is 0."""
    return _apply("step", Select(sympy.Ge(read_symbol(0), 0), ONE, ZERO), x)


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along an axis: positive numbers that sum to 1."""
    return _softmax(x, axis)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Tensor:
    """``log(softmax(x))`` along an axis."""
    return _log_softmax(x, axis)
