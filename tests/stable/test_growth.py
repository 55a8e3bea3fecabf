"""Derivatives of derivatives of exponentials: what needs no stable form stays as short as it was written."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import topological
from graphc.expr.stage import Stage
from graphc.rewrite.weight import weight
from graphc.stable import stabilise

MOST = 900  # operations: that of the hyperbolic tangent has 885
FUNCTIONS = {
    "exp": lambda x: gx.sin(gx.exp(x)) * gx.exp(x),
    "sinh": lambda x: gx.sin(gx.sinh(x)) * gx.sinh(x),
    "exp + 1": lambda x: gx.sin(gx.exp(x) + 1) * (gx.exp(x) + 1),
    "cosh": lambda x: gx.sin(gx.cosh(x)) * gx.cosh(x),
    "tanh": lambda x: gx.sin(gx.tanh(x)) * gx.tanh(x),
}


def operations(tensor: gx.Tensor) -> int:
    return sum(weight(node.op.body) for node in topological([tensor]) if isinstance(node.op, Stage))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_formulas_do_not_grow_where_nothing_overflows_against_nothing(name):
    x = gx.tensor("x", (3,))
    found = FUNCTIONS[name](x)
    for _ in range(3):
        found = gx.grad(gx.sum(found), x)
    (stable,) = stabilise([found])
    assert operations(stable) <= MOST
    at = {x: np.array([0.3, 0.5, -0.2])}
    np.testing.assert_allclose(gx.evaluate(stable, at, stabilise=False), gx.evaluate(found, at, stabilise=False), rtol=1e-12)


@pytest.mark.parametrize(
    ("formula", "values"),
    [
        (lambda x, y: gx.exp(x) * gx.exp(-y), lambda x, y: np.exp(x - y)),
        (lambda x, y: gx.exp(-x) * (gx.exp(x) + gx.exp(y)), lambda x, y: 1 + np.exp(y - x)),
        (lambda x, y: (gx.exp(x) - 1) * gx.exp(-x) * gx.sin(y), lambda x, y: -np.expm1(-x) * np.sin(y)),
        (lambda x, y: gx.exp(x + y) * gx.exp(-2 * x) * gx.exp(-y), lambda x, y: np.exp(-x) + 0 * y),
    ],
)
def test_what_overflows_against_what_vanishes_is_one_formula(formula, values):
    x, y = gx.tensor("x", (3,)), gx.tensor("y", (3,))
    given = np.array([800.0, 2.0, 1.0]), np.array([801.0, -3.0, 700.0])
    np.testing.assert_allclose(gx.evaluate(formula(x, y), dict(zip((x, y), given, strict=True))), values(*given), rtol=1e-9)
