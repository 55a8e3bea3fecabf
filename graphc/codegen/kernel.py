"""What the source of a kernel may use."""

from __future__ import annotations

from typing import Any

from graphc.codegen.checks import checked
from graphc.codegen.contraction import multiply
from graphc.codegen.mathematics import exp, expm1, floor, isfinite, log, log1p, maximum, minimum, select, sigmoid, sign, softplus, tanh
from graphc.codegen.pointers import bools, floats32, floats64, integer, integers
from graphc.codegen.random import uniform

__all__ = [
    "bools", "checked", "compiled", "exp", "expm1", "floats32", "floats64", "floor", "integer", "integers", "isfinite", "log", "log1p", "maximum",
    "minimum", "multiply", "select", "sigmoid", "sign", "softplus", "tanh", "uniform",
]  # fmt: skip

# Sums may be reordered and products fused into them. NaN and infinities stay what they are, and a quotient is no product with a
# reciprocal: the reciprocal of a subnormal number is infinite where the quotient is not.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}, "boundscheck": False}


def compiled(function: Any) -> Any:
    """A kernel's function, compiled for the host, or loaded from beside its source."""
    import numba

    return numba.cfunc("void(CPointer(int64))", cache=True, **FLAGS)(function)
