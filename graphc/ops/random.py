"""Random numbers as nodes of the graph: a function of seed, step and the node's place; ``gx.random``."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.operation import Random
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Tensor, make
from graphc.ops.arithmetic import where
from graphc.ops.state import shape_of

__all__ = ["bernoulli", "normal", "uniform"]


def _draw(shape: Any, key: int | None) -> Tensor:
    extents = shape_of(shape, "a random tensor")
    if key is not None and (isinstance(key, bool) or not isinstance(key, int) or key < 0):
        raise DeclarationError(f"key={key!r}: a whole number of 0 or more pins a random node's number")
    return make(Random(extents, key), (), extents, "float", call=Call("uniform", (), r"\mathcal{{U}}(0, 1)"))


def uniform(shape: Any = (), low: float = 0.0, high: float = 1.0, *, key: int | None = None) -> Tensor:
    """Uniform numbers in ``[low, high)``.

    Args:
        shape: as for :func:`graphc.tensor`; entries may be names.
        key: pins the node's number; two nodes of one key draw the same.
    """
    u = _draw(shape, key)
    return u if (low, high) == (0.0, 1.0) else (u * (high - low) + low).called("uniform", latex=rf"\mathcal{{U}}({low:g}, {high:g})")


def normal(shape: Any = (), mean: float = 0.0, std: float = 1.0, *, key: int | None = None) -> Tensor:
    """Normal numbers by the transform of Box and Muller (1958): ``sqrt(-2 log(1 - u)) cos(2 pi v)``."""
    extents = shape_of(shape, "a random tensor")
    u = _draw((2, *extents), key)
    rest = tuple(Affine.variable(k) for k in range(len(extents)))
    radius, angle = read_symbol(0), read_symbol(1)
    body = sympy.sqrt(-2 * sympy.log(1 - radius)) * sympy.cos(2 * sympy.pi * angle)
    z = stage(extents, [(u, (Affine.constant(0), *rest)), (u, (Affine.constant(1), *rest))], body)
    if (mean, std) != (0.0, 1.0):
        z = z * std + mean
    return z.called("normal", latex=rf"\mathcal{{N}}({mean:g}, {std:g}^2)")


def bernoulli(shape: Any = (), p: Any = 0.5, *, key: int | None = None) -> Tensor:
    """1.0 with probability ``p``, else 0.0."""
    if isinstance(p, int | float) and not 0 <= p <= 1:
        raise DeclarationError(f"p={p} is no probability: it lies in [0, 1]")
    return where(_draw(shape, key) < p, 1.0, 0.0).called("bernoulli", latex=r"\mathcal{{B}}(p)")
