"""The networks in graphc: layers called on tensors, one compiled step, epochs inside compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as gx
from graphc.bench import parts as p
from graphc.bench.peers import Epochs
from graphc.bench.workloads import Data, Workload
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer

__all__ = ["declare", "epochs"]

_Walk = tuple[Tensor, list[Layer]]


def _chain(x: Tensor, *layers: Layer) -> _Walk:
    for layer in layers:
        x = layer(x)
    return x, [layer for layer in layers if layer.weights]


def _encoder(part: p.Encoder, x: Tensor) -> _Walk:
    width, layers = int(x.shape[-1]), gx.layers
    attention, first, second = layers.MultiHeadAttention(part.heads, width // part.heads), layers.LayerNormalization(), layers.LayerNormalization()
    wide, narrow = layers.Dense(part.hidden, activation="relu"), layers.Dense(width)
    x = first(layers.Add()([x, attention(x, x)]))
    return second(layers.Add()([x, narrow(wide(x))])), [attention, first, wide, narrow, second]


_BUILD: dict[type[p.Part], Callable[[Any, Tensor], _Walk]] = {
    p.Dense: lambda part, x: _chain(x, gx.layers.Dense(part.units, activation=part.activation or None)),
    p.Conv: lambda part, x: _chain(
        x,
        gx.layers.Conv2D(part.filters, part.size, padding="same" if part.same else "valid", activation=part.activation or None, use_bias=part.bias),
    ),
    p.BatchNorm: lambda _, x: _chain(x, gx.layers.BatchNormalization()),
    p.Relu: lambda _, x: (gx.relu(x), []),
    p.MaxPool: lambda _, x: _chain(x, gx.layers.MaxPooling2D(2)),
    p.MeanPool: lambda _, x: _chain(x, gx.layers.AveragePooling2D(2)),
    p.Flatten: lambda _, x: _chain(x, gx.layers.Flatten()),
    p.Recurrent: lambda part, x: _chain(x, getattr(gx.layers, part.kind)(part.units)),
    p.Encoder: _encoder,
    p.MeanOverTime: lambda _, x: _chain(x, gx.layers.GlobalAveragePooling1D()),
}


def declare(workload: Workload, weights: list[list[Any]]) -> tuple[Tensor, Tensor, Tensor]:
    """The samples, what stands beside them, and the loss, of a network with these weights."""
    x = gx.layers.Input(workload.sample, name="x")
    beside = gx.tensor("noise", (x.shape[0], workload.latent)) if workload.latent else None
    h, divergence = x, None
    for part, arrays in zip(workload.parts, weights, strict=True):
        if isinstance(part, p.Latent):
            mean, spread = gx.layers.Dense(part.units), gx.layers.Dense(part.units)
            m, s = mean(h), spread(h)
            layers, h = [mean, spread], m + gx.exp(0.5 * s) * beside
            divergence = -0.5 * gx.mean(gx.sum(1 + s - m * m - gx.exp(s), axis=1))
        else:
            h, layers = _BUILD[type(part)](part, h)
        rest = list(arrays)
        for layer in layers:
            for weight in layer.trainable_weights:
                weight.value = rest.pop(0)
    if divergence is not None and beside is not None:
        return x, beside, gx.mean(gx.sum(gx.softplus(h) - x * h, axis=1)) + divergence
    y = gx.tensor("y", h.shape)
    return x, y, -gx.mean(gx.sum(y * gx.log_softmax(h), axis=1))


def compiled(workload: Workload, data: Data) -> tuple[Any, dict[Tensor, Any]]:
    """The compiled training step, and its data by tensor."""
    x, beside, loss = declare(workload, data.weights)
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    step = gx.compile([loss, *gx.optimizers.Adam(1e-3, epsilon_after_correction=True).updates(loss, parameters)])
    return step, {x: data.x, beside: data.beside}


def epochs(workload: Workload, data: Data) -> Epochs:
    """One way: the whole epoch inside compiled code."""
    step, arrays = compiled(workload, data)
    return {"run": lambda order: step.run(arrays, order, workload.batch)[0]}
