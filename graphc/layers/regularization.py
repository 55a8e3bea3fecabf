"""Layers that only act in training, and the normalisation of each sample."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.ops.normalization import layer_norm
from graphc.ops.random import normal
from graphc.ops.state import by_phase
from graphc.regularizers import L1L2

__all__ = ["ActivityRegularization", "GaussianDropout", "GaussianNoise", "LayerNormalization"]


class GaussianNoise(Layer):
    """In training normal noise is added; identity in inference. On the input it acts as Tikhonov's penalty.

    Source: Bishop, Neural Computation 7 (1995).
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not stddev >= 0:
            raise DeclarationError(f"GaussianNoise(stddev={stddev!r}): a standard deviation is 0 or more")
        self.stddev, self.seed = stddev, seed

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` plus noise in training."""
        return by_phase(training=x + self.stddev * normal(x.shape), inference=x)


class GaussianDropout(Layer):
    """In training each entry is multiplied by normal noise of mean 1 and variance ``rate / (1 - rate)``.

    Source: Srivastava et al., JMLR 15 (2014), section 10.
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise DeclarationError(f"GaussianDropout(rate={rate!r}): it is at least 0 and below 1")
        self.rate, self.seed = rate, seed

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` times noise in training."""
        return by_phase(training=x * normal(x.shape, 1.0, (self.rate / (1 - self.rate)) ** 0.5), inference=x)


class ActivityRegularization(Layer):
    """The identity, with a penalty on what passes: ``l1 sum(|x|) + l2 sum(x^2)``, averaged over the batch."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **options)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x``."""
        return x


class LayerNormalization(Layer):
    """Each sample with mean 0 and variance 1 along an axis, then scaled by ``gamma`` and shifted by ``beta``.

    Source: Ba, Kiros, Hinton, arXiv 1607.06450.
    """

    supports_masking = True

    def __init__(
        self, axis: int = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, gamma_initializer: Any = "ones",
        beta_initializer: Any = "zeros", **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        check_names(self, gamma_initializer, beta_initializer)
        self.gamma_initializer, self.beta_initializer = gamma_initializer, beta_initializer
        self.gamma: Any = 1.0
        self.beta: Any = 0.0

    def build(self, input_shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        size = (input_shape[self.axis],)
        if self.scale:
            self.gamma = self.add_weight(size, self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight(size, self.beta_initializer, name="beta")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The normalised input."""
        return layer_norm(x, self.gamma, self.beta, self.axis, self.epsilon)
