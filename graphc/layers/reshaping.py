"""Layers that move, repeat, add or cut off entries, and have no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import constant
from graphc.expr.dims import Extent
from graphc.expr.numbers import as_whole, listed, pairs_of
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, entries_of
from graphc.layers.convolution import channels_last
from graphc.ops.joining import pad
from graphc.ops.layout import broadcast_to, expand_dims, reshape, transpose
from graphc.ops.linear import einsum
from graphc.ops.windows import numbers

__all__ = ["Cropping1D", "Cropping2D", "Permute", "RepeatVector", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"]


class Permute(Layer):
    """The axes of each sample in another order, counted from 1: ``Permute((2, 1))`` makes (n, a, b) to (n, b, a).

    Example:
        >>> import graphc as gx
        >>> gx.layers.Permute((3, 1, 2))(gx.layers.Input((28, 14, 3))).shape
        (n, 3, 28, 14)
    """

    def __init__(self, dims: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        found = [as_whole(d) for d in entries_of(dims)]
        self.dims: tuple[int, ...] = tuple(d for d in found if d is not None)
        if None in found or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise DeclarationError(f"Permute(dims={dims!r}): it holds 1, 2, ... in the order wanted, each once; the batch, axis 0, stays")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` with its axes in another order."""
        if x.ndim != len(self.dims) + 1:
            raise ShapeError(f"{self.name} orders {len(self.dims)} axes after the batch, and is called on {x.describe()}")
        return transpose(x, (0, *self.dims))


class RepeatVector(Layer):
    """Each sample ``n`` times one after the other: (batch, features) to (batch, n, features).

    Example:
        >>> import graphc as gx
        >>> gx.layers.RepeatVector(4)(gx.layers.Input((3,))).shape
        (n, 4, 3)
    """

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        (self.n,) = numbers(n, 1, "n", "RepeatVector")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` repeated."""
        if x.ndim != 2:
            raise ShapeError(f"{self.name} repeats vectors (batch, features), and is called on {x.describe()}")
        return broadcast_to(expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))


class _Margins(Layer):
    """So many entries before and after each of ``rank`` axes."""

    rank: int
    margins: list[tuple[int, int]]

    def __init__(self, margins: Any, data_format: Any, what: str, **options: Any) -> None:
        super().__init__(**options)
        channels_last(self, data_format)
        given = listed(margins)
        entries = [given] if self.rank == 1 else given if isinstance(given, list | tuple) else [given] * self.rank
        pairs = pairs_of(entries, self.rank)
        if pairs is None:
            form = "a number or a pair (before, after)" if self.rank == 1 else "a number, or one number or pair (before, after) an axis"
            raise DeclarationError(f"{type(self).__name__}({what}={margins!r}): give {form}, 0 or more each")
        self.margins = pairs

    @property
    def kept(self) -> Any:
        """The margins as pairs: one, or one an axis."""
        return self.margins[0] if self.rank == 1 else tuple(self.margins)

    def check(self, x: Tensor) -> None:
        """Refuse an input of another rank."""
        if x.ndim != self.rank + 2:
            raise ShapeError(f"{self.name} takes {self.rank + 2} axes, the batch first and the channels last, and is called on {x.describe()}")


class _Padding(_Margins):
    def __init__(self, padding: Any = 1, data_format: Any = None, **options: Any) -> None:
        super().__init__(padding, data_format, "padding", **options)
        self.padding = self.kept

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` with zeros around it."""
        self.check(x)
        return pad(x, [(0, 0), *self.margins, (0, 0)])


class ZeroPadding1D(_Padding):
    """Zeros before and after a sequence: (n, length, channels); ``padding`` is a number or a pair."""

    rank = 1


class ZeroPadding2D(_Padding):
    """Zeros around an image: (n, height, width, channels); ``padding`` is a number, or a number or a pair an axis.

    Example:
        >>> import graphc as gx
        >>> gx.layers.ZeroPadding2D(((1, 0), (2, 2)))(gx.layers.Input((28, 28, 3))).shape
        (n, 29, 32, 3)
    """

    rank = 2


class _Cropping(_Margins):
    def __init__(self, cropping: Any = 1, data_format: Any = None, **options: Any) -> None:
        super().__init__(cropping, data_format, "cropping", **options)
        self.cropping = self.kept

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` without its margins."""
        self.check(x)
        for (before, after), size in zip(self.margins, x.shape[1:], strict=False):
            if isinstance(size, int) and before + after > size:
                raise ShapeError(f"{self.name} cuts off {before} and {after} of an axis of {size}, in {x.describe()}")
        return x[(slice(None), *(slice(before, -after or None) for before, after in self.margins))]


class Cropping1D(_Cropping):
    """A sequence without its first and last entries: (n, length, channels); ``cropping`` is a number or a pair."""

    rank = 1

    def __init__(self, cropping: Any = (1, 1), data_format: Any = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)


class Cropping2D(_Cropping):
    """An image without its margins: (n, height, width, channels); ``cropping`` is a number, or a number or a pair an axis."""

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: Any = None, **options: Any) -> None:
        super().__init__(cropping, data_format, **options)


class UpSampling1D(Layer):
    """Each moment of a sequence ``size`` times: (n, length, channels) to (n, length * size, channels)."""

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        (self.size,) = numbers(size, 1, "size", "UpSampling1D")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` repeated along time."""
        if x.ndim != 3:
            raise ShapeError(f"{self.name} takes (batch, length, channels), and is called on {x.describe()}")
        return _repeated(x, (self.size,))


class UpSampling2D(Layer):
    """An image ``size`` times as high and wide, by repeating its pixels or by straight lines between them.

    Args:
        size: a number, or one for the height and one for the width.
        data_format: the channels stand last.
        interpolation: ``"nearest"`` or ``"bilinear"``, which needs a height and a width that are numbers.
        options: ``name``.

    Example:
        >>> import graphc as gx
        >>> gx.layers.UpSampling2D((2, 3))(gx.layers.Input((7, 7, 8))).shape
        (n, 14, 21, 8)
    """

    def __init__(self, size: Any = 2, data_format: Any = None, interpolation: str = "nearest", **options: Any) -> None:
        super().__init__(**options)
        channels_last(self, data_format)
        self.size, self.interpolation = numbers(size, 2, "size", "UpSampling2D"), interpolation
        if interpolation not in ("nearest", "bilinear"):
            raise DeclarationError(f"UpSampling2D(interpolation={interpolation!r}): it is 'nearest' or 'bilinear'")

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """``x`` enlarged."""
        if x.ndim != 4:
            raise ShapeError(f"{self.name} takes (batch, height, width, channels), and is called on {x.describe()}")
        if self.interpolation == "nearest":
            return _repeated(x, self.size)
        rows, columns = (_between(e, s, x) for e, s in zip(x.shape[1:3], self.size, strict=True))
        return einsum("qw,npwc->npqc", columns, einsum("ph,nhwc->npwc", rows, x))


def _repeated(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Each entry along the axes 1, 2, ... so many times."""
    spread: list[Extent] = [x.shape[0]]
    wide: list[Extent] = [x.shape[0]]
    for extent, size in zip(x.shape[1:-1], sizes, strict=True):
        spread += [extent, size]
        wide.append(extent * size)
    places = tuple(2 * k + 2 for k in range(len(sizes)))
    return reshape(broadcast_to(expand_dims(x, places), (*spread, x.shape[-1])), (*wide, x.shape[-1]))


def _between(extent: Extent, size: int, x: Tensor) -> Tensor:
    """The matrix of straight lines between the middles of pixels: (extent * size, extent)."""
    if not isinstance(extent, int):
        raise ShapeError(f"bilinear interpolation of {x.describe()} needs a height and a width that are numbers: use interpolation='nearest'")
    places = np.clip((np.arange(extent * size) + 0.5) / size - 0.5, 0, max(extent - 1, 0))
    return constant(np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(extent))))
