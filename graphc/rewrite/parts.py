"""A result put together from stages that each write a part of it."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["put_together"]


def put_together(out: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """The sum of scatters that each fill a part of what ``out`` was, and leave 0 elsewhere; zeros where there is none.

    Nothing is added when it runs: each part is written to its places (see ``lower/parts.py``).
    """
    if len(parts) == 1:
        return parts[0]
    axes = tuple(Affine.variable(a) for a in range(out.ndim))
    body = sympy.Add(*(read_symbol(k) for k in range(len(parts))))
    return stage(
        out.shape, [(p, axes) for p in parts], body, dtype=out.dtype, name=out.name, call=out.call, guards=out.node.guards, origin=out.origin
    )
