"""What the source of a kernel may use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc.codegen.beside import contraction_beside
from graphc.codegen.checks import checked
from graphc.codegen.contraction import contraction
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
from graphc.codegen.pointers import bools, floats32, floats64, integer, integers, moved
from graphc.codegen.random import uniform
from graphc.codegen.reductions import greatest, least, product, total
from graphc.codegen.turning import turned

if TYPE_CHECKING:
    from graphc.codegen.library import library_sigmoid, library_softplus
    from graphc.codegen.matrices import cofactor, cofactor1, cofactor2, determinant, inverse, logdet
    from graphc.codegen.numba_compiler import compiled

__all__ = [
    "apart", "arctan", "bools", "checked", "cofactor", "cofactor1", "cofactor2", "compiled", "contraction", "contraction_beside", "cos", "cosh",
    "determinant", "erf", "exp", "expm1", "floats32", "floats64", "floor", "greatest", "integer", "integers", "inverse", "isfinite", "least",
    "library_sigmoid", "library_softplus", "log", "log1p", "logdet", "maximum", "minimum", "moved", "partial", "power", "product", "select",
    "sigmoid", "sign", "sin", "sinh", "softplus", "tan", "tanh", "total", "turned", "uniform",
]  # fmt: skip

apart = range  # of loops of which no iteration touches what another one writes: our front-end notes it, to all others it is the same
partial = range  # of loops whose last iterations rather take part of a vector: our front-end notes it, to all others it is the same

_OF_NUMBA = {
    "compiled": "numba_compiler", "library_sigmoid": "library", "library_softplus": "library",
    **dict.fromkeys(("cofactor", "cofactor1", "cofactor2", "determinant", "inverse", "logdet"), "matrices"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What needs Numba is loaded when it is asked for."""
    if name not in _OF_NUMBA:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"graphc.codegen.{_OF_NUMBA[name]}"), name)
