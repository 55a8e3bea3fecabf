"""A variational autoencoder: the noise of the reparametrisation, and the divergence as a loss that the model adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import STEPS, Lesson, drawn, first_gradients, train_beside_torch

N, D, H, CODE = 12, 6, 8, 2


def autoencoder(noise: Any) -> tuple[gx.Model, list[gx.Tensor], gx.Tensor]:
    """The model, its inputs, and the whole loss."""
    x = gx.tensor("x", ("n", D))
    h = gx.layers.Dense(H, activation="tanh", name="hidden")(x)
    mean, logvar = gx.layers.Dense(CODE, name="mean")(h), gx.layers.Dense(CODE, name="logvar")(h)
    eps = noise((x.shape[0], CODE))
    code = mean + gx.exp(0.5 * logvar) * eps
    z = gx.layers.Dense(H, activation="tanh", name="decode")(code)
    out = gx.layers.Dense(D, name="out")(z)
    inputs = [x, eps] if eps.kind == "input" else [x]
    model = gx.Model(inputs, out)
    divergence = -0.5 * gx.mean(gx.sum(1 + logvar - mean**2 - gx.exp(logvar), axis=1))
    model.add_loss(divergence)
    return model, inputs, gx.mean((out - x) ** 2) + divergence


def lesson() -> Lesson:
    _, (x, eps), loss = autoencoder(lambda shape: gx.tensor("eps", shape))
    rng = np.random.default_rng(0)
    return Lesson([loss], {x: rng.normal(size=(N, D)), eps: rng.normal(size=(N, CODE))}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    def dense(name: str, x: Any) -> Any:
        return x @ t[f"{name}/kernel"] + t[f"{name}/bias"]

    h = torch.tanh(dense("hidden", t["x"]))
    mean, logvar = dense("mean", h), dense("logvar", h)
    code = mean + torch.exp(0.5 * logvar) * t["eps"]
    out = dense("out", torch.tanh(dense("decode", code)))
    divergence = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(1).mean()
    return ((out - t["x"]) ** 2).mean() + divergence


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(lesson())


@pytest.mark.parity
def test_twenty_steps_give_pytorchs_losses() -> None:
    losses = train_beside_torch(lesson())
    assert losses[-1] < losses[0]


def test_fit_counts_the_added_loss() -> None:
    """The same 20 full batches by ``model.fit``: the history is the loss with its divergence."""
    data = lesson().data
    x, eps = data.values()
    model, _, loss = autoencoder(lambda shape: gx.tensor("eps", shape))
    model.compile(optimizer=gx.optimizers.Adam(0.01), loss="mse")
    leaves = gx.leaves(loss)
    values = {leaves["x"]: x, leaves["eps"]: eps}
    before = float(gx.evaluate(loss, values))
    history = model.fit([x, eps], x, batch_size=N, epochs=STEPS, shuffle=False, verbose=0)
    assert np.isclose(history.history["loss"][0], before, rtol=1e-4)
    assert history.history["loss"][-1] < before
    assert np.isclose(model.evaluate([x, eps], x, verbose=0), float(gx.evaluate(loss, values)), rtol=1e-4)


def test_with_its_own_noise_it_trains_too() -> None:
    model, _, _ = autoencoder(gx.random.normal)
    x = np.random.default_rng(0).normal(size=(64, 2)) @ np.random.default_rng(1).normal(size=(2, D))
    model.compile(optimizer=gx.optimizers.Adam(0.02), loss="mse")
    history = model.fit(x, x, batch_size=16, epochs=40, seed=0, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] < 0.8 * history[0]
    again, _, _ = autoencoder(gx.random.normal)
    again.compile(optimizer=gx.optimizers.Adam(0.02), loss="mse")
    assert again.fit(x, x, batch_size=16, epochs=40, seed=0, verbose=0).history["loss"] == history


def test_it_is_drawn() -> None:
    drawn(*lesson().losses)
