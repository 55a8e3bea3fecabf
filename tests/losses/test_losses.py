"""Each loss against PyTorch or its formula in NumPy, with Keras's options."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import losses as L
from graphc.errors import DataError, DeclarationError, ShapeError

rng = np.random.default_rng(3)
Y, P = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
BITS, PROBABILITIES = rng.integers(0, 2, (5, 3)).astype(float), rng.uniform(0.02, 0.98, (5, 3))
SIGNS = BITS * 2 - 1
ROWS_SUM = PROBABILITIES / PROBABILITIES.sum(1, keepdims=True)
TARGET = rng.uniform(0.1, 1.0, (5, 3))
TARGET /= TARGET.sum(1, keepdims=True)
LABELS = np.array([0, 2, 1, 1, 0])
ONE_HOT = np.eye(3)[LABELS]


def log_softmax(z):
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def bce(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


E = np.abs(Y - P)
ROWS = {
    "mse": (L.mse, Y, P, np.mean((Y - P) ** 2)),
    "MSE": (L.MSE, Y, P, np.mean((Y - P) ** 2)),
    "mse class": (L.MeanSquaredError(), Y, P, np.mean((Y - P) ** 2)),
    "mse sum": (L.MeanSquaredError(reduction="sum"), Y, P, np.sum(np.mean((Y - P) ** 2, 1))),
    "mse none": (L.MeanSquaredError(reduction=None), Y, P, np.mean((Y - P) ** 2, 1)),
    "mse sum of a vector": (L.MeanSquaredError(reduction="sum"), Y[:, 0], P[:, 0], np.sum((Y - P)[:, 0] ** 2)),
    "mse sum of a column": (L.MeanSquaredError(reduction="sum"), Y[:, 0], P[:, :1], np.sum((Y - P)[:, 0] ** 2)),
    "mae": (L.mae, Y, P, np.mean(E)),
    "mape": (L.mape, Y, P, 100 * np.mean(E / np.abs(Y))),
    "msle": (L.msle, np.abs(Y), np.abs(P), np.mean((np.log1p(np.abs(Y)) - np.log1p(np.abs(P))) ** 2)),
    "huber": (L.huber, Y, P, np.mean(np.where(E <= 1, E**2 / 2, E - 0.5))),
    "huber delta": (L.Huber(delta=0.3), Y, P, np.mean(np.where(E <= 0.3, E**2 / 2, 0.3 * E - 0.045))),
    "log_cosh": (L.log_cosh, Y, P, np.mean(np.log(np.cosh(Y - P)))),
    "poisson": (L.Poisson(), np.abs(Y), np.abs(P), np.mean(np.abs(P) - np.abs(Y) * np.log(np.abs(P) + 1e-7))),
    "bce": (L.binary_crossentropy, BITS, PROBABILITIES, np.mean(bce(BITS, PROBABILITIES))),
    "bce class": (L.BinaryCrossentropy(), BITS, PROBABILITIES, np.mean(bce(BITS, PROBABILITIES))),
    "bce logits": (L.BinaryCrossentropy(from_logits=True), BITS, P, np.mean(bce(BITS, 1 / (1 + np.exp(-P))))),
    "bce smoothing": (L.BinaryCrossentropy(label_smoothing=0.2), BITS, PROBABILITIES, np.mean(bce(BITS * 0.8 + 0.1, PROBABILITIES))),
    "cce": (L.categorical_crossentropy, ONE_HOT, ROWS_SUM, np.mean(-np.sum(ONE_HOT * np.log(ROWS_SUM), 1))),
    "cce normalises": (L.categorical_crossentropy, ONE_HOT, PROBABILITIES, np.mean(-np.sum(ONE_HOT * np.log(ROWS_SUM), 1))),
    "cce axis": (L.CategoricalCrossentropy(axis=0), ONE_HOT.T, ROWS_SUM.T, np.mean(-np.sum(ONE_HOT * np.log(ROWS_SUM), 1))),
    "cce logits": (L.CategoricalCrossentropy(from_logits=True), ONE_HOT, P, np.mean(-np.sum(ONE_HOT * log_softmax(P), 1))),
    "cce smoothing": (
        L.CategoricalCrossentropy(label_smoothing=0.3), ONE_HOT, ROWS_SUM, np.mean(-np.sum((ONE_HOT * 0.7 + 0.1) * np.log(ROWS_SUM), 1)),
    ),
    "sparse": (L.sparse_categorical_crossentropy, LABELS, ROWS_SUM, np.mean(-np.log(ROWS_SUM[np.arange(5), LABELS]))),
    "sparse column": (L.SparseCategoricalCrossentropy(), LABELS[:, None], ROWS_SUM, np.mean(-np.log(ROWS_SUM[np.arange(5), LABELS]))),
    "sparse logits": (L.SparseCategoricalCrossentropy(from_logits=True), LABELS, P, np.mean(-log_softmax(P)[np.arange(5), LABELS])),
    "sparse sequence": (
        L.sparse_categorical_crossentropy, LABELS[:4].reshape(2, 2), ROWS_SUM[:4].reshape(2, 2, 3),
        np.mean(-np.log(ROWS_SUM[np.arange(4), LABELS[:4]])),
    ),
    "hinge": (L.Hinge(), SIGNS, P, np.mean(np.maximum(0, 1 - SIGNS * P))),
    "hinge 0 1": (L.hinge, BITS, P, np.mean(np.maximum(0, 1 - SIGNS * P))),
    "squared_hinge": (L.SquaredHinge(), SIGNS, P, np.mean(np.maximum(0, 1 - SIGNS * P) ** 2)),
    "categorical_hinge": (
        L.CategoricalHinge(), ONE_HOT, P, np.mean(np.maximum(0, ((1 - ONE_HOT) * P).max(1) - (ONE_HOT * P).sum(1) + 1)),
    ),
    "perceptron": (L.Perceptron(), BITS, P, np.mean(np.maximum(0, -SIGNS * P))),
    "kl": (L.KLDivergence(), TARGET, ROWS_SUM, np.mean(np.sum(TARGET * np.log(TARGET / ROWS_SUM), 1))),
    "column against vector": (L.mse, Y[:, 0], P[:, :1], np.mean((Y[:, 0] - P[:, 0]) ** 2)),
    "vector against column": (L.mse, Y[:, :1], P[:, 0], np.mean((Y[:, 0] - P[:, 0]) ** 2)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_value(row):
    loss, y, p, expected = ROWS[row]
    found = loss(y, p)
    assert isinstance(found, float) or row == "mse none"
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if np.asarray(y).dtype.kind == "f":  # the same from tensors
        t, q = gx.tensor("t", np.shape(y)), gx.tensor("q", np.shape(p))
        np.testing.assert_allclose(gx.evaluate(loss(t, q), {t: y, q: p}), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_certain_probabilities_given_as_data_are_finite_as_in_keras(y, p):
    q = np.clip(p, 1e-7, 1 - 1e-7)
    np.testing.assert_allclose(L.binary_crossentropy([y], [p]), bce(y, q), rtol=1e-9)
    t, x = gx.tensor("t", (1,)), gx.tensor("x", (1,))
    loss = L.binary_crossentropy(t, x)
    assert np.isfinite(gx.evaluate([loss, gx.grad(loss, x)], {t: [y], x: [p]})[0])
    assert np.isfinite(L.categorical_crossentropy([[y, 1 - y]], [[p, 1 - p]]))


def test_sample_weights_scale_each_sample():
    w = np.array([0.0, 1.0, 2.0, 0.5, 1.0])
    np.testing.assert_allclose(L.MeanSquaredError()(Y, P, w), np.mean((Y - P) ** 2 * w[:, None]), rtol=1e-12)


PER_SAMPLE = {
    "mse": (L.MeanSquaredError, Y, P, np.mean((Y - P) ** 2, 1)),
    "mae": (L.MeanAbsoluteError, Y, P, np.mean(E, 1)),
    "mape": (L.MeanAbsolutePercentageError, Y, P, 100 * np.mean(E / np.abs(Y), 1)),
    "msle": (L.MeanSquaredLogarithmicError, np.abs(Y), np.abs(P), np.mean((np.log1p(np.abs(Y)) - np.log1p(np.abs(P))) ** 2, 1)),
    "huber": (L.Huber, Y, P, np.mean(np.where(E <= 1, E**2 / 2, E - 0.5), 1)),
    "log_cosh": (L.LogCosh, Y, P, np.mean(np.log(np.cosh(Y - P)), 1)),
    "poisson": (L.Poisson, np.abs(Y), np.abs(P), np.mean(np.abs(P) - np.abs(Y) * np.log(np.abs(P) + 1e-7), 1)),
    "bce": (L.BinaryCrossentropy, BITS, PROBABILITIES, np.mean(bce(BITS, PROBABILITIES), 1)),
    "hinge": (L.Hinge, SIGNS, P, np.mean(np.maximum(0, 1 - SIGNS * P), 1)),
    "squared_hinge": (L.SquaredHinge, SIGNS, P, np.mean(np.maximum(0, 1 - SIGNS * P) ** 2, 1)),
    "perceptron": (L.Perceptron, SIGNS, P, np.mean(np.maximum(0, -SIGNS * P), 1)),
    "categorical_hinge": (L.CategoricalHinge, ONE_HOT, P, np.maximum(0, ((1 - ONE_HOT) * P).max(1) - (ONE_HOT * P).sum(1) + 1)),
    "cce": (L.CategoricalCrossentropy, ONE_HOT, ROWS_SUM, -np.log(ROWS_SUM[np.arange(5), LABELS])),
    "sparse": (L.SparseCategoricalCrossentropy, LABELS, ROWS_SUM, -np.log(ROWS_SUM[np.arange(5), LABELS])),
    "kl": (L.KLDivergence, TARGET, ROWS_SUM, np.sum(TARGET * np.log(TARGET / ROWS_SUM), 1)),
}
W = np.array([0.0, 1.0, 2.0, 0.5, 1.0])
REDUCED = {
    "none": (lambda e: e, lambda e: e * W),
    "sum": (np.sum, lambda e: np.sum(e * W)),
    "mean": (np.mean, lambda e: np.mean(e * W)),
    "mean_with_sample_weight": (np.mean, lambda e: np.average(e, weights=W)),
}


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize("row", PER_SAMPLE)
def test_reductions_are_of_one_number_a_sample(row, reduction):
    kind, y, p, entries = PER_SAMPLE[row]
    plain, weighted = REDUCED[reduction]
    loss = kind(reduction=reduction)
    np.testing.assert_allclose(loss(y, p), plain(entries), rtol=1e-9)
    np.testing.assert_allclose(loss(y, p, W), weighted(entries), rtol=1e-9)


def test_weights_that_are_all_0_divide_nothing():
    assert L.MeanSquaredError(reduction="mean_with_sample_weight")(Y, P, np.zeros(5)) == 0.0


def test_shapes_that_differ_are_refused():
    with pytest.raises(ShapeError, match=r"targets.*\(5, 1\).*outputs.*\(5, 3\)"):
        L.mse(Y[:, :1], P)
    n, m = gx.tensor("y", ("n",)), gx.tensor("p", ("n", 1))
    assert L.mse(n, m).shape == ()


def test_a_gradient_of_mse_is_the_textbook_one():
    x, y = gx.tensor("x", (5, 3)), gx.tensor("y", (5, 3))
    np.testing.assert_allclose(gx.evaluate(gx.grad(L.mse(y, x), x), {x: P, y: Y}), 2 / 15 * (P - Y), rtol=1e-12)


@pytest.mark.parametrize("wrong", [5, -1, 3, 0.5, float("nan")])
@pytest.mark.parametrize("loss", [L.sparse_categorical_crossentropy, L.SparseCategoricalCrossentropy(), gx.metrics.sparse_top_k_categorical_accuracy])
def test_labels_that_are_no_class_are_told(loss, wrong):
    for labels in ([0, wrong, 1, 1, 0], np.array([[0], [wrong], [1], [1], [0]]), gx.constant([0, wrong, 1, 1, 0])):
        with pytest.raises(DataError, match=rf"y_true has the class {wrong:g}, and there are 3 classes, 0 to 2"):
            loss(labels, ROWS_SUM)
        with pytest.raises(DataError, match=r"y_true has the class"):
            loss(labels, gx.tensor("p", ("n", 3)))


def test_own_losses():
    class Cubed(L.Loss):
        def call(self, y_true, y_pred):
            return gx.mean(gx.abs(y_true - y_pred) ** 3, axis=-1)

    np.testing.assert_allclose(Cubed()(Y, P), np.mean(E**3), rtol=1e-12)
    assert L.get(Cubed).name == "cubed"


@pytest.mark.parametrize("name", [n for n in L.__all__ if n not in ("Loss", "get")])
def test_every_name_is_found(name):
    loss = L.get(name)
    assert np.isfinite(loss(LABELS if "parse" in name else TARGET, ROWS_SUM))


def test_unknown_losses():
    with pytest.raises(DeclarationError, match=r"'msse' is unknown.*mse"):
        L.get("msse")
    with pytest.raises(DeclarationError, match=r"is no loss"):
        L.get(3)
    with pytest.raises(DeclarationError, match=r"reduction="):
        L.MeanSquaredError(reduction="average")


def test_settings_may_be_numbers_of_numpy():
    assert L.Huber(np.float32(0.5))(Y, P) == L.Huber(0.5)(Y, P)
    assert L.BinaryCrossentropy(label_smoothing=np.float32(0.25))(BITS, PROBABILITIES) == L.bce(BITS, PROBABILITIES, False, 0.25)
