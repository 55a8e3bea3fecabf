"""The vocabulary of bodies: what is taken in, what is refused, what happens at kinks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import DeclarationError
from graphc.expr import scalar
from graphc.expr.scalar import derivative, normalise
from graphc.reference.scalars import body_value

x, y = sympy.symbols("x y", real=True)

SAME = [
    (sympy.Max(x, y, 0), [(1.0, 2.0), (-1.0, -2.0)], lambda a, b: max(a, b, 0)),
    (sympy.Min(x, y), [(1.0, 2.0)], min),
    (sympy.Abs(x - y), [(1.0, 3.0)], lambda a, b: abs(a - b)),
    (sympy.sign(x), [(-2.0, 0.0), (0.0, 0.0)], lambda a, _: (a > 0) - (a < 0)),
    (sympy.ceiling(x), [(1.2, 0.0)], lambda a, _: math.ceil(a)),
    (sympy.Piecewise((x, x > 1), (y, x > 0), (0, True)), [(2.0, 5.0), (0.5, 5.0), (-1.0, 5.0)], lambda a, b: a if a > 1 else b if a > 0 else 0),
    (sympy.Heaviside(x), [(2.0, 0.0), (-2.0, 0.0)], lambda a, _: float(a > 0)),
    (x**y, [(2.0, 3.0)], lambda a, b: a**b),
    (sympy.sech(x) + sympy.coth(y), [(0.5, 0.25)], lambda a, b: 1 / math.cosh(a) + 1 / math.tanh(b)),
    (sympy.erfc(x) * sympy.asinh(y), [(0.3, 0.7)], lambda a, b: math.erfc(a) * math.asinh(b)),
    (sympy.log(x, 2), [(8.0, 0.0)], lambda a, _: math.log2(a)),
]


@pytest.mark.parametrize(("formula", "points", "truth"), SAME)
def test_normal_forms_keep_the_value(formula: sympy.Expr, points: list[tuple[float, float]], truth: object) -> None:
    for point in points:
        value = body_value(normalise(formula), dict(zip((x, y), point, strict=True)))
        assert float(value) == pytest.approx(truth(*point))  # type: ignore[operator]


@pytest.mark.parametrize(
    "formula", [sympy.gamma(x), sympy.I * x, sympy.zoo, sympy.Piecewise((x, x > 0)), sympy.Function("f")(x), sympy.besselj(0, x)]
)
def test_what_has_no_value_is_refused(formula: sympy.Expr) -> None:
    with pytest.raises(DeclarationError):
        normalise(formula)


KINKS = [
    (scalar.Maximum(0, x), 0.0, 0.0),
    (scalar.Maximum(x, 0), 0.0, 1.0),
    (normalise(sympy.Max(x, 0)), 0.0, 0.0),
    (scalar.Minimum(x, 0), 0.0, 1.0),
    (scalar.Absolute(x), 0.0, 0.0),
    (scalar.Sign(x), 0.0, 0.0),
    (scalar.Floor(x), 1.0, 0.0),
    (scalar.RootOfSquares(x**2), 0.0, 0.0),
    (scalar.Power(0, x), 1.0, 0.0),
    (scalar.Select(x > 0, sympy.log(x), 3 * x), 0.0, 3.0),
]


@pytest.mark.parametrize(("formula", "point", "slope"), KINKS)
def test_derivatives_at_kinks(formula: sympy.Expr, point: float, slope: float) -> None:
    assert float(body_value(derivative(formula, x), {x: point})) == slope


SMOOTH = [
    scalar.Sigmoid(x), scalar.Softplus(x), scalar.Log1p(x), scalar.Expm1(x), scalar.Power(x, y), scalar.Power(y, x),
    scalar.RootOfSquares(x), sympy.tanh(x), sympy.atan(x), sympy.erf(x), sympy.sqrt(x), x**-2,
]  # fmt: skip


@pytest.mark.parametrize("formula", SMOOTH)
def test_derivatives_of_smooth_functions(formula: sympy.Expr) -> None:
    step, at = 1e-5, {x: 0.7, y: 1.3}
    difference = (float(body_value(formula, at | {x: 0.7 + step})) - float(body_value(formula, at | {x: 0.7 - step}))) / (2 * step)
    assert float(body_value(derivative(formula, x), at)) == pytest.approx(difference, rel=1e-8)


def test_exponents_that_are_numbers_become_exact() -> None:
    assert scalar.Power(x, 2.0) == x**2
    assert scalar.Power(x, 0.5) == sympy.sqrt(x)
    assert scalar.Power(x, -1) == 1 / x


def test_numbers_of_numpy_stand_in_formulas() -> None:
    x, (i, k) = gx.tensor("x", (4,)), gx.indices("i k")
    body = np.float64(2) * x[i] + x[i] / np.int64(4) - np.array(1.0) + gx.maximum(x[np.int64(2)], np.float32(0.5)) + np.add(x[i], 1)
    np.testing.assert_allclose(gx.evaluate(gx.define("Y", (i,), body), {x: [0, 1, 2, 3]}), [2.0, 5.25, 8.5, 11.75])
    assert str(gx.Sum(np.float64(2) * x[k], k)) == "Sum(2.0*x[k], k)"


def test_formulas_that_are_not_graphcs_answer_as_ever() -> None:
    a, b = sympy.symbols("a b")
    assert float(sympy.pi) == math.pi and int(sympy.Integer(3)) == round(sympy.Rational(7, 2) - 1) + 1 == 3
    assert bool(sympy.And(a > 0, b > 0)) and sympy.Gt(2, 1)
    for asked in (lambda: bool(a > b), lambda: float(a), lambda: int(a + 1)):
        with pytest.raises(TypeError) as caught:
            asked()
        assert not isinstance(caught.value, gx.GraphcError)


def test_a_users_own_errors_pass_through() -> None:
    x, i = gx.tensor("x", (4,)), gx.indices("i")
    with pytest.raises(ZeroDivisionError):
        gx.define("Y", (i,), x[i] + 1 / 0)
    with pytest.raises(TypeError, match="unsupported operand"):
        gx.define("Y", (i,), x[i] + object())
