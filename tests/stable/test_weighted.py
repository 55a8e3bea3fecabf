"""Logarithms of weighted sums and of choices: what the weight 0 leaves out has no say in the shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.stable import stabilise

LOGITS = np.array([0.0, 1, -1, 20, -20, 88, -88, 200, -200, 1e4, -1e4])
ROWS = np.array([[0, 0, 0], [200, -200, 0], [1e4, 0, -1e4], [88, 89, 90], [-300, -301, -302]], dtype=float)

SHARES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": gx.sigmoid,
    "1/(1+exp(-z))": lambda z: 1 / (1 + gx.exp(-z)),
}
LIKELIHOODS: dict[str, Callable[[Any, Any], Any]] = {
    "p t + (1 - p)(1 - t)": lambda p, t: p * t + (1 - p) * (1 - t),
    "where": lambda p, t: gx.where(t > 0.5, p, 1 - p),
    "named where": lambda p, t: gx.where(t > 0.5, p.named("p"), 1 - p).named("likelihood"),
    "where, other way round": lambda p, t: gx.where(t < 0.5, 1 - p, p),
}
SOFTMAXES: dict[str, Callable[[Any], Any]] = {
    "softmax": gx.softmax,
    "exp/sum": lambda z: gx.exp(z) / gx.sum(gx.exp(z), axis=-1, keepdims=True),
    "exp(log_softmax)": lambda z: gx.exp(gx.log_softmax(z)),
}


def _both(y: Any, wrt: Any, feed: dict[Any, Any], dtype: str) -> list[tuple[Any, Any]]:
    """Value and gradient, from the evaluator and compiled."""
    slope = gx.grad(gx.sum(y), wrt)
    f = gx.compile([y, slope], inputs=list(feed), dtype=dtype)
    return [tuple(gx.evaluate([y, slope], feed, dtype=dtype)), tuple(f(*feed.values()))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("share", SHARES)
def test_the_likelihood_of_a_label(share: str, likelihood: str, label: float, dtype: str) -> None:
    z, t = gx.tensor("z", ("n",)), gx.tensor("t", ("n",))
    loss = -gx.log(LIKELIHOODS[likelihood](SHARES[share](z), t))
    sign = 2 * label - 1
    true = np.logaddexp(0, -sign * LOGITS)
    for value, slope in _both(loss, z, {z: LOGITS, t: np.full(LOGITS.shape, label)}, dtype):
        np.testing.assert_allclose(value, true, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(slope, -sign * np.exp(-np.logaddexp(0, sign * LOGITS)), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("softmax", SOFTMAXES)
@pytest.mark.parametrize("row", ["one hot", "soft", "all"])
def test_the_chosen_share(softmax: str, row: str, dtype: str) -> None:
    z, t = gx.tensor("z", ("n", 3)), gx.tensor("t", ("n", 3))
    given = {"one hot": np.eye(3)[[1, 1, 2, 0, 2]], "soft": np.full((5, 3), [0.0, 0.25, 0.75]), "all": np.ones((5, 3))}[row]
    loss = -gx.log(gx.sum(t * SOFTMAXES[softmax](z), axis=-1))
    with np.errstate(divide="ignore"):
        inside = ROWS + np.log(given)
    total = np.logaddexp.reduce(ROWS, axis=-1)
    chosen = np.logaddexp.reduce(inside, axis=-1)
    for value, slope in _both(loss, z, {z: ROWS, t: given}, dtype):
        np.testing.assert_allclose(value, total - chosen, rtol=2e-5, atol=2e-5 if dtype == "float32" else 1e-10)
        np.testing.assert_allclose(slope, np.exp(ROWS - total[:, None]) - np.exp(inside - chosen[:, None]), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_masked_softmax_leaves_out_the_largest(dtype: str) -> None:
    z, mask = gx.tensor("z", ("n", 3)), gx.tensor("mask", ("n", 3))
    e = gx.exp(z) * mask
    given = np.array([[1, 1, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0], [0, 0, 1]], dtype=float)
    with np.errstate(divide="ignore"):
        true = np.exp(ROWS + np.log(given) - np.logaddexp.reduce(ROWS + np.log(given), axis=-1)[:, None])
    for value, slope in _both(e / gx.sum(e, axis=-1, keepdims=True), z, {z: ROWS, mask: given}, dtype):
        np.testing.assert_allclose(value, true, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(slope, np.zeros_like(ROWS), atol=1e-6)


def test_the_gradient_by_a_weight_that_is_zero() -> None:
    z, t = gx.scalars("z t")
    p = 1 / (1 + gx.exp(-z))
    slope = gx.grad(gx.log(p * t + (1 - p) * (1 - t)), t)
    for logit, label in [(1.5, 0.0), (-1.5, 1.0), (30.0, 0.0), (-30.0, 1.0), (0.3, 0.4)]:
        e = sympy.exp(sympy.Rational(logit)).n(60)
        true = (e - 1) / (e * sympy.Rational(label) + 1 - sympy.Rational(label))
        np.testing.assert_allclose(float(gx.evaluate(slope, {z: logit, t: label})), float(true), rtol=1e-10)


def test_no_weights_give_minus_infinity() -> None:
    z, t = gx.tensor("z", (3,)), gx.tensor("t", (3,))
    value = gx.evaluate(gx.log(gx.sum(t * gx.softmax(z))), {z: [1.0, 2.0, 3.0], t: [0.0, 0.0, 0.0]})
    assert value == -np.inf


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_a_second_sweep_changes_nothing(softmax: str) -> None:
    z, t = gx.tensor("z", ("n", 3)), gx.tensor("t", ("n", 3))
    once = stabilise([-gx.log(gx.sum(t * SOFTMAXES[softmax](z), axis=-1))])
    assert stabilise(once) == once
