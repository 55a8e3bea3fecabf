"""Copies of models and compiled functions: memory, parameters and states of their own, and the same numbers."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx

L = gx.layers
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 6, 4)), RNG.integers(0, 3, 20)
HOW: dict[str, Callable[[Any], Any]] = {"deepcopy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m))}
NETS: dict[str, Callable[[], list[Any]]] = {
    "recurrent": lambda: [L.LSTM(5, return_sequences=True), L.Bidirectional(L.GRU(3)), L.Dropout(0.2)],
    "convolution": lambda: [L.Conv1D(4, 3, activation="relu", kernel_regularizer="l2"), L.BatchNormalization(), L.GlobalAveragePooling1D()],
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("net", NETS)
def test_a_copy_of_a_trained_model_goes_on_by_itself(net: str, how: str) -> None:
    model = gx.Sequential([*NETS[net](), L.Dense(3, activation="softmax")])
    rate = gx.schedules.ExponentialDecay(0.01, 10, 0.9)
    model.compile(gx.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X, Y, verbose=0)
    model.graph = "an attribute of the user's"
    other = HOW[how](model)
    assert other.graph == model.graph
    before = model.predict(X)
    np.testing.assert_array_equal(other.predict(X), before)
    other.fit(X, Y, verbose=0, epochs=2)
    np.testing.assert_array_equal(model.predict(X), before)
    model.fit(X, Y, verbose=0, epochs=2)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert not np.array_equal(model.predict(X), before)
    assert HOW[how](history).history == history.history


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("how", HOW)
def test_a_copy_of_a_compiled_function_counts_for_itself(how: str, target: str) -> None:
    c = gx.state("c", (), init=0.0)
    f = gx.compile(gx.assign(c, c + 1.0), target=target)
    f()
    g = HOW[how](f)
    assert [float(g()), float(g()), float(f()), float(g())] == [2.0, 3.0, 2.0, 4.0]
    assert (float(c.value), g.step, f.step) == (2.0, 4, 2)


def test_a_copy_outlives_what_it_was_made_of() -> None:
    w, x = gx.parameter("w", (400, 400), init=1.0), gx.tensor("x", ("n", 400))
    f = gx.compile(x @ w)
    f(np.ones((3, 400)))
    g = copy.deepcopy(f)
    del f, w, x
    gc.collect()
    others = [np.full((400, 400), 7.0, np.float32) for _ in range(20)]
    np.testing.assert_array_equal(g(np.ones((3, 400))), np.full((3, 400), 400.0))
    assert len(others) == 20


@pytest.mark.parametrize("how", HOW)
def test_no_depth_is_too_much(how: str) -> None:
    model = gx.Sequential([L.Dense(4, activation="tanh") for _ in range(80)])
    model.compile("sgd", "mse")
    data = RNG.normal(size=(8, 4))
    model.fit(data, data, verbose=0)
    other = HOW[how](model)
    np.testing.assert_array_equal(other.predict(data), model.predict(data))
    x = gx.tensor("x", ("n", 4))
    f = gx.compile(gx.grad(gx.sum(model(x)), x))
    np.testing.assert_array_equal(HOW[how](f)(data), f(data))
