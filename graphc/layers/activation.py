"""Activation functions with options or weights, as layers."""

from __future__ import annotations

from typing import Any

from graphc import activations
from graphc.errors import DeclarationError
from graphc.expr.numbers import FINITE, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, axes_given, check_names
from graphc.ops.arithmetic import maximum, minimum, where
from graphc.ops.random import uniform
from graphc.ops.state import by_phase

__all__ = ["ELU", "LeakyReLU", "PReLU", "RReLU", "ReLU", "Softmax"]


class ReLU(Layer):
    """``max(0, x)`` with options; see :func:`graphc.activations.relu`."""

    supports_masking = True

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.negative_slope, self.threshold = settings("ReLU", FINITE, negative_slope=negative_slope, threshold=threshold)
        self.max_value = None if max_value is None else settings("ReLU", FINITE, max_value=max_value)[0]

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The rectified input."""
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """``x`` above 0, ``negative_slope * x`` below."""

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        (self.negative_slope,) = settings("LeakyReLU", FINITE, negative_slope=negative_slope)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The leaky rectified input."""
        return activations.leaky_relu(x, self.negative_slope)


class PReLU(Layer):
    """A leaky ReLU whose slope ``alpha`` below 0 is learned, one for each entry of a sample.

    Source: He, Zhang, Ren, Sun, ICCV 2015.
    """

    supports_masking = True

    def __init__(self, alpha_initializer: Any = "zeros", alpha_regularizer: Any = None, **options: Any) -> None:
        super().__init__(**options)
        check_names(self, alpha_initializer, penalties=(alpha_regularizer,))
        self.alpha_initializer, self.alpha_regularizer = alpha_initializer, alpha_regularizer
        self.alpha: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``alpha``."""
        self.alpha = self.add_weight(input_shape[1:], self.alpha_initializer, regularizer=self.alpha_regularizer, name="alpha")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``max(0, x) + alpha * min(0, x)``."""
        return maximum(0.0, x) + self.alpha * minimum(0.0, x)


class RReLU(Layer):
    """A leaky ReLU with random slopes in training, each uniform in ``[lower, upper)``, and their mean in inference.

    Source: Xu, Wang, Chen, Li, arXiv 1505.00853.
    """

    supports_masking = True

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, **options: Any) -> None:
        super().__init__(**options)
        self.lower, self.upper = settings("RReLU", FINITE, lower=lower, upper=upper)
        if not 0 <= self.lower <= self.upper:
            raise DeclarationError(f"RReLU(lower={lower!r}, upper={upper!r}): the slopes lie between two numbers, 0 <= lower <= upper")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` above 0, ``slope * x`` below."""
        slope = uniform(x.shape, self.lower, self.upper)
        return by_phase(training=where(x > 0.0, x, slope * x), inference=activations.leaky_relu(x, (self.lower + self.upper) / 2))


class ELU(Layer):
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below."""

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        (self.alpha,) = settings("ELU", FINITE, alpha=alpha)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The exponential linear unit of the input."""
        return activations.elu(x, self.alpha)


class Softmax(Layer):
    """``softmax`` along an axis."""

    supports_masking = True

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axes_given(self, axis)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Positive numbers that sum to 1."""
        return activations.softmax(x, self.axis)
