"""Powers without branches: exp(y log x), with a logarithm of enough digits.

Single precision is computed in double. In double precision the logarithm is a sum of two floats: its first two terms carry
their rounding errors along (Dekker, "A floating-point technique for extending the available precision", 1971).
"""

from __future__ import annotations

import math
from typing import Any

from graphc.codegen.exponentials import log_at_edges, logarithm, scaled_exp, split
from graphc.codegen.floats import Floats

__all__ = ["power"]

_LOG_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # the first has so few bits that multiples of it are exact


def power(f: Floats, x: Any, y: Any) -> Any:
    """x**y, as in C: 1 for y = 0 and for x = 1, NaN for x < 0 and a y that is not whole."""
    size, whole = f.abs(x), f.equal(f.call("llvm.floor", y), y)
    if f.double:
        value = _power_of_positive(f, size, y)
    else:
        wide = f.wide()
        a, b = f.b.fpext(size, wide.kind), f.b.fpext(y, wide.kind)
        product = wide.mul(b, log_at_edges(wide, a, logarithm(wide, a, terms=8)))
        value = f.b.fptrunc(scaled_exp(wide, product, terms=11), f.kind)
    half = f.mul(y, f.c(0.5))
    odd = f.b.and_(whole, f.b.not_(f.equal(f.call("llvm.floor", half), half)))
    value = f.pick(f.b.and_(f.equal(size, f.c(1.0)), f.b.not_(f.nan(y))), f.c(1.0), value)
    value = f.pick(odd, f.signed(value, x), value)
    imaginary = f.b.and_(f.b.and_(f.less(x, f.c(0.0)), f.less(f.c(-math.inf), x)), f.b.not_(whole))
    value = f.pick(imaginary, f.c(math.nan), value)
    return f.pick(f.b.or_(f.equal(x, f.c(1.0)), f.equal(y, f.c(0.0))), f.c(1.0), value)


def _power_of_positive(f: Floats, x: Any, y: Any) -> Any:
    """x**y for x >= 0, in double precision."""
    high, low = _long_logarithm(f, x)
    product, lost = f.two_product(y, high)
    tail = f.add(lost, f.mul(y, low))
    # Beyond what exp can tell apart, and for infinities, the plain product decides.
    plain = f.mul(y, log_at_edges(f, x, high))
    kept = f.less(f.abs(plain), f.c(800.0))
    return scaled_exp(f, f.pick(kept, product, plain), tail=f.pick(kept, tail, f.c(0.0)))


def _long_logarithm(f: Floats, x: Any) -> tuple[Any, Any]:
    """The logarithm of a positive number as a sum of two: e log 2 + 2 s + 2/3 s**3 + ..., s = (m - 1)/(m + 1)."""
    e, m = split(f, x)
    above, below = f.exact_sub(m, f.c(1.0)), f.two_sum(m, f.c(1.0))
    s = f.div(above, below[0])
    p, p_low = f.two_product(s, below[0])
    s_low = f.div(f.exact_sub(f.exact_sub(f.exact_sub(above, p), p_low), f.mul(s, below[1])), below[0])
    z, z_low = f.two_product(s, s)
    z_low = f.add(z_low, f.mul(f.mul(s, s_low), f.c(2.0)))
    # 2/3 + 2/5 z + ..., its first two terms with what rounding took of them
    later = f.mul(z, f.polynomial(z, [2 / (2 * k + 1) for k in range(2, 12)]))
    factor, factor_low = f.quick_sum(f.c(2 / 3), later)
    factor_low = f.add(factor_low, f.c(3.700743415417188e-17))
    cube, cube_low = f.two_product(s, z)
    cube_low = f.add(cube_low, f.add(f.mul(s, z_low), f.mul(s_low, z)))
    term, term_low = f.two_product(cube, factor)
    term_low = f.add(term_low, f.add(f.mul(cube, factor_low), f.mul(cube_low, factor)))
    twice = f.mul(s, f.c(2.0))
    series, series_low = f.quick_sum(twice, term)
    series_low = f.add(series_low, f.add(term_low, f.mul(s_low, f.c(2.0))))
    high, high_low = f.two_sum(f.mul(e, f.c(_LOG_2[0])), series)
    rest = f.add(high_low, f.add(series_low, f.mul(e, f.c(_LOG_2[1]))))
    return f.quick_sum(high, rest)
