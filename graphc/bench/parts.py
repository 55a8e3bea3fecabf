"""What workloads are made of: parts of a network as data, with their weights' shapes, which every library reads its own way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "BatchNorm", "Conv", "Dense", "Encoder", "Flatten", "Latent", "MeanOverTime", "MeanPool", "MaxPool", "Part", "Recurrent", "Relu",
    "Shape", "shapes_of",
]  # fmt: skip

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network. The weights it has are those of Keras's layer, in its order and shapes."""


@dataclass(frozen=True, slots=True)
class Dense(Part):
    """``activation(x W + b)``."""

    units: int
    activation: str = ""


@dataclass(frozen=True, slots=True)
class Conv(Part):
    """A convolution of square images, channels last."""

    filters: int
    size: int
    same: bool = False
    activation: str = ""
    bias: bool = True


@dataclass(frozen=True, slots=True)
class BatchNorm(Part):
    """Batch normalisation over all axes but the last, with Keras's epsilon and momentum."""


@dataclass(frozen=True, slots=True)
class Relu(Part):
    """``max(x, 0)``."""


@dataclass(frozen=True, slots=True)
class MaxPool(Part):
    """The maxima of 2 × 2 entries."""


@dataclass(frozen=True, slots=True)
class MeanPool(Part):
    """The means of 2 × 2 entries."""


@dataclass(frozen=True, slots=True)
class Flatten(Part):
    """A sample as one row."""


@dataclass(frozen=True, slots=True)
class Recurrent(Part):
    """A recurrent layer, of which the last output is taken: ``LSTM``, ``GRU`` or ``SimpleRNN``."""

    kind: str
    units: int


@dataclass(frozen=True, slots=True)
class Encoder(Part):
    """A transformer's block: attention, sum, norm; two dense layers, sum, norm."""

    heads: int
    hidden: int


@dataclass(frozen=True, slots=True)
class MeanOverTime(Part):
    """The mean over the places of a sequence."""


@dataclass(frozen=True, slots=True)
class Latent(Part):
    """A variational autoencoder's middle: means and spreads by two dense layers, and ``m + exp(s / 2) * noise``."""

    units: int


_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
# The weights' shapes, and the output's; gains begin about 1, everything else about 0.
_Found = tuple[list[tuple[str, Shape]], Shape]


def _dense(part: Dense, x: Shape) -> _Found:
    return [("kernel", (x[-1], part.units)), ("bias", (part.units,))], (*x[:-1], part.units)


def _conv(part: Conv, x: Shape) -> _Found:
    less = 0 if part.same else part.size - 1
    weights: list[tuple[str, Shape]] = [("kernel", (part.size, part.size, x[-1], part.filters))]
    return [*weights, *([("bias", (part.filters,))] if part.bias else [])], (x[0] - less, x[1] - less, part.filters)


def _norm(_: BatchNorm, x: Shape) -> _Found:
    return [("gain", (x[-1],)), ("bias", (x[-1],))], x


def _pool(_: Part, x: Shape) -> _Found:
    return [], (x[0] // 2, x[1] // 2, x[2])


def _recurrent(part: Recurrent, x: Shape) -> _Found:
    width = _GATES[part.kind] * part.units
    bias = (2, width) if part.kind == "GRU" else (width,)
    return [("kernel", (x[-1], width)), ("kernel", (part.units, width)), ("bias", bias)], (part.units,)


def _encoder(part: Encoder, x: Shape) -> _Found:
    d, heads, size = x[-1], part.heads, x[-1] // part.heads
    attention: list[tuple[str, Shape]] = [("kernel", (d, heads, size)), ("bias", (heads, size))] * 3
    attention += [("kernel", (heads, size, d)), ("bias", (d,))]
    norm: list[tuple[str, Shape]] = [("gain", (d,)), ("bias", (d,))]
    dense: list[tuple[str, Shape]] = [("kernel", (d, part.hidden)), ("bias", (part.hidden,)), ("kernel", (part.hidden, d)), ("bias", (d,))]
    return [*attention, *norm, *dense, *norm], x


def _latent(part: Latent, x: Shape) -> _Found:
    return [("kernel", (x[-1], part.units)), ("bias", (part.units,))] * 2, (part.units,)


_SHAPES: dict[type[Part], Callable[[Any, Shape], _Found]] = {
    Dense: _dense, Conv: _conv, BatchNorm: _norm, Relu: lambda _, x: ([], x), MaxPool: _pool, MeanPool: _pool,
    Flatten: lambda _, x: ([], (math.prod(x),)), Recurrent: _recurrent, Encoder: _encoder, MeanOverTime: lambda _, x: ([], x[1:]), Latent: _latent,
}  # fmt: skip


def shapes_of(part: Part, x: Shape) -> _Found:
    """The names and shapes of a part's weights for a sample of shape ``x``, and the shape of what comes out."""
    return _SHAPES[type(part)](part, x)
