"""Initializers: the first values of parameters, as NumPy arrays that depend on shape, seed and the parameter's number.

An initializer is called as ``initializer(shape, generator)`` and returns an array; users write their own the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphc.errors import DeclarationError
from graphc.expr.numbers import FINITE, NOT_NEGATIVE, POSITIVE, SEED, settings

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "Initializer", "LecunNormal", "LecunUniform",
    "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "fans",
]  # fmt: skip

Array = np.ndarray[Any, Any]
# The standard deviation of a standard normal that is cut off at -2 and 2.
_TRUNCATED_STD = 0.87962566103423978
# What the settings of initializers may be, by name; a seed may be None.
_KINDS = {
    "mean": FINITE, "stddev": NOT_NEGATIVE, "minval": FINITE, "maxval": FINITE, "gain": FINITE, "scale": POSITIVE, "seed": SEED,
}  # fmt: skip


class Initializer:
    """The base of initializers: a subclass gives ``values(shape, generator)``."""

    seed: int | None = None

    def __post_init__(self) -> None:
        """See that the settings are numbers that mean something, and keep them as Python's."""
        for name, kind in _KINDS.items():
            value = getattr(self, name, None)
            if name in vars(self) and (value is not None or name != "seed"):
                setattr(self, name, settings(type(self).__name__, kind, **{name: value})[0])

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """The array of a shape, drawn with ``generator``."""
        raise NotImplementedError

    def __call__(self, shape: Sequence[int], generator: np.random.Generator | None = None) -> Array:
        """The array of ``shape``; without a generator one is made from the initializer's own seed, or from 0."""
        return self.values(tuple(shape), generator or np.random.default_rng(self.seed or 0))


@dataclass
class Zeros(Initializer):
    """All entries 0."""

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Zeros of the shape."""
        return np.zeros(shape)


@dataclass
class Ones(Initializer):
    """All entries 1."""

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Ones of the shape."""
        return np.ones(shape)


@dataclass
class Constant(Initializer):
    """All entries one number, or an array that is broadcast to the shape."""

    value: Any = 0.0

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """The value, in the shape."""
        return np.broadcast_to(np.asarray(self.value, dtype=np.float64), shape).copy()


@dataclass
class RandomNormal(Initializer):
    """Normal numbers of a mean and a standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Draws of the shape."""
        return generator.normal(self.mean, self.stddev, shape)


@dataclass
class RandomUniform(Initializer):
    """Uniform numbers between two bounds."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def __post_init__(self) -> None:
        """See that the bounds are in order too."""
        super().__post_init__()
        if self.minval > self.maxval:
            raise DeclarationError(f"RandomUniform(minval={self.minval}, maxval={self.maxval}): the smaller bound stands first")

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Draws of the shape."""
        return generator.uniform(self.minval, self.maxval, shape)


@dataclass
class TruncatedNormal(Initializer):
    """Normal numbers, drawn again where they leave two standard deviations around the mean."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Draws of the shape."""
        return self.mean + self.stddev * _truncated(shape, generator)


def _truncated(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    draws = generator.standard_normal(shape)
    outside = np.abs(draws) > 2
    while outside.any():
        draws[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(draws) > 2
    return draws


@dataclass
class VarianceScaling(Initializer):
    """Numbers of variance ``scale / n``, where ``n`` is the number of inputs, of outputs, or their mean.

    Source: Glorot, Bengio, AISTATS 2010; He, Zhang, Ren, Sun, ICCV 2015; LeCun, Bottou, Orr, Müller 1998.

    Attributes:
        scale: the variance is ``scale / n``.
        mode: ``n`` is ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
    """

    scale: float = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise DeclarationError(f"mode={self.mode!r} of an initializer: it is 'fan_in', 'fan_out' or 'fan_avg'")
        if self.distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise DeclarationError(f"distribution={self.distribution!r}: it is 'truncated_normal', 'untruncated_normal' or 'uniform'")

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """Draws of the shape."""
        fan_in, fan_out = fans(shape)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        std = math.sqrt(self.scale / max(1.0, count))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * std
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "truncated_normal":
            return std / _TRUNCATED_STD * _truncated(shape, generator)
        return generator.normal(0.0, std, shape)


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many inputs and outputs an entry of a weight of this shape connects.

    A matrix ``(inputs, outputs)`` connects its two sizes; a convolution's kernel ``(height, width, inputs, outputs)``
    those times the window.

    Example:
        >>> fans((3, 3, 8, 16))
        (72.0, 144.0)
    """
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    window = math.prod(shape[:-2])
    return float(shape[-2] * window), float(shape[-1] * window)


def _scaled(name: str, scale: float, mode: Any, distribution: Any, about: str) -> type[VarianceScaling]:
    def initialise(self: Any, seed: int | None = None) -> None:
        VarianceScaling.__init__(self, scale, mode, distribution, seed)

    return type(name, (VarianceScaling,), {"__init__": initialise, "__doc__": about, "__module__": __name__})


GlorotUniform = _scaled("GlorotUniform", 1.0, "fan_avg", "uniform", "Uniform within ±sqrt(6 / (inputs + outputs)).")
GlorotNormal = _scaled("GlorotNormal", 1.0, "fan_avg", "truncated_normal", "Truncated normal of variance 2 / (inputs + outputs).")
HeUniform = _scaled("HeUniform", 2.0, "fan_in", "uniform", "Uniform within ±sqrt(6 / inputs), for ReLU and its kin.")
HeNormal = _scaled("HeNormal", 2.0, "fan_in", "truncated_normal", "Truncated normal of variance 2 / inputs, for ReLU and its kin.")
LecunUniform = _scaled("LecunUniform", 1.0, "fan_in", "uniform", "Uniform within ±sqrt(3 / inputs).")
LecunNormal = _scaled("LecunNormal", 1.0, "fan_in", "truncated_normal", "Truncated normal of variance 1 / inputs, for SELU.")


@dataclass
class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns, times ``gain``; higher ranks as a matrix of their last axis.

    Source: Saxe, McClelland, Ganguli, ICLR 2014.
    """

    gain: float = 1.0
    seed: int | None = None

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """A draw of the shape."""
        if len(shape) < 2:
            raise DeclarationError(f"an orthogonal initializer needs a matrix, and the shape is {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # the sign makes the draw uniform over all such matrices
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@dataclass
class Identity(Initializer):
    """The identity matrix, times ``gain``."""

    gain: float = 1.0

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
        """The identity of the shape."""
        if len(shape) != 2:
            raise DeclarationError(f"an identity initializer needs a matrix, and the shape is {shape}")
        return self.gain * np.eye(*shape)
