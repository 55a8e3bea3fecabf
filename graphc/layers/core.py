"""The layers of multi-layer perceptrons: dense, activation, dropout, flatten, reshape."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc import activations
from graphc.errors import DeclarationError
from graphc.expr.dims import product
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor, make
from graphc.layers.base import Layer, check_names
from graphc.ops.layout import broadcast_to, reshape
from graphc.ops.nn import dropout
from graphc.ops.state import shape_of

__all__ = ["Activation", "AutomaticInput", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "Reshape"]


@dataclass(frozen=True, slots=True, eq=False)
class AutomaticInput(Leaf):
    """An input whose name its model may change, because nobody chose it."""


def Input(shape: Any = (), batch_size: int | None = None, dtype: str = "float", name: str | None = None) -> Tensor:
    """An input of a model: a tensor whose first axis is the batch.

    Args:
        shape: the shape of one sample; where it has ``None``, samples of one batch agree and batches may differ.
        batch_size: the size of every batch, where it is fixed.
        dtype: ``"float"``, ``"int"`` or ``"bool"``.
        name: by default ``x``, numbered when the model is built.

    Example:
        >>> import graphc as gx
        >>> gx.layers.Input(shape=(30,))
        <input x(n, 30)>
    """
    kind = "int" if "int" in str(dtype) else "bool" if "bool" in str(dtype) else "float"
    given = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    sample = tuple(_unnamed_size(name, k) if e is None else e for k, e in enumerate(given, start=1))
    extents = shape_of(("n" if batch_size is None else batch_size, *shape_of(sample, name or "an input")), name or "an input")
    leaf = Leaf("input") if name else AutomaticInput("input")
    return make(leaf, (), extents, kind, name=name or "x")


_unnamed = itertools.count()


def _unnamed_size(name: str | None, axis: int) -> str:
    """A name for the size of an axis: each is a size of its own."""
    if name:
        return f"{name}_{axis}"
    number = next(_unnamed)
    return f"t_{number}" if number else "t"


InputLayer = Input


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every output sees every input.

    Args:
        units: the number of outputs.
        activation: a name or a function of a tensor; none by default.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: the first values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and on the output.
        options: ``name``, ``trainable``, ``input_shape``, ``input_dim``.

    Shapes: ``(..., inputs)`` to ``(..., units)``; ``kernel`` is ``(inputs, units)``, ``bias`` is ``(units,)``.

    Example:
        >>> import graphc as gx
        >>> gx.layers.Dense(10, activation="relu")(gx.layers.Input((30,))).shape
        (n, 10)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise DeclarationError(f"Dense(units={units!r}): the number of outputs is a whole number of 1 or more")
        self.units, self.use_bias = units, use_bias
        self.activation = activations.get(activation)
        check_names(self, kernel_initializer, bias_initializer, penalties=(kernel_regularizer, bias_regularizer))
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``kernel`` and ``bias``."""
        if not input_shape or not isinstance(input_shape[-1], int):
            shown = input_shape[-1] if input_shape else "missing"
            raise DeclarationError(
                f"{self.name}: the last axis of its input is {shown} in the shape {input_shape}, and Dense needs a number there: flatten first"
            )
        self.kernel = self.add_weight((input_shape[-1], self.units), self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(x @ kernel + bias)``."""
        z = x @ self.kernel
        return self.activation(z + self.bias if self.use_bias else z)


class Activation(Layer):
    """An activation function as a layer of its own."""

    supports_masking = True

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``activation(x)``."""
        return self.activation(x)


class Dropout(Layer):
    """In training each entry is 0 with probability ``rate`` and scaled by ``1/(1 - rate)`` otherwise; identity in inference.

    Source: Srivastava et al., JMLR 15 (2014).

    Args:
        rate: the share that is dropped.
        noise_shape: axes of size 1 in it are dropped together.
        seed: taken for Keras's sake; ``fit(seed=...)`` fixes the noise.
        options: ``name``.
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Sequence[Any] | None = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate < 1:
            raise DeclarationError(f"Dropout(rate={rate!r}): it is the share that is dropped, at least 0 and below 1")
        self.rate, self.noise_shape, self.seed = float(rate), noise_shape, seed

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` with entries dropped in training."""
        if self.noise_shape is None:
            return dropout(x, self.rate)
        shape = [own if given is None else given for given, own in zip(self.noise_shape, x.shape, strict=True)]
        return x * dropout(broadcast_to(1.0, tuple(shape)), self.rate)


class Flatten(Layer):
    """All axes but the first as one: ``(n, 28, 28)`` to ``(n, 784)``."""

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` as a matrix."""
        return reshape(x, (x.shape[0], product(x.shape[1:])))


class Reshape(Layer):
    """The entries of each sample in another shape; one entry of ``target_shape`` may be -1."""

    def __init__(self, target_shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(target_shape)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` in the new shape."""
        size = product(x.shape[1:])
        known = product(e for e in self.target_shape if e != -1)
        if -1 in self.target_shape and isinstance(size, int) and isinstance(known, int) and known and size % known == 0:
            shape = tuple(size // known if e == -1 else e for e in self.target_shape)
        else:
            shape = self.target_shape
        return reshape(x, (x.shape[0], *shape))
