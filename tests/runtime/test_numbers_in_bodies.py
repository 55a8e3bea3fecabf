"""Functions of numbers alone may be left in a body: every target computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.scalar import Absolute, Floor, Maximum, Minimum, RootOfSquares, Sigmoid, Softplus
from graphc.expr.stage import read_symbol

VALUES: list[tuple[Any, float]] = [
    (Minimum(sympy.Integer(0), sympy.Integer(80)), 0.0),
    (Maximum(sympy.Integer(0), sympy.Integer(80)), 80.0),
    (Sigmoid(sympy.Integer(0)), 0.5),
    (Softplus(sympy.Integer(0)), np.log(2.0)),
    (RootOfSquares(sympy.Integer(4)), 2.0),
    (Floor(sympy.Rational(5, 2)), 2.0),
    (Absolute(sympy.Integer(-3)), 3.0),
    (sympy.sqrt(2) * sympy.pi, np.sqrt(2.0) * np.pi),
]


@pytest.mark.parametrize("target", ["evaluate", "numpy", "cpu"])
def test_functions_of_numbers(target: str) -> None:
    x = gx.tensor("x", (2,))
    made = [stage((2,), [(x, (Affine.variable(0),))], read_symbol(0) * body) for body, _ in VALUES]
    array = np.array([1.0, 2.0])
    values = gx.evaluate(made, {x: array}) if target == "evaluate" else gx.compile(made, target=target, dtype="float64")(array)
    np.testing.assert_allclose(values, [array * value for _, value in VALUES], rtol=1e-14)
