"""Layers called by the step of a recurrence belong to the model like all others: names, weights, penalties, files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx

T, D, H = 5, 3, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, T, D))
Y = X.sum((1, 2))[:, None]


def recurrent(rate: float = 0.0, **options: Any) -> gx.Model:
    x = gx.layers.Input((T, D))
    items, states, drop = gx.layers.Dense(H, use_bias=False, **options), gx.layers.Dense(H), gx.layers.Dropout(rate)

    def step(h: gx.Tensor, item: gx.Tensor) -> Any:
        h = gx.tanh(items(drop(item)) + states(h))
        return h, h

    last, _ = gx.scan(step, gx.swapaxes(x, 0, 1), gx.broadcast_to(0.0, (x.shape[0], H)))
    return gx.Model(x, gx.layers.Dense(1)(last))


def test_names_and_weights() -> None:
    model = recurrent()
    assert [layer.name for layer in model.layers] == ["dropout", "dense", "dense_1", "dense_2"]
    assert [w.name for w in model.weights] == ["dense/kernel", "dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"]
    assert "dense_1/bias" in gx.leaves(model.outputs[0])
    assert gx.draw(model).svg


def test_it_learns_and_is_saved(tmp_path: Any) -> None:
    model = recurrent(rate=0.1)
    model.compile(optimizer=gx.optimizers.Adam(0.02), loss="mse")
    losses = model.fit(X, Y, batch_size=10, epochs=30, verbose=0, seed=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.fit(X, Y, epochs=1, verbose=0).history == model.fit(X, Y, epochs=1, verbose=0).history


def test_a_penalty_on_a_weight_counts() -> None:
    model = recurrent(kernel_regularizer=gx.regularizers.L2(0.5))
    model.compile(optimizer="sgd", loss="mse")
    model.make_weights(0)
    kernel = model.get_layer("dense").kernel.value
    plain = float(np.mean((model.predict(X) - Y) ** 2))
    assert np.isclose(model.evaluate(X, Y, verbose=0), plain + 0.5 * float((kernel**2).sum()), rtol=1e-5)


def test_a_term_of_one_iteration_is_refused() -> None:
    model = recurrent(activity_regularizer="l2")
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(gx.DeclarationError, match=r"dense adds a term to the loss where it is called within a gx\.scan"):
        model.fit(X, Y, verbose=0)
