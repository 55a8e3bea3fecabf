"""The layer that turns ids into vectors."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.ops.nn import embedding

__all__ = ["Embedding"]


class Embedding(Layer):
    """A row of a table for each id: ``(n, t)`` of whole numbers to ``(n, t, output_dim)``.

    Args:
        input_dim: the number of ids, 0 to ``input_dim - 1``.
        output_dim: the length of a row.
        embeddings_initializer: the first values.
        embeddings_regularizer: a penalty on the table.
        options: as for :class:`Layer`, but ``input_shape`` alone for the shape of a sample.
    """

    input_dtype = "int"

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform", embeddings_regularizer: Any = None, **options: Any
    ) -> None:
        super().__init__(**options)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise DeclarationError(f"Embedding({name}={value!r}): it is a whole number of 1 or more")
        self.input_dim, self.output_dim = input_dim, output_dim
        check_names(self, embeddings_initializer, penalties=(embeddings_regularizer,))
        self.embeddings_initializer, self.embeddings_regularizer = embeddings_initializer, embeddings_regularizer
        self.embeddings: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the table."""
        size = (self.input_dim, self.output_dim)
        self.embeddings = self.add_weight(size, self.embeddings_initializer, regularizer=self.embeddings_regularizer, name="embeddings")

    def call(self, ids: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The rows of the ids."""
        if ids.dtype != "int":
            raise DeclarationError(f"{self.name} takes whole numbers, and {ids.describe()} are floats: declare the input with dtype='int'")
        return embedding(self.embeddings, ids)
