"""Jacobians against central differences, Hessians against Jacobians of gradients, products against Hessians."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx

X = gx.tensor("X", ("n", 3))
W = gx.tensor("W", (3, 2))
i, k = gx.indices("i k")
VALUES = {X: np.linspace(-1, 1.3, 12).reshape(4, 3), W: np.linspace(0.4, -0.8, 6).reshape(3, 2)}

MAPS = {
    "softmax": gx.softmax(X @ W),
    "rank 0": gx.sum(X * X),
    "reshape": gx.reshape(gx.tanh(X), (-1, 2)),
    "max": gx.max(X * X, 1),
    "slices": X[1:, ::2] * X[:-1, ::2],
    "window": gx.define("w", (i,), gx.Sum(X[i + k, 0] * W[k, 1], k)),
    "diagonal": gx.diag(X[0]),
    "constant": X * 0.0 + W[0, 0],
    "the last carry alone": gx.scan(lambda h, x: (gx.sum(gx.tanh(h + x @ W)), h), X, 0.5)[0],
    "running sum": gx.cumsum(X, 0),
    "recurrence": gx.scan(lambda h, x: (gx.tanh(h + x @ W), h * gx.sum(x)), X, W[0])[1],
    "recurrence, backwards": gx.scan(lambda h, x: (gx.tanh(h + x @ W), x), X, W[0], reverse=True)[0],
}


def central(y: gx.Tensor, x: gx.Tensor) -> np.ndarray:
    point = VALUES[x]
    columns = []
    for place in np.ndindex(point.shape):
        step = np.zeros_like(point)
        step[place] = 1e-6
        columns.append((gx.evaluate(y, VALUES | {x: point + step}) - gx.evaluate(y, VALUES | {x: point - step})) / 2e-6)
    return np.stack(columns, -1).reshape(*columns[0].shape, *point.shape)


@pytest.mark.parametrize("name", MAPS)
def test_jacobians(name: str) -> None:
    y = MAPS[name]
    jacobian = gx.jacobian(y, X)
    assert jacobian.shape == (*y.shape, *X.shape)
    np.testing.assert_allclose(gx.evaluate(jacobian, VALUES), central(y, X), atol=1e-8)


@pytest.mark.parametrize("name", MAPS)
def test_hessians_and_their_products(name: str) -> None:
    y = gx.sum(MAPS[name] ** 2)
    hessian = gx.evaluate(gx.hessian(y, X), VALUES)
    np.testing.assert_allclose(hessian, central(gx.grad(y, X), X), atol=2e-7)
    V = gx.tensor("V", X.shape)
    v = np.cos(np.arange(12.0)).reshape(4, 3)
    product = gx.evaluate(gx.hvp(y, X, V), VALUES | {V: v})
    np.testing.assert_allclose(product, np.einsum("abcd,cd->ab", hessian, v), atol=1e-10)


def test_lists_of_variables() -> None:
    y = gx.sum(gx.tanh(X @ W))
    blocks = gx.hessian(y, [X, W])
    assert [[b.shape for b in row] for row in blocks] == [[X.shape + X.shape, X.shape + W.shape], [W.shape + X.shape, W.shape + W.shape]]
    mixed, turned = gx.evaluate([blocks[0][1], blocks[1][0]], VALUES)
    np.testing.assert_allclose(mixed, turned.transpose(2, 3, 0, 1), atol=1e-12)
    pulled = gx.evaluate(gx.hvp(y, [X, W], [gx.constant(0.0) * X, W * 1.0]), VALUES)
    np.testing.assert_allclose(pulled[0], np.einsum("abcd,cd->ab", mixed, VALUES[W]), atol=1e-10)
    np.testing.assert_allclose(pulled[1], np.einsum("abcd,cd->ab", gx.evaluate(blocks[1][1], VALUES), VALUES[W]), atol=1e-10)


def test_vectors_are_values_whatever_they_are_computed_from() -> None:
    y = gx.sum(gx.tanh(X @ W) ** 3)
    hessian, slope = gx.evaluate([gx.hessian(y, W), gx.grad(y, W)], VALUES)
    for vector, value in ((W, VALUES[W]), (gx.grad(y, W), slope), (W * gx.sum(X), VALUES[W] * VALUES[X].sum())):
        np.testing.assert_allclose(gx.evaluate(gx.hvp(y, W, vector), VALUES), np.einsum("abcd,cd->ab", hessian, value), atol=1e-10)


def test_a_product_needs_a_vector_of_that_shape() -> None:
    with pytest.raises(gx.ShapeError, match="must have the shape of W"):
        gx.hvp(gx.sum(W * W), W, X)


LAYERS = {
    "log of softmax": lambda z: gx.log_softmax(z, axis=1),
    "log of softmax, spelled": lambda z: gx.log(gx.exp(z) / gx.sum(gx.exp(z), axis=1, keepdims=True)),
    "softplus, spelled": lambda z: gx.log(1 + gx.exp(z)),
    "behind a phase": lambda z: gx.tanh(gx.by_phase(training=gx.sin(z), inference=z)),
    "a phase": lambda z: gx.by_phase(training=gx.sin(z), inference=z),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_second_derivative_by_an_intermediate_whose_formula_is_put_in_another_form(name: str) -> None:
    z = X @ W
    h = LAYERS[name](z)
    y = gx.sum(h**3 * gx.tanh(z)) if name == "a phase" else gx.sum(h**3)
    factor = gx.evaluate(gx.tanh(z), VALUES) if name == "a phase" else 1.0
    at = gx.evaluate(h, VALUES)
    np.testing.assert_allclose(gx.evaluate(gx.grad(y, h), VALUES), 3 * at**2 * factor, rtol=1e-12)
    hessian = gx.evaluate(gx.hessian(y, h), VALUES)
    np.testing.assert_allclose(hessian.reshape(8, 8), np.diag((6 * at * factor).ravel()), atol=1e-12)
    v = np.cos(np.arange(8.0)).reshape(4, 2)
    V = gx.tensor("V", h.shape)
    np.testing.assert_allclose(gx.evaluate(gx.hvp(y, h, V), VALUES | {V: v}), 6 * at * factor * v, rtol=1e-12)


def test_a_gradient_is_differentiated_by_an_intermediate_that_it_was_not_taken_by() -> None:
    x = gx.tensor("x", (3,))
    h = gx.log(1 + gx.exp(x))
    slope = gx.grad(gx.sum(h**3), x)  # 3 h² σ(x)
    at = np.array([0.2, -1.0, 3.0])
    wanted = 6 * np.logaddexp(0, at) / (1 + np.exp(-at))
    np.testing.assert_allclose(gx.evaluate(gx.grad(gx.sum(slope), h), {x: at}), wanted, rtol=1e-12)


def test_a_vector_or_a_cotangent_of_numbers_for_named_sizes() -> None:
    v = np.cos(np.arange(12.0)).reshape(4, 3)
    y = gx.sum(X**3)
    np.testing.assert_allclose(gx.evaluate(gx.hvp(y, X, v), VALUES), 6 * VALUES[X] * v, rtol=1e-12)
    np.testing.assert_allclose(gx.evaluate(gx.vjp(X * X, X, v), VALUES), 2 * VALUES[X] * v, rtol=1e-12)
    with pytest.raises(gx.ShapeError, match="cotangent"):
        gx.evaluate(gx.vjp(X * X, X, v[:3]), VALUES)
    with pytest.raises(gx.ShapeError, match="vector"):
        gx.hvp(y, X, v[:, :2])


@pytest.mark.parametrize(
    ("wrt", "vectors"), [([X], [X, X]), ([X, W], [X]), ([X, W], X), ([X], np.ones((2, 3))), (X, [X])], ids=["more", "fewer", "one", "array", "list"]
)
def test_a_vector_for_each_variable(wrt, vectors):
    with pytest.raises(gx.DeclarationError, match=r"gx.hvp is given (one|a list of \d) variable.*: give"):
        gx.hvp(gx.sum(X * X) + gx.sum(W), wrt, vectors)
