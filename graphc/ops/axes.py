"""Axis arguments: ``axis=-1``, ``axis=(0, 2)``, ``axis=None``."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.numbers import as_whole, listed
from graphc.expr.tensor import Tensor

__all__ = ["axes_of", "axis_of"]


def axis_of(tensor: Tensor, axis: Any, ndim: int | None = None) -> int:
    """One axis as a number from 0 on.

    Raises:
        DeclarationError: where the tensor has no such axis.
    """
    rank = tensor.ndim if ndim is None else ndim
    number = as_whole(axis)
    if number is None:
        raise DeclarationError(f"axis={axis!r} of {tensor.describe()} is no whole number")
    if not -rank <= number < rank:
        known = f"its axes run from {-rank} to {rank - 1}" if rank else "it has none"
        raise DeclarationError(f"{tensor.describe()} has no axis {number}: {known}")
    return number % rank


def axes_of(tensor: Tensor, axis: Any) -> tuple[int, ...]:
    """One axis, several, or all of them (``None``), sorted.

    Raises:
        DeclarationError: where an axis does not exist or stands there twice.
    """
    if axis is None:
        return tuple(range(tensor.ndim))
    axis = listed(axis)
    given = axis if isinstance(axis, tuple | list) else (axis,)
    found = tuple(axis_of(tensor, a) for a in given)
    if len(set(found)) != len(found):
        raise DeclarationError(f"axis={axis} of {tensor.describe()} names an axis twice")
    return tuple(sorted(found))
