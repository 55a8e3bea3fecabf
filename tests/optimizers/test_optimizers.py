"""Each optimizer for 20 steps: against PyTorch where it has the same rule, and against Keras 3's rule in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import optimizers as O
from graphc import schedules as S
from graphc.errors import DeclarationError

STEPS = 20
rng = np.random.default_rng(11)
START = rng.normal(size=(3, 2))
A, B = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))


def problem():
    """A loss that is not quadratic, so that gradients change in size and sign."""
    W = gx.parameter("W", (3, 2), init=START)
    return W, gx.mean(gx.tanh(gx.constant(A) @ W - gx.constant(B)) ** 2)


def gradient(W):
    t = np.tanh(A @ W - B)
    return A.T @ (2 * t * (1 - t**2)) / t.size


def ours(optimizer, steps=STEPS):
    W, loss = problem()
    updates = optimizer.updates(loss, [W])
    for _ in range(steps):
        news = gx.evaluate(updates, {})
        for assign, new in zip(updates, news, strict=True):
            assign.inputs[0].value = new
    return W.value


def keras(step, steps=STEPS, **first):
    """Run a transcription of Keras's rule: ``step(W, g, t, s)`` with the states in ``s``."""
    W, s = START.copy(), {k: np.zeros_like(START) + v for k, v in first.items()}
    for t in range(1, steps + 1):
        W = step(W, gradient(W), t, s)
    return W


def sgd_momentum(W, g, t, s, lr=0.1, momentum=0.9, nesterov=False):
    s["v"] = momentum * s["v"] - lr * g
    return W + (momentum * s["v"] - lr * g if nesterov else s["v"])


def rmsprop(W, g, t, s, lr=0.01, rho=0.9, momentum=0.0, centered=False, eps=1e-7):
    s["v"] = rho * s["v"] + (1 - rho) * g * g
    spread = s["v"]
    if centered:
        s["a"] = rho * s["a"] + (1 - rho) * g
        spread = spread - s["a"] ** 2
    step = lr * g / np.sqrt(spread + eps)
    s["b"] = momentum * s["b"] + step
    return W - s["b"]


def adam(W, g, t, s, lr=0.01, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False, decay=0.0):
    W = W - W * decay * lr
    alpha = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
    s["m"] = s["m"] + (g - s["m"]) * (1 - b1)
    s["v"] = s["v"] + (g * g - s["v"]) * (1 - b2)
    s["h"] = np.maximum(s["h"], s["v"])
    return W - s["m"] * alpha / (np.sqrt(s["h"] if amsgrad else s["v"]) + eps)


def adagrad(W, g, t, s, lr=0.1):
    s["a"] = s["a"] + g * g
    return W - lr * g / np.sqrt(s["a"] + 1e-7)


def adadelta(W, g, t, s, lr=1.0, rho=0.95):
    s["g"] = rho * s["g"] + (1 - rho) * g * g
    delta = -np.sqrt(s["d"] + 1e-7) * g / np.sqrt(s["g"] + 1e-7)
    s["d"] = rho * s["d"] + (1 - rho) * delta * delta
    return W + lr * delta


def adamax(W, g, t, s, lr=0.01):
    s["m"] = s["m"] + (g - s["m"]) * 0.1
    s["u"] = np.maximum(0.999 * s["u"], np.abs(g))
    return W - lr * s["m"] / ((1 - 0.9**t) * (s["u"] + 1e-7))


def nadam(W, g, t, s, lr=0.01):
    u, u1 = 0.9 * (1 - 0.5 * 0.96**t), 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
    s["p"] = s["p"] * u
    s["m"] = s["m"] + (g - s["m"]) * 0.1
    s["v"] = s["v"] + (g * g - s["v"]) * 0.001
    m = u1 * s["m"] / (1 - s["p"] * u1) + (1 - u) * g / (1 - s["p"])
    return W - m * lr / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def lion(W, g, t, s, lr=0.01):
    new = W - lr * np.sign(0.9 * s["m"] + 0.1 * g)
    s["m"] = 0.99 * s["m"] + 0.01 * g
    return new


ZEROS = {"m": 0, "v": 0, "h": 0, "a": 0, "b": 0, "g": 0, "d": 0, "u": 0}
KERAS = {
    "sgd": (O.SGD(0.1), lambda W, g, t, s: W - 0.1 * g, ZEROS),
    "sgd default": (O.SGD(), lambda W, g, t, s: W - 0.01 * g, ZEROS),
    "sgd momentum": (O.SGD(0.1, momentum=0.9), sgd_momentum, ZEROS),
    "sgd nesterov": (O.SGD(0.1, momentum=0.9, nesterov=True), lambda *a: sgd_momentum(*a, nesterov=True), ZEROS),
    "rmsprop": (O.RMSprop(0.01), rmsprop, ZEROS),
    "rmsprop momentum": (O.RMSprop(0.01, momentum=0.5), lambda *a: rmsprop(*a, momentum=0.5), ZEROS),
    "rmsprop centered": (O.RMSprop(0.01, centered=True), lambda *a: rmsprop(*a, centered=True), ZEROS),
    "adam": (O.Adam(0.01), adam, ZEROS),
    "adam default": (O.Adam(), lambda *a: adam(*a, lr=0.001), ZEROS),
    "adam options": (O.Adam(0.05, beta_1=0.8, beta_2=0.9, epsilon=1e-3), lambda *a: adam(*a, lr=0.05, b1=0.8, b2=0.9, eps=1e-3), ZEROS),
    "adam amsgrad": (O.Adam(0.3, beta_2=0.5, amsgrad=True), lambda *a: adam(*a, lr=0.3, b2=0.5, amsgrad=True), ZEROS),
    "adam decay": (O.Adam(0.01, weight_decay=0.1), lambda *a: adam(*a, decay=0.1), ZEROS),
    "adamw": (O.AdamW(0.01), lambda *a: adam(*a, decay=0.004), ZEROS),
    "adagrad": (O.Adagrad(0.1), adagrad, ZEROS | {"a": 0.1}),
    "adadelta": (O.Adadelta(1.0), adadelta, ZEROS),
    "adamax": (O.Adamax(0.01), adamax, ZEROS),
    "nadam": (O.Nadam(0.01), nadam, ZEROS | {"p": 1.0}),
    "lion": (O.Lion(0.01), lion, ZEROS),
    "clipvalue": (O.SGD(1.0, clipvalue=0.02), lambda W, g, t, s: W - np.clip(g, -0.02, 0.02), ZEROS),
    "clipnorm": (O.SGD(1.0, clipnorm=0.05), lambda W, g, t, s: W - g * min(1, 0.05 / np.linalg.norm(g)), ZEROS),
    "clipnorm wide": (O.SGD(1.0, clipnorm=50.0), lambda W, g, t, s: W - g, ZEROS),
    "maximize": (O.SGD(0.1, maximize=True), lambda W, g, t, s: W + 0.1 * g, ZEROS),
    "schedule": (O.SGD(S.ExponentialDecay(0.5, 10, 0.5)), lambda W, g, t, s: W - 0.5 * 0.5 ** ((t - 1) / 10) * g, ZEROS),
    "schedule function": (O.SGD(lambda step: 0.5 / (1 + step)), lambda W, g, t, s: W - 0.5 / t * g, ZEROS),
    "rule": (
        O.rule(lambda p, g, s, t, lr: (p - lr * (0.9 * s["m"] + g) / t, {"m": 0.9 * s["m"] + g}), state={"m": 0.0}, learning_rate=0.1),
        lambda W, g, t, s: (s.update(m=0.9 * s["m"] + g), W - 0.1 * s["m"] / t)[1],
        ZEROS,
    ),
}


@pytest.mark.parametrize("row", KERAS)
def test_rule_of_keras(row):
    optimizer, step, first = KERAS[row]
    np.testing.assert_allclose(ours(optimizer), keras(step, **first), rtol=1e-9)
    assert optimizer.iterations == STEPS


TORCH = {
    "sgd": (O.SGD(0.1), "SGD", {"lr": 0.1}),
    "sgd nesterov": (O.SGD(0.1, momentum=0.9, nesterov=True), "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd dampening": (O.SGD(0.1, momentum=0.9, dampening=0.9), "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9}),
    "sgd decay": (O.SGD(0.1, momentum=0.9, weight_decay=0.1, decoupled_weight_decay=False), "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    "adam": (O.Adam(0.01, epsilon=1e-3, epsilon_after_correction=True), "Adam", {"lr": 0.01, "eps": 1e-3}),
    "adam amsgrad": (
        O.Adam(0.3, beta_2=0.5, amsgrad=True, epsilon_after_correction=True, epsilon=1e-8), "Adam", {"lr": 0.3, "betas": (0.9, 0.5), "amsgrad": True},
    ),
    "adam decay": (
        O.Adam(0.01, weight_decay=0.1, decoupled_weight_decay=False, epsilon=1e-8, epsilon_after_correction=True), "Adam",
        {"lr": 0.01, "weight_decay": 0.1},
    ),
    "adam decay, maximize": (
        O.Adam(0.01, weight_decay=0.1, decoupled_weight_decay=False, epsilon=1e-8, epsilon_after_correction=True, maximize=True), "Adam",
        {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
    ),
    "adamw": (
        O.AdamW(0.01, weight_decay=0.1, epsilon=1e-8, epsilon_after_correction=True), "AdamW", {"lr": 0.01, "weight_decay": 0.1},
    ),
    "rmsprop": (
        O.RMSprop(0.01, rho=0.99, epsilon=1e-3, epsilon_outside_root=True, momentum=0.5, centered=True), "RMSprop",
        {"lr": 0.01, "alpha": 0.99, "eps": 1e-3, "momentum": 0.5, "centered": True},
    ),
    "adagrad": (
        O.Adagrad(0.1, initial_accumulator_value=0.0, epsilon=1e-10, epsilon_outside_root=True, learning_rate_decay=0.1), "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1},
    ),
    "adadelta": (O.Adadelta(1.0, rho=0.9, epsilon=1e-6), "Adadelta", {"lr": 1.0}),
    "adamax": (O.Adamax(0.01, epsilon=1e-3, epsilon_in_norm=True), "Adamax", {"lr": 0.01, "eps": 1e-3}),
    "nadam": (O.Nadam(0.01, epsilon=1e-8, momentum_decay=4e-3), "NAdam", {"lr": 0.01}),
}  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("row", TORCH)
def test_rule_of_torch(row):
    torch = pytest.importorskip("torch")
    optimizer, name, options = TORCH[row]
    W = torch.tensor(START, requires_grad=True)
    theirs = getattr(torch.optim, name)([W], **options)
    for _ in range(STEPS):
        theirs.zero_grad()
        ((torch.tensor(A) @ W - torch.tensor(B)).tanh() ** 2).mean().backward()
        theirs.step()
    np.testing.assert_allclose(ours(optimizer), W.detach().numpy(), rtol=1e-7)


def test_global_clipping_scales_all_gradients_together():
    a, b = gx.parameter("a", (2,), init=[3.0, 0.0]), gx.parameter("b", (), init=4.0)
    updates = O.SGD(1.0, global_clipnorm=1.0).updates(gx.sum(a**2) / 2 + b**2 / 2, [a, b])
    new_a, new_b = gx.evaluate(updates, {})[:2]
    np.testing.assert_allclose(new_a, [3 - 0.6, 0.0])
    np.testing.assert_allclose(new_b, 4 - 0.8)


def test_clipping_at_a_zero_gradient_is_no_nan():
    a = gx.parameter("a", (2,), init=[0.0, 0.0])
    np.testing.assert_array_equal(gx.evaluate(O.SGD(1.0, clipnorm=1.0).updates(gx.sum(a**2), a), {})[0], [0.0, 0.0])


def test_weight_decay_leaves_out_what_it_is_told_to():
    kernel, bias, gain = (gx.parameter(n, (), init=1.0) for n in ("layer/kernel", "layer/bias", "gain"))
    optimizer = O.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[gain], var_names=["bias"])
    loss = 0 * (kernel + bias + gain)
    news = gx.evaluate(optimizer.updates(loss, [kernel, bias, gain]), {})
    assert [float(news[k]) for k in (0, 3, 6)] == pytest.approx([0.95, 1.0, 1.0])


def test_a_rate_may_change_between_steps():
    optimizer = O.SGD(0.1)
    W, loss = problem()
    updates = optimizer.updates(loss, W)
    first = gx.evaluate(updates, {})[0]
    optimizer.learning_rate = 0.2
    np.testing.assert_allclose(gx.evaluate(updates, {})[0] - START, 2 * (first - START))
    assert optimizer.learning_rate == 0.2


def test_two_lists_of_updates_stand_beside_each_other():
    a, b = gx.parameter("a", (), init=1.0), gx.parameter("b", (), init=1.0)
    updates = [*O.Adam(0.1).updates(a**2, a), *O.Adam(0.1).updates(b**2, b)]
    assert len(gx.leaves(updates)) == 10
    gx.evaluate(updates, {})


def test_states_and_their_names():
    optimizer = O.Adam(0.1)
    W, loss = problem()
    updates = optimizer.updates(loss, [W])
    assert [t.name for t in optimizer.variables] == ["adam/W/step", "adam/W/learning_rate", "adam/W/momentum", "adam/W/velocity"]
    again = optimizer.updates(loss * 2, [W])
    assert [t.inputs[0] for t in again] == [t.inputs[0] for t in updates]


def test_a_loss_of_several_entries_is_averaged():
    W, loss = problem()
    entries = gx.tanh(gx.constant(A) @ W - gx.constant(B)) ** 2
    np.testing.assert_allclose(gx.evaluate(O.SGD(0.1).updates(entries, W), {})[0], gx.evaluate(O.SGD(0.1).updates(loss, W), {})[0])


def test_errors():
    W, loss = problem()
    with pytest.raises(DeclarationError, match=r"'adamm' is unknown.*adam"):
        O.get("adamm")
    with pytest.raises(DeclarationError, match=r"only one of them can clip"):
        O.SGD(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(DeclarationError, match=r"x\(3,\) is no parameter"):
        O.SGD().updates(loss, [gx.tensor("x", (3,))])
    with pytest.raises(DeclarationError, match=r"neither a number nor a function"):
        O.SGD("fast")
    with pytest.raises(DeclarationError, match=r"returns the states"):
        O.rule(lambda p, g, s, t, lr: (p, {}), state={"m": 0.0}).updates(loss, W)
    with pytest.raises(DeclarationError, match=r"momentum=1.5"):
        O.SGD(momentum=1.5)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_a_rate_is_a_finite_number_of_0_or_more(rate):
    optimizer = O.SGD(0.0)
    with pytest.raises(DeclarationError, match=r"learning rate .*finite"):
        O.Adam(rate)
    with pytest.raises(DeclarationError, match=r"learning rate .*finite"):
        optimizer.learning_rate = rate
    assert optimizer.learning_rate == 0.0


@pytest.mark.parametrize("rate", [np.float32(0.25), np.float64(0.25), np.array(0.25), np.int64(2), 0.25])
def test_numbers_of_numpy_are_rates(rate: Any) -> None:
    optimizer = gx.optimizers.SGD(rate)
    assert optimizer.learning_rate == float(rate)
    optimizer.learning_rate = rate / 2
    assert optimizer.learning_rate == float(rate) / 2


NO_NUMBERS = [
    lambda: gx.optimizers.SGD(clipnorm="1"),
    lambda: gx.optimizers.AdamW(weight_decay="1"),
    lambda: gx.optimizers.Adam(beta_1="a"),
    lambda: gx.optimizers.SGD(momentum=None),
    lambda: gx.optimizers.SGD(True),
]


@pytest.mark.parametrize("make", NO_NUMBERS)
def test_settings_that_are_no_numbers_are_told(make: Any) -> None:
    with pytest.raises(gx.DeclarationError):
        make()


def test_names_without_decay_are_texts() -> None:
    optimizer = gx.optimizers.SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["W("])
    w, v = gx.parameter("W(", (2,), init=1.0), gx.parameter("V", (2,), init=1.0)
    gx.compile(optimizer.updates(0.0 * gx.sum(w * v), [w, v]))()
    np.testing.assert_array_equal(w.value, np.ones(2))
    np.testing.assert_array_equal(v.value, np.full(2, 0.5))
