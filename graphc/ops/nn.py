"""Neural operations; ``gx.nn``."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.build import operand
from graphc.expr.numbers import is_real
from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import relu, sigmoid, softplus, tanh
from graphc.ops.attention import attention
from graphc.ops.convolution import conv1d, conv2d, conv2d_transpose
from graphc.ops.normalization import batch_norm, layer_norm
from graphc.ops.picking import embedding
from graphc.ops.pooling import avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from graphc.ops.random import bernoulli
from graphc.ops.reduction import log_softmax, logsumexp, softmax
from graphc.ops.state import by_phase

__all__ = [
    "attention", "avg_pool1d", "avg_pool2d", "batch_norm", "conv1d", "conv2d", "conv2d_transpose", "dropout", "embedding", "layer_norm",
    "log_softmax", "logsumexp", "max_pool1d", "max_pool2d", "relu", "sigmoid", "softmax", "softplus", "tanh",
]  # fmt: skip


def dropout(x: Any, rate: float, *, key: int | None = None) -> Tensor:
    """In training each entry is 0 with probability ``rate`` and scaled by ``1/(1 - rate)`` otherwise; identity in inference.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15 (2014).
    """
    x = operand(x)
    if not is_real(rate) or not 0 <= rate < 1:
        raise DeclarationError(f"rate={rate!r} of dropout on {x.describe()}: it is the share that is dropped, at least 0 and below 1")
    rate = float(rate)
    if rate == 0:
        return x
    latex = rf"\operatorname{{dropout}}_{{{rate:g}}}({{0}})"
    dropped = (x * bernoulli(x.shape, 1 - rate, key=key) / (1 - rate)).called("dropout", x, latex=latex)
    return by_phase(training=dropped, inference=x).called("dropout", x, latex=latex)
