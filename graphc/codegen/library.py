"""What the C library has no function for, by those that it has: for kernels that compute with the library's functions."""

from __future__ import annotations

import math
from typing import Any

from numba.core.extending import register_jitable

__all__ = ["library_sigmoid", "library_softplus"]


@register_jitable
def library_sigmoid(x: Any) -> Any:
    """1/(1 + exp(-x)), through exp of what is not positive."""
    e = math.exp(-abs(x))
    return e / (1.0 + e) if x < 0 else 1.0 / (1.0 + e)


@register_jitable
def library_softplus(x: Any) -> Any:
    """max(x, 0) + log1p(exp(-|x|))."""
    small = math.log1p(math.exp(-abs(x)))
    return small if x < 0 else x + small
