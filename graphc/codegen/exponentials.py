"""Exponentials, logarithms, hyperbolic functions and the error function without branches.

Methods: exp by the reduction of Cody and Waite and a polynomial; log by the series of the inverse hyperbolic tangent, in
the form that keeps the first term exact; log1p by Kahan's correction; tanh by what exp(-2|x|) is less than 1, in double precision
by a truncated continued fraction near 0; the error function by polynomials, in double precision with a quotient of exp(-x**2).

In single precision what counts is how many instructions there are: two of them begin in a cycle, of divisions one in ten.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.codegen import coefficients
from graphc.codegen.floats import Floats

__all__ = ["cosh", "erf", "exp", "expm1", "log", "log1p", "scaled_exp", "sigmoid", "sinh", "softplus", "tanh"]


def exp(f: Floats, x: Any) -> Any:
    """e**x."""
    return scaled_exp(f, x)


def scaled_exp(f: Floats, x: Any, less: int = 0, tail: Any = None, terms: int = 0, bounded: bool = False) -> Any:
    """e**(x + tail) / 2**less.

    Args:
        x: any number.
        less: a small whole number; the result may be in range where e**x is not.
        tail: what x lacks, below half a unit of its last place.
        terms: how many terms of the series are enough; by default the result is right to less than a unit.
        bounded: whether x is known not to be above 0.
    """
    low, high = (-746.0, 711.0) if f.double else (-104.0, 90.0)
    # What is 0, as under a mask, is not computed: results below the normal range take the processor long.
    under = f.less(x, f.c(low))
    safe = f.pick(under, f.c(0.0), x if bounded else f.at_most(x, high))
    n, whole = f.whole(f.mul(safe, f.c(1 / math.log(2))))
    r, lost = _rest(f, safe, n, tail)
    if terms:
        value = f.polynomial(r, [1 / math.factorial(k) for k in range(terms + 1)])
    elif f.double:
        first, rest = f.quick_sum(f.c(1.0), r)
        value = f.add(first, f.add(rest, f.add(f.mul(f.mul(r, r), f.polynomial(r, _series(f))), lost)))
    else:
        value = f.polynomial(r, [1.0, 1.0, *_series(f)])
    whole = f.b.sub(whole, f.n(less)) if less else whole
    return f.pick(under, f.c(0.0), f.scaled(value, whole))


def _series(f: Floats) -> list[float]:
    """The polynomial for (exp(r) - 1 - r)/r**2, to half of log(2)."""
    return coefficients.EXPONENTIAL_64 if f.double else coefficients.EXPONENTIAL_32


def _rest(f: Floats, x: Any, n: Any, tail: Any = None) -> tuple[Any, Any]:
    """The rest x - n log(2), with a tail, and what rounding took; the first part of log(2) has so few bits that multiples of it are exact."""
    big = 6.93145751953125e-1 if f.double else 0.693359375
    small = 1.42860682030941723212e-6 if f.double else -2.12194440054690583e-4
    head = (f.sub if tail is None else f.exact_sub)(x, f.mul(n, f.c(big)))
    if not f.double:
        return f.sub(head, f.mul(n, f.c(small))), None
    shift = f.mul(n, f.c(small)) if tail is None else f.sub(f.mul(n, f.c(small)), tail)
    r = f.exact_sub(head, shift)
    return r, f.exact_sub(f.exact_sub(head, r), shift)


def expm1(f: Floats, x: Any) -> Any:
    """exp(x) - 1: with n and r as for exp it is 2**n (exp(r) - 1) + 2**n - 1, of which half does not overflow too early."""
    if f.double:
        return _expm1_of_double(f, x)
    safe = f.at_least(f.at_most(x, 88.8), -18.0)
    n, whole = f.whole(f.mul(safe, f.c(1 / math.log(2))))
    r, _ = _rest(f, safe, n)
    # r * P(r) is in the normal range where r**2 is not.
    above = f.add(f.mul(f.mul(r, f.polynomial(r, _series(f))), r), r)
    half = f.power_of_two(f.b.sub(whole, f.n(1)))
    value = f.add(f.mul(above, half), f.sub(half, f.c(0.5)))
    return f.signed(f.add(value, value), x)


def _expm1_of_double(f: Floats, x: Any) -> Any:
    """exp(x) - 1: its series near 0."""
    series = f.polynomial(x, [1 / math.factorial(k + 2) for k in range(15)])
    near = f.add(x, f.mul(f.mul(x, x), series))
    far = f.sub(exp(f, x), f.c(1.0))
    return f.pick(f.equal(x, f.c(0.0)), x, f.pick(f.less(f.abs(x), f.c(0.5)), near, far))


def split(f: Floats, x: Any) -> tuple[Any, Any]:
    """The exponent of a positive number as a float, and what it leaves, between the root of a half and that of 2."""
    tiny = 2.2250738585072014e-308 if f.double else 1.1754943508222875e-38
    lift = 54 if f.double else 25
    low = f.less(x, f.c(tiny))
    y = f.pick(low, f.mul(x, f.c(2.0**lift)), x)
    bits = f.b.bitcast(y, f.word)
    exponent = f.b.sub(f.b.lshr(bits, f.n(f.mantissa)), f.n(f.bias))
    fraction = f.b.or_(f.b.and_(bits, f.n((1 << f.mantissa) - 1)), f.n(f.bias << f.mantissa))
    m = f.b.bitcast(fraction, f.kind)
    upper = f.less(f.c(math.sqrt(2)), m)
    m = f.pick(upper, f.mul(m, f.c(0.5)), m)
    e = f.b.sitofp(f.b.add(exponent, f.b.zext(upper, f.word)), f.kind)
    return f.sub(e, f.pick(low, f.c(float(lift)), f.c(0.0))), m


def log(f: Floats, x: Any) -> Any:
    """The natural logarithm."""
    return log_at_edges(f, x, logarithm(f, x))


def logarithm(f: Floats, x: Any, lost: Any = None, terms: int = 0) -> Any:
    """The logarithm of a positive number.

    With f = x - 1 and s = f/(2 + f) it is f - f**2/2 + s (f**2/2 + 2/3 s**2 + 2/5 s**4 + ...).

    Args:
        x: the number; its power of two is taken out first.
        lost: what is added to the result.
        terms: how many terms of the series; by default as many as the precision asks for.
    """
    e, m = split(f, x)
    part = f.sub(m, f.c(1.0))
    s = f.div(part, f.add(part, f.c(2.0)))
    z = f.mul(s, s)
    terms = terms or (11 if f.double else 5)
    series = f.mul(z, f.polynomial(z, [2 / (2 * k + 1) for k in range(1, terms)]))
    square = f.mul(f.mul(part, part), f.c(0.5))
    big = 6.93147180369123816490e-01 if f.double else 0.693359375
    small = 1.90821492927058770002e-10 if f.double else -2.12194440054690583e-4
    rest = f.mul(e, f.c(small)) if lost is None else f.add(f.mul(e, f.c(small)), lost)
    tail = f.sub(square, f.add(f.mul(s, f.add(square, series)), rest))
    return f.add(f.mul(e, f.c(big)), f.sub(part, tail))


def log_at_edges(f: Floats, x: Any, value: Any) -> Any:
    """A logarithm, with what it is at 0, below it, at infinity and for NaN."""
    value = f.pick(f.less(x, f.c(math.inf)), value, x)
    value = f.pick(f.less(x, f.c(0.0)), f.c(math.nan), value)
    return f.pick(f.equal(x, f.c(0.0)), f.c(-math.inf), value)


def log1p(f: Floats, x: Any) -> Any:
    """log(1 + x): the logarithm of the rounded sum, corrected by what rounding took."""
    w, lost = f.two_sum(f.c(1.0), x)
    value = log_at_edges(f, w, logarithm(f, w, f.div(lost, w)))
    # Below half a unit of 1 the sum is 1, and x is all there is; this keeps the sign of 0 too.
    return f.pick(f.less(f.abs(x), f.c(2.0 ** -(f.mantissa + 2))), x, value)


def tanh(f: Floats, x: Any) -> Any:
    """The hyperbolic tangent: (1 - e)/(1 + e) with e = exp(-2|x|), both halved; 1 - e is right near 0 too, as in :func:`expm1`."""
    if f.double:
        return _tanh_of_double(f, x)
    size = f.at_most(f.abs(x), 9.5)
    n, whole = f.whole(f.mul(size, f.c(-2 / math.log(2))))
    r = f.add(size, f.mul(n, f.c(math.log(2) / 2)))  # e is 2**n exp(-2r)
    # (exp(-2r) - 1)/2
    above = f.sub(f.mul(f.mul(r, f.polynomial(r, [2 * c * (-2) ** k for k, c in enumerate(_series(f))])), r), r)
    power = f.power_of_two(whole)
    part, half = f.mul(power, above), f.mul(power, f.c(0.5))
    start = f.sub(f.c(0.5), half)
    top = f.sub(start, part)
    ratio = f.div(top, f.add(f.add(half, f.c(0.5)), part))
    # The ratio is top + top * ratio, in which its errors and those of the sums above count less.
    return f.signed(f.add(start, f.sub(f.mul(top, ratio), part)), x)


def _tanh_of_double(f: Floats, x: Any) -> Any:
    """The hyperbolic tangent: x/(1 + x**2/(3 + x**2/(5 + ...))) near 0, 1 - 2/(exp(2|x|) + 1) elsewhere."""
    size = f.abs(x)
    z = f.mul(x, x)
    near = f.less(size, f.c(0.625))
    # The continued fraction less its first term, x.
    above = f.mul(f.mul(size, z), f.polynomial(z, [-675675.0, -45045.0, -594.0, -1.0]))
    below = f.polynomial(z, [2027025.0, 945945.0, 51975.0, 630.0, 1.0])
    above = f.pick(near, above, f.c(-2.0))
    below = f.pick(near, below, f.add(exp(f, f.mul(size, f.c(2.0))), f.c(1.0)))
    first = f.pick(f.b.or_(near, f.nan(x)), size, f.c(1.0))
    return f.signed(f.add(first, f.div(above, below)), x)


def sigmoid(f: Floats, x: Any) -> Any:
    """1/(1 + exp(-x)), through e = exp(-|x|): 1 - q or e - e q with q = e/(1 + e), whose own errors count less there."""
    e = scaled_exp(f, f.negative(f.abs(x)), bounded=True)
    q = f.div(e, f.add(e, f.c(1.0)))
    above = f.pick(f.less(x, f.c(0.0)), e, f.c(1.0))
    return f.sub(above, f.mul(above, q))


def softplus(f: Floats, x: Any) -> Any:
    """max(x, 0) + log(1 + e) with e = exp(-|x|)."""
    e = scaled_exp(f, f.negative(f.abs(x)), bounded=True)
    # From the middle of the interval, where the terms that alternate do not add up their errors.
    series = f.polynomial(f.sub(e, f.c(0.5)), coefficients.LOGARITHM_FROM_1_64 if f.double else coefficients.LOGARITHM_FROM_1_32)
    value = f.add(f.mul(f.mul(e, series), e), e)
    return f.add(f.at_least(x, 0.0), value)


def sinh(f: Floats, x: Any) -> Any:
    """(exp(x) - exp(-x))/2: x + x**3/6 + ... near 0."""
    size, z = f.abs(x), f.mul(x, x)
    series = f.polynomial(z, coefficients.HYPERBOLIC_SINE_64 if f.double else coefficients.HYPERBOLIC_SINE_32)
    near = f.add(size, f.mul(f.mul(size, z), series))
    half = scaled_exp(f, size, less=1)
    far = f.sub(half, f.div(f.c(0.25), half))
    return f.signed(f.pick(f.less(size, f.c(1.0)), near, far), x)


def cosh(f: Floats, x: Any) -> Any:
    """(exp(x) + exp(-x))/2."""
    half = scaled_exp(f, f.abs(x), less=1)
    return f.add(half, f.div(f.c(0.25), half))


def erf(f: Floats, x: Any) -> Any:
    """The error function: x times a polynomial of x**2 up to 1, 1 - erfc(|x|) above."""
    size, z = f.abs(x), f.mul(x, x)
    series = f.polynomial(z, coefficients.ERROR_NEAR_64 if f.double else coefficients.ERROR_NEAR_32)
    near = f.add(size, f.mul(size, series))
    top = 6.0 if f.double else 4.0
    t = f.pick(f.less(f.c(top), size), f.c(top), size)
    if f.double:
        u = f.div(f.sub(t, f.c(2.0)), f.add(t, f.c(2.0)))
        rest = f.mul(exp(f, f.negative(f.mul(t, t))), f.polynomial(u, coefficients.ERROR_TAIL_64))
    else:
        rest = exp(f, f.polynomial(t, coefficients.ERROR_FAR_32))
    return f.signed(f.pick(f.less(size, f.c(1.0)), near, f.sub(f.c(1.0), rest)), x)
