"""The course's run: the breast-cancer data, 30-30-15-1 with dropout and early stopping."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.callbacks import EarlyStopping
from graphc.layers import Dense, Dropout
from graphc.models import Sequential


def run(seed):
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_breast_cancer(return_X_y=True)
    held = np.random.default_rng(42).permutation(len(x))[:143]
    kept = np.setdiff1d(np.arange(len(x)), held)
    mean, deviation = x[kept].mean(0), x[kept].std(0)
    x = (x - mean) / deviation
    model = Sequential([Dense(30, activation="relu"), Dropout(0.5), Dense(15, activation="relu"), Dropout(0.5), Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x=x[kept], y=y[kept], epochs=600, validation_data=(x[held], y[held]), callbacks=[EarlyStopping(patience=25)], seed=seed, verbose=0
    )
    return history, model


def test_it_learns_and_stops_and_repeats():
    history, model = run(0)
    assert history.final["val_loss"] <= 0.11
    assert history.final["val_accuracy"] >= 0.95
    assert len(history.epoch) < 600
    assert history.final["val_loss"] == pytest.approx(min(history.history["val_loss"]), rel=1e-6)
    again, other = run(0)
    assert again.history == history.history
    assert again.final == history.final
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
