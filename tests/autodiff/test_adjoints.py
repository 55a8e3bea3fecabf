"""Adjoints of stages of every kind: right to second order, and gathered where the place can be solved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.stage import Stage
from graphc.expr.verify import verify

i, j, k, u, v = gx.indices("i j k u v")
X = gx.tensor("X", ("n", 4))
V = gx.tensor("V", (7,))
K = gx.tensor("K", (3,))
E = gx.tensor("E", (5, 2))
ids = gx.constant([3, 1, 3, 0])

CASES: dict[str, gx.Tensor] = {
    "matrix product": X @ gx.transpose(X),
    "self contraction": gx.define("s", (), gx.Sum((X.T @ X)[i, k] * (X.T @ X)[k, i], i, k)),
    "repeated operand": X * X * X,
    "slice with steps": X[::2, ::-1],
    "window": gx.define("w", i, gx.Sum(V[i + u] * K[u], u)),
    "padded window": gx.define("w", i, gx.Sum(V[i + u - 1] * K[u], u), outside=0, extents={i: 7}),
    "stride": gx.define("w", i, gx.Sum(V[2 * i + u] * K[u], u)),
    "dilation": gx.define("w", i, gx.Sum(V[i + 2 * u] * K[u], u)),
    "flip": gx.define("w", i, V[6 - i] ** 2),
    "diagonal": gx.diagonal(X[:, :4].T @ X[:, :4]),
    "scatter": gx.diag(V) @ V,
    "max": gx.max(X, 1),
    "max windows": gx.define("m", i, gx.Max(V[i + u], u), extents={u: 2}),
    "min of all": gx.min(X * X),
    "prod": gx.prod(X, 0),
    "prod of sums": gx.define("p", i, gx.Prod(X[i, k] + gx.Sum(X[i, j], j), k)),
    "inner reducer": gx.define("q", (i, j), X[i, j] / gx.Sum(sympy.exp(X[i, k]), k)),
    "ids": gx.define("e", (i, j), E[ids[i], j] ** 2),
    "index in the body": gx.define("b", (i, j), (i + 1) * X[i, j] / X.shape[0]),
    "condition": gx.define("c", (i, j), sympy.Piecewise((X[i, j] ** 2, sympy.Lt(j, 2)), (sympy.sin(X[i, j]), True))),
    "reshape": gx.reshape(X, (2, -1)) * gx.reshape(X, (2, -1))[:, ::-1],
    "variance": gx.var(X, 0),
    "norm": gx.norm(X, axis=1),
    "softmax": gx.softmax(X),
    "logsumexp": gx.logsumexp(X, 0),
    "broadcast": X * X[:1] + X[:, 1:2],
    "einsum": gx.einsum("ij,ij,kj->ik", X, X, X),
}


@pytest.mark.parametrize("case", CASES)
def test_first_and_second_order(case: str) -> None:
    y = CASES[case]
    variables = [t for t in gx.leaves(y).values() if t.dtype == "float"]
    assert (report := gx.check_gradients(y)).ok, report
    weighted = gx.sum(y * gx.constant(np.float64(0.7)))
    gradients = gx.grad(weighted, variables)
    verify([y, *gradients])
    length = sum((gx.sum(g * gx.sin(g)) for g in gradients), gx.constant(0.0))
    assert (report := gx.check_gradients(length, [t for t in gx.leaves(length).values() if t.dtype == "float"])).ok, report
    assert all(g.shape == t.shape for g, t in zip(gradients, variables, strict=True))


def test_zeros_in_products() -> None:
    values = np.array([[0.0, 2, 3, 4], [0, 0, 5, 6], [1, 2, 3, 4], [0, 0, 0, 1]])
    for order in (gx.sum(gx.prod(X, 1)), gx.sum(gx.grad(gx.sum(gx.prod(X, 1)), X) ** 2)):
        assert (report := gx.check_gradients(order, at={X: values})).ok, report


SCATTERED: list[tuple[str, Callable[[], gx.Tensor], bool]] = [
    ("contraction", lambda: X @ X.T, False),
    ("window", lambda: gx.define("w", i, gx.Sum(V[i + u] * K[u], u)), False),
    ("slice", lambda: V[2:5], False),
    ("stride", lambda: gx.define("w", i, gx.Sum(V[2 * i + u] * K[u], u)), True),
    ("diagonal", lambda: gx.diagonal(X[:, :4].T @ X), True),
    ("ids", lambda: gx.define("e", (i, j), E[ids[i], j]), True),
]


@pytest.mark.parametrize(("name", "declare", "scatters"), SCATTERED, ids=[row[0] for row in SCATTERED])
def test_a_scatter_stays_only_where_the_place_cannot_be_solved(name: str, declare: Callable[[], gx.Tensor], scatters: bool) -> None:
    y = gx.sum(declare() ** 2)
    gradients = drop_aliases(gx.grad(y, list(gx.leaves(y).values())))
    stages = [node.op for node in topological(gradients) if isinstance(node.op, Stage)]
    assert any(s.free is None for s in stages) is scatters, name


def test_ties_go_to_the_first() -> None:
    x = gx.tensor("x", (3,))
    at = {x: [2.0, 2.0, 1.0]}
    assert gx.evaluate(gx.grad(gx.max(x), x), at).tolist() == [1, 0, 0]
    assert gx.evaluate(gx.grad(gx.min(-x), x), at).tolist() == [-1, 0, 0]
    a, b = gx.scalars("a b")
    assert gx.evaluate(gx.grad(gx.maximum(a, b), [a, b]), {a: 1, b: 1}) == [1, 0]


def test_what_does_not_depend_is_said() -> None:
    a, b = gx.scalars("a b")
    with pytest.raises(gx.DerivationError, match="does not depend on b"):
        gx.grad(a * a, b)
    assert float(gx.evaluate(gx.grad(a * a, b, unconnected="zero"), {a: 1, b: 1})) == 0
    assert float(gx.evaluate(gx.grad(gx.where(b > 0, a, 2 * a), b), {a: 1, b: 1})) == 0


def test_intermediates_are_variables_too() -> None:
    x = gx.tensor("x", ("n", 3))
    z = x @ gx.constant(np.ones((3, 2)))
    h = gx.tanh(z).named("h")
    y = gx.sum(h * h)
    dh, dz = gx.evaluate(gx.grad(y, [h, z]), {x: np.full((2, 3), 0.1)})
    assert np.allclose(dh, 2 * np.tanh(0.3))
    assert np.allclose(dz, 2 * np.tanh(0.3) * (1 - np.tanh(0.3) ** 2))


def test_symmetric_matrices_have_symmetric_gradients() -> None:
    S = gx.tensor("S", ("d", "d"), symmetric=True)
    B = gx.constant([[1.0, 2.0], [3.0, 4.0]])
    assert gx.evaluate(gx.grad(gx.trace(S @ B), S), {S: np.eye(2)}).tolist() == [[1, 2.5], [2.5, 4]]


def test_a_vector_jacobian_product() -> None:
    x = gx.tensor("x", (3,))
    g = gx.tensor("g", (3,))
    pulled = gx.vjp(gx.exp(x), x, g)
    assert np.allclose(gx.evaluate(pulled, {x: [0, 1, 2], g: [1, 2, 3]}), np.exp([0, 1, 2]) * [1, 2, 3])
    with pytest.raises(gx.ShapeError, match="the shape of"):
        gx.vjp(gx.exp(x), x, gx.tensor("q", (2,)))


WRONG = [
    (lambda: gx.grad(X, X), gx.ShapeError, "wants a scalar"),
    (lambda: gx.grad(gx.sum(X), "X"), gx.DeclarationError, "the tensor itself"),
    (lambda: gx.grad(gx.sum(X), ids), gx.DerivationError, "int values"),
    (lambda: gx.grad(gx.sum(X), X, unconnected="nothing"), gx.DeclarationError, "'raise' or 'zero'"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_misuse_is_named(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


a, b = gx.scalars("a b")
MASKED = [
    (gx.where(a > 0, gx.log(a), a), 0.0, 1.0),
    (gx.where(a > 0, gx.log(gx.sqrt(a)), a), 0.0, 1.0),
    (gx.where(a <= 0, a, 3 * gx.log(a) * a), 0.0, 1.0),
    (gx.where(gx.equal(a, 0), 1.0, gx.sin(a) / a), 0.0, 0.0),
    (gx.relu(gx.where(a > 0, 1 / a, a)), 0.0, 0.0),
    (gx.where(a > 0, gx.sqrt(a), 0.0), 0.0, 0.0),
    (gx.where(a > -1, a, gx.exp(-a)), -1e4, -np.inf),
]


@pytest.mark.parametrize(("y", "at", "slope"), MASKED)
def test_a_branch_not_taken_never_takes_part(y: gx.Tensor, at: float, slope: float) -> None:
    assert float(gx.evaluate(gx.grad(y, a), {a: at})) == slope


def test_a_place_solved_for_an_index_that_a_later_place_is_solved_for_too() -> None:
    y = gx.define("y", (i, j), X[j - i + 1, i] ** 2, extents={i: 2, j: 3})
    point = np.linspace(-1, 1, 16).reshape(4, 4)
    expected = np.zeros((4, 4))
    for a, b in np.ndindex(2, 3):
        expected[b - a + 1, a] += 2 * point[b - a + 1, a]
    [gradient] = gx.evaluate([gx.grad(gx.sum(y), X)], {X: point})
    np.testing.assert_allclose(gradient, expected, atol=1e-14)


def test_a_constant_place_beyond_an_axis_of_one_entry_has_no_gradient() -> None:
    a = gx.tensor("a", (2, 1))
    y = gx.define("y", i, a[i, 0] * a[i, 3] + a[i, 1] + a[i, 0], outside=0)
    np.testing.assert_array_equal(gx.evaluate(gx.grad(gx.sum(y), a), {a: [[5.0], [6.0]]}), [[1.0], [1.0]])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_beside_a_slice_there_is_no_gradient_whatever_its_exponentials(target: str) -> None:
    x = gx.tensor("x", (5,))
    value = np.array([-1000.0, -1001.0, 5.0, 6.0, -2000.0])
    for y in (gx.sum(gx.softmax(x[:2]) ** 2), gx.sum(gx.exp(-x[2:4])), gx.sum(1 / (x[:2] - 1)), gx.sum(gx.softmax(x[:0]) ** 2)):
        slope = gx.grad(y, x)
        got = gx.compile(slope, target=target, dtype="float64")(value)
        assert np.isfinite(got).all()
        assert got[4] == 0
        np.testing.assert_allclose(got, gx.evaluate(slope, {x: value}), rtol=1e-12)


def test_the_logarithm_of_the_softmax_of_nothing_has_a_gradient() -> None:
    x = gx.tensor("x", (2,))
    for y in (gx.log_softmax(gx.exp(x)[:0]), gx.logsumexp(x[:0])[None], gx.log(gx.sum(gx.exp(x[:0]), keepdims=True))):
        np.testing.assert_array_equal(gx.evaluate(gx.grad(gx.sum(y), x), {x: [1.0, 2.0]}), [0.0, 0.0])
