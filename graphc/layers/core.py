"""The layers of multi-layer perceptrons: dense, activation, dropout, flatten, reshape."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc import activations
from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import same_extent
from graphc.expr.dims import Dim, as_extent, product
from graphc.expr.numbers import COUNT, DROPPED, as_whole, settings
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor, make
from graphc.layers.base import Layer, check_names, entries_of
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
    sample = tuple(_unnamed_size(name, k) if e is None else e for k, e in enumerate(entries_of(shape), start=1))
    extents = shape_of(("n" if batch_size is None else batch_size, *shape_of(sample, name or "an input")), name or "an input")
    leaf = Leaf("input") if name else AutomaticInput("input")
    return make(leaf, (), extents, kind, name=name or "x")


_unnamed = itertools.count()


def _unnamed_size(name: str | None, axis: int) -> Dim:
    """A size of its own, named after the input, whose name may be any text."""
    if name:
        return Dim.named(f"{name}_{axis}")
    number = next(_unnamed)
    return Dim.named(f"t_{number}" if number else "t")


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
        (self.units,) = settings("Dense", COUNT, units=units)
        self.use_bias = use_bias
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
        (self.rate,) = settings(type(self).__name__, DROPPED, rate=rate)
        self.noise_shape = None if noise_shape is None else tuple(e if e is None else as_extent(e) for e in entries_of(noise_shape))
        self.seed = seed

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` with entries dropped in training."""
        if self.noise_shape is None:
            return dropout(x, self.rate)
        if len(self.noise_shape) != x.ndim:
            raise ShapeError(f"{self.name} has noise_shape={self.noise_shape}, and is called on {x.describe()}: give one entry an axis")
        shape = [own if given is None else given for given, own in zip(self.noise_shape, x.shape, strict=True)]
        return x * dropout(broadcast_to(1.0, tuple(shape)), self.rate)


class Flatten(Layer):
    """All axes but the first as one: ``(n, 28, 28)`` to ``(n, 784)``."""

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` as a matrix."""
        return reshape(x, (x.shape[0], product(x.shape[1:])))


class Reshape(Layer):
    """The entries of each sample in another shape; one entry of ``target_shape`` may be -1.

    Example:
        >>> import graphc as gx
        >>> gx.layers.Reshape((2, -1))(gx.layers.Input((6,))).shape
        (n, 2, 3)
    """

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        given = entries_of(target_shape)
        free = [not isinstance(e, Dim) and as_whole(e) == -1 for e in given]
        if sum(free) > 1:
            raise ShapeError(f"Reshape(target_shape={target_shape!r}): only one entry may be -1")
        self.target_shape = tuple(-1 if f else as_extent(e) for e, f in zip(given, free, strict=True))

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` in the new shape.

        Raises:
            ShapeError: where a sample has more or fewer entries.
        """
        size = product(x.shape[1:])
        known = product(e for e in self.target_shape if e != -1)
        shape = self.target_shape
        text = f"{self.name}: the samples of {x.describe()} have {size} entries, which do not fill {shape}: give a shape of {size} entries"
        if -1 not in shape:
            same_extent(size, known, text)
        elif isinstance(size, int) and isinstance(known, int):
            if not known or size % known:
                raise ShapeError(text)
            shape = tuple(size // known if e == -1 else e for e in shape)
        return reshape(x, (x.shape[0], *shape))
