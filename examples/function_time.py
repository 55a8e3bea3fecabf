"""What each scalar function costs in a compiled kernel, and how far it is from the true value.

The first figure is ns an entry, for arrays of 4096 that stay in the cache; the others are the greatest errors found, in units
in the last place (ulp). Float32 is compared with double precision on every STRIDE-th of its 2**32 numbers, float64 with
extended precision on random numbers of every size. Functions of two arguments take random numbers in both precisions.

    python examples/function_time.py [STRIDE [MATH [FUNCTION ...]]]

STRIDE is 1009 by default, and 1 takes every number, a minute or two for each function; MATH is "vector" or "libm".
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import graphc as gx

STRIDE = int(sys.argv[1]) if len(sys.argv) > 1 else 1009
MATH = sys.argv[2] if len(sys.argv) > 2 else "vector"
CHUNK = 1 << 19
RNG = np.random.default_rng(0)


def error_function(x: Any) -> Any:
    """Erf in double precision, or of some numbers in more."""
    if x.dtype == np.float64:
        from scipy.special import erf

        return erf(x)
    from mpmath import erf, mp

    mp.prec = 80
    return np.array([np.longdouble(str(erf(float(v)))) if np.isfinite(v) else v for v in x])


def logistic(x: Any) -> Any:
    """1/(1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1 + 0 * x) / (1 + e)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "exp": (gx.exp, np.exp),
    "expm1": (gx.expm1, np.expm1),
    "log": (gx.log, np.log),
    "log1p": (gx.log1p, np.log1p),
    "tanh": (gx.tanh, np.tanh),
    "sigmoid": (gx.sigmoid, logistic),
    "softplus": (gx.softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "sin": (gx.sin, np.sin),
    "cos": (gx.cos, np.cos),
    "tan": (gx.tan, np.tan),
    "arctan": (gx.arctan, np.arctan),
    "sinh": (gx.sinh, np.sinh),
    "cosh": (gx.cosh, np.cosh),
    "erf": (gx.erf, error_function),
    "sqrt": (gx.sqrt, np.sqrt),
    "1/sqrt": (lambda x: 1 / gx.sqrt(x), lambda x: 1 / np.sqrt(x)),
    "power": (gx.power, np.power),
}


def compiled(name: str, dtype: str) -> Any:
    """The function of one array, or of two."""
    arguments = [gx.tensor(letter, ("n",)) for letter in ("xy" if name == "power" else "x")]
    return gx.compile(FUNCTIONS[name][0](*arguments), arguments, dtype=dtype, math=MATH)


def cost(name: str, dtype: str) -> float:
    """Ns an entry: the least of some runs over many arrays, less what a sum takes in its place."""
    one, order = RNG.uniform(0.1, 4.0, (4, 1 << 12)).astype(dtype), np.arange(4000) % 4
    x = [gx.tensor(letter, ("n", one.shape[1])) for letter in ("xy" if name == "power" else "x")]
    least: list[float] = []
    for outputs in (FUNCTIONS[name][0](*x), sum(x[1:], x[0] + 1.5)):
        f, times = gx.compile(outputs, x, dtype=dtype, math=MATH), list[float]()
        for _ in range(5):
            start = time.perf_counter()
            f.run(dict.fromkeys(f.inputs, one), order, 1)
            times.append(time.perf_counter() - start)
        least.append(min(times))
    return (least[0] - least[1]) / order.size / one.shape[1] * 1e9


def every_float32() -> Iterator[Any]:
    """All numbers of single precision in pieces, or one in so many."""
    for start in range(0, 1 << 32, CHUNK * STRIDE):
        yield np.arange(start, min(start + CHUNK * STRIDE, 1 << 32), STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)


def some_float64(count: int) -> Iterator[Any]:
    """Random numbers of ordinary sizes, and of every size."""
    for width in (0.1, 1.0, 10.0, 700.0):
        yield RNG.uniform(-width, width, count)
    yield RNG.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64)


def pairs(dtype: str) -> Iterator[tuple[Any, Any]]:
    """Bases of every size, with exponents that keep the power in range; bases near 1 with great exponents."""
    word, limit = (np.uint32, 127) if dtype == "float32" else (np.uint64, 1023)
    for _ in range(4):
        x = np.abs(RNG.integers(0, np.iinfo(word).max, CHUNK, dtype=word, endpoint=True).view(dtype))
        near = np.exp2(RNG.uniform(-2, 2, CHUNK)).astype(dtype)
        for base in (x, near):
            with np.errstate(all="ignore"):
                yield base, (RNG.uniform(-limit, limit, CHUNK) / np.log2(base.astype(float))).astype(dtype)


def ulps(got: Any, want: Any) -> Any:
    """Errors in units in the last place of what is to be got; one that is of another kind counts as infinite."""
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        unit = np.maximum(np.abs(np.spacing(np.where(np.isfinite(rounded), rounded, 1))), info.smallest_subnormal).astype(want.dtype)
        # What lies just beyond the greatest number rounds to infinity, and one unit less is no other kind.
        edge = np.isinf(rounded) ^ np.isinf(got)
        error = np.abs(got.astype(want.dtype) - want) / np.where(edge, np.spacing(info.max).astype(want.dtype), unit)
    same = np.isnan(got) & np.isnan(want) | (got == rounded)
    return np.where(same & ~np.isfinite(rounded), 0.0, np.where(np.isnan(error), np.inf, error))


def accuracy(name: str, dtype: str) -> tuple[float, Any]:
    """The greatest error, and where it is."""
    f, worst = compiled(name, dtype), (0.0, None)
    wide = np.float64 if dtype == "float32" else np.longdouble
    with np.errstate(all="ignore"):
        pieces: Any = (
            pairs(dtype)
            if name == "power"
            else ((x,) for x in (every_float32() if dtype == "float32" else some_float64(1 << 14 if name == "erf" else 1 << 19)))
        )
        for x in pieces:
            error = ulps(f(*x), FUNCTIONS[name][1](*(a.astype(wide) for a in x)))
            at = int(np.argmax(error))
            if error[at] > worst[0]:
                worst = float(error[at]), tuple(a[at] for a in x)
    return worst


if __name__ == "__main__":
    print(f"{'':10} {'float32: ns':>12} {'ulp':>8}  {'float64: ns':>12} {'ulp':>8}   where the errors are")
    for function in sys.argv[3:] or FUNCTIONS:
        row = [(cost(function, dtype), *accuracy(function, dtype)) for dtype in ("float32", "float64")]
        figures = "  ".join(f"{ns:12.2f} {error:8.2f}" for ns, error, _ in row)
        print(f"{function:10} {figures}   {' '.join(str(p) for *_, place in row for p in place or ())}", flush=True)
