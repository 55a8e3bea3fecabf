"""What compiled kernels may not simplify: infinities, NaN and cancellation come out as the evaluator has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx

i, j, u = gx.indices("i j u")
WIDTH = 37  # whole vectors, and a rest


def table() -> dict[str, Any]:
    x, a, b = gx.tensor("x", ("n", WIDTH)), gx.tensor("a", ("n", WIDTH)), gx.tensor("b", ("n", WIDTH))
    zeros = gx.constant(np.zeros(WIDTH))
    return {
        "define: x minus x": gx.define("Y", (i, j), x[i, j] - x[i, j]),
        "define: x over x": gx.define("Y", (i, j), x[i, j] / x[i, j]),
        "define: zero times x": gx.define("Y", (i, j), x[i, j] * zeros[j]),
        "define: what a swallows": gx.define("Y", (i, j), (a[i, j] + b[i, j]) - a[i, j]),
        "define: a sum of differences": gx.define("Y", (i,), gx.Sum(x[i, j] - x[i, j], j)),
        "define: a product of quotients": gx.define("Y", (i,), gx.Prod(x[i, j] / x[i, j], j)),
        "x - x": x - x,
        "x / x": x / x,
        "0 * x": 0 * x,
        "(a + b) - a": (a + b) - a,
        "a + b - a - b": a + b - a - b,
        "(a * b) / b": (a * b) / b,
        "inf - inf in a sum": gx.sum((x - x) * 2, axis=1),
        "differences in a column sum": gx.sum(x - x, axis=0),
        "sum": [gx.sum(x, axis=1), gx.sum(x, axis=0), gx.sum(x)],
        "mean": [gx.mean(x, axis=1), gx.mean(x, axis=0)],
        "product": [gx.prod(x, axis=1), gx.prod(x, axis=0)],
        "max": [gx.max(x, axis=1), gx.max(x, axis=0), gx.max(x), gx.argmax(x, axis=1)],
        "min": [gx.min(x, axis=1), gx.min(x, axis=0), gx.min(x), gx.argmin(x, axis=1)],
        "maximum": [gx.maximum(x, a), gx.minimum(x, b), gx.maximum(a, b)],
        "softmax": gx.softmax(x),
        "zero of either sign": [-x + 0.0, x * -1.0, gx.abs(-x), 1.0 / (-x)],
        "product of matrices": [x @ a.T, x.T @ b],
    }


CASES = table()


def feeds(dtype: str) -> dict[str, Any]:
    """Rows with one special number each at different places, all of them, and none."""
    rng = np.random.default_rng(3)
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)]
    x = np.concatenate([rng.normal(size=(2 * len(special) + 2, WIDTH)), np.zeros((1, WIDTH)), -np.ones((1, WIDTH))])
    for row, value in enumerate([*special, *special]):
        x[row, (5 * row + 1) % WIDTH if row < len(special) else WIDTH - 1] = value
    x[2 * len(special), : len(special)] = special
    x[2 * len(special) + 1, 3:5] = np.inf, -np.inf
    a = np.where(rng.random(x.shape) < 0.5, 1e20, 1.0) * rng.normal(size=x.shape)
    return {"x": x.astype(dtype), "a": a.astype(dtype), "b": rng.normal(size=x.shape).astype(dtype)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_simplified_away(case: str, dtype: str) -> None:
    outputs = CASES[case]
    wanted: list[Any] = outputs if isinstance(outputs, list) else [outputs]
    f = gx.compile(wanted, dtype=dtype)
    given = {t: feeds(dtype)[t.name] for t in f.inputs}
    if case == "product":  # whether a product passes over what is infinite depends on the order, which is free
        given = {t: np.where(a == np.finfo(dtype).max, 3.0, a).astype(dtype) for t, a in given.items()}
    with np.errstate(all="ignore"):
        expected = gx.evaluate(wanted, given, dtype=dtype)
        results = f(*[given[t] for t in f.inputs])
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
        tolerance = 1e-12 if dtype == "float64" else 1e-4
        finite = np.isfinite(want)
        np.testing.assert_allclose(got[finite], want[finite], rtol=tolerance, atol=tolerance)
        if case in ("(a + b) - a", "define: what a swallows", "a + b - a - b"):
            np.testing.assert_array_equal(got, want)
        if case == "zero of either sign":
            np.testing.assert_array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(want[~np.isnan(want)]))
