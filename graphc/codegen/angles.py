"""Sine, cosine, tangent and the inverse tangent without branches, right for arguments of every size.

A number is m * 2**k with a whole m, and only what 2**k * 2/pi leaves after whole turns counts (Payne and Hanek, "Radian
reduction for trigonometric functions", SIGNUM Newsletter 18, 1983). Tables hold it for each k as a few floats, so that the
reduction is as many products, for small and for large arguments alike. Single precision is computed in double.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from llvmlite import ir

from graphc.codegen import coefficients
from graphc.codegen.floats import Floats

__all__ = ["arctan", "cos", "sin", "tan"]

_STEP = 8  # exponents of double precision that share an entry
_FIRST = 1075 - 88  # the biased exponent of the first entry; what is smaller is its own sine


@cache
def _turns(exponents: tuple[int, ...], widths: tuple[int, ...]) -> tuple[tuple[float, ...], ...]:
    """2**k * 2/pi without multiples of 4, for each k, as floats of so many bits each; the last takes what is left."""
    from mpmath import floor, ldexp, mp, mpf, pi

    rows: list[list[float]] = []
    with mp.workprec(1600):
        for k in exponents:
            part = ldexp(2 / pi, k)
            part -= 4 * floor(part / 4)
            row: list[float] = []
            for width in widths:
                top = int(floor(mp.log(part, 2))) + 1 if part else 0
                piece = ldexp(floor(ldexp(part, width - top)), top - width)
                row.append(float(piece))
                part -= mpf(piece)
            rows.append(row)
    return tuple(zip(*rows, strict=True))


def _quarters_of_single(f: Floats, x: Any) -> tuple[Any, Any]:
    """|x| in quarters of a turn, for single precision: the nearest whole number, and the rest as a double."""
    wide, word = f.wide(), ir.IntType(64)
    bits = f.b.and_(f.b.bitcast(x, f.word), f.n(0x7FFFFFFF))
    index = f.b.zext(f.b.lshr(bits, f.n(f.mantissa)), word)
    size = f.b.fpext(f.abs(x), wide.kind)
    exponents = tuple(max(e, 1) - 150 for e in range(255))
    # Divided by 2**k at once, so that x need not be. 29 bits of the first leave its product with 24 bits exact.
    high, low = ([*(math.ldexp(t, -k) for t, k in zip(part, exponents, strict=True)), 0.0] for part in _turns(exponents, (29, 53)))
    p = wide.mul(size, wide.entry(wide.table("graphc_turns_32_high", high), index))
    q = wide.mul(size, wide.entry(wide.table("graphc_turns_32_low", low), index))
    n = wide.nearest(wide.add(p, q))
    return n, wide.add(wide.sub(p, n), q)


def _quarters_of_double(f: Floats, x: Any) -> tuple[Any, Any, Any]:
    """|x| in quarters of a turn, for double precision: the nearest whole number less multiples of 4, and the rest in radians as a sum of two."""
    bits = f.b.bitcast(x, f.word)
    exponent = f.b.and_(f.b.lshr(bits, f.n(f.mantissa)), f.n(0x7FF))
    below = f.b.icmp_signed("<", exponent, f.n(_FIRST))
    offset = f.b.select(below, f.n(0), f.b.sub(exponent, f.n(_FIRST)))
    index = f.b.lshr(offset, f.n(3))
    scale = f.b.shl(f.b.add(f.b.and_(offset, f.n(_STEP - 1)), f.n(1075)), f.n(f.mantissa))
    m = f.b.bitcast(f.b.or_(f.b.and_(bits, f.n((1 << f.mantissa) - 1)), scale), f.kind)
    exponents = tuple(range(_FIRST - 1075, 972, _STEP))
    parts = [f.table(f"graphc_turns_64_{k}", part) for k, part in enumerate(_turns(exponents, (53, 53, 53, 53)))]
    a, b, c, d = (f.entry(part, index) for part in parts)
    p, p_low = f.two_product(m, a)
    u = f.exact_sub(p, f.mul(f.nearest(f.mul(p, f.c(0.25))), f.c(4.0)))
    v, v_low = f.two_product(m, b)
    w, w_low = f.two_product(m, c)
    s, s_low = f.two_sum(u, p_low)
    s, t_low = f.two_sum(s, v)
    n = f.nearest(s)
    # What the sums so far have lost counts where s is close to n.
    lost, lost_low = f.two_sum(s_low, t_low)
    more, more_low = f.two_sum(v_low, w)
    lost, rest = f.two_sum(lost, more)
    rest = f.add(f.add(f.add(rest, f.add(lost_low, more_low)), w_low), f.mul(m, d))
    r, r_low = f.two_sum(f.exact_sub(s, n), lost)
    r, r_low = f.two_sum(r, f.exact_add(r_low, rest))
    high, low = f.two_product(r, f.c(math.pi / 2))
    low = f.add(low, f.add(f.mul(r, f.c(6.123233995736766e-17)), f.mul(r_low, f.c(math.pi / 2))))
    return n, high, low


def _sine_and_cosine(f: Floats, x: Any) -> tuple[Floats, Any, Any, Any]:
    """The arithmetic used, the quarter of the turn, and sine and cosine of the rest of |x|."""
    if not f.double:
        wide = f.wide()
        n, t = _quarters_of_single(f, x)
        z = wide.mul(t, t)
        s = wide.mul(t, wide.polynomial(z, coefficients.SINE_OF_QUARTERS_32))
        return wide, wide.integer(n), s, wide.polynomial(z, coefficients.COSINE_OF_QUARTERS_32)
    n, r, low = _quarters_of_double(f, x)
    z = f.mul(r, r)
    half = f.mul(z, f.c(0.5))
    series = f.mul(f.mul(z, r), f.polynomial(z, coefficients.SINE_64))
    s = f.add(r, f.add(series, f.mul(low, f.sub(f.c(1.0), half))))
    w = f.exact_sub(f.c(1.0), half)
    tail = f.sub(f.mul(f.mul(z, z), f.polynomial(z, coefficients.COSINE_64)), f.mul(r, low))
    return f, f.integer(n), s, f.exact_add(w, f.add(f.exact_sub(f.exact_sub(f.c(1.0), w), half), tail))


def _small(f: Floats, x: Any) -> Any:
    """Whether x is its own sine and tangent; never so in single precision, where the reduction has bits to spare."""
    return f.less(f.abs(x), f.c(2.0**-30)) if f.double else f.equal(x, f.c(0.0))


def _finished(f: Floats, result: Any, x: Any) -> Any:
    """In the precision of the argument; NaN for infinities and NaN."""
    result = result if f.double else f.b.fptrunc(result, f.kind)
    return f.pick(f.finite(x), result, f.c(math.nan))


def _of_quarter(f: Floats, quarter: Any, even: Any, odd: Any) -> Any:
    """One of two by the parity of the quarter, negated in the second half of the turn."""
    one, two = f.n(1), f.n(2)
    value = f.pick(f.b.icmp_signed("==", f.b.and_(quarter, one), f.n(0)), even, odd)
    return f.pick(f.b.icmp_signed("==", f.b.and_(quarter, two), f.n(0)), value, f.negative(value))


def sin(f: Floats, x: Any) -> Any:
    """The sine."""
    used, quarter, s, c = _sine_and_cosine(f, x)
    value = _finished(f, _of_quarter(used, quarter, s, c), x)
    value = f.pick(f.less(x, f.c(0.0)), f.negative(value), value)
    return f.pick(_small(f, x), x, value)


def cos(f: Floats, x: Any) -> Any:
    """The cosine."""
    used, quarter, s, c = _sine_and_cosine(f, x)
    value = _finished(f, _of_quarter(used, used.b.add(quarter, used.n(1)), s, c), x)
    return f.pick(_small(f, x), f.c(1.0), value)


def tan(f: Floats, x: Any) -> Any:
    """The tangent: sine over cosine, or what takes their place in an odd quarter."""
    used, quarter, s, c = _sine_and_cosine(f, x)
    even = used.b.icmp_signed("==", used.b.and_(quarter, used.n(1)), used.n(0))
    ratio = used.div(used.pick(even, s, c), used.pick(even, c, s))
    value = _finished(f, used.pick(even, ratio, used.negative(ratio)), x)
    value = f.pick(f.less(x, f.c(0.0)), f.negative(value), value)
    return f.pick(_small(f, x), x, value)


def arctan(f: Floats, x: Any) -> Any:
    """The inverse tangent: of (|x| - 1)/(|x| + 1) or -1/|x| by an eighth of a turn or a quarter less where |x| is large."""
    size = f.abs(x)
    middle = f.less(f.c(math.tan(math.pi / 8)), size)
    upper = f.less(f.c(math.tan(3 * math.pi / 8)), size)
    above = f.pick(upper, f.c(-1.0), f.pick(middle, f.sub(size, f.c(1.0)), size))
    below = f.pick(upper, size, f.pick(middle, f.add(size, f.c(1.0)), f.c(1.0)))
    t = f.div(above, below)
    z = f.mul(t, t)
    series = f.mul(f.mul(t, z), f.polynomial(z, coefficients.ARCTANGENT_64 if f.double else coefficients.ARCTANGENT_32))
    # An eighth and a quarter of a turn in two floats each.
    low = (3.061616997868383e-17, 6.123233995736766e-17) if f.double else (-2.1855695e-8, -4.371139e-8)
    angle = f.pick(upper, f.c(math.pi / 2), f.pick(middle, f.c(math.pi / 4), f.c(0.0)))
    rest = f.pick(upper, f.c(low[1]), f.pick(middle, f.c(low[0]), f.c(0.0)))
    return f.signed(f.add(angle, f.add(t, f.add(series, rest))), x)
