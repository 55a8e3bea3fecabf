"""Kernels of linear algebra: one statement on stacks of matrices that lie row by row."""

from __future__ import annotations

from collections.abc import Callable

from graphc.expr.dims import product
from graphc.expr.operation import Linalg
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.kernels import finish

__all__ = ["matrix_kernel"]


def matrix_kernel(emitter: Emitter, tensor: Tensor, singular: Callable[[Tensor], int]) -> ir.Kernel:
    """The kernel of one operation; ``singular`` registers the check that its matrices can be inverted, and returns its code."""
    op, x = tensor.op, tensor.inputs[0]
    assert isinstance(op, Linalg)
    n = x.shape[-1]
    # One matrix at a time is worked on: its factors, the result, each direction; and orders of rows and columns.
    squares = {"inverse": 2, "cofactor": 1 + len(tensor.inputs)}.get(op.kind, 1)
    lines = {"inverse": 1, "cofactor": 3}.get(op.kind, 0)
    result = emitter.buffer(tensor, True)
    operands = tuple(emitter.buffer(t) for t in tensor.inputs)
    scratch = emitter.buffer(Scratch(squares * (n * n) + lines * n, "double"), True)
    count, size = emitter.own_param(product(x.shape[:-2])), emitter.own_param(n)
    code = emitter.own_param(("code", singular(tensor))) if op.kind == "inverse" else None
    return finish(emitter, [ir.Matrices(op.kind, result, operands, scratch, count, size, code)])
