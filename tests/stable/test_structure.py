"""What the stable form leaves alone: graphs without such formulas, names, pictures, guards, random nodes, kept tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import ShapeError
from graphc.expr.graph import topological
from graphc.expr.operation import Random
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.stable import stabilise, stabilise_keeping

n, k = gx.indices("n k")


def _x(name: str = "x", shape: Any = ("n", 3)) -> Tensor:
    return gx.tensor(name, shape)


def _bodies(t: Tensor) -> list[Any]:
    return [node.op.body for node in topological([t]) if isinstance(node.op, Stage)]


UNTOUCHED = {
    "layers": lambda x: gx.tanh(gx.sigmoid(x @ gx.parameter("W", (3, 3))) + x),
    "log": lambda x: gx.log(x) * gx.exp(x),
    "log1p": lambda x: gx.log1p(x),
    "softplus": lambda x: gx.softplus(x) - x,
    "quotient": lambda x: x / (1 + x * x),
    "gates": lambda x: gx.sigmoid(x) * gx.tanh(x) + gx.sigmoid(-x),
    "root": lambda x: gx.sqrt(gx.sum(x**2) + 1e-5),
    "normalised": lambda x: (gx.sigmoid(x) - gx.mean(gx.sigmoid(x))) / gx.sqrt(gx.var(gx.sigmoid(x)) + 1e-5),
    "kernel": lambda x: gx.exp(-gx.sum(x**2, 1)),
    "assign": lambda x: gx.assign(gx.state("m", (3,), init=0.0), gx.mean(x, 0)),
    "phase": lambda x: gx.by_phase(training=x * 2, inference=x),
    "dropout": lambda x: gx.nn.dropout(x, 0.5),
    "clipped": lambda x: gx.log(gx.clip(gx.sigmoid(x), 1e-7, 1 - 1e-7)),
    "floor below": lambda x: gx.log(gx.sigmoid(x) + 1e-7),
}


@pytest.mark.parametrize("build", UNTOUCHED.values(), ids=UNTOUCHED)
def test_graphs_without_such_formulas_are_the_very_same(build: Any) -> None:
    y = build(_x())
    assert stabilise([y]) == [y]


def test_untouched_parts_of_a_graph_stay_the_same_tensors() -> None:
    x = _x()
    hidden = gx.sigmoid(x @ gx.parameter("W", (3, 3)))
    [loss] = stabilise([gx.log(1 + gx.exp(hidden))])
    assert hidden.node in topological([loss])


@pytest.mark.parametrize(
    ("build", "body"),
    [
        (lambda x: gx.log(1 + gx.exp(x)), "Softplus(x0)"),
        (lambda x: gx.log(gx.sigmoid(x)), "-Softplus(-x0)"),
        (lambda x: gx.log(1 - gx.sigmoid(x)), "-Softplus(x0)"),
        (lambda x: 1 / (1 + gx.exp(-x)), "Sigmoid(x0)"),
        (lambda x: x / (1 + gx.exp(-x)), "x0*Sigmoid(x0)"),
        (lambda x: (gx.exp(x) - gx.exp(-x)) / (gx.exp(x) + gx.exp(-x)), "tanh(x0)"),
        (lambda x: gx.log(1 + x), "Log1p(x0)"),
        (lambda x: gx.log(1 - x), "Log1p(-x0)"),
        (lambda x: gx.log(1 + gx.square(x).named("q")), "Log1p(x0)"),
        (lambda x: gx.exp(x) - 1, "Expm1(x0)"),
        (lambda x: 3 * gx.exp(x) - 3, "3*Expm1(x0)"),
        (lambda x: gx.sqrt(gx.sum(x**2)), "RootOfSquares(x0)"),
        (lambda x: gx.std(x), "RootOfSquares(x0)"),
        (lambda x: gx.exp(x) * gx.exp(-x), "1"),
        (lambda x: gx.log1p(gx.exp(x)), "Softplus(x0)"),
        (lambda x: gx.log(1 - gx.tanh(x) ** 2), "-2*x0 - 2*Softplus(-2*x0) + log(4)"),
        (lambda x: gx.log(gx.exp(x) - 1), "x0 + log(-Expm1(-x0))"),
    ],
)
def test_forms(build: Any, body: str) -> None:
    [y] = stabilise([build(_x())])
    assert isinstance(y.op, Stage)
    assert str(y.op.body) == body


def test_names_pictures_lines_and_shapes_survive() -> None:
    x = _x()
    y = gx.log(1 + gx.exp(x)).named("inner")
    z = gx.log(gx.sigmoid(x)).called("loss", x, latex=r"\ell({0})")
    d = gx.define("d", (n,), sympy.log(1 + sympy.exp(x[n, 0])))
    for old, new in zip((y, z, d), stabilise([y, z, d]), strict=True):
        assert new is not old
        assert (new.name, new.shape, new.dtype, new.origin) == (old.name, old.shape, old.dtype, old.origin)
        assert (new.call is None) == (old.call is None)
        if new.call is not None and old.call is not None:
            assert (new.call.symbol, new.call.latex, len(new.call.inputs)) == (old.call.symbol, old.call.latex, len(old.call.inputs))


def test_guards_of_formulas_looked_through_are_still_checked() -> None:
    x, m = _x("x", ("n",)), _x("m", ("k",))
    loss = gx.log(1 + gx.exp(x + m) * gx.exp(-m))
    with pytest.raises(ShapeError):
        gx.evaluate(loss, {x: np.zeros(3), m: np.zeros(2)})


def test_random_nodes_are_the_same_nodes() -> None:
    x = _x("x", (4,))
    loss = gx.sum(gx.log(1 + gx.exp(x + gx.random.normal((4,)))) + gx.random.uniform((4,)))
    [stable] = stabilise([loss])
    old = [node for node in topological([loss]) if isinstance(node.op, Random)]
    assert [node for node in topological([stable]) if isinstance(node.op, Random)] == old
    at = {x: np.arange(4.0)}
    np.testing.assert_allclose(gx.evaluate(loss, at, seed=3), gx.evaluate(loss, at, seed=3, stabilise=False), rtol=1e-12)


def test_kept_tensors_are_not_looked_through() -> None:
    z = _x("z", (3,))
    s = gx.sigmoid(z)
    outputs, [kept] = stabilise_keeping([gx.sum(gx.log(s)), gx.sum(gx.log(1 - s))], [s])
    for y in outputs:
        assert kept.node in topological([y])
    at = {z: np.array([0.3, -1.0, 2.0])}
    p = 1 / (1 + np.exp(-at[z]))
    np.testing.assert_allclose(gx.evaluate(gx.grad(gx.sum(gx.log(s)), s), at), 1 / p)
    np.testing.assert_allclose(gx.evaluate(gx.grad(gx.sum(gx.log(1 - s)), s), at), -1 / (1 - p))


@pytest.mark.parametrize(
    "inner",
    [gx.exp, lambda z: gx.sum(gx.exp(z), 1, keepdims=True), gx.softmax, lambda z: gx.exp(z).named("e"), lambda z: 1 + gx.exp(z)],
)
def test_gradients_by_intermediates(inner: Any) -> None:
    z = _x("z", (2, 3))
    e = inner(z)
    g = gx.grad(gx.sum(gx.log(e / (1 + e))), e)
    at = {z: np.array([[0.1, 0.2, -0.4], [1.0, -1.0, 0.5]])}
    value = gx.evaluate(e, at)
    np.testing.assert_allclose(gx.evaluate(g, at), 1 / value - 1 / (1 + value))


def test_the_inference_branch_is_not_taken() -> None:
    x = _x("x", (2,))
    y = gx.log(1 + gx.exp(gx.by_phase(training=x, inference=2 * x)))
    [stable], _ = stabilise_keeping([y], [x])
    np.testing.assert_allclose(gx.evaluate(stable, {x: [200.0, 0.0]}, dtype="float32"), [200.0, np.log(2)], rtol=1e-6)


def test_one_sum_serves_all_its_users() -> None:
    z, y = _x("z"), _x("y")
    e = gx.exp(z)
    total = gx.sum(e, 1, keepdims=True)
    outputs = stabilise([gx.log(total), gx.log(e / total), gx.sum(y * gx.log(e / total)), e / total])
    sums = [node for node in topological(outputs) if isinstance(node.op, Stage) and node.op.reducer == "sum" and node.op.body.has(sympy.exp)]
    assert len(sums) == 1


def test_the_shift_takes_no_part_in_gradients() -> None:
    z = _x("z")
    for loss in (gx.sum(gx.logsumexp(z, 1)), gx.sum(gx.log(gx.sum(gx.exp(z), 1)))):
        g = gx.grad(loss, z)
        adjoint = g.inputs[0]
        assert not any(body.has(sympy.Eq) for body in _bodies(adjoint))


@pytest.mark.parametrize("depth", [20, 200])
def test_size_grows_with_the_graph(depth: int) -> None:
    h = z = _x("z", ("n", 4))
    for layer in range(depth):
        h = gx.softmax(h @ gx.parameter(f"W{layer}", (4, 4))) + h
    loss = -gx.sum(gx.log(gx.softmax(h)))
    [stable] = stabilise([loss])
    assert len(topological([stable])) <= len(topological([loss]))
    assert z.node in topological([stable])


CHAINS = {
    "powers": (lambda h: h * h + h, 200),
    "logistic": (lambda h: 1 / (1 + gx.exp(-h)), 300),
    "ratio": (lambda h: h / (1 + h), 300),
    "scaled": (lambda h: h * 1.001, 2000),
    "normalised": (lambda h: h / gx.sum(h, -1, keepdims=True), 200),
    "mixed": (lambda h: gx.sigmoid(h * 1.01 + 0.1) * h + 1, 500),
    "matrices": (lambda h: h @ gx.constant(np.eye(4)), 300),
}


@pytest.mark.parametrize(("step", "count"), CHAINS.values(), ids=CHAINS)
def test_deep_chains_end_and_stay_small(step: Any, count: int) -> None:
    h = gx.exp(_x("z", ("n", 4)))
    for _ in range(count):
        h = step(h)
    y = gx.log(1 + h)
    [stable] = stabilise([y])
    assert len(topological([stable])) <= 2 * len(topological([y]))


def test_the_same_formula_gives_the_same_stages() -> None:
    def build() -> list[str]:
        z, y = _x("z"), _x("y")
        s = 1 / (1 + gx.exp(-z))
        return [str(b) for b in _bodies(stabilise([gx.sum(y * gx.log(gx.softmax(z)) + gx.log(1 - s) + gx.log(1 + gx.exp(z) + gx.exp(y)))])[0])]

    assert build() == build()


INFINITE = {
    "log of softmax": lambda z: gx.log(gx.softmax(z)),
    "log of sum": lambda z: gx.log(gx.sum(gx.exp(z), 1)),
    "softmax": lambda z: gx.exp(z) / gx.sum(gx.exp(z), 1, keepdims=True),
    "log of logistic": lambda z: gx.log(1 / (1 + gx.exp(-z))),
    "softplus": lambda z: gx.log(1 + gx.exp(z)),
}


@pytest.mark.parametrize("build", INFINITE.values(), ids=INFINITE)
def test_nan_and_minus_infinity_as_written(build: Any) -> None:
    z = _x("z", (3, 3))
    y = build(z)
    at = {z: np.array([[0.0, -np.inf, 1.0], [np.nan, 0.0, 1.0], [-np.inf, -np.inf, 2.0]])}
    np.testing.assert_allclose(gx.evaluate(y, at), gx.evaluate(y, at, stabilise=False), rtol=1e-12)


def test_empty_axes() -> None:
    z = _x("z", (2, 0))
    y = gx.log(gx.sum(gx.exp(z), 1))
    np.testing.assert_array_equal(gx.evaluate(y, {z: np.zeros((2, 0))}), [-np.inf, -np.inf])


@pytest.mark.parametrize("axes", [(0, 2), (1,), None])
def test_sums_over_several_axes_and_named_sizes(axes: Any) -> None:
    z = _x("z", ("a", "b", 2))
    y = gx.log(gx.mean(gx.exp(z), axes))
    at = {z: np.random.default_rng(0).normal(size=(3, 4, 2))}
    np.testing.assert_allclose(gx.evaluate(y, at), np.log(np.exp(at[z]).mean(axes)), rtol=1e-12)
    huge = {z: at[z] * 1e3}
    assert np.isfinite(gx.evaluate(y, huge, dtype="float32")).all()


def test_labels_choose_the_class() -> None:
    z, ids = _x("z"), gx.tensor("ids", ("n",), dtype="int")
    p = gx.softmax(z)
    at = {z: np.array([[200.0, -200.0, 0.0], [1e4, 0.0, 1e4]]), ids: np.array([1, 2])}
    for loss, true in (
        (gx.define("l", (n,), -sympy.log(p[n, ids[n]])), [400.0, np.log(2)]),
        (gx.define("l", (n,), -sympy.log(1 - p[n, ids[n]])), [0.0, np.log(2)]),
    ):
        np.testing.assert_allclose(gx.evaluate(loss, at, dtype="float32"), true, rtol=1e-6, atol=1e-6)
        assert np.isfinite(gx.evaluate(gx.grad(gx.sum(loss), z), at, dtype="float32")).all()


def test_a_mixture_of_gaussians_far_away() -> None:
    x, mu, spread, w = _x("x", ("n",)), _x("mu", (3,)), _x("spread", (3,)), _x("w", (3,))
    shares = gx.softmax(w) * gx.exp(-((x[:, None] - mu) ** 2) / (2 * spread**2)) / spread
    loss = gx.sum(gx.log(gx.sum(shares, 1)))
    at = {x: np.array([0.0, 100.0, -300.0]), mu: np.array([0.0, 1.0, -1.0]), spread: np.array([1.0, 2.0, 0.5]), w: np.array([0.0, 1.0, -1.0])}
    parts = at[w] - np.log(np.exp(at[w]).sum()) - (at[x][:, None] - at[mu]) ** 2 / (2 * at[spread] ** 2) - np.log(at[spread])
    np.testing.assert_allclose(gx.evaluate(loss, at), np.logaddexp.reduce(parts, axis=1).sum(), rtol=1e-12)
    assert all(np.isfinite(g).all() for g in gx.evaluate(gx.grad(loss, [mu, spread, w]), at, dtype="float32"))


def test_what_cancels_has_gradient_zero() -> None:
    x = _x("x", (3,))
    at = {x: np.array([200.0, 0.0, -200.0])}
    for y in (gx.sum(gx.exp(x) * gx.exp(-x)), gx.log(gx.sum(gx.exp(x)) / gx.sum(gx.exp(x)))):
        np.testing.assert_array_equal(gx.evaluate(gx.grad(y, x), at, dtype="float32"), np.zeros(3))


def _recurrence(z: Tensor) -> Tensor:
    """The sum of log(1 - sigmoid) and of cross-entropies, row by row."""

    def step(total: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        s = 1 / (1 + gx.exp(-row))
        p = gx.exp(row) / gx.sum(gx.exp(row))
        value = gx.sum(gx.log(1 - s)) - gx.log(p)[0]
        return total + value, value

    return gx.scan(step, z, 0.0)[0]


def test_inside_a_scan() -> None:
    z = _x("z", ("t", 3))
    y = _recurrence(z)
    at = {z: np.array([[200.0, -200.0, 0.0], [1e4, 0.0, -88.0], [0.0, 0.0, 0.0]])}
    softmax = np.array([[1.0, 0, 0], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    logistic = np.array([[1.0, 0, 0.5], [1, 0.5, 0], [0.5, 0.5, 0.5]])
    value, slope = gx.evaluate([y, gx.grad(y, z)], at, dtype="float32")
    np.testing.assert_allclose(value, -np.logaddexp(0, at[z]).sum() + np.log(3), rtol=1e-5)
    np.testing.assert_allclose(slope, softmax - logistic - [1, 0, 0], atol=1e-6)
    [once] = stabilise([y])
    assert stabilise([once])[0] is once


def test_a_scan_without_such_formulas_is_the_very_same() -> None:
    last, _ = gx.scan(lambda h, row: (gx.tanh(h + row), h), _x("z", ("t", 3)), gx.constant(np.zeros(3)))
    assert stabilise([last])[0] is last
