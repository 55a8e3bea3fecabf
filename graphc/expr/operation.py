"""The few operations there are: stages, and the primitives beside them."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from graphc.expr.dims import Extent
from graphc.expr.stage import Stage

__all__ = [
    "Alias", "Assign", "Carry", "Cell", "Current", "DType", "Leaf", "Linalg", "Operation", "Phase", "Random", "Reshape", "Scan", "next_number",
]  # fmt: skip

DType = Literal["float", "int", "bool"]
BodyTensor = Any  # a Tensor: its class stands one file up


# A value that one thread fetches is not to take the place of one that another thread makes meanwhile.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Cell:
    """What a parameter or a state holds: its initializer, and its value once it has one.

    Compiled programs keep copies of their own precision in ``mirrors``. ``version`` counts the values it has had; where a
    program has made the newest one, ``newest`` fetches it.
    """

    __slots__ = ("_array", "init", "mirrors", "newest", "version")

    def __init__(self, init: Any, array: np.ndarray[Any, Any] | None = None) -> None:
        self.init = init
        self._array = array
        self.mirrors: dict[Any, Any] = {}
        self.newest: Callable[[], np.ndarray[Any, Any]] | None = None
        self.version = 0

    def __reduce__(self) -> Any:
        """A copy has the value, and no program's memory."""
        value = self.array
        return Cell, (self.init, None if value is None else value.copy())

    @property
    def array(self) -> np.ndarray[Any, Any] | None:
        """The current value; ``None`` before there is one."""
        with _lock:
            if self.newest is not None:
                self._array, self.newest = self.newest(), None
            return self._array

    @array.setter
    def array(self, value: np.ndarray[Any, Any] | None) -> None:
        with _lock:
            self._array, self.newest = value, None
            self.version += 1

    def passed_on(self, fetch: Callable[[], np.ndarray[Any, Any]]) -> None:
        """A program has made a new value, which ``fetch`` gets; the old one is nobody's any more."""
        with _lock:
            self._array, self.newest = None, fetch
            self.version += 1


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A tensor that nothing computes: ``kind`` is input, parameter, state or constant."""

    kind: Literal["input", "parameter", "state", "constant"]
    cell: Cell | None = None
    symmetric: bool = False


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same entries in row-major order under another shape."""

    shape: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """``(tensor, *primals)``: the same tensor under a name; the compiler does not see it.

    ``primals`` are the tensors whose gradient this is: random nodes are numbered among those that they reach too.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Random:
    """Uniform numbers k / 2**24 in [0, 1), a function of seed, step, the node's number and the position."""

    shape: tuple[Extent, ...]
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """``(state, value)``: the state's next value; the node's own value is the new value.

    Attributes:
        number: from :func:`next_number`: which assignment it is, kept by copies of the node, and the order among several.
        chained: whether it takes its turn after others to the same state, instead of being the only one.
    """

    number: int
    chained: bool = False


@dataclass(frozen=True, slots=True)
class Carry(Alias):
    """``(value, *assigned)``: the value; where a program computes it for training, the assignments are carried out too."""


@dataclass(frozen=True, slots=True)
class Current(Alias):
    """``(state,)``: the state as those assignments that are chained and come before ``number`` leave it."""

    number: int


_numbers = itertools.count()


def next_number() -> int:
    """A number above all those given so far: the order of assignments."""
    return next(_numbers)


@dataclass(frozen=True, slots=True)
class Phase:
    """``(training, inference)``: one of the two, resolved by substitution before anything else."""

    def branch(self, wanted: int) -> int:
        """The branch that a reading takes: 0 training, 1 inference."""
        return wanted

    def for_good(self) -> Phase | None:
        """What stays where the training reading is taken for good, if anything can still change."""
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """``(initial carries, sequences, invariants)``: a body repeated along the sequences' leading axis.

    The node's outputs are the last carries, the stacked outputs, and the carries before each iteration.

    Attributes:
        parameters: the body's own leaves: carries, items, invariants.
        results: what the body computes from them: next carries, outputs.
        carries, sequences: how many of each there are.
        length: the number of iterations.
        reverse: whether it walks from last to first; output t belongs to item t all the same.
    """

    parameters: tuple[BodyTensor, ...]
    results: tuple[BodyTensor, ...]
    carries: int
    sequences: int
    length: Extent
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Linalg:
    """``(matrices, directions...)``: what linear algebra computes from square matrices, which are the last two axes.

    The operands have one shape. ``cofactor`` is the derivative of the determinant by its entries; with directions, the
    derivative of that along each of them.

    Attributes:
        kind: what is computed.
        label: what the user calls the matrices, for messages; no part of the structure.
    """

    kind: Literal["inverse", "determinant", "logdet", "cofactor"]
    label: str = field(default="", compare=False)


Operation = Stage | Leaf | Reshape | Alias | Random | Assign | Phase | Scan | Linalg
