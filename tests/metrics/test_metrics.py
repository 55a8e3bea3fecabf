"""Each metric against its definition in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import metrics as M
from graphc.errors import DeclarationError

rng = np.random.default_rng(5)
SCORES = rng.uniform(size=(40, 7))
LABELS = rng.integers(0, 7, 40)
ONE_HOT = np.eye(7)[LABELS]
BITS, P = rng.integers(0, 2, 40), rng.uniform(size=40)
FIRED = P > 0.5
RANK = (SCORES[np.arange(40), LABELS][:, None] < SCORES).sum(1)
RIGHT = (BITS == 1) & FIRED
PRECISION, RECALL = RIGHT.sum() / FIRED.sum(), RIGHT.sum() / BITS.sum()

ROWS = {
    "accuracy binary": (M.accuracy, BITS, P, np.mean(FIRED == BITS)),
    "accuracy binary column": (M.accuracy, BITS, P[:, None], np.mean(FIRED == BITS)),
    "accuracy sparse": (M.accuracy, LABELS, SCORES, np.mean(SCORES.argmax(1) == LABELS)),
    "accuracy sparse column": (M.accuracy, LABELS[:, None], SCORES, np.mean(SCORES.argmax(1) == LABELS)),
    "accuracy one-hot": (M.accuracy, ONE_HOT, SCORES, np.mean(SCORES.argmax(1) == LABELS)),
    "binary threshold": (M.BinaryAccuracy(threshold=0.8), BITS, P, np.mean((P > 0.8) == BITS)),
    "binary multi-label": (M.binary_accuracy, ONE_HOT, SCORES, np.mean((SCORES > 0.5) == ONE_HOT)),
    "categorical": (M.categorical_accuracy, ONE_HOT, SCORES, np.mean(SCORES.argmax(1) == LABELS)),
    "sparse": (M.sparse_categorical_accuracy, LABELS, SCORES, np.mean(SCORES.argmax(1) == LABELS)),
    "top 5": (M.top_k_categorical_accuracy, ONE_HOT, SCORES, np.mean(RANK < 5)),
    "top 2": (M.TopKCategoricalAccuracy(k=2), ONE_HOT, SCORES, np.mean(RANK < 2)),
    "sparse top 5": (M.sparse_top_k_categorical_accuracy, LABELS, SCORES, np.mean(RANK < 5)),
    "precision": (M.precision, BITS, P, PRECISION),
    "recall": (M.recall, BITS, P, RECALL),
    "recall 0.2": (M.Recall(thresholds=0.2), BITS, P, (BITS * (P > 0.2)).sum() / BITS.sum()),
    "f1": (M.f1, BITS, P, 2 * PRECISION * RECALL / (PRECISION + RECALL)),
    "precision of none": (M.precision, [0, 1], [0.1, 0.2], 0.0),
    "mse": (M.mse, BITS, P, np.mean((BITS - P) ** 2)),
    "mae": (M.mae, BITS, P, np.mean(np.abs(BITS - P))),
    "rmse": (M.rmse, BITS, P, np.sqrt(np.mean((BITS - P) ** 2))),
}


@pytest.mark.parametrize("row", ROWS)
def test_value(row):
    metric, y, p, expected = ROWS[row]
    found = metric(y, p)
    assert isinstance(found, float)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    t, q = gx.tensor("t", np.shape(y), dtype="int"), gx.tensor("q", np.shape(p))
    np.testing.assert_allclose(gx.evaluate(metric(t, q), {t: np.asarray(y, dtype=int), q: p}), expected, rtol=1e-12)


def test_weights_count():
    w = rng.uniform(size=40)
    np.testing.assert_allclose(M.accuracy(BITS, P, w), np.average(FIRED == BITS, weights=w), rtol=1e-12)


def test_names():
    assert M.get("acc").name == "acc"
    assert M.get("rmse").name == "rmse"
    assert M.get(M.Precision).name == "precision"
    assert M.get(M.RootMeanSquaredError()).name == "root_mean_squared_error"
    assert M.get(gx.losses.mse if hasattr(gx, "losses") else M.mse).name == "mean_squared_error"

    def bias(y_true, y_pred):
        return y_pred - y_true

    assert M.get(bias).name == "bias"
    np.testing.assert_allclose(M.get(bias)(BITS, P), np.mean(P - BITS), rtol=1e-12)
    with pytest.raises(DeclarationError, match=r"'acuracy' is unknown.*accuracy"):
        M.get("acuracy")


def test_settings_may_be_numbers_of_numpy():
    for metric in (M.BinaryAccuracy, M.Precision, M.Recall):
        assert metric(np.float32(0.25))(BITS, P) == metric(0.25)(BITS, P)
    assert M.TopKCategoricalAccuracy(np.int64(2))([[0, 1, 0]], [[0.5, 0.3, 0.2]]) == 1.0
