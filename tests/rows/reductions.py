"""Rows of the reductions and of what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from tests.rows.row import Arg, Row

AXES: tuple[Any, ...] = (None, 0, -1, (0, 2), (-1, 1), ())


def reduction(name: str, value: Callable[..., Any], low: float = -2, high: float = 2, axes: tuple[Any, ...] = AXES, apart: float = 0.0) -> list[Row]:
    make = getattr(gx, name)

    def row(case: str, shape: tuple[int | str, ...], axis: Any, keepdims: bool) -> Row:
        return Row(
            name, f"{case} axis={axis} keepdims={keepdims}", (Arg(shape, low, high, apart=apart),),
            lambda a: make(a, axis=axis, keepdims=keepdims), lambda a: value(a, axis=axis, keepdims=keepdims),
        )  # fmt: skip

    rows = [row("n by 2 by 4", ("n", 2, 4), axis, keepdims) for axis in axes for keepdims in (False, True)]
    rows += [row("a vector of 7", (7,), 0, False), row("one entry", (1, 1), -1, False)]
    return rows


def positional(name: str, value: Callable[..., Any]) -> Row:
    return Row(name, "axis as NumPy's second argument", (Arg(("n", 5)),), lambda a: getattr(gx, name)(a, 1), lambda a: value(a, 1))


def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(a), axis=axis, keepdims=keepdims))


def softmax(a: Any, axis: Any = -1) -> Any:
    e = np.exp(a - np.max(a, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def norm(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sqrt(np.sum(a * a, axis=axis, keepdims=keepdims))


SINGLE = (None, 0, -1)

SUMS = [
    *reduction("sum", np.sum),
    *reduction("mean", np.mean),
    *reduction("prod", np.prod, 0.5, 1.5),
    *reduction("max", np.max, apart=0.02, axes=AXES[:-1]),
    *reduction("min", np.min, apart=0.02, axes=AXES[:-1]),
    *reduction("var", np.var, axes=AXES[:-1]),
    *reduction("std", np.std, axes=AXES[:3])[:-1],
    *reduction("norm", norm, 0.5, 2, axes=AXES[:-1]),
    *reduction("logsumexp", logsumexp, axes=AXES[:-1]),
    *(positional(name, getattr(np, name)) for name in ("sum", "mean", "prod", "var", "std", "max", "min")),
    Row("sum", "rank 0", (Arg(()),), lambda a: gx.sum(a), lambda a: np.sum(a)),
    Row("sum", "nothing", (Arg((0,)),), gx.sum, np.sum),
    Row("sum", "nothing along an axis", (Arg((3, "none")),), lambda a: gx.sum(a, axis=1), lambda a: np.sum(a, axis=1)),
    Row("sum", "an empty rest", (Arg((3, 0)),), lambda a: gx.sum(a, axis=0), lambda a: np.sum(a, axis=0)),
    Row("sum", "bools are counted", (Arg((7,), kind="bool"),), gx.sum, np.sum, False, dtype="int"),
    Row("sum", "integers", (Arg((7,), -9, 9, "int"),), gx.sum, np.sum, False, dtype="int"),
    Row("sum", "a method", (Arg(("n", 5)),), lambda a: a.sum(axis=0), lambda a: a.sum(axis=0)),
    Row("mean", "integers", (Arg((7,), -9, 9, "int"),), gx.mean, np.mean, False),
    Row("mean", "bools", (Arg((7,), kind="bool"),), gx.mean, np.mean, False),
    Row("prod", "nothing", (Arg((0,)),), gx.prod, np.prod),
    Row("prod", "a 0", (Arg((4,), values=[2.0, 0.0, 3.0, -1.0]),), gx.prod, np.prod),
    Row("prod", "two 0", (Arg((4,), values=[2.0, 0.0, 0.0, -1.0]),), gx.prod, np.prod),
    Row("prod", "a 0 in one row", (Arg((2, 3), values=[[2.0, 0.0, 3.0], [1.0, 2.0, 3.0]]),), lambda a: gx.prod(a, axis=1), lambda a: np.prod(a, axis=1)),
    Row("var", "ddof", (Arg(("n", 5)),), lambda a: gx.var(a, axis=0, ddof=1), lambda a: np.var(a, axis=0, ddof=1)),
    Row("std", "ddof", (Arg(("n", 5)),), lambda a: gx.std(a, axis=1, ddof=1), lambda a: np.std(a, axis=1, ddof=1)),
    Row("var", "of one entry with ddof", (Arg((1,)),), lambda a: gx.var(a, ddof=1), lambda a: a[0] * np.nan, False),
    Row("var", "ddof beyond the count", (Arg((2,), values=[1.0, 2.0]),), lambda a: gx.var(a, ddof=3), lambda a: np.inf, False),
    Row("std", "of one entry", (Arg((1,)),), gx.std, np.std, False, lambda a, w: [w * a * 0]),
    Row("std", "of equal entries", (Arg((2, 3), values=np.full((2, 3), 1.5)),), lambda a: gx.std(a, axis=1), lambda a: np.std(a, axis=1), False, lambda a, w: [a * 0]),
    Row("mean", "nothing", (Arg(("none", 2)),), lambda a: gx.mean(a, axis=0), lambda a: np.full(2, np.nan), False),
    Row("var", "nothing", (Arg(("none",)),), gx.var, lambda a: np.nan, False),
    Row("norm", "nothing", (Arg(("none", 2)),), lambda a: gx.norm(a, axis=0), lambda a: np.zeros(2)),
    Row("norm", "of zeros in one row", (Arg((2, 3), values=[[0.0, 0, 0], [1, 2, 2]]),), lambda a: gx.norm(a, axis=1), lambda a: np.linalg.norm(a, axis=1), False, lambda a, w: [w[:, None] * a / [[1.0], [3.0]]]),
    Row("var", "far from 0", (Arg((7,), 1e6, 1e6 + 1),), gx.var, np.var, False, tolerance=1e4),
]

EXTREMES = [
    Row("max", "a tie", (Arg((5,), values=[1.0, 3.0, 2.0, 3.0, 3.0]),), gx.max, np.max, False, lambda a, w: [w * [0, 1, 0, 0, 0]]),
    Row("min", "a tie", (Arg((5,), values=[3.0, 1.0, 2.0, 1.0, 1.0]),), gx.min, np.min, False, lambda a, w: [w * [0, 1, 0, 0, 0]]),
    Row("max", "ties over two axes", (Arg((2, 2, 2), values=[[[1, 2], [2, 1]], [[0, 0], [0, 0]]]),), lambda a: gx.max(a, axis=(1, 2)), lambda a: np.max(a, axis=(1, 2)), False,
        lambda a, w: [w[:, None, None] * np.array([[[0, 1], [0, 0]], [[1, 0], [0, 0]]])]),
    Row("max", "ties over crossed axes", (Arg((2, 3, 2), values=[[[1, 2], [2, 1], [0, 2]], [[2, 2], [0, 0], [2, 2]]]),), lambda a: gx.max(a, axis=(2, 0)), lambda a: np.max(a, axis=(0, 2)), False),
    Row("max", "no rows", (Arg(("none", 2)),), lambda a: gx.max(a, axis=1), lambda a: np.max(a, axis=1)),
    Row("argmin", "no rows", (Arg(("none", 2)),), lambda a: gx.argmin(a, axis=1), lambda a: np.argmin(a, axis=1), False, dtype="int"),
    Row("max", "NaN", (Arg((2, 3), values=[[1, math.nan, 2], [1, 2, 3]]),), lambda a: gx.max(a, axis=1), lambda a: np.max(a, axis=1), False),
    Row("min", "NaN", (Arg((2, 3), values=[[1, math.nan, 2], [1, 2, 3]]),), lambda a: gx.min(a, axis=1), lambda a: np.min(a, axis=1), False),
    Row("max", "infinities", (Arg((3,), values=[-math.inf, -math.inf, -math.inf]),), gx.max, np.max, False),
    Row("max", "integers", (Arg((7,), -9, 9, "int"),), gx.max, np.max, False, dtype="int"),
    *(
        Row(name, f"truth values, axis={axis}", (Arg(("n", 20), kind="bool"),), lambda a, n=name, x=axis: getattr(gx, n)(a, axis=x), lambda a, n=name, x=axis: getattr(np, n)(a, axis=x), False, dtype="bool")
        for name in ("max", "min") for axis in (0, 1)
    ),
    Row("min", "integers", (Arg((7,), -9, 9, "int"),), gx.min, np.min, False, dtype="int"),
    *(
        Row(name, f"axis={axis} keepdims={keepdims}", (Arg((3, 5), -2, 2, "int"),), lambda a, n=name, x=axis, k=keepdims: getattr(gx, n)(a, axis=x, keepdims=k),
            lambda a, n=name, x=axis, k=keepdims: getattr(np, n)(a, axis=x, keepdims=k), False, dtype="int")
        for name in ("argmax", "argmin") for axis in SINGLE for keepdims in (False, True)
    ),
    *(Row(name, "floats", (Arg(("n", 5)),), lambda a, n=name: getattr(gx, n)(a, axis=1), lambda a, n=name: getattr(np, n)(a, axis=1), False, dtype="int") for name in ("argmax", "argmin")),
    *(Row(name, "NaN comes first", (Arg((4,), values=[1, math.nan, 7, -7]),), getattr(gx, name), getattr(np, name), False, dtype="int") for name in ("argmax", "argmin")),
]  # fmt: skip

STABLE = [
    Row("logsumexp", "large", (Arg((3,), values=[1000.0, 1000.0, -1000.0]),), gx.logsumexp, lambda a: 1000 + math.log(2), False, lambda a, w: [w * [0.5, 0.5, 0]]),
    Row("logsumexp", "minus infinity alone", (Arg((2,), values=[-math.inf, -math.inf]),), gx.logsumexp, lambda a: -math.inf, False),
    Row("logsumexp", "nothing", (Arg((2, "none")),), lambda a: gx.logsumexp(a, axis=1), lambda a: np.full(2, -np.inf), False),
    Row("softmax", "nothing", (Arg((2, "none")),), gx.softmax, lambda a: a),
    Row("softmax", "entries that a mask put at minus infinity", (Arg((2, 3), values=[[0.5, -math.inf, 1.0], [-math.inf, 2.0, -math.inf]]),), gx.softmax, softmax, False,
        lambda a, w: [softmax(a) * (w - np.sum(softmax(a) * w, axis=1, keepdims=True))]),
    Row("logsumexp", "one entry", (Arg((1,)),), gx.logsumexp, lambda a: a[0]),
    Row("logsumexp", "a tie", (Arg((3,), values=[0.5, 0.5, 0.5]),), gx.logsumexp, logsumexp),
    *(Row("softmax", f"axis={axis}", (Arg(("n", 2, 4)),), lambda a, x=axis: gx.softmax(a, axis=x), lambda a, x=axis: softmax(a, x)) for axis in (0, 1, -1, (0, 1))),
    Row("softmax", "large", (Arg((3,), values=[1000.0, 1000.0, -1000.0]),), gx.softmax, softmax, False, lambda a, w: [0.25 * np.array([w[0] - w[1], w[1] - w[0], 0])]),
    Row("softmax", "a masked entry", (Arg((3,), values=[0.0, -math.inf, 0.0]),), gx.softmax, softmax, False),
    Row("softmax", "one entry", (Arg(("n", 1)),), gx.softmax, softmax),
    Row("softmax", "a tie", (Arg((3,), values=[0.5, 0.5, 0.5]),), gx.softmax, softmax),
    *(Row("log_softmax", f"axis={axis}", (Arg(("n", 2, 4)),), lambda a, x=axis: gx.log_softmax(a, axis=x), lambda a, x=axis: np.log(softmax(a, x))) for axis in (0, 1, -1)),
    Row("log_softmax", "large", (Arg((3,), values=[1000.0, 1000.0, -1000.0]),), gx.log_softmax, lambda a: a - 1000 - math.log(2), False,
        lambda a, w: [w - np.array([0.5, 0.5, 0]) * w.sum()]),
    Row("norm", "at 0", (Arg((3,), values=[0.0, 0.0, 0.0]),), gx.norm, norm, False, lambda a, w: [np.zeros(3)]),
    Row("norm", "a row at 0", (Arg((2, 2), values=[[0.0, 0.0], [3.0, 4.0]]),), lambda a: gx.norm(a, axis=1), lambda a: norm(a, 1), False,
        lambda a, w: [w[:, None] * np.array([[0, 0], [0.6, 0.8]])]),
]  # fmt: skip

ROWS: list[Row] = [*SUMS, *EXTREMES, *STABLE]
