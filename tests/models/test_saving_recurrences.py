"""Recurrences in model files and in models that are called: the body comes along, with its draws and its sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import FileFormatError
from tests.models.problems import rewritten

T, D, H = 5, 3, 4
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, T, D)), RNG.normal(size=(20, 1))


def lstm_model() -> gx.Model:
    x = gx.layers.Input((T, D))
    wx, wh, b = gx.parameter("wx", (D, 4 * H)), gx.parameter("wh", (H, 4 * H)), gx.parameter("b", (4 * H,), init=0.0)

    def step(carry: Any, item: gx.Tensor) -> Any:
        h, c = carry
        i, f, g, o = gx.split(gx.nn.dropout(item, 0.2) @ wx + h @ wh + b, 4, axis=1)
        c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
        h = gx.sigmoid(o) * gx.tanh(c)
        return (h, c), h

    zero = gx.broadcast_to(0.0, (x.shape[0], H))
    (last, _), _ = gx.scan(step, gx.swapaxes(x, 0, 1), (zero, zero))
    made = gx.Model(x, gx.layers.Dense(1)(last))
    made.compile(optimizer="adam", loss="mse")
    return made


def nested_model() -> gx.Model:
    x = gx.layers.Input((T, D))
    w = gx.parameter("w", (D,))

    def outer(total: gx.Tensor, item: gx.Tensor) -> Any:
        last, _ = gx.scan(lambda c, v: (gx.tanh(c + v + total), c), gx.swapaxes(item * w, 0, 1), total, reverse=True)
        return last, last

    _, stacked = gx.scan(outer, gx.swapaxes(x, 0, 1), gx.broadcast_to(0.1, (x.shape[0],)))
    made = gx.Model(x, gx.layers.Dense(1)(stacked.T))
    made.compile(optimizer=gx.optimizers.SGD(0.1, momentum=0.9), loss="mse")
    return made


models = pytest.mark.parametrize("make", [lstm_model, nested_model])


@models
def test_training_goes_on_bit_for_bit(make: Any, tmp_path: Any) -> None:
    a = make()
    a.fit(X, Y, batch_size=8, epochs=2, seed=3, verbose=0)
    a.save(tmp_path / "m")
    b = gx.load_model(tmp_path / "m")
    assert np.array_equal(a.predict(X), b.predict(X))
    assert a.fit(X, Y, batch_size=8, epochs=2, verbose=0).history == b.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
    assert np.array_equal(a.predict(X), b.predict(X))
    a.save(tmp_path / "a")
    b.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@models
@pytest.mark.parametrize("batch", ["k", 7])
def test_a_model_with_a_recurrence_is_called_on_other_tensors(make: Any, batch: Any) -> None:
    model = make()
    model.make_weights(0)
    z = gx.tensor("z", (batch, T, D))
    y = gx.inference(model(2 * z))
    np.testing.assert_allclose(gx.evaluate(y, {z: X[:7]}), model.predict(2 * X[:7]), rtol=1e-5, atol=1e-6)
    if make is lstm_model:
        np.testing.assert_array_equal(gx.compile(y)(X[:7].astype(np.float32)), model.predict(2 * X[:7]))


def damaged(path: Any, change: Any) -> None:
    """The file with its scan changed."""
    rewritten(path, lambda content: change(next(n for n in content["nodes"] if n["op"] == "scan"), content["nodes"]))


DAMAGES = {
    "fewer parameters": lambda scan, _: scan["parameters"].pop(),
    "too many carries": lambda scan, _: scan.update(carries=99),
    "a negative count": lambda scan, _: scan.update(sequences=-1),
    "a parameter that is computed": lambda scan, _: scan["parameters"].__setitem__(0, scan["results"][0]),
    "results of another shape": lambda scan, _: scan["results"].reverse(),
    "a later node": lambda scan, nodes: scan["results"].__setitem__(0, [len(nodes) - 1, 0]),
    "no body": lambda scan, _: scan.pop("results"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_recurrence_is_told(damage: str, tmp_path: Any) -> None:
    x = gx.tensor("x", ("n", T))
    last, _ = gx.scan(lambda c, v: (c + gx.sum(v), v), gx.swapaxes(x, 0, 1), gx.broadcast_to(0.0, ()))
    gx.Model(x, x + last).save(tmp_path / "m")
    damaged(tmp_path / "m", lambda *_: None)
    gx.load_model(tmp_path / "m")
    damaged(tmp_path / "m", DAMAGES[damage])
    with pytest.raises(FileFormatError):
        gx.load_model(tmp_path / "m")


def test_an_abstract_function_is_not_saved(tmp_path: Any) -> None:
    x = gx.tensor("x", ("n", 3))
    model = gx.Model(x, gx.function("phi")(x))
    with pytest.raises(gx.DeclarationError, match="abstract function phi cannot be saved: give it a formula"):
        model.save(tmp_path / "m")
