"""The networks in Keras: its layers, its Adam, its epochs, on the backend that is set or else on the fastest one installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from graphc.bench import parts as p
from graphc.bench.peers import Epochs
from graphc.bench.workloads import Data, Workload

__all__ = ["backend", "epochs"]

_BACKENDS = (("jax", "jax"), ("tensorflow", "tensorflow"), ("torch", "torch"))


def backend() -> str:
    """The backend: ``KERAS_BACKEND``, or the first that is installed of those that compile."""
    return os.environ.get("KERAS_BACKEND") or next((name for name, module in _BACKENDS if find_spec(module)), "")


def _layer(keras: Any, part: p.Part) -> Any:
    layers = keras.layers
    make: dict[type[p.Part], Callable[[Any], Any]] = {
        p.Dense: lambda q: layers.Dense(q.units, activation=q.activation or None),
        p.Conv: lambda q: layers.Conv2D(q.filters, q.size, padding="same" if q.same else "valid", activation=q.activation or None, use_bias=q.bias),
        p.BatchNorm: lambda _: layers.BatchNormalization(),
        p.Relu: lambda _: layers.ReLU(),
        p.MaxPool: lambda _: layers.MaxPooling2D(2),
        p.MeanPool: lambda _: layers.AveragePooling2D(2),
        p.Flatten: lambda _: layers.Flatten(),
        p.Recurrent: lambda q: getattr(layers, q.kind)(q.units),
        p.MeanOverTime: lambda _: layers.GlobalAveragePooling1D(),
    }
    return make[type(part)](part)


def _encoder(keras: Any, part: p.Encoder, x: Any) -> tuple[Any, list[Any]]:
    width, layers = x.shape[-1], keras.layers
    attention, first, second = layers.MultiHeadAttention(part.heads, width // part.heads), layers.LayerNormalization(), layers.LayerNormalization()
    wide, narrow = layers.Dense(part.hidden, activation="relu"), layers.Dense(width)
    x = first(layers.Add()([x, attention(x, x)]))
    return second(layers.Add()([x, narrow(wide(x))])), [attention, first, wide, narrow, second]


def _network(keras: Any, workload: Workload, data: Data) -> Any:
    ops = keras.ops
    x = keras.Input(workload.sample)
    noise = keras.Input((workload.latent,)) if workload.latent else None
    h, divergence = x, None
    for part, arrays in zip(workload.parts, data.weights, strict=True):
        if isinstance(part, p.Latent):
            layers = [keras.layers.Dense(part.units), keras.layers.Dense(part.units)]
            m, s = (layer(h) for layer in layers)
            h = m + ops.exp(0.5 * s) * noise
            divergence = -0.5 * ops.sum(1 + s - m * m - ops.exp(s), axis=1)
        elif isinstance(part, p.Encoder):
            h, layers = _encoder(keras, part, h)
        else:
            layers = [_layer(keras, part)]
            h = layers[0](h)
        rest = list(arrays)
        for layer in layers:
            for weight in layer.trainable_weights:
                weight.assign(rest.pop(0))
    if divergence is None:
        return keras.Model(x, h)
    # The loss of each sample is the output: its mean is what is trained.
    return keras.Model([x, noise], ops.sum(ops.softplus(h) - x * h, axis=1) + divergence)


def epochs(workload: Workload, data: Data) -> Epochs:
    """One way: ``fit``, for one epoch over the samples in their order."""
    os.environ.setdefault("KERAS_BACKEND", backend())
    keras: Any = import_module("keras")
    model = _network(keras, workload, data)
    if workload.latent:
        loss: Any = lambda _, per_sample: keras.ops.mean(per_sample)  # noqa: E731
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)

    def epoch(order: Any) -> float:
        x, beside = data.x[order], data.beside[order]
        given: Any = [x, beside] if workload.latent else x
        return float(model.fit(given, beside, batch_size=workload.batch, shuffle=False, verbose=0).history["loss"][0])

    return {f"fit on {keras.backend.backend()}": epoch}
