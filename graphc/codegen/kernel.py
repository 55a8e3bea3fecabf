"""What the source of a kernel may use."""

from __future__ import annotations

from typing import Any

from graphc.codegen.checks import checked
from graphc.codegen.contraction import multiply
from graphc.codegen.library import library_sigmoid, library_softplus
from graphc.codegen.mathematics import (
    arctan,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    floor,
    isfinite,
    log,
    log1p,
    maximum,
    minimum,
    power,
    select,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    tan,
    tanh,
)  # fmt: skip
from graphc.codegen.matrices import cofactor, cofactor1, cofactor2, determinant, inverse, logdet
from graphc.codegen.pointers import bools, floats32, floats64, integer, integers, moved
from graphc.codegen.random import uniform
from graphc.codegen.reductions import greatest, least, product, total

__all__ = [
    "arctan", "bools", "checked", "cofactor", "cofactor1", "cofactor2", "compiled", "cos", "cosh", "determinant", "erf", "exp", "expm1",
    "floats32", "floats64", "floor", "greatest", "integer", "integers", "inverse", "isfinite", "least", "library_sigmoid",
    "library_softplus", "log", "log1p", "logdet", "maximum", "minimum", "moved", "multiply", "power", "product", "select", "sigmoid", "sign", "sin",
    "sinh", "softplus", "tan", "tanh", "total", "uniform",
]  # fmt: skip

# A product may be fused into a sum; only running results may be reordered, by flags of their own (reductions.py). Otherwise
# x - x would be 0 where x is infinite or NaN, and (a + b) - a would be b where a swallows it.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "boundscheck": False}


def compiled(function: Any) -> Any:
    """A kernel's function, compiled for the host, or loaded from beside its source."""
    import numba

    return numba.cfunc("void(CPointer(int64), int64, int64, int64)", cache=True, **FLAGS)(function)
