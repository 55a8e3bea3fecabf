"""One row of the table of operations: how it is written with graphc, and the same in NumPy."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc as gx

# What the named dimensions of the rows are: a prime, another, one, none.
SIZES: Mapping[str, int] = {"n": 3, "m": 5, "one": 1, "none": 0}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Arg:
    """An argument: its shape, where its entries lie, or what they are.

    ``apart`` keeps entries that far from the whole numbers (kinks of floor, abs, relu, sign) and from each other (ties).
    """

    shape: tuple[int | str, ...] = ()
    low: float = -2.0
    high: float = 2.0
    kind: str = "float"
    values: Any = None
    apart: float = 0.0
    symmetric: bool = False

    def array(self, rng: np.random.Generator) -> Array:
        shape = tuple(SIZES[e] if isinstance(e, str) else e for e in self.shape)
        if self.values is not None:
            return np.array(self.values, dtype={"float": np.float64, "int": np.int64, "bool": np.bool_}[self.kind]).reshape(shape)
        if self.kind == "bool":
            return rng.random(shape) < 0.5
        if self.kind == "int":
            return rng.integers(int(self.low), int(self.high) + 1, shape)
        array = rng.uniform(self.low, self.high, shape)
        if self.apart:
            count = array.size
            steps = (np.arange(count) + rng.uniform(0.2, 0.6, count)) / max(count, 1) * (self.high - self.low) + self.low
            steps = np.where(np.abs(steps - np.round(steps)) < self.apart, steps + 2 * self.apart, steps)
            array = rng.permutation(steps).reshape(shape)
        return (array + array.T) / 2 if self.symmetric else array


@dataclass(frozen=True)
class Row:
    """An operation on arguments: ``make`` with graphc, ``value`` with NumPy.

    ``smooth``: finite differences hold where the arguments lie. ``gradient``: the expected gradients of ``sum(y * w)``,
    given the arguments and ``w``, where a kink or a tie decides.
    """

    name: str
    case: str
    args: tuple[Arg, ...]
    make: Callable[..., Any]
    value: Callable[..., Any]
    smooth: bool = True
    gradient: Callable[..., Sequence[Any]] | None = None
    dtype: str = "float"
    tolerance: float = 1.0

    @property
    def id(self) -> str:
        return f"{self.name}: {self.case}"

    def tensors(self) -> list[gx.Tensor]:
        return [gx.tensor("abcdefgh"[k], a.shape, dtype=a.kind, symmetric=a.symmetric) for k, a in enumerate(self.args)]

    def arrays(self) -> list[Array]:
        rng = np.random.default_rng(zlib.crc32(self.id.encode()))
        return [a.array(rng) for a in self.args]

    def expected(self, arrays: Sequence[Array]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.value(*arrays))
