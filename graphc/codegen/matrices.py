"""Linear algebra inside compiled kernels: plain loops on square matrices, in double precision, rows innermost.

Each function takes stacks of ``count`` matrices of size ``n``, row by row, and ``w``, memory for one of them at a time. A matrix
with an entry that is not finite gives NaN. Inverse, determinant and its logarithm come from elimination with the largest entry
of a column as pivot; cofactors from elimination with the largest entry of all, ``P X Q = L D R``, which shows what rank there
is: cofactors of a product are the product of the cofactors, and those of L and R are their inverses, transposed.

Source: Golub, Van Loan, Matrix Computations, 4th edition, 3.4.
"""

from __future__ import annotations

import math
from typing import Any

import numba

__all__ = ["cofactor", "cofactor1", "cofactor2", "determinant", "inverse", "logdet"]

_NOISE = 2.0**49  # see graphc/reference/matrices.py: beyond it rounding decides every digit of an inverse
# Put wholly into the kernels that call them, so that no code for calls from Python is kept with the machine code.
_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_jit: Any = numba.njit(**_OPTIONS)


@_jit
def _load(w: Any, x: Any, start: int, n: int) -> bool:
    """Copy a matrix; whether all its entries are finite."""
    fine = True
    for k in range(n * n):
        value = float(x[start + k])
        fine = fine and math.isfinite(value)
        w[k] = value
    return fine


@_jit
def _exchange(w: Any, a: int, b: int) -> None:
    kept = w[a]
    w[a] = w[b]
    w[b] = kept


@_jit
def _swap(w: Any, a: int, b: int, step: int, n: int) -> None:
    for k in range(n):
        _exchange(w, a + k * step, b + k * step)


@_jit
def _below(w: Any, k: int, n: int) -> None:
    """Take the multiples of row ``k`` out of the rows below it, and keep the factors in their place."""
    for i in range(k + 1, n):
        factor = w[i * n + k] / w[k * n + k]
        w[i * n + k] = factor
        for j in range(k + 1, n):
            w[i * n + j] = w[i * n + j] - factor * w[k * n + j]


@_jit
def _eliminate(w: Any, n: int, order: int) -> float:
    """L and U in place; the sign of the row exchanges, whose order stands from ``order`` on where that is not 0."""
    sign = 1.0
    for k in range(n if order > 0 else 0):
        w[order + k] = float(k)
    for k in range(n):
        at = k
        for i in range(k + 1, n):
            if abs(w[i * n + k]) > abs(w[at * n + k]):
                at = i
        if at != k:
            sign = -sign
            _swap(w, at * n, k * n, 1, n)
            if order > 0:
                _exchange(w, order + at, order + k)
        if w[k * n + k] != 0.0:
            _below(w, k, n)
    return sign


@_jit
def determinant(y: Any, x: Any, w: Any, count: int, n: int) -> None:
    """The determinants."""
    for m in range(count):
        fine = _load(w, x, m * n * n, n)
        result = _eliminate(w, n, 0)
        for k in range(n):
            result = result * w[k * n + k]
        y[m] = result if fine else math.nan


@_jit
def logdet(y: Any, x: Any, w: Any, count: int, n: int) -> None:
    """The logarithms of the absolute values of the determinants."""
    for m in range(count):
        fine = _load(w, x, m * n * n, n)
        _eliminate(w, n, 0)
        result = 0.0
        for k in range(n):
            size = abs(w[k * n + k])
            result = result + (math.log(size) if size > 0.0 else -math.inf)
        y[m] = result if fine else math.nan


@_jit
def _lower(w: Any, b: int, n: int) -> None:
    """Solve with the unit lower triangle of ``w``, on the rows of the matrix at ``b``."""
    for i in range(n):
        for k in range(i):
            factor = w[i * n + k]
            for j in range(n):
                w[b + i * n + j] = w[b + i * n + j] - factor * w[b + k * n + j]


@_jit
def _upper(w: Any, b: int, n: int) -> None:
    """Solve with the upper triangle of ``w``, on the rows of the matrix at ``b``."""
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = w[i * n + k]
            for j in range(n):
                w[b + i * n + j] = w[b + i * n + j] - factor * w[b + k * n + j]
        for j in range(n):
            w[b + i * n + j] = w[b + i * n + j] / w[i * n + i]


@_jit
def _singular(w: Any, x: Any, start: int, b: int, n: int) -> bool:
    """Whether a pivot is 0, or rounding decides every digit of the inverse at ``b``."""
    found = False
    for k in range(n):
        found = found or w[k * n + k] == 0.0
    for i in range(n):
        spread = 0.0
        for j in range(n):
            spread = spread + abs(w[b + i * n + j]) * abs(float(x[start + j * n + i]))
        found = found or (spread >= _NOISE and spread < math.inf)
    return found


@_jit
def inverse(control: Any, y: Any, x: Any, w: Any, count: int, n: int, code: int) -> None:
    """The inverses; the first singular matrix leaves ``code`` and its position in the control words. ``w``: 2 n² + n numbers."""
    b, order = n * n, 2 * n * n
    for m in range(count):
        start = m * n * n
        fine = _load(w, x, start, n)
        if fine:
            _eliminate(w, n, order)
            for k in range(n * n):
                w[b + k] = 0.0
            for i in range(n):
                w[b + i * n + int(w[order + i])] = 1.0
            _lower(w, b, n)
            _upper(w, b, n)
            if _singular(w, x, start, b, n) and control[3] == 0:
                control[3] = code
                control[5] = m
        for k in range(n * n):
            y[start + k] = w[b + k] if fine else math.nan


@_jit
def _eliminate_wholly(w: Any, n: int, rows: int, columns: int) -> float:
    """L, D and R in place, with the order of rows and columns; the sign of all exchanges."""
    sign = 1.0
    for k in range(n):
        w[rows + k] = float(k)
        w[columns + k] = float(k)
    for k in range(n):
        row, column = k, k
        for i in range(k, n):
            for j in range(k, n):
                if abs(w[i * n + j]) > abs(w[row * n + column]):
                    row, column = i, j
        if row != k:
            sign = -sign
            _swap(w, row * n, k * n, 1, n)
            _exchange(w, rows + row, rows + k)
        if column != k:
            sign = -sign
            _swap(w, column, k, n, n)
            _exchange(w, columns + column, columns + k)
        if w[k * n + k] == 0.0:  # so is all the rest
            break
        _below(w, k, n)
        for j in range(k + 1, n):
            w[k * n + j] = w[k * n + j] / w[k * n + k]
    return sign


@_jit
def _turned(w: Any, h: Any, start: int, b: int, n: int, rows: int, columns: int) -> None:
    """A direction as L and R see it: ``L⁻¹ P H Q R⁻¹``, at ``b``."""
    for i in range(n):
        for j in range(n):
            w[b + i * n + j] = float(h[start + int(w[rows + i]) * n + int(w[columns + j])])
    _lower(w, b, n)
    for i in range(n):
        for k in range(n):
            factor = w[b + i * n + k]
            for j in range(k + 1, n):
                w[b + i * n + j] = w[b + i * n + j] - factor * w[k * n + j]


@_jit
def _turned_back(w: Any, y: Any, start: int, c: int, n: int, rows: int, columns: int, sign: float) -> None:
    """``P' L⁻ᵀ C R⁻ᵀ Q'`` of the matrix at ``c``."""
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = w[k * n + i]
            for j in range(n):
                w[c + i * n + j] = w[c + i * n + j] - factor * w[c + k * n + j]
    for i in range(n):
        for j in range(n - 1, -1, -1):
            total = w[c + i * n + j]
            for k in range(j + 1, n):
                total = total - w[c + i * n + k] * w[j * n + k]
            w[c + i * n + j] = total
            y[start + int(w[rows + i]) * n + int(w[columns + j])] = sign * total


@_jit
def _without(w: Any, e: int, n: int, a: int, b: int) -> None:
    """At ``e + c`` the product of all of D but its entries a, b and c; 0 where c is a or b."""
    product = 1.0
    for c in range(n):
        w[e + c] = product
        if c not in (a, b):
            product = product * w[c * n + c]
    product = 1.0
    for c in range(n - 1, -1, -1):
        w[e + c] = w[e + c] * product
        if c not in (a, b):
            product = product * w[c * n + c]
        else:
            w[e + c] = 0.0


@_jit
def _fill(y: Any, start: int, n: int) -> None:
    for k in range(n * n):
        y[start + k] = math.nan


@_jit
def cofactor(y: Any, x: Any, w: Any, count: int, n: int) -> None:
    """The matrices of cofactors. ``w``: 2 n² + 3 n numbers."""
    c = n * n
    rows = 2 * n * n
    columns, e = rows + n, rows + 2 * n
    for m in range(count):
        start = m * n * n
        fine = _load(w, x, start, n)
        if fine:
            sign = _eliminate_wholly(w, n, rows, columns)
            _without(w, e, n, -1, -1)
            for i in range(n):
                for j in range(n):
                    w[c + i * n + j] = w[e + i] if i == j else 0.0
            _turned_back(w, y, start, c, n, rows, columns, sign)
        else:
            _fill(y, start, n)


@_jit
def _finite(h: Any, start: int, n: int) -> bool:
    fine = True
    for k in range(n * n):
        fine = fine and math.isfinite(float(h[start + k]))
    return fine


@_jit
def cofactor1(y: Any, x: Any, h: Any, w: Any, count: int, n: int) -> None:
    """The derivative of the cofactors along ``h``. ``w``: 3 n² + 3 n numbers."""
    c, p = n * n, 2 * n * n
    rows = 3 * n * n
    columns, e = rows + n, rows + 2 * n
    for m in range(count):
        start = m * n * n
        fine = _load(w, x, start, n)
        if fine and _finite(h, start, n):
            sign = _eliminate_wholly(w, n, rows, columns)
            _turned(w, h, start, p, n, rows, columns)
            for i in range(n):
                _without(w, e, n, i, -1)
                total = 0.0
                for j in range(n):
                    total = total + w[e + j] * w[p + j * n + j]
                    w[c + i * n + j] = -w[e + j] * w[p + j * n + i]
                w[c + i * n + i] = total
            _turned_back(w, y, start, c, n, rows, columns, sign)
        else:
            _fill(y, start, n)


@_jit
def _second(w: Any, c: int, p: int, q: int, e: int, n: int) -> None:
    """The second derivative of the cofactors of D along the directions at ``p`` and ``q``, at ``c``."""
    for a in range(n):
        diagonal = 0.0
        for b in range(n):
            if b == a:
                continue
            _without(w, e, n, a, b)
            total = 0.0
            for k in range(n):
                kk, bk, kb, ka, ba = k * n + k, b * n + k, k * n + b, k * n + a, b * n + a
                total = total + w[e + k] * (w[p + bk] * w[q + ka] + w[q + bk] * w[p + ka] - w[p + ba] * w[q + kk] - w[q + ba] * w[p + kk])
                diagonal = diagonal + w[e + k] * (w[p + b * n + b] * w[q + kk] - w[p + bk] * w[q + kb])
            w[c + a * n + b] = total
        w[c + a * n + a] = diagonal


@_jit
def cofactor2(y: Any, x: Any, h: Any, g: Any, w: Any, count: int, n: int) -> None:
    """The second derivative of the cofactors along ``h`` and ``g``. ``w``: 4 n² + 3 n numbers."""
    c, p, q = n * n, 2 * n * n, 3 * n * n
    rows = 4 * n * n
    columns, e = rows + n, rows + 2 * n
    for m in range(count):
        start = m * n * n
        fine = _load(w, x, start, n)
        if fine and _finite(h, start, n) and _finite(g, start, n):
            sign = _eliminate_wholly(w, n, rows, columns)
            _turned(w, h, start, p, n, rows, columns)
            _turned(w, g, start, q, n, rows, columns)
            _second(w, c, p, q, e, n)
            _turned_back(w, y, start, c, n, rows, columns, sign)
        else:
            _fill(y, start, n)
