"""Layers that only act in training."""

from __future__ import annotations

from typing import Any

from graphc.expr.numbers import DROPPED, NOT_NEGATIVE, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.convolution import channels_last
from graphc.layers.core import Dropout
from graphc.ops.random import normal
from graphc.ops.state import by_phase
from graphc.regularizers import L1L2

__all__ = ["ActivityRegularization", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"]


class GaussianNoise(Layer):
    """In training normal noise is added; identity in inference. On the input it acts as Tikhonov's penalty.

    Source: Bishop, Neural Computation 7 (1995).
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        (self.stddev,) = settings("GaussianNoise", NOT_NEGATIVE, stddev=stddev)
        self.seed = seed

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
        (self.rate,) = settings("GaussianDropout", DROPPED, rate=rate)
        self.seed = seed

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


class SpatialDropout1D(Dropout):
    """In training whole channels of a sequence are dropped: ``(n, length, channels)``; otherwise as :class:`Dropout`."""

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, (None, 1, None), seed, **options)


class SpatialDropout2D(Dropout):
    """In training whole channels of an image are dropped: ``(n, height, width, channels)``; otherwise as :class:`Dropout`.

    Source: Tompson, Goroshin, Jain, LeCun, Bregler, CVPR 2015.
    """

    def __init__(self, rate: float, data_format: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, (None, 1, 1, None), seed, **options)
        channels_last(self, data_format)
