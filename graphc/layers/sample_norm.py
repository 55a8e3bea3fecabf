"""Normalisation of each sample by itself: along axes, in groups of channels, by its length."""

from __future__ import annotations

from typing import Any

from graphc import regularizers
from graphc.errors import DeclarationError
from graphc.expr.dims import Extent
from graphc.expr.numbers import COUNT, NOT_NEGATIVE, as_whole, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, axes_given, check_names
from graphc.ops.arithmetic import maximum, sqrt
from graphc.ops.axes import axes_of
from graphc.ops.layout import reshape
from graphc.ops.normalization import layer_norm, standardise
from graphc.ops.reduction import mean, norm, var

__all__ = ["GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"]


class _Scaled(Layer):
    """A layer with a scale ``gamma`` and a shift ``beta``."""

    supports_masking = True

    def __init__(
        self, axis: Any, epsilon: float = 1e-3, center: bool = True, scale: bool = True, beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones", beta_regularizer: Any = None, gamma_regularizer: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.axis, self.center, self.scale = axes_given(self, axis), center, scale
        (self.epsilon,) = settings(type(self).__name__, NOT_NEGATIVE, epsilon=epsilon)
        check_names(self, gamma_initializer, beta_initializer, penalties=(beta_regularizer, gamma_regularizer))
        self.gamma_initializer, self.beta_initializer = gamma_initializer, beta_initializer
        self.gamma_regularizer, self.beta_regularizer = regularizers.get(gamma_regularizer), regularizers.get(beta_regularizer)
        self.gamma: Any = 1.0
        self.beta: Any = 0.0

    def make_scale(self, size: tuple[int, ...]) -> None:
        """Make ``gamma`` and ``beta`` of a size."""
        if self.scale:
            self.gamma = self.add_weight(size, self.gamma_initializer, regularizer=self.gamma_regularizer, name="gamma")
        if self.center:
            self.beta = self.add_weight(size, self.beta_initializer, regularizer=self.beta_regularizer, name="beta")


def _sizes(layer: Layer, shape: Any, axis: Any) -> tuple[int, ...]:
    """The sizes of the axes that weights stand along."""
    given = axis if isinstance(axis, list | tuple) else [axis]
    found: list[int] = []
    for a in given:
        size: Extent | None = shape[a] if -len(shape) <= a < len(shape) else None
        if not isinstance(size, int):
            shown = "missing" if size is None else size
            raise DeclarationError(f"{layer.name}: axis {a} of its input is {shown} in the shape {shape}, and a number is needed there")
        found.append(size)
    return tuple(found)


def _placed(weight: Any, x: Tensor, axes: tuple[int, ...]) -> Any:
    """A weight along some axes of ``x``, which need not be the last."""
    if not isinstance(weight, Tensor) or axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return weight
    return reshape(weight, tuple(e if a in axes else 1 for a, e in enumerate(x.shape)))


class LayerNormalization(_Scaled):
    """Each sample with mean 0 and variance 1 along an axis or several, then scaled by ``gamma`` and shifted by ``beta``.

    Source: Ba, Kiros, Hinton, arXiv 1607.06450.

    Args:
        axis: one axis or a list of them.
        epsilon: added to the variance.
        center, scale: whether there is a ``beta``, a ``gamma``; each has the shape of the axes.
        options: initializers and penalties of ``beta`` and ``gamma``; ``name``, ``trainable``.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **options: Any) -> None:
        super().__init__(axis, epsilon, center, scale, **options)

    def build(self, input_shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        self.make_scale(_sizes(self, input_shape, self.axis))

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The normalised input."""
        axes = axes_of(x, self.axis)
        return layer_norm(x, _placed(self.gamma, x, axes), _placed(self.beta, x, axes), axes, self.epsilon)


class GroupNormalization(_Scaled):
    """Each sample with mean 0 and variance 1 over all places and the channels of a group, then scaled by channel.

    Source: Wu and He, ECCV 2018, arXiv 1803.08494.

    Args:
        groups: into how many groups the channels are split; -1 makes each channel a group.
        axis: that of the channels.
        epsilon: added to the variance.
        center, scale: whether there is a ``beta``, a ``gamma``; each has one entry a channel.
        options: initializers and penalties of ``beta`` and ``gamma``; ``name``, ``trainable``.

    Example:
        >>> import graphc as gx
        >>> gx.layers.GroupNormalization(groups=4)(gx.layers.Input((7, 7, 8))).shape
        (n, 7, 7, 8)
    """

    def __init__(self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **options: Any) -> None:
        super().__init__(axis, epsilon, center, scale, **options)
        self.groups = -1 if as_whole(groups) == -1 else settings("GroupNormalization", COUNT, groups=groups)[0]

    def build(self, input_shape: Any) -> None:
        """Make ``gamma`` and ``beta``."""
        (channels,) = _sizes(self, input_shape, self.axis)
        self.groups = channels if self.groups == -1 else self.groups
        if channels % self.groups:
            raise DeclarationError(
                f"{self.name}: {channels} channels cannot be split into {self.groups} groups: give groups= a divisor of {channels}"
            )
        self.make_scale((channels,))

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The normalised input."""
        (axis,) = axes_of(x, self.axis)
        shape = [*x.shape]
        shape[axis : axis + 1] = [self.groups, _sizes(self, x.shape, axis)[0] // self.groups]
        split = reshape(x, tuple(shape))
        others = tuple(a for a in range(1, split.ndim) if a != axis)
        even = standardise(split, mean(split, others, keepdims=True), var(split, others, keepdims=True), self.epsilon)
        y = reshape(even, x.shape)
        y = y * _placed(self.gamma, x, (axis,)) if self.scale else y
        return y + _placed(self.beta, x, (axis,)) if self.center else y


class RMSNormalization(Layer):
    r""":math:`\gamma x / \sqrt{\operatorname{mean}(x^2) + \epsilon}` along an axis; the weight is called ``scale``.

    Source: Zhang and Sennrich, NeurIPS 2019, arXiv 1910.07467.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axes_given(self, axis)
        (self.epsilon,) = settings("RMSNormalization", NOT_NEGATIVE, epsilon=epsilon)
        self.scale: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``scale``."""
        self.scale = self.add_weight(_sizes(self, input_shape, self.axis), "ones", name="scale")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The normalised input."""
        axes = axes_of(x, self.axis)
        return x / sqrt(mean(x**2, axes, keepdims=True) + self.epsilon) * _placed(self.scale, x, axes)


class UnitNormalization(Layer):
    """Each sample with the Euclidean length 1 along an axis or several."""

    supports_masking = True

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axes_given(self, axis)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` over its length."""
        axes = axes_of(x, self.axis)
        return x / maximum(norm(x, axis=axes, keepdims=True), 1e-12)
