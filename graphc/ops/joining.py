"""Joining and parting: each output entry comes from the one operand that has it; the others read 0 there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import sympy

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.dims import Dim, Extent
from graphc.expr.numbers import is_real, listed, pairs_of
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.axes import axes_of, axis_of
from graphc.ops.layout import expand_dims, getitem, reshape

__all__ = ["concatenate", "flip", "pad", "split", "stack"]


def concatenate(tensors: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; without one, their entries in row-major order.

    Raises:
        ShapeError: where they differ along another axis.

    Example:
        >>> import graphc as gx
        >>> gx.concatenate([gx.tensor("a", ("n", 2)), gx.tensor("b", ("n", 3))], axis=1).shape
        (n, 5)
    """
    parts = _parts(tensors, "gx.concatenate")
    if axis is None:
        return concatenate([reshape(p, (-1,)) for p in parts])
    if any(p.ndim == 0 for p in parts):
        raise DeclarationError("gx.concatenate joins one tensor or several, each with at least one axis; gx.stack joins scalars")
    axis = axis_of(parts[0], axis)
    guards: list[Guard] = []
    for part in parts[1:]:
        if part.ndim != parts[0].ndim:
            raise ShapeError(f"gx.concatenate of {parts[0].describe()} and {part.describe()}: they have different numbers of axes")
        for a in range(part.ndim):
            if a != axis:
                text = f"gx.concatenate along axis {axis}: {parts[0].describe()} and {part.describe()} differ on axis {a}"
                guard = same_extent(parts[0].shape[a], part.shape[a], text)
                guards += [guard] if guard else []
    reads: list[tuple[Tensor, tuple[Affine, ...], float | None]] = []
    start: Extent = 0
    for part in parts:
        places = tuple(Affine.variable(a) - (start if a == axis else 0) for a in range(part.ndim))
        reads.append((part, places, 0.0 if len(parts) > 1 else None))
        start = start + part.shape[axis]
    shape = [start if a == axis else e for a, e in enumerate(parts[0].shape)]
    values: list[Any] = [read_symbol(k) for k in range(len(parts))]
    body: Any = sum(values[1:], values[0])
    if all(p.dtype == "bool" for p in parts):
        body = sympy.Ne(body, 0)
    return stage(shape, reads, body, call=Call("concatenate", tuple(parts)), guards=guards)


def _parts(tensors: Any, what: str) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, Iterable) or isinstance(tensors, str):
        shown = tensors.describe() if isinstance(tensors, Tensor) else repr(tensors)
        raise DeclarationError(f"{what} joins the tensors of a list, {what}([a, b]), and is given {shown}")
    parts = [operand(t) for t in cast("Iterable[Any]", tensors)]
    if not parts:
        raise DeclarationError(f"{what} joins one tensor or several, and none is given")
    return parts


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    parts = _parts(tensors, "gx.stack")
    for part in parts[1:]:
        text = f"gx.stack of {parts[0].describe()} and {part.describe()}: their shapes must be equal; gx.concatenate joins along an axis they have"
        if part.ndim != parts[0].ndim:
            raise ShapeError(text)
        for a, b in zip(parts[0].shape, part.shape, strict=True):
            same_extent(a, b, text)
    return concatenate([expand_dims(p, axis) for p in parts], axis).called("stack", *parts)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """The parts of a tensor along an axis: a number of equal parts, or the positions where to cut.

    Raises:
        ShapeError: where the axis cannot be split evenly.

    Example:
        >>> import graphc as gx
        >>> [part.shape for part in gx.split(gx.tensor("x", ("n", 6)), 3, axis=1)]
        [(n, 2), (n, 2), (n, 2)]
    """
    x = operand(x)
    axis = axis_of(x, axis)
    size = x.shape[axis]
    if isinstance(size, Dim):
        raise ShapeError(f"axis {axis} of {x.describe()} has the named size {size}: gx.split needs a number there; use slices")
    if hasattr(sections, "__index__") and np.ndim(sections) == 0 and not isinstance(sections, bool):
        count = int(cast("int", sections))
        if count < 1 or size % count:
            raise ShapeError(
                f"axis {axis} of {x.describe()} cannot be split into {count} equal parts: give a number that divides {size}, or positions"
            )
        cuts = [k * (size // count) for k in range(1, count)]
    else:
        cuts = _cuts(sections, x)
    ends = [0, *cuts, size]
    before = (slice(None),) * axis
    return [getitem(x, (*before, slice(a, b))) for a, b in pairwise(ends)]


def _cuts(sections: Any, x: Tensor) -> list[int]:
    found = np.asarray(sections) if isinstance(sections, Sequence | np.ndarray) and not isinstance(sections, str) else None
    if found is None or found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise DeclarationError(f"gx.split of {x.describe()} into {sections!r}: give the number of equal parts, or a list of positions where to cut")
    return [int(c) for c in found]


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0.0) -> Tensor:
    """More entries before and after: one width for all axes, a pair for all, or a pair an axis.

    Args:
        mode: NumPy's ``"constant"``; ``"edge"`` repeats the outermost entry, ``"reflect"`` and ``"symmetric"`` mirror the
            entries without and with the outermost, ``"wrap"`` goes on at the other end.
        constant_values: what stands there in the mode ``"constant"``.

    Raises:
        ShapeError: where an axis has fewer entries than a mode needs.

    Example:
        >>> import graphc as gx
        >>> gx.pad(gx.tensor("x", ("n", 3)), ((1, 1), (0, 0))).shape
        (n + 2, 3)
    """
    x = operand(x)
    widths = _widths(x, pad_width)
    if mode not in ("constant", *_MIRRORS):
        raise DeclarationError(f"mode={mode!r} of gx.pad of {x.describe()}: give 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'")
    if not is_real(constant_values):
        raise DeclarationError(f"constant_values={constant_values!r} of gx.pad of {x.describe()}: give one number")
    if mode != "constant":
        padded = x
        for axis, (before, after) in enumerate(widths):
            padded = _mirrored(padded, axis, before, after, mode)
        return padded.called("pad", x) if padded is not x else x
    places = tuple(Affine.variable(a) - before for a, (before, _) in enumerate(widths))
    shape = [before + e + after for e, (before, after) in zip(x.shape, widths, strict=True)]
    return stage(shape, [(x, places, float(constant_values))], read_symbol(0), dtype=x.dtype, call=Call("pad", (x,)))


# What stands before an axis and after it, of a width: slices of the axis.
_MIRRORS: dict[str, tuple[Callable[[int], slice], Callable[[int], slice]]] = {
    "edge": (lambda _: slice(0, 1), lambda _: slice(-1, None)),
    "reflect": (lambda w: slice(w, 0, -1), lambda w: slice(-2, -2 - w, -1)),
    "symmetric": (lambda w: slice(w - 1, None, -1), lambda w: slice(-1, -1 - w, -1)),
    "wrap": (lambda w: slice(-w, None), lambda w: slice(0, w)),
}


def _mirrored(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """One axis with its own entries before and after it."""
    size, needed = x.shape[axis], {"edge": 1, "reflect": max(before, after) + 1}.get(mode, max(before, after))
    if isinstance(size, int) and size < needed and before + after:
        raise ShapeError(f"gx.pad of {x.describe()} by {(before, after)} with mode={mode!r}: axis {axis} needs {needed} entries and has {size}")
    around = (slice(None),) * axis

    def part(width: int, where: slice) -> list[Tensor]:
        cut = getitem(x, (*around, where)) if width else x
        return [cut] * width if mode == "edge" else [cut] if width else []

    first, last = _MIRRORS[mode]
    parts = [*part(before, first(before)), x, *part(after, last(after))]
    return concatenate(parts, axis) if len(parts) > 1 else x


def _widths(x: Tensor, given: Any) -> list[tuple[int, int]]:
    """The widths before and after each axis, as NumPy reads them."""
    widths = listed(given)
    entries: list[Any] = list(widths) if isinstance(widths, tuple | list) else [widths] * x.ndim
    if len(entries) == 2 and not any(isinstance(e, tuple | list) for e in entries):
        entries = [tuple(entries)] * x.ndim
    if len(entries) == 1 and x.ndim > 1:
        entries = entries * x.ndim
    pairs = pairs_of(entries, x.ndim)
    if pairs is None:
        raise DeclarationError(f"pad_width={given!r} of {x.describe()}: give a number, a pair, or one pair (before, after) an axis")
    return pairs


def flip(x: Any, axis: Any = None) -> Tensor:
    """The entries in reverse order along one axis, several, or all."""
    x = operand(x)
    axes = axes_of(x, axis)
    return getitem(x, tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(x.ndim))).called("flip", x)
