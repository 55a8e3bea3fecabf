"""Scalar functions of compiled kernels: right to a few units in the last place, everywhere, and at their special points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import graphc as gx
from graphc.codegen import cache, floats
from graphc.errors import CompileError

mp.prec = 120


def logistic(v: Any) -> Any:
    return 1 / (1 + mp.exp(-v))


# name: the function, its true value, greatest errors in single and double precision, widths of random arguments, borders of regions
ROWS: dict[str, tuple[Callable[..., Any], Callable[..., Any], float, float, list[float], list[float]]] = {
    "exp": (gx.exp, mp.exp, 1, 1, [1, 80], [0.3465735902799726, 1.0397207708399179]),
    "expm1": (gx.expm1, mp.expm1, 2, 1.5, [0.1, 1, 30], [0.5, -0.5, 0.34657359, -0.34657359]),
    "log": (gx.log, mp.log, 1, 1, [2, 1e4], [2**-0.5, 2**0.5, 1, 2]),
    "log1p": (gx.log1p, mp.log1p, 1, 1, [1e-3, 1, 1e4], [2**0.5 - 1, 1, 2.0**-25, 2.0**-54]),
    "tanh": (gx.tanh, mp.tanh, 2, 1.5, [0.1, 1, 10], [0.625, 9, 20, 0.17328679, 0.51986038]),
    "sigmoid": (gx.sigmoid, logistic, 2, 2, [1, 20], [0]),
    "softplus": (gx.softplus, lambda v: mp.log1p(mp.exp(v)), 2, 2, [1, 20], [0, -17.5, -38]),
    "sin": (gx.sin, mp.sin, 1, 1, [1, 100, 1e9, 1e30], [np.pi / 4, np.pi, 2.0**-30]),
    "cos": (gx.cos, mp.cos, 1, 1, [1, 100, 1e9, 1e30], [np.pi / 4, np.pi / 2, 2.0**-30]),
    "tan": (gx.tan, mp.tan, 1, 2.5, [1, 100, 1e9, 1e30], [np.pi / 4, np.pi / 2, 2.0**-30]),
    "arctan": (gx.arctan, mp.atan, 2, 2, [1, 10, 1e4], [np.tan(np.pi / 8), np.tan(3 * np.pi / 8)]),
    "sinh": (gx.sinh, mp.sinh, 2, 2, [1, 80], [1, -1]),
    "cosh": (gx.cosh, mp.cosh, 1.5, 1.5, [1, 80], [0]),
    "erf": (gx.erf, mp.erf, 1.5, 1.5, [0.1, 1, 5], [1, 4, 6, -1]),
    "sqrt": (gx.sqrt, mp.sqrt, 0.5, 0.5, [2, 1e4], [1]),
}
RISING = [name for name in ROWS if name not in ("sin", "cos", "tan", "cosh")]
POSITIVE = ("log", "sqrt")
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-310, -5e-324, 1e-20, -1e-20, 3e38, -3e38, 1e300, 1e22, -710.0, 89.0, -2.0]
DTYPES = ["float32", "float64"]


def compiled(name: str, dtype: str, **options: Any) -> Any:
    x = gx.tensor("x", ("n",))
    return gx.compile(ROWS[name][0](x), x, dtype=dtype, **options)


def ulps(got: Any, true: list[Any]) -> Any:
    """Errors in units of the last place of the true values."""
    info = np.finfo(got.dtype)
    errors: list[float] = []
    for value, want in zip(got, true, strict=True):
        unit = max(np.spacing(np.abs(got.dtype.type(want))), info.smallest_subnormal) if abs(want) <= info.max else np.spacing(info.max)
        errors.append(float(abs(mpf(float(value)) - want) / mpf(float(unit))))
    return np.array(errors)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_random_arguments(name: str, dtype: str) -> None:
    rng = np.random.default_rng(7)
    _, true, single, double, widths, _ = ROWS[name]
    pieces = [rng.uniform(-w, w, 1000) for w in widths]
    pieces.append(10.0 ** rng.uniform(-30, 1.5, 1000) * rng.choice([-1, 1], 1000))
    x = np.concatenate(pieces).astype(dtype)
    x = np.abs(x) if name in POSITIVE else x[x > -1] if name == "log1p" else x
    error = ulps(compiled(name, dtype)(x), [true(mpf(float(v))) for v in x])
    assert error.max() <= (single if dtype == "float32" else double), (x[error.argmax()], error.max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_many_arguments_against_the_evaluator(name: str, dtype: str) -> None:
    rng = np.random.default_rng(11)
    x = np.concatenate([rng.uniform(-w, w, 100_000 // len(ROWS[name][4])) for w in ROWS[name][4]]).astype(dtype)
    t = gx.tensor("x", ("n",))
    y = ROWS[name][0](t)
    want = gx.evaluate(y, {t: x.astype(float)}, dtype="float64")
    got = compiled(name, dtype)(x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(got, want, rtol=4 * float(np.finfo(dtype).eps), atol=float(np.finfo(dtype).tiny))


@pytest.mark.parametrize("math", ["vector", "libm"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_special_arguments(name: str, dtype: str, math: str) -> None:
    t = gx.tensor("x", ("n",))
    with np.errstate(all="ignore"):
        x = np.array(SPECIAL).astype(dtype)
        want = gx.evaluate(ROWS[name][0](t), {t: x.astype(float)}, dtype="float64").astype(dtype)
        got = compiled(name, dtype, math=math)(x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    known = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])
    smallest = float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(got[known], want[known], rtol=4 * float(np.finfo(dtype).eps), atol=smallest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RISING)
def test_no_step_down_at_the_borders_of_regions(name: str, dtype: str) -> None:
    unit = np.finfo(dtype).eps
    for border in ROWS[name][5]:
        near = np.array(border, dtype)
        x = near + np.arange(-300, 301) * max(abs(float(near)) * float(unit), float(np.finfo(dtype).tiny))
        y = compiled(name, dtype)(x.astype(dtype))
        # A step down is at most the two errors of its ends.
        bound = 2 * ROWS[name][2 if dtype == "float32" else 3] * np.spacing(np.abs(y[1:]))
        assert (np.diff(y) >= -bound).all(), border


@pytest.mark.parametrize(("x", "cosine"), [(5.319372648326541e255, "-4.6871659242546276112e-19"), (np.ldexp(1.0, 1023), None)])
def test_the_hardest_reduction(x: float, cosine: str | None) -> None:
    with mp.workprec(2200):
        true = mp.cos(mpf(x)), mp.sin(mpf(x)), mp.tan(mpf(x))
    for name, want in zip(("cos", "sin", "tan"), true, strict=True):
        assert ulps(compiled(name, "float64")(np.full(9, x)), [want] * 9).max() <= 2.5
    if cosine is not None:
        assert abs(true[0] / mpf(cosine) - 1) < 1e-15


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_powers(dtype: str) -> None:
    rng = np.random.default_rng(5)
    a = np.concatenate([2.0 ** rng.uniform(-100, 100, 1500), 2.0 ** rng.uniform(-1, 1, 1500)]).astype(dtype)
    limit = 120 if dtype == "float32" else 1020
    b = (rng.uniform(-limit, limit, a.size) / np.log2(a)).astype(dtype)
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", ("n",))
    got = gx.compile(gx.power(x, y), [x, y], dtype=dtype)(a, b)
    assert ulps(got, [mpf(float(v)) ** mpf(float(w)) for v, w in zip(a, b, strict=True)]).max() <= (1 if dtype == "float32" else 1.5)


@pytest.mark.parametrize("math", ["vector", "libm"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_special_powers(dtype: str, math: str) -> None:
    numbers = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38, 0.5, -2, 100, 3, -3, 2.5, -0.5, 1e10]).astype(dtype)
    a, b = (v.ravel() for v in np.meshgrid(numbers, numbers))
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", ("n",))
    with np.errstate(all="ignore"):
        want = np.power(a, b)
        got = gx.compile(gx.power(x, y), [x, y], dtype=dtype, math=math)(a, b)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    known = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])
    np.testing.assert_allclose(got[known], want[known], rtol=4 * float(np.finfo(dtype).eps), atol=0)


def test_normal_numbers_are_the_evaluators() -> None:
    u, z = gx.random.uniform((5000,), key=1), gx.random.normal((5000,), key=2)
    numbers = gx.compile([u, z])(seed=3, step=4)
    uniforms, normals = gx.evaluate([u, z], {}, seed=3, step=4)
    np.testing.assert_array_equal(numbers[0], uniforms)
    np.testing.assert_allclose(numbers[1], normals, rtol=1e-4, atol=1e-6)


def test_the_library_on_request() -> None:
    x = gx.tensor("x", ("n",))
    y = gx.exp(x) + gx.sin(x)
    assert "math.exp(" in gx.compile(y, math="libm").source
    assert "math.sin(" not in gx.compile(y).source
    with pytest.raises(CompileError, match="libm"):
        gx.compile(y, math="fast")


@pytest.mark.parametrize("dtype", DTYPES)
def test_hosts_that_scale_in_two_steps_get_the_same_numbers(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    low, high = (-110.0, 95.0) if dtype == "float32" else (-750.0, 715.0)
    known = floats.scales()
    with np.errstate(over="ignore"):
        x = np.concatenate([np.random.default_rng(3).uniform(low, high, 5000), np.array(SPECIAL)]).astype(dtype)
    results: list[Any] = []
    for used in (known, False):
        monkeypatch.setattr(floats, "scales", lambda answer=used: answer)
        monkeypatch.setattr(cache, "code_digest", lambda mark=f"scales: {used}": mark)
        results.append([compiled(name, dtype)(x) for name in ("exp", "sigmoid", "cosh")])
    np.testing.assert_array_equal(results[0], results[1])
