"""Convolutions of each channel by itself, and those followed by a product over the channels."""

from __future__ import annotations

from typing import Any

from graphc import activations
from graphc.errors import DeclarationError
from graphc.expr.numbers import COUNT, listed, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.layers.convolution import channels_last
from graphc.ops import nn
from graphc.ops.layout import reshape
from graphc.ops.windows import numbers

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]


class _Depthwise(Layer):
    """Each channel convolved with ``depth_multiplier`` filters of its own."""

    rank: int

    def __init__(
        self, kernel_size: Any, strides: Any = 1, padding: Any = "valid", depth_multiplier: int = 1, data_format: Any = None, dilation_rate: Any = 1,
        activation: Any = None, use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **options)
        channels_last(self, data_format)
        check_names(self, depthwise_initializer, bias_initializer, penalties=(depthwise_regularizer, bias_regularizer))
        kind = type(self).__name__
        (self.depth_multiplier,) = settings(kind, COUNT, depth_multiplier=depth_multiplier)
        self.kernel_size, self.strides = numbers(kernel_size, self.rank, "kernel_size", kind), numbers(strides, self.rank, "strides", kind)
        self.dilation_rate, self.padding = numbers(dilation_rate, self.rank, "dilation_rate", kind), listed(padding)
        self.use_bias, self.activation = use_bias, activations.get(activation)
        self.depthwise_initializer, self.bias_initializer = depthwise_initializer, bias_initializer
        self.depthwise_regularizer, self.bias_regularizer = depthwise_regularizer, bias_regularizer
        self.depthwise_kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (window, inputs, depth_multiplier), and ``bias``."""
        channels = self._depthwise_kernel(input_shape, "kernel")
        if self.use_bias:
            width = channels * self.depth_multiplier
            self.bias = self.add_weight((width,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias")

    def _depthwise_kernel(self, input_shape: Any, name: str) -> int:
        channels = input_shape[-1]
        if not isinstance(channels, int):
            raise DeclarationError(f"{self.name}: its input has {channels} channels, and a number is needed there: channels stand last")
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.add_weight(shape, self.depthwise_initializer, regularizer=self.depthwise_regularizer, name=name)
        return channels

    def each_channel(self, x: Tensor) -> Tensor:
        """The convolution of each channel: one group a channel."""
        channels = self.depthwise_kernel.shape[-2]
        kernel = reshape(self.depthwise_kernel, (*self.kernel_size, 1, channels * self.depth_multiplier))
        function = nn.conv1d if self.rank == 1 else nn.conv2d
        return function(x, kernel, strides=self.strides, padding=self.padding, dilation=self.dilation_rate, groups=channels)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(convolution(x, kernel) + bias)``."""
        z = self.each_channel(x)
        return self.activation(z + self.bias if self.use_bias else z)


class DepthwiseConv1D(_Depthwise):
    """Each channel of a sequence convolved by itself: ``(n, length, inputs)`` to ``(n, length', inputs * depth_multiplier)``.

    Args are Keras's: ``kernel_size strides padding depth_multiplier dilation_rate activation use_bias`` and the weights'
    initializers and penalties.
    """

    rank = 1


class DepthwiseConv2D(_Depthwise):
    """Each channel of an image convolved by itself: ``(n, height, width, inputs)`` to ``(n, height', width', inputs * depth_multiplier)``.

    Args are Keras's: ``kernel_size strides padding depth_multiplier dilation_rate activation use_bias`` and the weights'
    initializers and penalties; ``kernel`` is (height, width, inputs, depth_multiplier).

    Example:
        >>> import graphc as gx
        >>> gx.layers.DepthwiseConv2D(3, depth_multiplier=2)(gx.layers.Input((28, 28, 8))).shape
        (n, 26, 26, 16)
    """

    rank = 2


class _Separable(_Depthwise):
    """A depthwise convolution and a product over the channels."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: Any = "valid", data_format: Any = None, dilation_rate: Any = 1,
        depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias, depthwise_initializer,
            bias_initializer, depthwise_regularizer, bias_regularizer, activity_regularizer, **options,
        )  # fmt: skip
        check_names(self, pointwise_initializer, penalties=(pointwise_regularizer,))
        (self.filters,) = settings(type(self).__name__, COUNT, filters=filters)
        self.pointwise_initializer, self.pointwise_regularizer = pointwise_initializer, pointwise_regularizer
        self.pointwise_kernel: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``depthwise_kernel``, ``pointwise_kernel`` and ``bias``."""
        channels = self._depthwise_kernel(input_shape, "depthwise_kernel") * self.depth_multiplier
        shape = (*(1,) * self.rank, channels, self.filters)
        self.pointwise_kernel = self.add_weight(shape, self.pointwise_initializer, regularizer=self.pointwise_regularizer, name="pointwise_kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(each channel's convolution @ pointwise_kernel + bias)``."""
        kernel = self.pointwise_kernel
        z = self.each_channel(x) @ reshape(kernel, kernel.shape[self.rank :])
        return self.activation(z + self.bias if self.use_bias else z)


class SeparableConv1D(_Separable):
    """Each channel of a sequence convolved by itself, then mixed: ``(n, length, inputs)`` to ``(n, length', filters)``.

    Args are Keras's: ``filters kernel_size strides padding dilation_rate depth_multiplier activation use_bias`` and the
    weights' initializers and penalties.
    """

    rank = 1


class SeparableConv2D(_Separable):
    """Each channel of an image convolved by itself, then mixed: ``(n, height, width, inputs)`` to ``(n, height', width', filters)``.

    Source: Chollet, CVPR 2017, arXiv 1610.02357.

    Args are Keras's: ``filters kernel_size strides padding dilation_rate depth_multiplier activation use_bias`` and the
    weights' initializers and penalties; ``depthwise_kernel`` is (height, width, inputs, depth_multiplier),
    ``pointwise_kernel`` (1, 1, inputs * depth_multiplier, filters).

    Example:
        >>> import graphc as gx
        >>> gx.layers.SeparableConv2D(16, 3, padding="same")(gx.layers.Input((28, 28, 8))).shape
        (n, 28, 28, 16)
    """

    rank = 2
