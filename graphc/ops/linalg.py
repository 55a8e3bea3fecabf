"""Linear algebra of square matrices; ``gx.linalg``. Leading axes are stacks of matrices, as in NumPy."""

from __future__ import annotations

from typing import Any

from graphc.errors import ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.matrices import linalg
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Guard, Tensor

__all__ = ["det", "inv", "logdet"]


def _square(value: Any, what: str) -> tuple[Tensor, list[Guard], str]:
    """The matrices as floats, what must be checked of their sizes, and what they are called.

    Raises:
        ShapeError: where they are certainly not square.
    """
    x = operand(value)
    if x.ndim < 2:
        raise ShapeError(f"linalg.{what} of {x.describe()}: it takes square matrices, the last two axes of a tensor of rank 2 or more")
    rows, columns = x.shape[-2:]
    told = f"linalg.{what} of {x.describe()}: its last two axes are {rows} and {columns}, and a matrix with an inverse or a determinant is square"
    guard = same_extent(rows, columns, f"{told}. For a rectangular A take A.T @ A")
    label = x.label
    if x.dtype != "float":
        x = stage(x.shape, [(x, tuple(Affine.variable(k) for k in range(x.ndim)))], read_symbol(0), dtype="float", name=x.name)
    return x, [guard] if guard else [], label


def inv(x: Any) -> Tensor:
    r"""The inverse :math:`X^{-1}` of each matrix, of the shape of ``x``: ``(..., n, n)``.

    Its gradient is :math:`-X^{-\top} G X^{-\top}`. To solve a linear system, write ``inv(A) @ b``.

    Args:
        x: square matrices along the last two axes.

    Raises:
        ShapeError: where ``x`` is not square.
        DataError: when a value is computed and a matrix is singular, exactly or to all digits of double precision. A matrix
            with an entry that is infinite or NaN gives NaN.

    Source: Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
    differentiation, 2008.

    Example:
        >>> import graphc as gx
        >>> A = gx.tensor("A", (2, 2))
        >>> gx.evaluate(gx.linalg.inv(A), {A: [[2.0, 0.0], [1.0, 4.0]]})
        array([[ 0.5  ,  0.   ],
               [-0.125,  0.25 ]])
    """
    matrices, guards, label = _square(x, "inv")
    return linalg("inverse", [matrices], label=label, guards=guards)


def det(x: Any) -> Tensor:
    r"""The determinant of each matrix: shape ``(..., n, n)`` gives ``(...)``; that of a matrix of size 0 is 1.

    Its gradient is :math:`G\,\operatorname{cof}(X)`, the matrix of cofactors, right at singular matrices too; where ``x`` has an
    inverse that is :math:`G\,\det(X)\,X^{-\top}`. It can be differentiated three times. In high dimensions it overflows:
    :func:`logdet` does not.

    Args:
        x: square matrices along the last two axes.

    Raises:
        ShapeError: where ``x`` is not square.

    Example:
        >>> import graphc as gx
        >>> A = gx.tensor("A", (2, 2))
        >>> gx.evaluate([gx.linalg.det(A), gx.grad(gx.linalg.det(A), A)], {A: [[1.0, 2.0], [2.0, 4.0]]})[1].round(12)
        array([[ 4., -2.],
               [-2.,  1.]])
    """
    matrices, guards, label = _square(x, "det")
    return linalg("determinant", [matrices], label=label, guards=guards)


def logdet(x: Any) -> Tensor:
    r"""The logarithm of the absolute value of the determinant, :math:`\log\lvert\det X\rvert`: ``(..., n, n)`` gives ``(...)``.

    As ``numpy.linalg.slogdet(x)[1]``: for positive definite matrices the usual log-determinant, for others that of the absolute
    value, minus infinity at a singular one, and 0 for matrices of size 0. It neither overflows nor underflows. Its gradient is
    :math:`G\,X^{-\top}`, for matrices of either sign; it needs the inverse, so at a singular matrix it raises.

    Args:
        x: square matrices along the last two axes.

    Raises:
        ShapeError: where ``x`` is not square.

    Example:
        >>> import graphc as gx
        >>> A = gx.tensor("A", (2, 2))
        >>> float(gx.evaluate(gx.linalg.logdet(A), {A: [[0.0, 1.0], [1.0, 0.0]]}))
        0.0
    """
    matrices, guards, label = _square(x, "logdet")
    return linalg("logdet", [matrices], label=label, guards=guards)
