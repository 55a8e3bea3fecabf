"""The copies of parameters and states that compiled programs work on, one for each precision, shared by all programs."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from graphc.expr.operation import Cell, Leaf
from graphc.expr.tensor import Tensor

__all__ = ["Mirror", "aligned", "mirror_of"]


def aligned(count: int, dtype: Any) -> Any:
    """An array whose first entry lies at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    raw = np.empty(count * kind.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * kind.itemsize].view(kind)


class Mirror:
    """One parameter or state in one precision, in the host's memory; it stays where it is."""

    __slots__ = ("array", "cell", "leaf", "shape", "version")
    place = ""  # whose memory it is, in the key under which the cell keeps it

    def __init__(self, leaf: Tensor, cell: Cell, dtype: Any) -> None:
        self.leaf, self.cell = leaf, cell
        self.shape = tuple(int(e) for e in leaf.shape)  # type: ignore[arg-type]
        self.version = -1
        self.array = self._allocated(np.dtype(dtype))

    def refresh(self) -> None:
        """Take over the newest value, where that is another's."""
        if self.version != self.cell.version:
            if self.cell.array is None:
                _ = self.leaf.value  # makes the initial value
            self._put(self.cell.array)
            self.version = self.cell.version

    def written(self) -> None:
        """This copy is the newest value from now on."""
        self.cell.passed_on(self._fetch)
        self.version = self.cell.version

    def _fetch(self) -> Any:
        array = self._got()
        return array.astype(np.float64) if array.dtype.kind == "f" else array.copy()

    def _allocated(self, dtype: Any) -> Any:
        return aligned(math.prod(self.shape), dtype).reshape(self.shape)

    def _put(self, values: Any) -> None:
        self.array[...] = values

    def _got(self) -> Any:
        """The value, as an array of the host's that lasts until the next run."""
        return self.array


_M = TypeVar("_M", bound=Mirror)


def mirror_of(leaf: Tensor, dtype: Any, kind: type[_M]) -> _M:
    """The copy of a parameter or a state in a precision, in the memory of a kind of mirrors."""
    assert isinstance(leaf.op, Leaf)
    cell = leaf.op.cell
    assert cell is not None
    key = f"{kind.place}{np.dtype(dtype)}"
    if key not in cell.mirrors:
        cell.mirrors[key] = kind(leaf, cell, dtype)
    return cell.mirrors[key]
