"""The coefficients of `graphc/codegen/coefficients.py`: polynomials through the Chebyshev points of an interval.

With each goes the greatest error of the polynomial itself, with its rounded coefficients, relative to the function that it
ends in.

    python examples/function_coefficients.py > graphc/codegen/coefficients.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import atan, cos, erf, erfc, exp, expm1, fabs, linspace, log1p, lu_solve, matrix, mp, mpf, pi, sin, sinh, sqrt

mp.dps = 60
EIGHTH = float((mp.tan(pi / 8) * mpf("1.001")) ** 2)
SMALL = mpf("1e-30")  # in place of 0, where a quotient has its limit
HALF_A_BINADE = float(mp.log(2) / 2 * mpf("1.0001"))
RADIANS = float((pi / 4 * mpf("1.001")) ** 2)
Real = Callable[[Any], Any]


def root(f: Real) -> Real:
    """A function of the square as a function of the root."""
    return lambda z: f(sqrt(z) if z > SMALL else SMALL)


def beyond(f: Real) -> Real:
    """What a function that is nearly x near 0 has beyond x, over the square of x."""
    return lambda x: (f(x) - x) / (x * x) if fabs(x) > SMALL else (f(SMALL) - SMALL) / (SMALL * SMALL)


def one(_: Any) -> Any:
    """No weight."""
    return mpf(1)


def through(f: Real, low: float, high: float, degree: int) -> list[float]:
    """The polynomial that is right at the Chebyshev points."""
    middle, half, count = mpf(low + high) / 2, mpf(high - low) / 2, degree + 1
    points = [middle + half * cos(pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    return [float(c) for c in lu_solve(matrix([[x**k for k in range(count)] for x in points]), matrix([f(x) for x in points]))]


def worst(coefficients: list[float], f: Real, low: float, high: float, share: Real) -> Any:
    """The greatest error, times the share that it has in the result."""
    return max(fabs(sum(c * x**k for k, c in enumerate(coefficients)) - f(x)) * share(x) for x in linspace(mpf(low), mpf(high), 500))


# name: what is approximated, where, degrees in single and double precision, the share of an error in the result
TABLE: dict[str, tuple[str, Real, float, float, dict[int, int], Real]] = {
    "SINE_OF_QUARTERS": ("sin(pi/2 t)/t, z = t**2", root(lambda t: sin(pi / 2 * t) / t), 0, 0.2505, {32: 4}, one),
    "COSINE_OF_QUARTERS": ("cos(pi/2 t), z = t**2", root(lambda t: cos(pi / 2 * t)), 0, 0.2505, {32: 5}, one),
    "SINE": ("(sin(r) - r)/r**3, z = r**2", root(lambda r: (sin(r) - r) / r**3), 0, RADIANS, {64: 6}, lambda z: z),
    "COSINE": ("(cos(r) - 1 + r**2/2)/r**4, z = r**2", root(lambda r: (cos(r) - 1 + r**2 / 2) / r**4), 0, RADIANS, {64: 6}, lambda z: z * z),
    "ARCTANGENT": ("(atan(t) - t)/t**3, z = t**2", root(lambda t: (atan(t) - t) / t**3), 0, EIGHTH, {32: 4, 64: 11}, lambda z: z),
    "EXPONENTIAL": ("(exp(r) - 1 - r)/r**2", beyond(expm1), -HALF_A_BINADE, HALF_A_BINADE, {32: 4, 64: 10}, lambda r: r * r),
    "LOGARITHM_FROM_1": (
        "(log(1 + e) - e)/e**2, e = t + 1/2", lambda t: beyond(log1p)(t + mpf("0.5")), -0.5, 0.5, {32: 9, 64: 22}, lambda t: t + 0.5,
    ),
    "HYPERBOLIC_SINE": ("(sinh(x) - x)/x**3, z = x**2", root(lambda x: (sinh(x) - x) / x**3), 0, 1, {32: 3, 64: 7}, lambda z: z),
    "ERROR_NEAR": ("erf(x)/x - 1, z = x**2", root(lambda x: erf(x) / x - 1), 0, 1, {32: 7, 64: 14}, one),
    "ERROR_FAR": ("log(erfc(t))", lambda t: mp.log(erfc(t)), 1, 4, {32: 10}, erfc),
    "ERROR_TAIL": (
        "erfc(t) exp(t**2), t = 2 (1 + u)/(1 - u)",
        lambda u: erfc(2 * (1 + u) / (1 - u)) * exp((2 * (1 + u) / (1 - u)) ** 2),
        -1 / 3, 0.5, {64: 16}, lambda u: exp(-((2 * (1 + u) / (1 - u)) ** 2)),
    ),
}  # fmt: skip

if __name__ == "__main__":
    print('"""Coefficients of polynomials, the constant first; `python examples/function_coefficients.py` prints this file.\n')
    print("The error with each is that of the polynomial in exact arithmetic, relative to the function that it ends in.")
    print('"""\n\nfrom __future__ import annotations\n')
    names = sorted(f"{name}_{width}" for name, row in TABLE.items() for width in row[4])
    print("__all__ = [" + "".join(f'\n    "{name}",' for name in names) + "\n]")
    for name, (meaning, f, low, high, degrees, share) in TABLE.items():
        for width, degree in degrees.items():
            made = through(f, low, high, degree)
            print(f"\n# {meaning}, from {float(low):.4g} to {float(high):.4g}; error 2**{float(mp.log(worst(made, f, low, high, share), 2)):.1f}")
            print(f"{name}_{width} = [" + "".join(f"\n    {c!r}," for c in made) + "\n]")
