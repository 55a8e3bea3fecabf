"""Rows of index notation: accesses that stride, flip, repeat, leave their tensor or go through another; every reducer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import sympy

import graphc as gx
from tests.rows.row import Arg, Row

h, i, j, k, u, v, c, d = gx.indices("h i j k u v c d")


def row(case: str, args: tuple[Arg, ...], outputs: Any, body: Callable[..., Any], value: Callable[..., Any], *, given: Any = None, outside: Any = None, **options: Any) -> Row:
    return Row("define", case, args, lambda *t: gx.define("Y", outputs, body(*t), outside=outside, extents=given), value, **options)


def loop(shape: tuple[int, ...], entry: Callable[..., Any]) -> Any:
    """An array from the value at each place: the formula read aloud."""
    result = np.zeros(shape)
    for place in np.ndindex(*shape):
        result[place] = entry(*place)
    return result


def total(ranges: tuple[int, ...], term: Callable[..., Any]) -> Any:
    return sum((term(*place) for place in product(*map(range, ranges))), start=0.0)


def inside(a: Any, *place: int) -> Any:
    """``a[place]``, 0 outside."""
    return a[place] if all(0 <= p < n for p, n in zip(place, a.shape, strict=True)) else 0.0


def windows(size: int, length: int) -> Iterator[slice]:
    return (slice(p, p + length) for p in range(size - length + 1))


PLAIN = [
    row("a dense layer", (Arg(("n", 5)), Arg((5, 2)), Arg((2,))), (i, j), lambda x, w, b: gx.Sum(x[i, k] * w[k, j], k) + b[j], lambda x, w, b: x @ w + b),
    row("a matrix product", (Arg(("n", 5)), Arg((5, 2))), (i, j), lambda x, w: gx.Sum(x[i, k] * w[k, j], k), np.matmul),
    row("a transpose", (Arg(("n", 5)),), (j, i), lambda x: x[i, j], np.transpose),
    row("a repeated row", (Arg((5,)),), (i, j), lambda x: x[j], lambda x: np.tile(x, (3, 1)), given={i: 3}),
    row("a repeated column of a name", (Arg((5,)), Arg(("n", 1))), (i, j), lambda x, y: x[j] * y[i, 0], lambda x, y: x * y),
    row("a number alone", (Arg(()),), (), lambda a: a[()] * a[()], lambda a: a * a),
    row("a scalar in a body", (Arg((3,)), Arg(())), (i,), lambda x, a: x[i] * a[()] + a, lambda x, a: x * a + a),
    row("a sum to a number", (Arg((3, 5)),), (), lambda x: gx.Sum(x[i, j] ** 2, i, j), lambda x: np.sum(x**2)),
    row("indices in a body", (Arg((3, 5)),), (i, j), lambda x: x[i, j] * (i + 1) / (j + 2), lambda x: x * (np.arange(3)[:, None] + 1) / (np.arange(5) + 2)),
    row("a dimension in a body", (Arg(("n", 5)),), (j,), lambda x: gx.Sum(x[i, j], i) / x.shape[0], lambda x: x.mean(axis=0)),
    row("a dimension in a place", (Arg(("n", 2)),), (i, j), lambda x: x[x.shape[0] - 1 - i, j], lambda x: x[::-1]),
    row("the last entry of a name", (Arg(("n", 2)),), (j,), lambda x: x[x.shape[0] - 1, j], lambda x: x[-1]),
    row("SymPy's functions", (Arg((5,), 0.2, 2),), (i,), lambda x: sympy.exp(x[i]) * sympy.log(x[i]) / sympy.sqrt(1 + x[i] ** 2) + sympy.tanh(x[i]) - sympy.atan(x[i]), lambda x: np.exp(x) * np.log(x) / np.sqrt(1 + x**2) + np.tanh(x) - np.arctan(x)),
    row("graphc's functions", (Arg((5,), 0.2, 2),), (i,), lambda x: gx.exp(x[i]) * gx.maximum(x[i], 1.0) - gx.sigmoid(gx.Sum(gx.log(x[k]), k)), lambda x: np.exp(x) * np.maximum(x, 1) - 1 / (1 + np.exp(-np.log(x).sum()))),
    row("SymPy's Max and Abs", (Arg((5,), apart=0.02),), (i,), lambda x: sympy.Max(x[i], 0) + sympy.Abs(x[i]) + sympy.Min(x[i], 1.0), lambda x: np.maximum(x, 0) + abs(x) + np.minimum(x, 1)),
    row("x over x", (Arg((3,), values=[0.0, 1.0, -2.0]),), (i,), lambda x: x[i] / x[i], lambda x: x / x, smooth=False),
    row("x minus x", (Arg((3,), values=[0.0, np.inf, np.nan]),), (i,), lambda x: x[i] - x[i], lambda x: x - x, smooth=False),
    row("0 sized", (Arg((0, 4)), Arg((4, 2))), (i, j), lambda x, w: gx.Sum(x[i, k] * w[k, j], k), np.matmul),
    row("a sum over nothing", (Arg((3, 0)), Arg((0, 2))), (i, j), lambda x, w: gx.Sum(x[i, k] * w[k, j], k), np.matmul),
]

STRIDED = [
    row("every second entry", (Arg((7,)),), (i,), lambda x: x[2 * i], lambda x: x[::2]),
    row("every second entry of a name", (Arg(("m",)),), (i,), lambda x: x[2 * i] ** 2, lambda x: x[::2] ** 2),
    row("every third from the second", (Arg((11,)),), (i,), lambda x: x[3 * i + 1] ** 2, lambda x: x[1::3] ** 2),
    row("flipped", (Arg((5,)),), (i,), lambda x: x[4 - i] ** 2, lambda x: x[::-1] ** 2),
    row("a diagonal", (Arg((4, 4)),), (i,), lambda x: x[i, i] ** 2, lambda x: np.diag(x) ** 2),
    row("a matrix times its transpose, entry by entry", (Arg((3, 3)),), (i, k), lambda x: x[k, i] * x[i, k], lambda x: x * x.T),
    row("both diagonals", (Arg((5, 5)),), (i,), lambda x: x[i, i] * x[i, 4 - i], lambda x: np.diag(x) * np.diag(x[:, ::-1])),
    row("neighbours", (Arg((6,)),), (i,), lambda x: x[i] * x[i + 1], lambda x: x[:-1] * x[1:], given={i: 5}),
    row("a sum of differences", (Arg((4,)), Arg((5,))), (), lambda x, y: gx.Sum((x[i] - y[j]) ** 2, i, j), lambda x, y: np.sum((x[:, None] - y) ** 2)),
    row("an outer sum along antidiagonals", (Arg((3, 4)),), (u,), lambda x: gx.Sum(x[i, u + i], i), lambda x: np.array([sum(x[p, q + p] for p in range(3)) for q in range(2)])),
    row("a split axis", (Arg((6,)),), (i, j), lambda x: x[3 * i + j], lambda x: x.reshape(2, 3), given={i: 2, j: 3}),
    row("a Toeplitz matrix", (Arg((7,)),), (i, j), lambda x: x[i - j + 3], lambda x: loop((4, 4), lambda p, q: x[p - q + 3]), given={i: 4, j: 4}),
    row("a self-contraction", (Arg((4, 4)),), (), lambda x: gx.Sum(x[i, j] * x[j, i], i, j), lambda x: np.trace(x @ x)),
    row("a convolution", (Arg((9, 2)), Arg((3, 2, 2))), (i, d), lambda x, w: gx.Sum(x[i + u, c] * w[u, c, d], u, c), lambda x, w: loop((7, 2), lambda p, q: np.sum(x[p : p + 3] * w[:, :, q]))),
    row("a convolution of stride 2", (Arg(("n", 9, 2)), Arg((3, 2, 2))), (h, i, d), lambda x, w: gx.Sum(x[h, 2 * i + u, c] * w[u, c, d], u, c), lambda x, w: loop((3, 4, 2), lambda n, p, q: np.sum(x[n, 2 * p : 2 * p + 3] * w[:, :, q]))),
    row("a convolution of stride 3, dilation 2", (Arg((12, 1)), Arg((3, 1, 2))), (i, d), lambda x, w: gx.Sum(x[3 * i + 2 * u, c] * w[u, c, d], u, c), lambda x, w: loop((3, 2), lambda p, q: total((3,), lambda r: x[3 * p + 2 * r, 0] * w[r, 0, q]))),
    row("a two-dimensional convolution of stride 2", (Arg((5, 7)), Arg((2, 3))), (i, j), lambda x, w: gx.Sum(x[2 * i + u, 2 * j + v] * w[u, v], u, v), lambda x, w: loop((2, 3), lambda p, q: np.sum(x[2 * p : 2 * p + 2, 2 * q : 2 * q + 3] * w))),
]

GUARDED = [
    row("a padded convolution", (Arg((6,)), Arg((3,))), (i,), lambda x, w: gx.Sum(x[i + u - 1] * w[u], u), lambda x, w: loop((6,), lambda p: total((3,), lambda r: inside(x, p + r - 1) * w[r])), given={i: 6}, outside=0),
    row("a padded convolution of stride 2", (Arg((7,)), Arg((3,))), (i,), lambda x, w: gx.Sum(x[2 * i + u - 1] * w[u], u), lambda x, w: loop((4,), lambda p: total((3,), lambda r: inside(x, 2 * p + r - 1) * w[r])), given={i: 4}, outside=0),
    row("a padded convolution of a name", (Arg(("m",)), Arg((3,))), (i,), lambda x, w: gx.Sum(x[i + u - 1] * w[u], u) , lambda x, w: loop((5,), lambda p: total((3,), lambda r: inside(x, p + r - 1) * w[r])), given={i: "m"}, outside=0),
    row("padding", (Arg((3,)),), (i,), lambda x: x[i - 2] ** 2, lambda x: np.pad(x, 2) ** 2, given={i: 7}, outside=0),
    row("a padded maximum reads 0", (Arg((4,), -2, -0.5, apart=0.02),), (i,), lambda x: gx.Max(x[i + u - 1], u), lambda x: loop((4,), lambda p: max(inside(x, p + r - 1) for r in range(3))), given={i: 4, u: 3}, outside=0),
    row("a padded minimum reads 0", (Arg((4,), 0.5, 2, apart=0.02),), (i,), lambda x: gx.Min(x[i + u - 1], u), lambda x: loop((4,), lambda p: min(inside(x, p + r - 1) for r in range(3))), given={i: 4, u: 3}, outside=0),
    row("a transposed convolution of stride 2", (Arg((4,)), Arg((3,))), (i,), lambda x, w: gx.Sum(sympy.Piecewise((x[j] * w[u], sympy.Eq(2 * j + u, i)), (0, True)), j, u),
        lambda x, w: loop((9,), lambda p: total((4, 3), lambda q, r: x[q] * w[r] if 2 * q + r == p else 0)), given={i: 9}),
    row("all outside", (Arg((3,)),), (i,), lambda x: x[i + 5], lambda x: np.zeros(2), given={i: 2}, outside=0),
    row("outside of nothing", (Arg((0,)),), (i,), lambda x: x[i - 1] + 1, lambda x: np.ones(2), given={i: 2}, outside=0),
    row("an exponential outside", (Arg((3,)),), (i,), lambda x: sympy.exp(x[i - 1]), lambda x: np.exp(np.pad(x, 1)), given={i: 5}, outside=0),
]  # fmt: skip

REDUCED = [
    row("a maximum pool", (Arg((8, 2), apart=0.02),), (i, c), lambda x: gx.Max(x[2 * i + u, c], u), lambda x: x.reshape(4, 2, 2).max(axis=1), given={u: 2}),
    row("an overlapping maximum pool", (Arg((7,), apart=0.02),), (i,), lambda x: gx.Max(x[2 * i + u], u), lambda x: loop((3,), lambda p: max(x[2 * p : 2 * p + 3])), given={u: 3}),
    row("a two-dimensional minimum pool", (Arg((4, 6), apart=0.02),), (i, j), lambda x: gx.Min(x[2 * i + u, 3 * j + v], u, v), lambda x: loop((2, 2), lambda p, q: np.min(x[2 * p : 2 * p + 2, 3 * q : 3 * q + 3])), given={u: 2, v: 3}),
    row("a product", (Arg((3, 4), 0.5, 1.5),), (i,), lambda x: gx.Prod(x[i, k], k), lambda x: np.prod(x, axis=1)),
    row("a product at one 0", (Arg((4,), values=[2.0, 0.0, 3.0, 0.5]),), (), lambda x: gx.Prod(x[k], k), np.prod),
    row("a product at two 0", (Arg((4,), values=[2.0, 0.0, 3.0, 0.0]),), (), lambda x: gx.Prod(x[k], k), np.prod),
    row("a product of sums at a 0", (Arg((3,), values=[1.0, -1.0, 2.0]), Arg(())), (), lambda x, a: gx.Prod(x[k] + 1, k) * a, lambda x, a: np.prod(x + 1) * a),
    row("a product over two indices", (Arg((2, 3), 0.5, 1.5), Arg((3,), 0.5, 1.5)), (), lambda x, y: gx.Prod(x[i, j] * y[j], i, j), lambda x, y: np.prod(x * y)),
    row("a minimum that is tied", (Arg((4,), values=[3.0, 1.0, 1.0, 2.0]),), (), lambda x: gx.Min(x[k], k), np.min, smooth=False, gradient=lambda x, w: [w * np.array([0.0, 1, 0, 0])]),
    row("a maximum that is tied over two indices", (Arg((2, 2), values=[[0.0, 2], [2, 2]]),), (), lambda x: gx.Max(x[i, j], i, j), np.max, smooth=False, gradient=lambda x, w: [w * np.array([[0.0, 1], [0, 0]])]),
    row("a maximum tied in the order of its indices", (Arg((2, 2), values=[[0.0, 2], [2, 1]]),), (), lambda x: gx.Max(x[i, j], j, i), np.max, smooth=False, gradient=lambda x, w: [w * np.array([[0.0, 0], [1, 0]])]),
    row("a maximum of a formula", (Arg((3,), apart=0.02), Arg((4,), apart=0.013)), (i,), lambda x, y: gx.Max(x[i] * y[k] - y[k] ** 2, k), lambda x, y: np.max(np.outer(x, y) - y**2, axis=1)),
    row("a tied maximum read twice", (Arg((3,), values=[1.0, 1.0, 0.0]),), (), lambda x: gx.Max(x[k], k) * gx.Sum(x[k], k), lambda x: x.max() * x.sum(), smooth=False, gradient=lambda x, w: [w * np.array([3.0, 1.0, 1.0])]),
]

NESTED = [
    row("an inner sum", (Arg((3, 4)), Arg((4,))), (i,), lambda x, y: sympy.tanh(gx.Sum(x[i, k] * y[k], k)), lambda x, y: np.tanh(x @ y)),
    row("a softmax", (Arg((3, 4)),), (i, j), lambda x: sympy.exp(x[i, j]) / gx.Sum(sympy.exp(x[i, k]), k), lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)),
    row("a shifted softmax", (Arg((3, 4), apart=0.02),), (i, j), lambda x: sympy.exp(x[i, j] - gx.Max(x[i, k], k)) / gx.Sum(sympy.exp(x[i, k] - gx.Max(x[i, u], u)), k), lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)),
    row("a sum within a sum", (Arg((2, 3)), Arg((3, 4))), (), lambda x, y: gx.Sum(gx.Sum(x[i, k] * y[k, j], k) ** 2, i, j), lambda x, y: np.sum((x @ y) ** 2)),
    row("an inner index of the same name", (Arg((3,)), Arg((4,))), (), lambda x, y: gx.Sum(x[k] * gx.Sum(y[k], k), k), lambda x, y: x.sum() * y.sum()),
    row("a product of a sum and a maximum", (Arg((3, 4), apart=0.02),), (i,), lambda x: gx.Sum(x[i, k], k) * gx.Max(x[i, k], k), lambda x: x.sum(axis=1) * x.max(axis=1)),
    row("a variance", (Arg((5, 2)),), (j,), lambda x: gx.Sum((x[i, j] - gx.Sum(x[k, j], k) / 5) ** 2, i) / 5, lambda x: x.var(axis=0)),
    row("two windows of unequal length", (Arg((9,)), Arg((3,)), Arg((5,))), (i,), lambda x, w, y: gx.Sum(x[i + u] * w[u], u) + gx.Sum(x[i + v] * y[v], v), lambda x, w, y: loop((5,), lambda p: x[p : p + 3] @ w + x[p : p + 5] @ y)),
    row("a window beside a bare index", (Arg((9,)), Arg((3,)), Arg((4,))), (i,), lambda x, w, b: gx.Sum(x[i + u] * w[u], u) * b[i], lambda x, w, b: loop((4,), lambda p: x[p : p + 3] @ w * b[p])),
    row("a padded window beside a bare index", (Arg((4,)), Arg((3,))), (i,), lambda x, w: gx.Sum(x[i + u - 1] * w[u], u) - x[i], lambda x, w: np.convolve(np.pad(x, 1), w[::-1], "valid") - x, outside=0),
    row("two sums of one index", (Arg((3,)), Arg((4,))), (), lambda x, y: gx.Sum(x[k], k) + gx.Sum(y[k], k), lambda x, y: x.sum() + y.sum()),
    row("a power of a sum", (Arg((3, 2), 0.5, 1.5),), (i,), lambda x: gx.Sum(x[i, k], k) ** sympy.Rational(3, 2), lambda x: x.sum(axis=1) ** 1.5),
]

CONDITIONED = [
    row("a lower triangle", (Arg((4, 4)),), (i, j), lambda x: sympy.Piecewise((x[i, j] ** 2, sympy.Ge(i, j)), (0, True)), lambda x: np.tril(x) ** 2),
    row("a unit matrix", (Arg((3,)),), (i, j), lambda x: sympy.Piecewise((x[i], sympy.Eq(i, j)), (0, True)), np.diag, given={j: 3}),
    row("a masked sum", (Arg((3, 4)), Arg((4,), kind="bool")), (i,), lambda x, m: gx.Sum(sympy.Piecewise((x[i, k], sympy.Eq(m[k], 1)), (0, True)), k), lambda x, m: (x * m).sum(axis=1)),
    row("a label chosen by its id", (Arg((3, 4)), Arg((3,), 0, 3, "int")), (i,), lambda x, y: gx.Sum(sympy.Piecewise((x[i, k], sympy.Eq(y[i], k)), (0, True)), k), lambda x, y: x[np.arange(3), y]),
    row("three pieces", (Arg((7,), apart=0.02),), (i,), lambda x: sympy.Piecewise((x[i] ** 2, x[i] < -1), (x[i] ** 3, x[i] < 1), (2 * x[i] - 1, True)), lambda x: np.where(x < -1, x**2, np.where(x < 1, x**3, 2 * x - 1))),
    row("a branch that would be infinite", (Arg((3,), values=[0.0, 1.0, 4.0]),), (i,), lambda x: sympy.Piecewise((sympy.log(x[i]), x[i] > 0), (x[i], True)), lambda x: np.where(x > 0, np.log(np.maximum(x, 1e-9)), x), smooth=False,
        gradient=lambda x, w: [w * np.array([1.0, 1.0, 0.25])]),
    row("a condition of two", (Arg((5,), apart=0.02),), (i,), lambda x: sympy.Piecewise((x[i], sympy.And(x[i] > -1, sympy.Lt(i, 3))), (0, True)), lambda x: np.where((x > -1) & (np.arange(5) < 3), x, 0)),
]  # fmt: skip

THROUGH = [
    row("an embedding", (Arg((4, 2)), Arg((3,), 0, 3, "int")), (i, d), lambda e, ids: e[ids[i], d], lambda e, ids: e[ids]),
    row("an embedding of a table of ids", (Arg((4, 2)), Arg(("n", 2), 0, 3, "int")), (i, j, d), lambda e, ids: e[ids[i, j], d] ** 2, lambda e, ids: e[ids] ** 2),
    row("one id again and again", (Arg((4,)), Arg((5,), values=[2, 2, 0, 2, 1], kind="int")), (i,), lambda e, ids: e[ids[i]] ** 2, lambda e, ids: e[ids] ** 2),
    row("a label of each row", (Arg((3, 4)), Arg((3,), 0, 3, "int")), (i,), lambda x, y: x[i, y[i]], lambda x, y: x[np.arange(3), y]),
    row("an id and an index together", (Arg((6,)), Arg((3,), 0, 1, "int")), (i,), lambda x, y: x[2 * i + y[i]] ** 2, lambda x, y: x[2 * np.arange(3) + y] ** 2),
    row("a bag of ids", (Arg((4, 2)), Arg((3, 5), 0, 3, "int")), (i, d), lambda e, ids: gx.Sum(e[ids[i, k], d], k), lambda e, ids: e[ids].sum(axis=1)),
    row("an id of an id", (Arg((4,)), Arg((3,), 0, 3, "int"), Arg((5,), 0, 2, "int")), (i,), lambda e, p, q: e[p[q[i]]] ** 2, lambda e, p, q: e[p[q]] ** 2),
    row("integers picked", (Arg((4,), -5, 5, "int"), Arg((3,), 0, 3, "int")), (i,), lambda e, ids: e[ids[i]], lambda e, ids: e[ids], smooth=False, dtype="int"),
]

ROWS: list[Row] = [*PLAIN, *STRIDED, *GUARDED, *REDUCED, *NESTED, *CONDITIONED, *THROUGH]
