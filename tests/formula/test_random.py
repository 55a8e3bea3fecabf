"""Formulas with random quantities: the draws are those of the gradient of the stages, and they can be given instead."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.formula.derivation import Derivation, derive

RNG = np.random.default_rng(11)


def network() -> gx.Tensor:
    """Two layers, each with a dropout before it, of different sizes and rates; noise on the scores."""
    X, y = gx.tensor("X", ("n", 5)), gx.tensor("y", ("n", 2))
    W1, b1, W2 = gx.tensor("W1", (5, 4)), gx.tensor("b1", (4,)), gx.tensor("W2", (4, 2))
    h = gx.tanh(gx.nn.dropout(X, 0.25) @ W1 + b1).named("h")
    o = (gx.nn.dropout(h, 0.5) @ W2 + 0.5 * gx.random.normal(("n", 2))).named("o")
    return gx.sum((o - y) ** 2).named("L")


FEEDS = {"X": RNG.normal(size=(3, 5)), "y": RNG.normal(size=(3, 2)), "W1": RNG.normal(size=(5, 4)), "b1": RNG.normal(size=4),
         "W2": RNG.normal(size=(4, 2))}  # fmt: skip


def source(d: Derivation) -> Any:
    namespace: dict[str, Any] = {}
    exec(d.numpy(), namespace)
    return namespace["gradient"]


@pytest.mark.parametrize("wrt", ["X", "W1", "b1", "W2", "h", "o"])  # by h and o only later masks reach the gradient
@pytest.mark.parametrize("seed", [0, 3])
def test_the_draws_are_those_of_the_stages(wrt: str, seed: int) -> None:
    report = derive(network(), wrt).verify(seed=seed)
    assert report.ok, str(report)


@pytest.mark.parametrize(("wrt", "seed", "step"), [("W1", 0, 0), ("W2", 5, 2), ("b1", 2**40 + 1, 7)])
def test_the_source_draws_as_evaluate_does(wrt: str, seed: int, step: int) -> None:
    L = network()
    leaves = gx.leaves(L)
    expected = gx.evaluate(gx.grad(L, leaves[wrt]), {leaves[n]: a for n, a in FEEDS.items()}, seed=seed, step=step)
    np.testing.assert_allclose(source(derive(L, wrt))(**FEEDS, seed=seed, step=step), expected, rtol=1e-12)


def test_masks_may_be_given() -> None:
    L = network()
    d = derive(L, "W2")
    assert d.text == "∂L/∂W₂ = 2 (h ⊙ r₂)ᵀ δ"
    gradient = source(d)
    kept, none, still = np.ones((3, 4)), np.zeros((3, 5)), np.zeros((3, 2))
    h = np.tanh(np.broadcast_to(FEEDS["b1"], (3, 4)))
    expected = 2 * (2 * h).T @ (2 * h @ FEEDS["W2"] - FEEDS["y"])
    np.testing.assert_allclose(gradient(**FEEDS, r1=none, r2=kept, r3=still), expected, rtol=1e-12)
    needed = [p.name for p in inspect.signature(gradient).parameters.values() if p.default is p.empty]
    assert sorted(needed) == sorted(FEEDS)
    assert all(f"{n}: of shape" in gradient.__doc__ for n in (*FEEDS, "r1", "r2", "r3"))


def test_where_says_what_is_drawn() -> None:
    found = {n.name: n for n in derive(network(), "W2").where}
    assert found["r1"].text == "r₁ = 𝟏[u₁ < 0.75], u₁ ∼ U(0, 1)"
    assert found["r2"].text == "r₂ = 𝟏[u₂ < ½], u₂ ∼ U(0, 1)"
    assert found["r2"].shape == ("n", 4)
    assert found["r3"].text.endswith("u₃ ∼ U(0, 1)")
    r = gx.random.uniform((3,)).named("r")
    x = gx.tensor("x", (3,))
    assert [n.text for n in derive(gx.sum(r * x).named("L"), x).where] == ["r ∼ U(0, 1)"]


def test_where_lists_what_is_used_and_nothing_else() -> None:
    d = derive(network(), "W2")
    assert [n.name for n in d.where] == ["δ", "r1", "z", "h", "r2", "r3", "o"]
    right = [line.split(" = ", 1)[-1] for line in (d.text, *(n.text for n in d.where))]
    for n in d.where:
        assert any(n.text.split(" = ")[0] in line for line in right), n.name
    a, c = gx.tensor("a", (3,)), gx.tensor("c", (3,))
    used, unused = gx.tanh(a).named("used"), gx.tanh(c).named("unused")
    y = (gx.sum(a * used) + gx.sum(unused)).named("y")
    assert [n.name for n in derive(y, "a").where] == ["used"]
    assert [n.name for n in derive(y, "c").where] == ["unused"]


def test_draws_are_no_operations_and_a_leaf_may_be_called_seed() -> None:
    x, seed = gx.tensor("x", ("n",)), gx.scalar("seed")
    d = derive(gx.sum(seed * x * gx.random.bernoulli(x.shape, 0.5)).named("L"), x)
    assert d.operations == 1
    assert d.verify().ok
    assert "seed_=0" in d.numpy()


def test_symmetric_matrices_in_jacobians() -> None:
    S, v = gx.tensor("S", ("d", "d"), symmetric=True), gx.tensor("v", ("d",))
    for y in (S @ v, S @ S):
        for layout in ("denominator", "numerator"):
            assert derive(y.named("y"), S, layout=layout).verify().ok
    assert derive(gx.sum(S @ S).named("s"), S).text == "∂s/∂S = S 𝟏 𝟏ᵀ + 𝟏 𝟏ᵀ S"


def test_constants_stand_in_the_source_and_are_shown() -> None:
    x = gx.tensor("x", ("n", 2))
    c = gx.constant([[1.0, 2.0], [3.0, 4.0]], name="c")
    d = derive(gx.sum((x @ c) ** 2).named("L"), x)
    assert [(n.text, n.latex) for n in d.where] == [("c = [[1, 2], [3, 4]]", r"c = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}")]
    gradient = source(d)
    np.testing.assert_allclose(gradient(x=np.ones((1, 2))), [[32.0, 72.0]])
