"""Arrays from whatever a user has: lists, arrays of any type and layout, frames; with the names of their columns."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from graphc.errors import DataError
from graphc.expr.feed import array_of

__all__ = ["Column", "as_floats", "as_numbers", "check_finite", "column_names", "is_batches"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Column:
    """One array of a data set: what messages call it, its numbers, and the names of its columns."""

    label: str
    array: Array
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def take(self, positions: Array) -> Column:
        """The samples at some positions."""
        return Column(self.label, np.ascontiguousarray(self.array[positions]), self.names)


def column_names(value: Any) -> tuple[str, ...]:
    """The names of a frame's columns; none for anything else."""
    columns = getattr(value, "columns", None)
    return tuple(str(c) for c in columns) if columns is not None and hasattr(value, "to_numpy") else ()


def as_numbers(label: str, value: Any) -> Column:
    """``value`` as an array of numbers: the caller's object stays as it is.

    Raises:
        DataError: for rows of unequal lengths, or entries that are no numbers, naming the column.
    """
    names = column_names(value)
    array = np.asarray(value.to_numpy()) if hasattr(value, "to_numpy") else array_of(label, value)
    if array.dtype.kind == "O":
        array = _from_objects(label, array, names)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{label} has entries of type {array.dtype}, which are no numbers: code them as numbers first, classes as 0, 1, 2, ...")
    if array.ndim == 0:
        raise DataError(f"{label} is the number {array}: give one row for each sample")
    return Column(label, array, names)


def _from_objects(label: str, array: Array, names: tuple[str, ...]) -> Array:
    """Frames of mixed or nullable columns, and lists with ``None`` in them, come as objects; what is missing in them is NaN."""
    try:
        missing = np.equal(array, cast("Any", None))
        if "pandas" in sys.modules:  # its own sign for what is missing
            missing |= sys.modules["pandas"].isna(array)
        array = np.where(missing, np.nan, array)
        return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    if array.ndim == 2:
        for k in range(array.shape[1]):
            try:
                array[:, k].astype(np.float64)
            except (TypeError, ValueError):
                raise DataError(f"the column {_name(names, k)} of {label} has entries that are no numbers: code them as numbers first") from None
    raise DataError(f"{label} has entries that are no numbers, or rows of unequal lengths: give one array of numbers")


def _name(names: tuple[str, ...], k: int) -> str:
    return repr(names[k]) if k < len(names) else str(k)


def check_finite(column: Column) -> None:
    """See that no entry is NaN or infinite.

    Raises:
        DataError: naming the first such entry by its row and column.
    """
    array = column.array
    if array.dtype.kind != "f":
        return
    # A sum is NaN or infinite where any entry is, and much cheaper than looking at each.
    with np.errstate(all="ignore"):
        if np.isfinite(np.sum(array)):
            return
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return
    row, *rest = (int(k) for k in bad[0])
    what = "NaN" if np.isnan(array[tuple(bad[0])]) else "infinite"
    count = len(np.unique(bad[:, 0]))
    rows = f"row {row}" + (f" and {count - 1} more rows" if count > 1 else "")
    if not rest:
        raise DataError(f"{column.label} is {what} in {rows}: fill or drop these rows")
    place = f"the column {_name(column.names, rest[0])}" if len(rest) == 1 else f"the entry {tuple(rest)}"
    raise DataError(f"{column.label} is {what} in {place} ({rows}): fill or drop these rows")


def as_floats(column: Column, array: Array, floats: Any) -> Array:
    """A column's entries, which are finite, in the precision of a program.

    Raises:
        DataError: for one that is beyond it, naming its row and column.
    """
    with np.errstate(all="ignore"):
        made = np.ascontiguousarray(array, dtype=floats)
        beyond = array.dtype.kind == "f" and array.dtype.itemsize > made.itemsize and not np.isfinite(np.sum(made))
    if beyond and not np.isfinite(made).all():
        row, *rest = (int(k) for k in np.argwhere(~np.isfinite(made))[0])
        place = f" in the column {_name(column.names, rest[0])}" if len(rest) == 1 else f" in the entry {tuple(rest)}" if rest else ""
        raise DataError(
            f"{column.label} has {array[row, *rest]:g}{place} (row {row}), which is beyond {made.dtype}: scale these numbers down, "
            "or compile the model with dtype='float64'"
        )
    return made


def is_batches(value: Any, rows: bool = True) -> bool:
    """Whether a value is an iterable of batches, ``(x, y)`` or to predict ``(x,)``, rather than data: a generator, or a list of tuples.

    Args:
        value: what the user gave.
        rows: whether a list of tuples may be rows of numbers too; batches are then told by an array, or by inputs by name, in each.
    """
    if _is_array(value) or isinstance(value, Mapping | str | range) or hasattr(value, "toarray"):
        return False
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(_is_batch(b) and (not rows or any(map(_tells, b))) for b in value)
    return hasattr(value, "__iter__") or (hasattr(value, "__getitem__") and hasattr(value, "__len__"))


def _is_batch(value: Any) -> bool:
    """Whether a member of a list can be a batch: its parts are arrays, or several arrays."""
    return (
        isinstance(value, tuple)
        and len(value) in (1, 2, 3)
        and all(a is None or _is_array(a) or isinstance(a, list | tuple | Mapping) for a in value)
    )


def _tells(part: Any) -> bool:
    """Whether a part of a tuple shows that the tuple is no row of numbers."""
    return _is_array(part) or isinstance(part, Mapping) or (isinstance(part, list | tuple) and any(map(_is_array, part)))


def _is_array(value: Any) -> bool:
    """Whether a value is an array or a frame, and no number of NumPy's."""
    return hasattr(value, "to_numpy") or (hasattr(value, "__array__") and getattr(value, "ndim", 1) != 0)
