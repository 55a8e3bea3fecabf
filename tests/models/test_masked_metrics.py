"""Metrics of sequences of unequal lengths: entries that a mask leaves out count for nothing, in whatever batch they fall."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc import models as M

X = np.array([[1, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0], [3, 3, 0, 0], [4, 1, 2, 0]])
SEEN = X > 0
W = np.array([2.0, 1.0, 5.0, 0.0, 3.0])


def model(units, loss, metrics):
    ids = K.Input((None,), dtype="int", name="ids")
    made = M.Model(ids, K.Dense(units, activation="softmax" if units > 1 else "sigmoid")(K.Embedding(5, 4, mask_zero=True)(ids)))
    made.compile("sgd", loss, metrics=metrics)
    return made


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
@pytest.mark.parametrize("weights", [None, W])
def test_accuracy_is_that_of_the_entries_seen(batch_size, weights):
    made = model(3, "sparse_categorical_crossentropy", ["accuracy"])
    answers = made.predict(X).argmax(-1)
    labels = np.where(np.arange(20).reshape(5, 4) % 3 == 0, (answers + 1) % 3, answers)
    hits, counts = (labels == answers) & SEEN, SEEN * (1.0 if weights is None else weights[:, None])
    found = made.evaluate(X, labels, batch_size=batch_size, sample_weight=weights, verbose=0)[1]
    assert found == pytest.approx((hits * counts).sum() / counts.sum(), rel=1e-6)
    trained = made.fit(X, labels, batch_size=batch_size, epochs=1, sample_weight=weights, verbose=0, shuffle=False).history["accuracy"][0]
    if batch_size == 5:
        assert trained == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("weights", [None, W])
def test_precision_is_a_ratio_of_sums_over_all_batches(weights, tmp_path):
    made = model(1, "binary_crossentropy", [gx.metrics.Precision(0.5), "mae"])
    answers = made.predict(X)[..., 0]
    labels = (np.arange(20).reshape(5, 4) % 3 > 0).astype(float)
    counts = SEEN * (1.0 if weights is None else weights[:, None])
    positive = answers > 0.5
    wanted = [(positive * labels * counts).sum() / (positive * counts).sum(), (abs(answers - labels) * counts).sum() / counts.sum()]
    made.save(tmp_path / "m.graphc")
    for one in (made, gx.load_model(tmp_path / "m.graphc")):
        for batch_size in (1, 2, 5):
            found = one.evaluate(X, labels[..., None], batch_size=batch_size, sample_weight=weights, verbose=0)[1:]
            np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_batches_with_and_without_weights():
    made = model(3, "sparse_categorical_crossentropy", ["accuracy"])
    labels = np.where(np.arange(20).reshape(5, 4) % 3 == 0, 0, made.predict(X).argmax(-1))
    weights = np.array([2.0, 3.0, 1.0, 1.0, 1.0])
    batches = [(X[:2], labels[:2], weights[:2]), (X[2:], labels[2:])]
    for given in (batches, batches[::-1]):
        found = made.evaluate(given, verbose=0)
        assert found[1] == pytest.approx(made.evaluate(X, labels, sample_weight=weights, verbose=0)[1], rel=1e-6)
