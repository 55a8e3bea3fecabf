"""The layer that turns ids into vectors, and the one that leaves out moments of a given value."""

from __future__ import annotations

from typing import Any

from graphc import initializers
from graphc.errors import DeclarationError
from graphc.expr.numbers import COUNT, FINITE, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.ops.arithmetic import equal, logical_not, not_equal, where
from graphc.ops.nn import embedding
from graphc.ops.reduction import sum

__all__ = ["Embedding", "Masking"]


class Embedding(Layer):
    """A row of a table for each id: ``(n, t)`` of whole numbers to ``(n, t, output_dim)``.

    Args:
        input_dim: the number of ids, 0 to ``input_dim - 1``.
        output_dim: the length of a row.
        embeddings_initializer: the first values.
        embeddings_regularizer: a penalty on the table.
        mask_zero: the id 0 fills up what is too short: recurrent layers, attention and the mean over time pass it over.
        weights: the first values of the table, alone in a list, or the table itself.
        input_length: the length of a sample, where it is the first layer of a ``Sequential``.
        options: as for :class:`Layer`, but ``input_shape`` alone for the shape of a sample.

    Example:
        >>> import graphc as gx
        >>> ids = gx.layers.Input((20,), dtype="int")
        >>> gx.layers.LSTM(8)(gx.layers.Embedding(1000, 16, mask_zero=True)(ids)).shape
        (n, 8)
    """

    input_dtype = "int"

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform", embeddings_regularizer: Any = None, mask_zero: bool = False,
        weights: Any = None, input_length: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.input_dim, self.output_dim = settings("Embedding", COUNT, input_dim=input_dim, output_dim=output_dim)
        self.mask_zero = mask_zero
        if input_length is not None and self.sample_shape is None:
            self.sample_shape = (input_length,)
        if weights is not None:
            embeddings_initializer = initializers.Constant(weights[0] if isinstance(weights, list) and len(weights) == 1 else weights)
        check_names(self, embeddings_initializer, penalties=(embeddings_regularizer,))
        self.embeddings_initializer, self.embeddings_regularizer = embeddings_initializer, embeddings_regularizer
        self.embeddings: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the table."""
        size = (self.input_dim, self.output_dim)
        self.embeddings = self.add_weight(size, self.embeddings_initializer, regularizer=self.embeddings_regularizer, name="embeddings")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """True where an id is not 0, with ``mask_zero``."""
        return logical_not(equal(inputs, 0)) if self.mask_zero else None

    def call(self, ids: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The rows of the ids."""
        if ids.dtype != "int":
            raise DeclarationError(f"{self.name} takes whole numbers, and {ids.describe()} are floats: declare the input with dtype='int'")
        return embedding(self.embeddings, ids)


class Masking(Layer):
    """Moments whose features all equal ``mask_value`` are left out by the layers after it, and are zeros themselves.

    Example:
        >>> import graphc as gx
        >>> gx.layers.LSTM(8)(gx.layers.Masking(mask_value=-1.0)(gx.layers.Input((20, 3)))).shape
        (n, 8)
    """

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        (self.mask_value,) = settings("Masking", FINITE, mask_value=mask_value)

    def _seen(self, x: Tensor, keepdims: bool) -> Tensor:
        return sum(where(not_equal(x, self.mask_value), 1.0, 0.0), -1, keepdims) > 0

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """True where a feature differs from the value."""
        return self._seen(inputs, False)

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x``, with zeros where it is left out."""
        return where(self._seen(x, True), x, 0.0)
