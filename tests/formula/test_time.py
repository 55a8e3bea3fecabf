"""Recurrences: backpropagation through time as textbooks print it, right by numbers at any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DerivationError
from graphc.formula.derivation import derive


def rnn(length: Any = "T", reverse: bool = False) -> Any:
    """h_t = tanh(W h_{t-1} + U x_t + b), L = Σ (h − y)²."""
    x, y = gx.tensor("x", (length, 3)), gx.tensor("y", (length, 4))
    W, U, b, h0 = gx.tensor("W", (4, 4)), gx.tensor("U", (4, 3)), gx.tensor("b", (4,)), gx.tensor("h0", (4,))

    def step(h: Any, item: Any) -> Any:
        h = gx.tanh(W @ h + U @ item + b).named("h")
        return h, h

    _, hs = gx.scan(step, x, h0, reverse=reverse)
    return gx.sum((hs - y) ** 2).named("L")


def rows(last: bool) -> Any:
    """A batch of rows, a loss on the last state or on outputs at every time."""
    X, Y = gx.tensor("X", ("T", "n", 3)), gx.tensor("Y", ("n", 2) if last else ("T", "n", 2))
    W, U, V, h0 = gx.tensor("W", (4, 4)), gx.tensor("U", (3, 4)), gx.tensor("V", (4, 2)), gx.tensor("h0", ("n", 4))

    def step(h: Any, item: Any) -> Any:
        h = gx.tanh(h @ W + item @ U).named("h")
        return h, (h @ V).named("o")

    end, o = gx.scan(step, X, h0)
    return (0.5 * gx.sum(((end @ V if last else o) - Y) ** 2)).named("L")


def lstm() -> Any:
    """The long short-term memory, gates and their inputs named."""
    x, y = gx.tensor("x", ("T", 3)), gx.tensor("y", ("T", 4))
    weights = {k: (gx.tensor(f"W_{k}", (4, 3)), gx.tensor(f"U_{k}", (4, 4)), gx.tensor(f"b_{k}", (4,))) for k in "ifog"}

    def step(carry: Any, item: Any) -> Any:
        h, c = carry
        inner = {k: (w @ item + u @ h + b).named(f"a_{k}") for k, (w, u, b) in weights.items()}
        i, f, o = (gx.sigmoid(inner[k]).named(k) for k in "ifo")
        c = (f * c + i * gx.tanh(inner["g"]).named("g")).named("c")
        h = (o * gx.tanh(c)).named("h")
        return (h, c), h

    _, hs = gx.scan(step, x, (gx.tensor("h0", (4,)), gx.tensor("c0", (4,))))
    return (0.5 * gx.sum((hs - y) ** 2)).named("L")


def gru() -> Any:
    """The gated recurrent unit, a loss on its last state."""
    x, y = gx.tensor("x", ("T", 3)), gx.tensor("y", (4,))
    (Wz, Uz), (Wr, Ur), (Wn, Un) = ((gx.tensor(f"W_{k}", (4, 3)), gx.tensor(f"U_{k}", (4, 4))) for k in "zrn")

    def step(h: Any, item: Any) -> Any:
        z, r = gx.sigmoid(Wz @ item + Uz @ h).named("u"), gx.sigmoid(Wr @ item + Ur @ h).named("r")
        n = gx.tanh(Wn @ item + Un @ (r * h)).named("n")
        return ((1 - z) * h + z * n).named("h"), h

    last, _ = gx.scan(step, x, gx.tensor("h0", (4,)))
    return (0.5 * gx.sum((last - y) ** 2)).named("L")


def average() -> Any:
    """v_t = β v_{t-1} + (1 − β) a_t from 0."""
    a, beta = gx.tensor("a", ("T",)), gx.scalar("beta")

    def step(v: Any, item: Any) -> Any:
        v = (beta * v + (1 - beta) * item).named("v")
        return v, v

    _, v = gx.scan(step, a, 0.0)
    return gx.sum(v * gx.tensor("w", ("T",))).named("L")


ROWS: list[tuple[Callable[[], Any], str, str, list[str]]] = [
    (
        rnn, "W", "∂L/∂W = Σₜ δₜ hₜ₋₁ᵀ",
        ["δₜ = ∂L/∂zₜ = (1 − hₜ ⊙ hₜ) ⊙ h̄ₜ, δ_(T+1) = 0", "h̄ₜ = ∂L/∂hₜ = Wᵀ δₜ₊₁ + 2 (hₜ − yₜ), h̄_(T+1) = 0", "hₜ = tanh(zₜ)",
         "zₜ = U xₜ + W hₜ₋₁ + b"],
    ),
    (rnn, "U", "∂L/∂U = Σₜ δₜ xₜᵀ", []),
    (rnn, "b", "∂L/∂b = Σₜ δₜ", []),
    (rnn, "h0", "∂L/∂h₀ = Wᵀ δ₁", []),
    (rnn, "x", "∂L/∂xₜ = Uᵀ δₜ", []),
    (rnn, "y", "∂L/∂yₜ = 2 (yₜ − hₜ)", ["hₜ = tanh(zₜ)", "zₜ = U xₜ + W hₜ₋₁ + b"]),
    (lambda: rnn(5), "W", "∂L/∂W = Σₜ δₜ hₜ₋₁ᵀ", ["δₜ = ∂L/∂zₜ = (1 − hₜ ⊙ hₜ) ⊙ h̄ₜ, δ₆ = 0"]),
    (lambda: rnn(1), "h0", "∂L/∂h₀ = Wᵀ δ₁", []),
    (
        lambda: rnn(reverse=True), "W", "∂L/∂W = Σₜ δₜ hₜ₊₁ᵀ",
        ["δₜ = ∂L/∂zₜ = (1 − hₜ ⊙ hₜ) ⊙ h̄ₜ, δ₀ = 0", "h̄ₜ = ∂L/∂hₜ = Wᵀ δₜ₋₁ + 2 (hₜ − yₜ), h̄₀ = 0", "hₜ = tanh(zₜ), h_(T+1) = h₀"],
    ),
    (lambda: rnn(reverse=True), "h0", "∂L/∂h₀ = Wᵀ δ_T", []),
    (
        lambda: rows(False), "W", "∂L/∂W = Σₜ hₜ₋₁ᵀ δ₁ₜ",
        ["δ₁ₜ = ∂L/∂zₜ = h̄ₜ ⊙ (1 − hₜ ⊙ hₜ), δ₁_(T+1) = 0", "h̄ₜ = ∂L/∂hₜ = δ₁ₜ₊₁ Wᵀ + δ₂ₜ Vᵀ, h̄_(T+1) = 0",
         "δ₂ₜ = ∂L/∂oₜ = oₜ − Yₜ, δ₂_(T+1) = 0"],
    ),
    (lambda: rows(False), "V", "∂L/∂V = Σₜ hₜᵀ δₜ", []),
    (lambda: rows(False), "X", "∂L/∂Xₜ = δ₁ₜ Uᵀ", []),
    (lambda: rows(True), "U", "∂L/∂U = Σₜ Xₜᵀ δₜ", []),
    (
        lstm, "U_f", "∂L/∂U_f = Σₜ δ₂ₜ hₜ₋₁ᵀ",
        ["δ₂ₜ = ∂L/∂a_fₜ = c̄ₜ ⊙ cₜ₋₁ ⊙ fₜ ⊙ (1 − fₜ), δ₂_(T+1) = 0",
         "c̄ₜ = ∂L/∂cₜ = c̄ₜ₊₁ ⊙ fₜ₊₁ + h̄ₜ ⊙ oₜ ⊙ (1 − tanh(cₜ)^⊙2), c̄_(T+1) = 0",
         "h̄ₜ = ∂L/∂hₜ = U_oᵀ δ₁ₜ₊₁ + U_fᵀ δ₂ₜ₊₁ + U_iᵀ δ₃ₜ₊₁ + U_gᵀ δ₄ₜ₊₁ + hₜ − yₜ, h̄_(T+1) = 0"],
    ),
    (lstm, "c0", "∂L/∂c₀ = c̄₁ ⊙ f₁", []),
    (gru, "U_n", "∂L/∂U_n = Σₜ δ₃ₜ (hₜ₋₁ ⊙ rₜ)ᵀ", []),
    (gru, "U_r", "∂L/∂U_r = Σₜ δ₂ₜ hₜ₋₁ᵀ", []),
    (average, "a", "∂L/∂aₜ = v̄ₜ (1 − β)", ["v̄ₜ = ∂L/∂vₜ = v̄ₜ₊₁ β + wₜ, v̄_(T+1) = 0"]),
    (average, "beta", "∂L/∂β = Σₜ (vₜ₋₁ − aₜ) v̄ₜ", ["v̄ₜ = ∂L/∂vₜ = v̄ₜ₊₁ β + wₜ, v̄_(T+1) = 0", "vₜ = aₜ (1 − β) + vₜ₋₁ β, v₀ = 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("build", "wrt", "text", "used"), ROWS, ids=[f"{k}: {row[2]}" for k, row in enumerate(ROWS)])
def test_backpropagation_through_time(build: Callable[[], Any], wrt: str, text: str, used: list[str]) -> None:
    d = derive(build(), wrt)
    assert d.text == text
    assert [n.text for n in d.where][: len(used)] == used
    report = d.verify()
    assert report.ok, str(report)
    for line in (d.latex, d.index_latex, *(s.latex for s in d.steps)):
        assert "i0000" not in line


def test_names_and_shapes_are_those_of_a_time() -> None:
    d = derive(rnn(), "W")
    assert [(n.name, n.shape) for n in d.where] == [("δ_t", (4,)), ("h̄_t", (4,)), ("h_t", (4,)), ("z_t", (4,))]
    assert d.latex == r"\frac{\partial L}{\partial W} = \sum_{t} \delta_{t} \, h_{t-1}^{\top}"
    assert d.index_latex == r"\frac{\partial L}{\partial W_{ij}} = \sum_{t} \delta_{ti} \, h_{t - 1, j}"
    assert [s.text for s in d.steps][:3] == ["zₜ = U xₜ + W hₜ₋₁ + b", "hₜ = tanh(zₜ)", "L = Σₜ ‖hₜ − yₜ‖²"]
    assert [s.shape for s in d.steps] == [(4,), (4,), (), (4,), (4,), (4, 4)]
    assert "backpropagation through time" in d.steps[3].reason
    assert derive(rnn(), "h0").steps[-1].reason == "chain rule through h: the recurrence begins with h₀"


def test_source_loops_over_time_and_does_not_grow_with_it() -> None:
    short, long = derive(rnn(2), "W"), derive(rnn(2000), "W")
    assert short.numpy().count("for t in") == 2
    assert len(long.numpy()) - len(short.numpy()) < 60
    assert short.operations == long.operations
    namespace: dict[str, Any] = {}
    exec(derive(rnn(), "b").numpy(), namespace)
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(6, 3)), "y": rng.normal(size=(6, 4)), "h0": rng.normal(size=4)}
    given |= {"W": rng.normal(size=(4, 4)), "U": rng.normal(size=(4, 3)), "b": rng.normal(size=4)}
    h = [given["h0"]]
    for t in range(6):
        h.append(np.tanh(given["W"] @ h[-1] + given["U"] @ given["x"][t] + given["b"]))
    delta, total = np.zeros(4), np.zeros(4)
    for t in reversed(range(6)):
        delta = (given["W"].T @ delta + 2 * (h[t + 1] - given["y"][t])) * (1 - h[t + 1] ** 2)
        total += delta
    np.testing.assert_allclose(namespace["gradient"](**given), total, rtol=1e-12)
    empty = {**given, "x": np.zeros((0, 3)), "y": np.zeros((0, 4))}
    np.testing.assert_array_equal(namespace["gradient"](**empty), np.zeros(4))


def test_running_sums() -> None:
    x = gx.tensor("x", ("n",))
    d = derive(gx.cumsum(x).named("y"), x, cotangent="ybar")
    assert d.text == "∂⟨ybar, y⟩/∂xₜ = h̄ₜ"
    assert [n.text for n in d.where] == ["h̄ₜ = ∂⟨ybar, y⟩/∂hₜ = h̄ₜ₊₁ + ybarₜ, h̄ₙ₊₁ = 0"]
    assert d.verify().ok
    table = gx.tensor("X", ("n", 3))
    along = derive(gx.sum(gx.cumsum(table, axis=1) ** 2).named("L"), table)
    assert along.text == "∂L/∂X[:, t] = h̄ₜ"
    assert along.verify().ok


def test_second_order_through_a_recurrence() -> None:
    x, w = gx.tensor("x", ("T",)), gx.scalar("w")

    def step(h: Any, item: Any) -> Any:
        h = gx.tanh(w * h + item).named("h")
        return h, h

    _, h = gx.scan(step, x, gx.scalar("h0"))
    d = derive(gx.grad(gx.sum(h).named("L"), w), w)
    assert d.text.startswith("∂²L/∂w² = ")
    assert d.verify().ok


def test_what_has_no_form_is_named() -> None:
    x = gx.tensor("x", ("T", 2))
    _, noisy = gx.scan(lambda h, item: ((h * item + gx.random.uniform((2,))).named("h"), h), x, gx.tensor("h0", (2,)))
    with pytest.raises(DerivationError, match=r"random numbers within a gx\.scan"):
        derive(gx.sum(noisy), x)
    _, h = gx.scan(lambda h, item: (h * item, h), x, gx.tensor("h0", (2,)))
    with pytest.raises(DerivationError, match="derive its product with a cotangent"):
        derive(h, x)


def test_names_that_end_in_a_time() -> None:
    x, W = gx.tensor("x_t", ("T", 4)), gx.tensor("W_hh", (4, 4))

    def step(h: Any, item: Any) -> Any:
        h = gx.tanh(W @ h + item).named("h_t")
        return h, h

    _, hs = gx.scan(step, x, gx.tensor("h0", (4,)))
    d = derive(gx.sum(hs**2).named("L"), W)
    assert d.text == "∂L/∂W_hh = Σₜ δₜ hₜ₋₁ᵀ"
    assert [n.name for n in d.where] == ["δ_t", "∂L/∂h_t", "h_t", "z_t"]
    assert d.where[-1].text == "zₜ = W_hh hₜ₋₁ + xₜ"
    assert d.verify().ok


def test_the_rows_of_a_carry_may_be_the_variable() -> None:
    x, W = gx.tensor("x", ("T", 4)), gx.tensor("W", (4, 4))

    def step(h: Any, item: Any) -> Any:
        h = gx.tanh(W @ h + item)
        return h, h

    _, hs = gx.scan(step, x, gx.tensor("h0", (4,)))
    hs = hs.named("H")
    d = derive(gx.sum(hs**2).named("L"), hs)
    assert d.text == "∂L/∂H = 2 H"
    assert d.where[0].text == "H = h[1:, :]"
    assert d.verify().ok
    assert derive(gx.sum(hs**2).named("L"), W).where[2].text == "Hₜ = tanh(zₜ), H₀ = h₀"


@pytest.mark.parametrize(
    ("reverse", "before", "begins"),
    [(False, "h\u0304ₜ₊₁ ⊙ w{} for t < T", "h\u0304_T = 2 h_T"), (True, "h\u0304ₜ₋₁ ⊙ w{} for t > 1", "h\u0304₁ = 2 h₁")],
)
def test_the_last_state_gives_its_adjoint_a_starting_value(reverse: bool, before: str, begins: str) -> None:
    x, w = gx.tensor("x", ("T", 3)), gx.tensor("w", (3,))
    last, every = gx.scan(lambda h, item: ((w * h + item).named("h"),) * 2, x, gx.tensor("s", (3,)), reverse=reverse)
    for loss, more in ((gx.sum(last**2), ""), (gx.sum(last**2) + gx.sum(every), " + 1")):
        d = derive(loss.named("L"), w)
        assert d.where[0].text == f"h\u0304ₜ = ∂L/∂hₜ = {before.format(more)}, {begins}{more}"
        assert d.verify().ok
