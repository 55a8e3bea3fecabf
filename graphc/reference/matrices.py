"""Linear algebra in NumPy, for the evaluator: in double precision, whatever the precision of the values.

A matrix with an entry that is not finite gives NaN throughout. Cofactors and their derivatives are read off the singular
values, so that no matrix need be regular.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.matrices import singular_message
from graphc.expr.operation import Linalg

__all__ = ["NOISE", "linalg_value"]

Array = Any
# The sums of |X⁻¹| |X| along the diagonal are 1 where nothing cancels, whatever the scale of rows and columns. Beyond this
# number, an eighth of 1 over the rounding error, rounding decides every digit of the inverse.
NOISE = 2.0**49


def linalg_value(op: Linalg, operands: Sequence[Array], dtype: Any, origin: Any) -> Array:
    """The value of one operation for stacks of matrices, which the line ``origin`` asks for.

    Raises:
        DataError: for a singular matrix that is to be inverted.
    """
    x, *directions = (np.asarray(a, np.float64) for a in operands)
    fine: Array = np.isfinite(x).all(axis=(-2, -1))
    x = np.where(fine[..., None, None], x, np.eye(x.shape[-1]))
    with np.errstate(all="ignore"):
        if op.kind == "inverse":
            value = _inverse(x, op.label, origin)
        elif op.kind == "determinant":
            value = np.linalg.det(x)
        elif op.kind == "logdet":
            value = np.linalg.slogdet(x)[1]
        else:
            value = _cofactors(x, directions)
        mask = fine if op.kind in ("determinant", "logdet") else fine[..., None, None]
        return np.where(mask, value, np.nan).astype(dtype)


def _inverse(x: Array, label: str, origin: Any) -> Array:
    count = int(np.prod(x.shape[:-2], dtype=np.int64))
    flat = x.reshape(count, *x.shape[-2:])
    result = np.empty_like(flat)
    for k in range(count):
        try:
            result[k] = np.linalg.inv(flat[k])
        except np.linalg.LinAlgError:
            raise DataError(singular_message(label, k, count, origin)) from None
        spread = (np.abs(result[k]) * np.abs(flat[k]).T).sum(axis=-1)
        if np.any((spread >= NOISE) & (spread < np.inf)):
            raise DataError(singular_message(label, k, count, origin))
    return result.reshape(x.shape)


def _cofactors(x: Array, directions: Sequence[Array]) -> Array:
    """``det(U) det(V) U D V'`` for ``X = U S V'``, with ``D`` the cofactors of the diagonal matrix, or their derivative."""
    if not x.size:
        return np.zeros(x.shape)
    u, s, v = np.linalg.svd(x)
    sign = np.round(np.linalg.det(u) * np.linalg.det(v))[..., None, None]
    turned = [np.swapaxes(u, -1, -2) @ h @ np.swapaxes(v, -1, -2) for h in directions]
    return sign * (u @ _diagonal_cofactors(s, turned) @ v)


def _without_each(s: Array) -> Array:
    """The products of all entries but one along the last axis."""
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def _left_out(s: Array) -> Array:
    """``r[..., a, :]`` is ``s`` with 1 in place of entry ``a``."""
    return np.where(np.eye(s.shape[-1], dtype=bool), 1.0, s[..., None, :])


def _diagonal_cofactors(s: Array, directions: Sequence[Array]) -> Array:
    """The cofactors of ``diag(s)``, or their derivative along one or two directions.

    Source: the second and third derivatives of a determinant are signed sums over the minors of two and three rows, of which
    a diagonal matrix leaves the products of the other diagonal entries.
    """
    n = s.shape[-1]
    eye = np.eye(n)
    if not directions:
        return _without_each(s)[..., None, :] * eye
    if len(directions) == 1:
        (h,) = directions
        pairs = _without_each(_left_out(s)) * (1 - eye)
        diagonal = np.einsum("...ab,...bb->...a", pairs, h)
        return diagonal[..., None, :] * eye - pairs * np.swapaxes(h, -1, -2)
    h, k = directions
    apart = (1 - eye)[:, :, None] * (1 - eye)[:, None, :] * (1 - eye)[None, :, :]
    triples = _without_each(_left_out(_left_out(s))) * apart
    spec = "...abc,...bb,...cc->...a", "...abc,...bc,...cb->...a"
    diagonal = np.einsum(spec[0], triples, h, k) - np.einsum(spec[1], triples, h, k)
    ways = ((h, k), (k, h))
    fixed = sum(np.einsum("...abc,...ba,...cc->...ab", triples, p, q) for p, q in ways)
    turned = sum(np.einsum("...abc,...bc,...ca->...ab", triples, p, q) for p, q in ways)
    return diagonal[..., None, :] * eye + turned - fixed
