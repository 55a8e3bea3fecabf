"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

from graphc.errors import ShapeError
from graphc.expr.build import operand, same_extent
from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import exp, isfinite, logical_and, where
from graphc.ops.layout import swapaxes
from graphc.ops.linear import matmul
from graphc.ops.reduction import max, softmax, sum

__all__ = ["attention"]


def attention(q: Any, k: Any, v: Any, mask: Any = None, scale: Any = None) -> Tensor:
    r""":math:`\operatorname{softmax}(s\, Q K^\top) V`, over the last two axes; leading axes are a stack.

    Args:
        q: queries (..., t, d); k: keys (..., s, d); v: values (..., s, e).
        mask: truth values that broadcast to (..., t, s): where they are false, a query does not see a key. A query that
            sees no key gets zeros.
        scale: the factor s, by default 1/sqrt(d).

    Source: Vaswani et al., NeurIPS 2017.
    """
    q, k, v = operand(q), operand(k), operand(v)
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"attention of {q.describe()}, {k.describe()}, {v.describe()}: each has at least 2 axes, (..., length, width)")
    same_extent(q.shape[-1], k.shape[-1], f"attention of {q.describe()} and {k.describe()}: queries and keys must have one width on their last axis")
    scores = matmul(q, swapaxes(k, -1, -2))
    scores = scores * (scale if scale is not None else q.shape[-1] ** -0.5)
    weights = softmax(scores) if mask is None else _masked_softmax(scores, operand(mask))
    return matmul(weights, v).called("attention", q, k, v, latex=r"\operatorname{attention}({0}, {1}, {2})")


def _masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """The softmax over what the mask lets through; zeros where it lets nothing through."""
    seen = where(mask, scores, float("-inf"))
    top = max(seen, -1, keepdims=True)
    powers = where(mask, exp(scores - where(isfinite(top), top, 0.0)), 0.0)
    total = sum(powers, -1, keepdims=True)
    return powers / where(logical_and(total > 0, isfinite(total)), total, 1.0)
