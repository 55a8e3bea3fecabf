"""Layers that take several tensors of one shape, and the one that puts them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.mask import all_of
from graphc.ops import arithmetic
from graphc.ops.joining import concatenate

__all__ = ["Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"]


class _Joining(Layer):
    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """Where all masks of the inputs are true."""
        return all_of(mask) if isinstance(mask, list) else None


class _Merge(_Joining):
    """Several tensors, one after the other, through a function of two."""

    function: Callable[[Any, Any], Tensor]
    count: int | None = None

    def call(self, *inputs: Any) -> Tensor:
        """The tensors as one."""
        tensors = _several(self, inputs)
        if self.count is not None and len(tensors) != self.count:
            raise DeclarationError(f"{self.name} takes {self.count} tensors, and {len(tensors)} are given")
        return reduce(type(self).function, tensors)


def _several(layer: Layer, inputs: Sequence[Any]) -> list[Tensor]:
    tensors = list(inputs[0]) if len(inputs) == 1 and isinstance(inputs[0], list | tuple) else list(inputs)
    if len(tensors) < 2:
        raise DeclarationError(f"{layer.name} takes a list of two tensors or more: {layer.name}([a, b])")
    return tensors


class Add(_Merge):
    """The sum of several tensors: ``Add()([a, b])``."""

    function = staticmethod(arithmetic.add)


class Subtract(_Merge):
    """The difference of two tensors."""

    function = staticmethod(arithmetic.subtract)
    count = 2


class Multiply(_Merge):
    """The product of several tensors, entry by entry."""

    function = staticmethod(arithmetic.multiply)


class Maximum(_Merge):
    """The largest of several tensors, entry by entry."""

    function = staticmethod(arithmetic.maximum)


class Minimum(_Merge):
    """The smallest of several tensors, entry by entry."""

    function = staticmethod(arithmetic.minimum)


class Average(_Joining):
    """The mean of several tensors, entry by entry."""

    def call(self, *inputs: Any) -> Tensor:
        """The mean."""
        tensors = _several(self, inputs)
        return reduce(arithmetic.add, tensors) / len(tensors)


class Concatenate(_Joining):
    """Several tensors side by side along an axis."""

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def call(self, *inputs: Any) -> Tensor:
        """The tensors as one."""
        return concatenate(_several(self, inputs), self.axis)
