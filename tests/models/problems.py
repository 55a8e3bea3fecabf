"""Small problems that the tests of models share."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import numpy as np

from graphc import layers, models

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
LABELS = np.digitize(X[:, 0], [-0.4, 0.4])
LINE = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3


def classifier(dropout=0.0, **options):
    model = models.Sequential([layers.Dense(5, activation="tanh"), layers.Dropout(dropout), layers.Dense(1, activation="sigmoid")])
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]} | options)
    return model


def several(**options):
    model = models.Sequential([layers.Input((4,)), layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(**{"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | options)
    return model


def line(optimizer="sgd", **options):
    model = models.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, **{"loss": "mse"} | options)
    return model


def quiet(model, x=X, y=Y, **options):
    return model.fit(x, y, **{"verbose": 0} | options)


def rewritten(path, change):
    """A model file with its JSON changed, and a digest that fits."""
    data = path.read_bytes()
    start = len(b"graphc model 1\n")
    with zipfile.ZipFile(io.BytesIO(data[start + 65 :])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(parts["model.json"])
    change(content)
    parts["model.json"] = json.dumps(content).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    path.write_bytes(data[:start] + hashlib.sha256(buffer.getvalue()).hexdigest().encode() + b"\n" + buffer.getvalue())


def numpy_descent(x, y, kernel, bias, rate, order, batch, weight=None):
    """One epoch of gradient descent on the squared error, by hand: the new weights, the losses of the batches."""
    losses = []
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        w = np.ones(len(rows)) if weight is None else weight[rows]
        error = x[rows] @ kernel[:, 0] + bias[0] - y[rows]
        losses.append((len(rows), np.mean(w * error**2)))
        kernel = kernel - rate * (2 * x[rows].T @ (w * error) / len(rows))[:, None]
        bias = bias - rate * 2 * np.mean(w * error)
    return kernel, bias, sum(n * v for n, v in losses) / sum(n for n, _ in losses)
