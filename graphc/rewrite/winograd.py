"""The matrices of fast convolution by small filters: fewer products for several places of a filter at once.

With ``m`` places and ``r`` taps,

    y[o] = sum over t of x[o + t] * w[t]        0 <= o < m, 0 <= t < r

takes ``m*r`` products, and as ``y = transpose(A) ((G w) * (B x))``, with ``n = m + r - 1`` rows in ``A``, ``G`` and ``B``, it takes ``n``.
The sum over places and taps of ``x[o + t] * w[t] * y[o]`` is ``sum over p of (B x)[p] (G w)[p] (A y)[p]``, so the same matrices
give the gradient by the filter, ``transpose(G) ((A y) * (B x))``.

``A y`` and ``G w`` are the values of two polynomials, whose coefficients are ``y`` and ``w``, at ``n - 1`` numbers and at infinity; ``B``
is the transposed inverse of the matrix that takes the coefficients of their product to its values there.

Source: Winograd, Arithmetic Complexity of Computations (1980); Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks (CVPR 2016). The numbers are those of Barabasz, Anderson, Soodhalter and Gregg, Error Analysis and Improving the
Accuracy of Winograd Convolution (ACM Trans. Math. Softw. 2020), whose sums round least.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy

from graphc.expr.entry import Table

__all__ = ["Fast", "fast"]

_NUMBERS = (sympy.Integer(0), sympy.Integer(1), sympy.Integer(-1), sympy.Rational(1, 2), sympy.Integer(-2))


@dataclass(frozen=True)
class Fast:
    """The matrices for ``m`` places and ``r`` taps: ``places`` is A, ``taps`` is G, ``values`` is B."""

    m: int
    r: int
    places: Table
    taps: Table
    values: Table

    @property
    def n(self) -> int:
        """The products that are left."""
        return self.m + self.r - 1


@cache
def fast(m: int, r: int) -> Fast | None:
    """The matrices; ``None`` where there are not as many numbers as they need.

    Example:
        >>> fast(2, 3).values.matrix
        Matrix([
        [1,  0, -1, 0],
        [0,  1,  1, 0],
        [0, -1,  1, 0],
        [0, -1,  0, 1]])
    """
    n = m + r - 1
    if n > len(_NUMBERS) + 1:
        return None
    values = _powers(n, n).inv().T
    taps = _powers(n, r)
    for row in range(n):  # whole numbers for what is transformed most often
        factor = sympy.ilcm(1, *(x.q for x in values.row(row)))
        values[row, :] *= factor
        taps[row, :] /= factor
    return Fast(m, r, Table("A", _powers(n, m)), Table("G", taps), Table("B", values))


def _powers(n: int, count: int) -> Any:
    """A row of powers for each number, and for infinity the highest coefficient alone."""
    rows = [[x**k for k in range(count)] for x in _NUMBERS[: n - 1]]
    return sympy.Matrix([*rows, [*[0] * (count - 1), 1]])
