"""Windows that slide over the axes between the first and the last: strides, dilation and padding, channels last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.numbers import as_whole, listed
from graphc.expr.origin import caller
from graphc.expr.tensor import Guard, Tensor

__all__ = ["Window", "not_negative", "numbers", "sides", "windows"]


@dataclass(frozen=True)
class Window:
    """One axis: its size, the window's, the result's, and how the window moves."""

    size: Extent
    taps: Extent
    stride: int
    dilation: int
    before: Extent
    after: Extent
    steps: Extent
    guards: tuple[Guard, ...] = ()

    @property
    def padded(self) -> bool:
        """Whether the window may leave the axis."""
        return self.before != 0 or self.after != 0

    def place(self, step: int, tap: int) -> Affine:
        """Where the tap (an index) of the window at a step (an index) reads."""
        return Affine.variable(step).scaled(self.stride) + Affine.variable(tap).scaled(self.dilation) - self.before


def numbers(given: Any, count: int, what: str, owner: str = "") -> tuple[int, ...]:
    """One whole number for all axes, or one an axis."""
    entries = listed(given)
    found = [as_whole(e) for e in (entries if isinstance(entries, tuple | list) else (entries,) * count)]
    whole = tuple(e for e in found if e is not None and e >= 1)
    if len(found) != count or len(whole) != count:
        several = f", or {count} of them" if count > 1 else ""
        raise DeclarationError(f"{what}={given!r}{f' of {owner}' if owner else ''}: give one whole number of 1 or more{several}")
    return whole


def windows(x: Tensor, taps: tuple[Extent, ...], strides: Any, padding: Any, dilation: Any, what: str) -> list[Window]:
    """The windows over the axes 1, 2, ... of ``x``.

    Args:
        padding: ``"valid"``, ``"same"`` as Keras pads, a number, or a pair ``(before, after)`` an axis.

    Raises:
        ShapeError: where a window does not fit.
    """
    count = len(taps)
    steps, gaps = numbers(strides, count, "strides"), numbers(dilation, count, "dilation")
    found: list[Window] = []
    for axis, (size, tap, stride, gap) in enumerate(zip(x.shape[1:], taps, steps, gaps, strict=False)):
        reach = (tap - 1) * gap + 1
        before, after = sides(padding, axis, count, size, reach, stride, f"{what} of {x.describe()}")
        room = size + before + after - reach
        text = f"{what} of {x.describe()}: a window of {reach} does not fit axis {axis + 1} of {size}; use padding='same'"
        found.append(Window(size, tap, stride, gap, before, after, room // stride + 1, () if _same_as_keras(padding) else not_negative(room, text)))
    return found


def not_negative(extent: Extent, text: str) -> tuple[Guard, ...]:
    """What must hold so that an extent is none below 0.

    Raises:
        ShapeError: where it certainly is.
    """
    if isinstance(extent, int) and extent < 0:
        raise ShapeError(text)
    return () if provably_at_least(extent, 0) else (Guard(extent, 0, text, caller(), "inside"),)


def _same_as_keras(padding: Any) -> bool:
    return isinstance(padding, str) and padding.lower() == "same"


def sides(padding: Any, axis: int, count: int, size: Extent, reach: Extent, stride: int, what: str) -> tuple[Extent, Extent]:
    """How many places are added before and after an axis."""
    named = padding.lower() if isinstance(padding, str) else None
    if named == "valid":
        return 0, 0
    if named == "same":
        total = _same(size, reach, stride, what)
        return total // 2, total - total // 2
    entry: Any = listed(padding)
    if isinstance(entry, tuple | list):
        entry = entry[axis] if len(entry) == count else entry if count == 1 else None
    pair = [as_whole(e) for e in (entry if isinstance(entry, tuple | list) else (entry, entry))]
    whole = [e for e in pair if e is not None and e >= 0]
    if len(pair) == len(whole) == 2:
        return whole[0], whole[1]
    raise DeclarationError(f"padding={padding!r} in {what}: it is 'valid', 'same', a number, or one number or pair (before, after) an axis")


def _same(size: Extent, reach: Extent, stride: int, what: str) -> Extent:
    """What must be added so that every ``stride``-th place has a window."""
    if not isinstance(reach, int):
        raise ShapeError(f"{what}: padding='same' needs a window whose size is a number")
    if isinstance(size, int):
        return max((-(-size // stride) - 1) * stride + reach - size, 0)
    if reach >= stride:  # then the windows reach the end of the axis, whatever its size
        return ((size + stride - 1) // stride - 1) * stride + reach - size
    raise ShapeError(
        f"{what}: padding='same' with a stride of {stride} over windows of {reach} needs an axis whose size is a number, not {size}: pad by numbers"
    )
