"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.dims import Extent
from graphc.expr.stage import index_symbol
from graphc.expr.tensor import Call, Tensor
from graphc.ops.arithmetic import equal, exp, greater, where
from graphc.ops.layout import swapaxes
from graphc.ops.linear import matmul
from graphc.ops.reduction import shift, softmax, sum

__all__ = ["attention", "attention_weights", "causal_mask"]


def attention(q: Any, k: Any, v: Any, mask: Any = None, scale: Any = None) -> Tensor:
    r""":math:`\operatorname{softmax}(s\, Q K^\top) V`, over the last two axes; leading axes are a stack.

    Args:
        q: queries (..., t, d); k: keys (..., s, d); v: values (..., s, e).
        mask: what broadcasts to (..., t, s). Truth values, and whole numbers or constants of 0 and 1 in their place: where
            they are false, a query does not see a key. Other floats are added to the scores, minus infinity for a key that
            is not seen. A query that sees no key gets zeros.
        scale: the factor s, by default 1/sqrt(d).

    Source: Vaswani et al., NeurIPS 2017.
    """
    q, k, v = operand(q), operand(k), operand(v)
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"attention of {q.describe()}, {k.describe()}, {v.describe()}: each has at least 2 axes, (..., length, width)")
    same_extent(q.shape[-1], k.shape[-1], f"attention of {q.describe()} and {k.describe()}: queries and keys must have one width on their last axis")
    same_extent(k.shape[-2], v.shape[-2], f"attention of {k.describe()} and {v.describe()}: there must be one value for each key")
    scores = matmul(q, swapaxes(k, -1, -2))
    scores = scores * (_given(scale, "scale") if scale is not None else q.shape[-1] ** -0.5)
    if mask is None:
        return matmul(softmax(scores), v).called("attention", q, k, v, latex=_latex(q, scale is None, ""))
    seen = operand(_given(mask, "mask"))
    return matmul(attention_weights(scores, seen), v).called("attention", q, k, v, seen, latex=_latex(q, scale is None, "_{ {3} }"))


def attention_weights(scores: Tensor, mask: Any = None) -> Tensor:
    """How much each query takes of each key: the softmax over the keys that a mask lets through.

    Args:
        scores: of shape (..., queries, keys).
        mask: as for :func:`attention`.
    """
    if mask is None:
        return softmax(scores)
    seen = _fitting(_given(mask, "mask"), scores)
    return _masked_softmax(scores, seen).called("softmax", scores, seen, latex=r"\operatorname{softmax}_{ {1} }({0})")


def causal_mask(queries: Extent, keys: Extent) -> Tensor:
    """Truth values (queries, keys): a query sees the keys up to its own place."""
    body = sympy.Ge(index_symbol(0), index_symbol(1))
    return stage((queries, keys), (), body, dtype="bool", call=Call("causal", (), r"i \ge j"))


def _latex(q: Tensor, plain: bool, mask: str) -> str:
    width = str(q.shape[-1]).replace("*", r"\,")
    scores = rf"\frac{{ {{0}} \, {{1}}^{{\top}} }}{{\sqrt{{ {width} }}}}" if plain else r"s \, {0} \, {1}^{\top}"
    return rf"\operatorname{{softmax}}{mask}\left({scores}\right) {{2}}"


def _given(value: Any, what: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value  # it stands in the formula itself
    try:
        return operand(value)
    except DeclarationError as error:
        raise DeclarationError(f"{what} of attention: {error}") from None


def _fitting(mask: Any, scores: Tensor) -> Tensor:
    """The mask, which may add no entries to the scores."""
    mask = operand(mask)
    text = f"the mask {mask.describe()} of attention does not fit the scores, which have the shape {scores.shape}: (..., queries, keys)"
    if mask.ndim > scores.ndim:
        raise ShapeError(text)
    for own, wanted in zip(reversed(mask.shape), reversed(scores.shape), strict=False):
        if own != 1:
            same_extent(own, wanted, text)
    return mask


def _masked(scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The scores under a mask, minus infinity where a query does not see a key, and where it sees one."""
    truth = mask.dtype != "float"
    if mask.kind == "constant" and not truth:
        entries = mask.value
        truth = bool(np.isin(entries, (0.0, 1.0)).all())
        if truth and entries.size and not entries.any():
            raise DeclarationError(
                f"the mask {mask.describe()} is 0.0 everywhere, which lets nothing through as truth values and everything as numbers that are "
                "added: give booleans, or leave it out"
            )
    if truth:
        return where(mask, scores, float("-inf")), mask
    masked = scores + mask
    return masked, greater(masked, float("-inf"))


def _masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """The softmax over what the mask lets through; zeros where it lets nothing through."""
    masked, seen = _masked(scores, mask)
    powers = where(seen, exp(masked - shift(masked, -1)), 0.0)
    total = sum(powers, -1, keepdims=True)
    return powers / where(equal(total, 0.0), 1.0, total)
