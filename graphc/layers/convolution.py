"""Convolutions, their adjoints, and pools, channels last."""

from __future__ import annotations

from typing import Any

from graphc import activations
from graphc.errors import DeclarationError
from graphc.expr.numbers import COUNT, listed, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.ops import nn
from graphc.ops.arithmetic import equal, where
from graphc.ops.layout import expand_dims
from graphc.ops.reduction import max as max_
from graphc.ops.reduction import mean, sum
from graphc.ops.windows import numbers

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "MaxPooling1D", "MaxPooling2D", "channels_last",
]  # fmt: skip


def channels_last(layer: Layer, data_format: Any) -> None:
    """Refuse another order of the axes.

    Raises:
        DeclarationError: for ``data_format="channels_first"``.
    """
    if data_format not in (None, "channels_last"):
        raise DeclarationError(f"{type(layer).__name__}(data_format={data_format!r}): channels stand last; gx.layers.Permute puts them there")


class _Conv(Layer):
    """A convolution with a kernel of ``rank`` axes beside its channels."""

    rank: int

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: Any = "valid", data_format: Any = None, dilation_rate: Any = 1,
        groups: int = 1, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **options)
        kind = type(self).__name__
        self.filters, self.groups = settings(kind, COUNT, filters=filters, groups=groups)
        channels_last(self, data_format)
        self.kernel_size = numbers(kernel_size, self.rank, "kernel_size", kind)
        self.strides, self.dilation_rate = numbers(strides, self.rank, "strides", kind), numbers(dilation_rate, self.rank, "dilation_rate", kind)
        self.padding, self.use_bias = listed(padding), use_bias
        self.activation = activations.get(activation)
        check_names(self, kernel_initializer, bias_initializer, penalties=(kernel_regularizer, bias_regularizer))
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``kernel``, of shape (window, inputs / groups, filters), and ``bias``."""
        channels = input_shape[-1]
        if not isinstance(channels, int) or channels % self.groups:
            raise DeclarationError(f"{self.name}: its input has {channels} channels, and {self.groups} groups must divide them: channels stand last")
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight(shape, self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias")

    def around(self) -> Any:
        """The padding; a causal one lets no output see what comes after it."""
        if self.rank != 1 or not isinstance(self.padding, str) or self.padding.lower() != "causal":
            return self.padding
        return ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(convolution(x, kernel) + bias)``."""
        function = nn.conv1d if self.rank == 1 else nn.conv2d
        z = function(x, self.kernel, strides=self.strides, padding=self.around(), dilation=self.dilation_rate, groups=self.groups)
        return self.activation(z + self.bias if self.use_bias else z)


class Conv1D(_Conv):
    """A convolution over sequences: ``(n, length, inputs)`` to ``(n, length', filters)``.

    Args are Keras's: ``filters kernel_size strides padding dilation_rate groups activation use_bias`` and the weights'
    initializers and penalties.
    """

    rank = 1


class Conv2D(_Conv):
    """A convolution over images: ``(n, height, width, inputs)`` to ``(n, height', width', filters)``.

    Args are Keras's: ``filters kernel_size strides padding dilation_rate groups activation use_bias`` and the weights'
    initializers and penalties.
    """

    rank = 2


class _Transposed(_Conv):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: Any = "valid", output_padding: Any = None, data_format: Any = None,
        dilation_rate: Any = 1, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, **options)
        kind = type(self).__name__
        if output_padding is not None:
            raise DeclarationError(f"{kind}(output_padding={output_padding!r}): the output has the size that padding= gives; pad it by ZeroPadding2D")
        if any(d != 1 for d in self.dilation_rate) or self.groups != 1:
            raise DeclarationError(f"{kind}: dilation_rate and groups are 1: it takes no others")

    def build(self, input_shape: Any) -> None:
        """Make ``kernel``, of shape (window, filters, inputs), and ``bias``."""
        channels = input_shape[-1]
        if not isinstance(channels, int):
            raise DeclarationError(f"{self.name}: its input has {channels} channels, and a number is needed there: channels stand last")
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self.add_weight(shape, self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias")


class Conv2DTranspose(_Transposed):
    """The adjoint of a convolution, which makes images larger: ``(n, height, width, inputs)`` to ``(n, height', width', filters)``.

    With ``padding="same"`` an output is ``strides`` times as high and wide as its input.

    Args are Keras's: ``filters kernel_size strides padding activation use_bias`` and the weights' initializers and penalties;
    ``kernel`` is (height, width, filters, inputs).

    Example:
        >>> import graphc as gx
        >>> gx.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(gx.layers.Input((7, 7, 16))).shape
        (n, 14, 14, 8)
    """

    rank = 2

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(transposed convolution(x, kernel) + bias)``."""
        z = nn.conv2d_transpose(x, self.kernel, strides=self.strides, padding=self.padding)
        return self.activation(z + self.bias if self.use_bias else z)


class Conv1DTranspose(_Transposed):
    """The adjoint of a convolution, which makes sequences longer: ``(n, length, inputs)`` to ``(n, length', filters)``.

    Args are those of :class:`Conv2DTranspose`; ``kernel`` is (size, filters, inputs).
    """

    rank = 1

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(transposed convolution(x, kernel) + bias)``."""
        z = nn.conv2d_transpose(expand_dims(x, 1), expand_dims(self.kernel, 0), strides=(1, *self.strides), padding=self.padding)[:, 0]
        return self.activation(z + self.bias if self.use_bias else z)


class _Pool(Layer):
    rank: int

    def __init__(self, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", data_format: Any = None, **options: Any) -> None:
        super().__init__(**options)
        channels_last(self, data_format)
        kind = type(self).__name__
        self.pool_size, self.padding = numbers(pool_size, self.rank, "pool_size", kind), listed(padding)
        self.strides = None if strides is None else numbers(strides, self.rank, "strides", kind)


class MaxPooling1D(_Pool):
    """The largest entry of each window of a sequence."""

    rank = 1

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The largest entries."""
        return nn.max_pool1d(x, self.pool_size, self.strides, self.padding)


class MaxPooling2D(_Pool):
    """The largest entry of each window of an image."""

    rank = 2

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The largest entries."""
        return nn.max_pool2d(x, self.pool_size, self.strides, self.padding)


class AveragePooling1D(_Pool):
    """The mean of each window of a sequence; padding does not count."""

    rank = 1

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The means."""
        return nn.avg_pool1d(x, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pool):
    """The mean of each window of an image; padding does not count."""

    rank = 2

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The means."""
        return nn.avg_pool2d(x, self.pool_size, self.strides, self.padding)


class _Global(Layer):
    def __init__(self, data_format: Any = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        channels_last(self, data_format)
        self.keepdims = keepdims


class GlobalAveragePooling1D(_Global):
    """The mean of a whole sequence, channel by channel; what a mask leaves out does not count, and of nothing it is 0."""

    def call(self, x: Tensor, mask: Any = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The means; ``mask`` holds truth values (batch, time)."""
        if mask is None:
            return mean(x, 1, self.keepdims)
        seen = where(mask, 1.0, 0.0)[:, :, None]
        count = sum(seen, 1, self.keepdims)
        return sum(x * seen, 1, self.keepdims) / where(equal(count, 0.0), 1.0, count)


class GlobalAveragePooling2D(_Global):
    """The mean of a whole image, channel by channel."""

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The means."""
        return mean(x, (1, 2), self.keepdims)


class GlobalMaxPooling1D(_Global):
    """The largest entry of a whole sequence, channel by channel."""

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The largest entries."""
        return max_(x, 1, self.keepdims)


class GlobalMaxPooling2D(_Global):
    """The largest entry of a whole image, channel by channel."""

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The largest entries."""
        return max_(x, (1, 2), self.keepdims)
