"""Numbers that users give as settings: Python's and NumPy's alike."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from graphc.errors import DeclarationError

__all__ = ["is_real", "share", "whole_above"]


def is_real(value: Any) -> bool:
    """Whether a value is one real number, and no truth value."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def share(owner: str, **shares: Any) -> None:
    """See that settings are shares of the past.

    Raises:
        DeclarationError: for one that is no number, below 0, or 1 or more.
    """
    for name, value in shares.items():
        if not is_real(value) or not 0 <= value < 1:
            raise DeclarationError(f"{owner}: {name}={value!r} is a share of the past, at least 0 and below 1")


def whole_above(least: int, name: str, value: Any, where: str) -> int:
    """A setting as a whole number of at least so much.

    Raises:
        DeclarationError: for anything else.
    """
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__") or int(value) < least:
        raise DeclarationError(f"{name}={value!r} of {where}: it is a whole number of {least} or more")
    return int(value)
