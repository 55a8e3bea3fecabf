"""Layers that take several tensors of one shape, and the one that puts them side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.numbers import AXIS, listed, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.mask import all_of
from graphc.ops import arithmetic, joining
from graphc.ops.arithmetic import maximum as larger
from graphc.ops.axes import axis_of
from graphc.ops.linear import einsum
from graphc.ops.reduction import norm

__all__ = [
    "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "add", "average", "concatenate", "dot", "maximum",
    "minimum", "multiply", "subtract",
]  # fmt: skip


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
        (self.axis,) = settings("Concatenate", AXIS, axis=axis)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """Where all masks are true; along time, one after the other, where all inputs have one."""
        tensors, masks = (list(v) if isinstance(v, list) else [] for v in (inputs, mask))
        if not tensors or all(m is None for m in masks) or axis_of(tensors[0], self.axis) != 1 or tensors[0].ndim < 3:
            return super().compute_mask(inputs, mask)
        return None if None in masks else joining.concatenate(masks, 1)

    def call(self, *inputs: Any) -> Tensor:
        """The tensors as one."""
        return joining.concatenate(_several(self, inputs), self.axis)


class Dot(Layer):
    """The products of two tensors, sample by sample, summed along an axis of each: (n, a, k) and (n, b, k) to (n, a, b).

    Args:
        axes: the axis of both, or one for each.
        normalize: whether the entries along the axes have the length 1 first: then it is the cosine.
        options: ``name``.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.layers.Input((3, 4), name="a"), gx.layers.Input((5, 4), name="b")
        >>> gx.layers.Dot(axes=-1)([a, b]).shape
        (n, 3, 5)
    """

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.axes, self.normalize = listed(axes), normalize

    def call(self, *inputs: Any) -> Tensor:
        """The products; of two matrices (n, k), one number a sample, (n, 1)."""
        tensors = _several(self, inputs)
        pair = self.axes if isinstance(self.axes, list | tuple) else (self.axes, self.axes)
        if len(tensors) != 2 or len(pair) != 2:
            raise DeclarationError(f"{self.name} takes 2 tensors and an axis of each, and has {len(tensors)} and axes={self.axes!r}")
        places = [axis_of(t, a) for t, a in zip(tensors, pair, strict=True)]
        if 0 in places:
            raise DeclarationError(f"{self.name} has axes={self.axes!r}: the axis 0 is the batch, which stays")
        if self.normalize:
            tensors = [t / larger(norm(t, axis=a, keepdims=True), 1e-12) for t, a in zip(tensors, places, strict=True)]
        letters = iter("abcdefghijklm")
        sides = [
            "".join("n" if a == 0 else "k" if a == place else next(letters) for a in range(t.ndim)) for t, place in zip(tensors, places, strict=True)
        ]
        kept = "".join(sides).replace("n", "").replace("k", "")
        y = einsum(f"{sides[0]},{sides[1]}->n{kept}", *tensors)
        return y if y.ndim > 1 else y[:, None]


def add(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The sum of several tensors, by :class:`Add`."""
    return Add(**options)(list(inputs))


def subtract(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The difference of two tensors, by :class:`Subtract`."""
    return Subtract(**options)(list(inputs))


def multiply(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The product of several tensors entry by entry, by :class:`Multiply`."""
    return Multiply(**options)(list(inputs))


def maximum(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The largest of several tensors entry by entry, by :class:`Maximum`."""
    return Maximum(**options)(list(inputs))


def minimum(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The smallest of several tensors entry by entry, by :class:`Minimum`."""
    return Minimum(**options)(list(inputs))


def average(inputs: Sequence[Any], **options: Any) -> Tensor:
    """The mean of several tensors entry by entry, by :class:`Average`."""
    return Average(**options)(list(inputs))


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Any) -> Tensor:
    """Several tensors side by side, by :class:`Concatenate`."""
    return Concatenate(axis, **options)(list(inputs))


def dot(inputs: Sequence[Any], axes: Any, normalize: bool = False, **options: Any) -> Tensor:
    """The products of two tensors along an axis of each, by :class:`Dot`."""
    return Dot(axes, normalize, **options)(list(inputs))
