"""Inverse, determinant and log-determinant: gradients of first, second and third order, singular matrices included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import graphc as gx
from graphc.expr.verify import verify

Array = np.ndarray[Any, Any]
SIZES = (1, 2, 3, 5)


def of_rank(n: int, rank: int, seed: int = 0) -> Array:
    """A matrix of that rank, its singular values of size 1."""
    rng = np.random.default_rng([n, rank, seed])
    u, v = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    return u @ np.diag([*rng.uniform(0.5, 2.0, rank), *np.zeros(n - rank)]) @ v


def minors(a: Array) -> Array:
    """The matrix of cofactors by its definition."""
    n = len(a)
    found = np.zeros((n, n))
    for i, j in np.ndindex(n, n):
        found[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    return found


def expanded(a: Array) -> torch.Tensor:
    """The determinant as a polynomial, by the first row, for automatic differentiation at any matrix."""
    t = torch.tensor(a, dtype=torch.float64) if not isinstance(a, torch.Tensor) else a
    if t.shape[0] == 0:
        return torch.ones((), dtype=torch.float64)
    rest = [torch.cat([t[1:, :j], t[1:, j + 1 :]], dim=1) for j in range(t.shape[0])]
    return sum(((-1) ** j * t[0, j] * expanded(r) for j, r in enumerate(rest)), start=torch.zeros((), dtype=torch.float64))


RANKS = [(n, r) for n in (1, 2, 3, 4, 5) for r in range(n + 1)]


@pytest.mark.parametrize(("n", "rank"), RANKS)
def test_the_gradient_of_the_determinant_is_the_matrix_of_cofactors(n: int, rank: int) -> None:
    x, a = gx.tensor("x", (n, n)), of_rank(n, rank)
    value = gx.evaluate(gx.grad(gx.linalg.det(x), x), {x: a})
    np.testing.assert_allclose(value, minors(a), atol=1e-12)


@pytest.mark.parametrize(("n", "rank"), RANKS)
def test_second_and_third_derivatives_of_the_determinant_at_every_rank(n: int, rank: int) -> None:
    x, v, w = (gx.tensor(name, (n, n)) for name in "xvw")
    rng = np.random.default_rng(n)
    a, h, k = of_rank(n, rank), rng.normal(size=(n, n)), rng.normal(size=(n, n))
    first = gx.grad(gx.linalg.det(x), x)
    second = gx.grad(gx.sum(first * v), x)
    third = gx.grad(gx.sum(second * w), [x, v])
    verify(third)
    values = gx.evaluate([second, *third], {x: a, v: h, w: k})
    t, th, tk = (torch.tensor(m, dtype=torch.float64, requires_grad=True) for m in (a, h, k))
    d1 = torch.autograd.grad(expanded(t), t, create_graph=True)[0]
    d2 = torch.autograd.grad((d1 * th).sum(), t, create_graph=True, allow_unused=True)[0] if n > 1 else torch.zeros(1, 1, requires_grad=True)
    np.testing.assert_allclose(values[0], d2.detach().numpy(), atol=1e-11)
    if n > 2:
        d3 = torch.autograd.grad((d2 * tk).sum(), [t, th])
        for mine, theirs in zip(values[1:], d3, strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-11)
    else:
        np.testing.assert_allclose(values[1], 0, atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", ["inv", "det", "logdet"])
def test_stacks_of_matrices_have_the_gradients_and_hessian_products_of_pytorch(name: str, n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(size=(2, 3, n, n)) + 2 * np.eye(n)
    h = rng.normal(size=a.shape)
    x = gx.tensor("x", ("b", 3, "n", "n"))
    y = getattr(gx.linalg, name)(x)
    loss = gx.sum(gx.sin(y))
    v = gx.tensor("v", x.shape)
    first, second = gx.evaluate([gx.grad(loss, x), gx.hvp(loss, x, v)], {x: a, v: h})
    t = torch.tensor(a, requires_grad=True)
    made = {"inv": torch.linalg.inv, "det": torch.linalg.det, "logdet": lambda m: torch.linalg.slogdet(m)[1]}[name](t)
    d1 = torch.autograd.grad(torch.sin(made).sum(), t, create_graph=True)[0]
    d2 = torch.autograd.grad((d1 * torch.tensor(h)).sum(), t)[0]
    np.testing.assert_allclose(first, d1.detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(second, d2.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["inv", "det", "logdet"])
def test_jacobians_and_hessians_are_right_entry_by_entry(name: str) -> None:
    x = gx.tensor("x", (3, 3))
    a = of_rank(3, 3)
    y = getattr(gx.linalg, name)(x)
    jacobian = gx.evaluate(gx.jacobian(y, x), {x: a})
    scalar = gx.sum(y * y)
    hessian = gx.evaluate(gx.hessian(scalar, x), {x: a})
    t = torch.tensor(a)
    made = {"inv": torch.linalg.inv, "det": torch.linalg.det, "logdet": lambda m: torch.linalg.slogdet(m)[1]}[name]
    np.testing.assert_allclose(jacobian, torch.autograd.functional.jacobian(made, t).numpy(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(hessian, torch.autograd.functional.hessian(lambda m: (made(m) ** 2).sum(), t).numpy(), rtol=1e-8, atol=1e-8)


def test_the_hessian_of_the_determinant_of_a_matrix_of_zeros() -> None:
    x = gx.tensor("x", (2, 2))
    value = gx.evaluate(gx.hessian(gx.linalg.det(x), x), {x: np.zeros((2, 2))})
    expected = np.zeros((2, 2, 2, 2))
    expected[0, 0, 1, 1] = expected[1, 1, 0, 0] = 1
    expected[0, 1, 1, 0] = expected[1, 0, 0, 1] = -1
    np.testing.assert_allclose(value, expected, atol=1e-15)


@pytest.mark.parametrize("name", ["inv", "det", "logdet"])
def test_gradients_by_a_symmetric_matrix_are_symmetric(name: str) -> None:
    s = gx.tensor("s", ("n", "n"), symmetric=True)
    weights = gx.tensor("w", ("n", "n"))
    y = getattr(gx.linalg, name)(s)
    loss = gx.sum(y * weights) if y.ndim else y * weights[0, 1]
    a = np.array([[3.0, 0.5, 0.2], [0.5, 2.0, -0.3], [0.2, -0.3, 4.0]])
    at = {s: a, weights: np.arange(9.0).reshape(3, 3)}
    gradient = gx.evaluate(gx.grad(loss, s), at)
    np.testing.assert_array_equal(gradient, gradient.T)
    report = gx.check_gradients(loss, s, at=at)
    assert report.ok, str(report)


def test_a_gaussian_likelihood_has_the_known_gradients() -> None:
    x, m = gx.tensor("x", ("n",)), gx.tensor("m", ("n",))
    s = gx.tensor("s", ("n", "n"), symmetric=True)
    likelihood = -(x - m) @ gx.linalg.inv(s) @ (x - m) / 2 - gx.linalg.logdet(s) / 2
    rng = np.random.default_rng(5)
    root = rng.normal(size=(4, 4))
    a, u, v = root @ root.T + np.eye(4), rng.normal(size=4), rng.normal(size=4)
    by_m, by_s = gx.evaluate(gx.grad(likelihood, [m, s]), {x: u, m: v, s: a})
    b = np.linalg.inv(a)
    np.testing.assert_allclose(by_m, b @ (u - v), rtol=1e-10)
    np.testing.assert_allclose(by_s, (b @ np.outer(u - v, u - v) @ b - b) / 2, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["inv", "det", "logdet"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0), (2, 0, 3, 3)])
def test_sizes_of_zero(name: str, shape: tuple[int, ...]) -> None:
    x = gx.tensor("x", shape)
    y = getattr(gx.linalg, name)(x)
    second = gx.hvp(gx.sum(y), x, gx.constant(np.zeros(shape)))
    value, first, again = gx.evaluate([y, gx.grad(gx.sum(y), x), second], {x: np.zeros(shape)})
    made = {"inv": np.linalg.inv, "det": np.linalg.det, "logdet": lambda a: np.linalg.slogdet(a)[1]}[name]
    np.testing.assert_array_equal(value, made(np.zeros(shape)))
    assert first.shape == again.shape == shape


def test_within_a_recurrence() -> None:
    items, start = gx.tensor("x", ("t", 2, 2)), gx.tensor("c", (2, 2))
    last, logs = gx.scan(lambda c, x: (gx.linalg.inv(c) + x, gx.linalg.logdet(c)), items, start)
    loss = gx.sum(last) + gx.sum(logs)
    rng = np.random.default_rng(2)
    at = {items: rng.normal(size=(4, 2, 2)) + 3 * np.eye(2), start: rng.normal(size=(2, 2))}
    report = gx.check_gradients(loss, at=at)
    assert report.ok, str(report)


def test_a_fourth_derivative_of_the_determinant_is_refused_by_name() -> None:
    x = gx.tensor("covariance", (3, 3))
    y = gx.linalg.det(x)
    for _ in range(3):
        y = gx.sum(gx.grad(y, x))
    with pytest.raises(gx.DerivationError, match="covariance"):
        gx.grad(y, x)


def test_the_checker_finds_sizes_at_which_a_product_is_regular() -> None:
    z = gx.tensor("z", ("n", "k"))
    for product in (z @ z.T, z.T @ z):
        report = gx.check_gradients(gx.linalg.logdet(product))
        assert report.ok, str(report)
        assert report.checked == 6
