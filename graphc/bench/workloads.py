"""What is measured: the networks of the table, further ones drawn by seed, and rows of one network in growing sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.bench.parts import (
    BatchNorm,
    Conv,
    Dense,
    Encoder,
    Flatten,
    Latent,
    MaxPool,
    MeanOverTime,
    MeanPool,
    Part,
    Recurrent,
    Relu,
    Shape,
    shapes_of,
)
from graphc.errors import DataError

__all__ = ["WORKLOADS", "Data", "Workload", "drawn", "families", "named"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A network with its data: what is trained, on batches of which size, in epochs of how many steps.

    The loss is the softmax cross-entropy of what comes out, or where there is a :class:`Latent` part the variational
    autoencoder's: cross-entropies of the entries plus the divergence. Its noise is data, so that all libraries have the same.
    """

    name: str
    title: str
    sample: Shape
    batch: int
    parts: tuple[Part, ...]
    steps: int = 32

    @property
    def latent(self) -> int:
        """The size of the noise of a sample; 0 for a classifier."""
        return next((p.units for p in self.parts if isinstance(p, Latent)), 0)

    def shapes(self) -> tuple[list[list[tuple[str, Shape]]], Shape]:
        """Of each part the names and shapes of its weights; and the shape of a sample of the output."""
        found: list[list[tuple[str, Shape]]] = []
        shape = self.sample
        for part in self.parts:
            weights, shape = shapes_of(part, shape)
            found.append(weights)
        return found, shape

    def data(self, seed: int = 0) -> Data:
        """Weights and samples, a function of the seed."""
        rng = np.random.default_rng(seed)
        shapes, out = self.shapes()
        weights = [[_weight(rng, name, shape) for name, shape in part] for part in shapes]
        count = self.batch * self.steps
        x = rng.normal(size=(count, *self.sample)).astype(np.float32)
        if self.latent:
            return Data(weights, (x > 0).astype(np.float32), rng.normal(size=(count, self.latent)).astype(np.float32), self.latent, self.batch)
        return Data(weights, x, np.eye(out[0], dtype=np.float32)[rng.integers(0, out[0], count)], 0, self.batch)

    def sized(self, batch: int, steps: int) -> Workload:
        """The same with other data."""
        return replace(self, batch=batch, steps=steps)


@dataclass(frozen=True, slots=True)
class Data:
    """The weights of each part; samples; and beside them their classes, one-hot, or their noise."""

    weights: list[list[Any]]
    x: Any
    beside: Any
    latent: int
    batch: int

    def order(self, number: int) -> Any:
        """The order of the samples in an epoch."""
        return np.random.default_rng([7, number]).permutation(len(self.x))


def _weight(rng: np.random.Generator, name: str, shape: Shape) -> Any:
    value = rng.normal(size=shape)
    if name == "kernel":
        value /= float(np.prod(shape[:-1])) ** 0.5
    else:
        value = value * 0.1 + (name == "gain")
    return value.astype(np.float32)


def _mlp(widths: Sequence[int]) -> tuple[Part, ...]:
    return (*(Dense(u, "relu") for u in widths[:-1]), Dense(widths[-1]))


def _vgg(widths: Sequence[int]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for k, filters in enumerate(widths):
        parts += [Conv(filters, 3, same=True, bias=False), BatchNorm(), Relu(), *([MaxPool()] if k % 2 else [])]
    return (*parts, Flatten(), Dense(10))


_LENET: tuple[Part, ...] = (
    Conv(6, 5, same=True, activation="tanh"), MeanPool(), Conv(16, 5, activation="tanh"), MeanPool(), Flatten(),
    Dense(120, "tanh"), Dense(84, "tanh"), Dense(10),
)  # fmt: skip
_ENCODERS: tuple[Part, ...] = (Encoder(4, 256), Encoder(4, 256), MeanOverTime(), Dense(10))
_VAE: tuple[Part, ...] = (Dense(256, "relu"), Latent(16), Dense(256, "relu"), Dense(784))

WORKLOADS: tuple[Workload, ...] = (
    Workload("mlp30", "MLP 30-30-15-2, batch 32", (30,), 32, _mlp((30, 15, 2)), 128),
    Workload("mlp64", "MLP 64-128-64-10, batch 32", (64,), 32, _mlp((128, 64, 10)), 128),
    Workload("mlp784", "MLP 784-512-256-10, batch 128", (784,), 128, _mlp((512, 256, 10)), 16),
    Workload("lenet", "LeNet-5, 28×28, batch 64", (28, 28, 1), 64, _LENET, 16),
    Workload("vgg", "VGG-like, 3×3, 32×32, batch 32", (32, 32, 3), 32, _vgg((32, 32, 64, 64, 128, 128)), 4),
    Workload("lstm", "LSTM, T 32, 16 → 64, batch 32", (32, 16), 32, (Recurrent("LSTM", 64), Dense(10)), 32),
    Workload("gru", "GRU, T 32, 16 → 64, batch 32", (32, 16), 32, (Recurrent("GRU", 64), Dense(10)), 32),
    Workload("encoder", "Transformer encoder, d 64, 4 heads, 2 layers, T 32, batch 32", (32, 64), 32, _ENCODERS, 8),
    Workload("vae", "VAE 784-256-16-256-784, batch 128", (784,), 128, _VAE, 16),
)


def named(names: Sequence[str]) -> list[Workload]:
    """The workloads of these names, all of the table where there are none.

    Raises:
        DataError: for a name that there is not.
    """
    known = {w.name: w for w in WORKLOADS}
    for name in names:
        if name not in known:
            raise DataError(f"there is no workload {name!r}: choose of {', '.join(known)}")
    return [known[n] for n in dict.fromkeys(names)] or list(WORKLOADS)


def drawn(count: int, seed: int) -> list[Workload]:
    """Networks that stand in no table: kinds, sizes and batches are a function of the seed."""
    rng = np.random.default_rng([11, seed])
    kinds = (_drawn_mlp, _drawn_recurrent, _drawn_convolution, _drawn_encoder, _drawn_vae)
    start = int(rng.integers(len(kinds)))
    return [kinds[(start + k) % len(kinds)](rng, f"drawn{seed}.{k + 1}") for k in range(count)]


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number whose logarithm is uniform, so that no order of size is rare."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _steps(work: float) -> int:
    return max(4, min(128, int(4e9 / max(work, 1.0))))


def _drawn_mlp(rng: np.random.Generator, name: str) -> Workload:
    widths = [_between(rng, 5, 800), *(_between(rng, 8, 600) for _ in range(int(rng.integers(1, 4)))), _between(rng, 2, 20)]
    batch = _between(rng, 8, 256)
    work = 6.0 * batch * sum(a * b for a, b in pairwise(widths))
    return Workload(name, f"MLP {'-'.join(map(str, widths))}, batch {batch}", (widths[0],), batch, _mlp(widths[1:]), _steps(work))


def _drawn_recurrent(rng: np.random.Generator, name: str) -> Workload:
    kind = ("LSTM", "GRU", "SimpleRNN")[int(rng.integers(3))]
    length, inputs, units, batch = _between(rng, 5, 64), _between(rng, 3, 64), _between(rng, 8, 128), _between(rng, 8, 128)
    title = f"{kind}, T {length}, {inputs} → {units}, batch {batch}"
    work = 6.0 * batch * length * 4 * units * (inputs + units)
    return Workload(name, title, (length, inputs), batch, (Recurrent(kind, units), Dense(10)), min(32, _steps(work)))


def _drawn_convolution(rng: np.random.Generator, name: str) -> Workload:
    image, channels, batch, size = _between(rng, 12, 32), int(rng.integers(1, 5)), _between(rng, 8, 64), int(rng.choice([3, 5]))
    norm, filters = bool(rng.integers(2)), [_between(rng, 6, 48) for _ in range(int(rng.integers(1, 4)))]
    parts: list[Part] = []
    side, work, before = image, 0.0, channels
    for count in filters:
        parts += [Conv(count, size, same=True, bias=False), BatchNorm(), Relu()] if norm else [Conv(count, size, same=True, activation="relu")]
        work += 6.0 * batch * side * side * size * size * before * count
        before = count
        if side >= 8:
            parts, side = [*parts, MaxPool() if norm else MeanPool()], side // 2
    title = f"convolutions {size}×{size} {'-'.join(map(str, filters))}{' with batch norm' if norm else ''}, {image}×{image}×{channels}, batch {batch}"
    return Workload(name, title, (image, image, channels), batch, (*parts, Flatten(), Dense(10)), min(16, _steps(work)))


def _drawn_encoder(rng: np.random.Generator, name: str) -> Workload:
    heads, size, length, layers = int(rng.choice([1, 2, 4, 8])), int(rng.integers(4, 17)), _between(rng, 8, 64), int(rng.integers(1, 4))
    batch, width = _between(rng, 8, 48), heads * size
    hidden = int(rng.integers(1, 5)) * width
    title = f"encoder, d {width}, {heads} heads, {layers} layers, T {length}, batch {batch}"
    work = 6.0 * batch * length * layers * width * (4 * width + 2 * hidden + 2 * length)
    return Workload(name, title, (length, width), batch, (*([Encoder(heads, hidden)] * layers), MeanOverTime(), Dense(10)), min(16, _steps(work)))


def _drawn_vae(rng: np.random.Generator, name: str) -> Workload:
    width, hidden, latent, batch = _between(rng, 20, 900), _between(rng, 16, 400), _between(rng, 2, 32), _between(rng, 16, 200)
    parts: tuple[Part, ...] = (Dense(hidden, "relu"), Latent(latent), Dense(hidden, "relu"), Dense(width))
    work = 12.0 * batch * hidden * (width + latent)
    return Workload(name, f"VAE {width}-{hidden}-{latent}-{hidden}-{width}, batch {batch}", (width,), batch, parts, min(32, _steps(work)))


def _of_mlp(batch: int = 64, width: int = 128, depth: int = 2) -> Workload:
    work = 6.0 * batch * width * width * depth
    return Workload("mlp", f"MLP, batch {batch}, width {width}, depth {depth}", (width,), batch, _mlp([*[width] * depth, 10]), min(64, _steps(work)))


def _of_lstm(batch: int = 32, width: int = 64, length: int = 32) -> Workload:
    work = 6.0 * batch * length * 8 * width * width
    title = f"LSTM, batch {batch}, width {width}, length {length}"
    return Workload("lstm", title, (length, width), batch, (Recurrent("LSTM", width), Dense(10)), min(16, _steps(work)))


# What grows, and through which sizes, everything else as it stands.
_GROWN: dict[str, tuple[Any, str, tuple[int, ...]]] = {
    "MLP, width 128, 2 layers": (_of_mlp, "batch", (8, 32, 128, 512)),
    "MLP, batch 64, 2 layers": (_of_mlp, "width", (16, 64, 256, 1024)),
    "MLP, batch 64, width 128": (_of_mlp, "depth", (1, 2, 4, 8)),
    "LSTM, width 64, length 32": (_of_lstm, "batch", (4, 16, 64, 256)),
    "LSTM, batch 32, length 32": (_of_lstm, "width", (16, 32, 64, 128, 256)),
    "LSTM, batch 32, width 64": (_of_lstm, "length", (8, 32, 128, 512)),
}


def families() -> dict[str, tuple[str, dict[int, Workload]]]:
    """Rows of networks of which one size grows: what stays, what grows, and the network of each size."""
    return {title: (along, {size: make(**{along: size}) for size in sizes}) for title, (make, along, sizes) in _GROWN.items()}
