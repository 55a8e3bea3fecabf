"""The copies of parameters and states that compiled programs work on, one for each precision, shared by all programs."""

from __future__ import annotations

import math
from typing import Any

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
    """One parameter or state in one precision; its memory stays where it is."""

    __slots__ = ("array", "cell", "leaf", "version")

    def __init__(self, leaf: Tensor, cell: Cell, dtype: Any) -> None:
        self.leaf, self.cell = leaf, cell
        self.array = aligned(math.prod(int(e) for e in leaf.shape), dtype).reshape(leaf.shape)
        self.version = -1

    def refresh(self) -> None:
        """Take over the newest value, where that is another's."""
        if self.version != self.cell.version:
            if self.cell.array is None:
                _ = self.leaf.value  # makes the initial value
            self.array[...] = self.cell.array
            self.version = self.cell.version

    def written(self) -> None:
        """This copy is the newest value from now on."""
        self.cell.version += 1
        self.version = self.cell.version
        self.cell.newest = self._fetch

    def _fetch(self) -> Any:
        return self.array.astype(np.float64) if self.array.dtype.kind == "f" else self.array.copy()


def mirror_of(leaf: Tensor, dtype: Any) -> Mirror:
    """The copy of a parameter or a state in a precision."""
    assert isinstance(leaf.op, Leaf)
    cell = leaf.op.cell
    assert cell is not None
    key = str(np.dtype(dtype))
    if key not in cell.mirrors:
        cell.mirrors[key] = Mirror(leaf, cell, dtype)
    return cell.mirrors[key]
