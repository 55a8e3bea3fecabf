"""The arrays of a run over batches, looked through before anything is laid out: the same for every target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import DataError, DeclarationError
from graphc.expr.dims import Dim
from graphc.expr.feed import array_of
from graphc.expr.tensor import Tensor

if TYPE_CHECKING:
    from graphc.runtime.compiled import Compiled

__all__ = ["check_rows", "draw", "positions", "samples_of", "tables"]


def positions(order: Any) -> np.ndarray[Any, Any]:
    """The positions of samples in a row.

    Raises:
        DataError: for what is no whole numbers.
    """
    given = np.asarray(order)
    if given.size and given.dtype.kind not in "iu":
        raise DataError(f"the order of the samples has entries of type {given.dtype}: give their positions, which are whole numbers")
    return np.ascontiguousarray(given, np.int64).reshape(-1)


def draw(**numbers: Any) -> list[int]:
    """The whole numbers that random nodes are a function of: the seed, and the step.

    Raises:
        DeclarationError: for anything else.
    """
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise DeclarationError(f"{name}={value!r} is no whole number")
    return [int(value) for value in numbers.values()]


def tables(batched: Any, fixed: Any) -> tuple[Any, Any]:
    """The arrays by their inputs: those with samples, and all others.

    Raises:
        DataError: for what is no dictionary.
    """
    for name, arrays in (("batched", batched), ("fixed", {} if fixed is None else fixed)):
        if not isinstance(arrays, Mapping):
            raise DataError(f"{name} is no dictionary but of type {type(arrays).__name__}: give the array of each input by its tensor")
    return batched, {} if fixed is None else fixed


def samples_of(program: Compiled, batched: Mapping[Tensor, Any], fixed: Mapping[Tensor, Any]) -> int:
    """How many samples the arrays have.

    Raises:
        DataError: for an input that has no array, or two; for a number among those that have samples; for unequal lengths.
    """
    placed = program.prepared.placed
    known = dict(zip(program.inputs, placed, strict=True)) | {t: t for t in placed}
    given = {known[t] for t in (*batched, *fixed) if t in known}
    for tensor in placed:
        if tensor not in given:
            raise DataError(f"{tensor.describe()} has no array: give one among batched or fixed")
    twice = {known.get(t, t) for t in batched} & {known.get(t, t) for t in fixed}
    for tensor in placed:
        if tensor in twice:
            raise DataError(f"{tensor.describe()} has an array among batched and another one among fixed: give one of them")
    shapes = {t: a.shape if hasattr(a, "shape") else array_of(f"the value of {t.describe()}", a).shape for t, a in batched.items()}
    for tensor, shape in shapes.items():
        if not shape:
            raise DataError(f"{tensor.describe()} is given a number, which has no samples: give it among fixed")
    lengths = {shape[0] for shape in shapes.values()}
    if len(lengths) != 1:
        raise DataError(f"the arrays have {', '.join(map(str, sorted(lengths))) or 'no'} samples: give arrays of equal length")
    return int(lengths.pop())


def check_rows(program: Compiled, batched: Mapping[Tensor, Any]) -> None:
    """See that each output has a row for each sample, and rows of a size that does not depend on how many there are.

    Raises:
        DataError: for one that has not.
    """
    samples = {e for t in batched if t.ndim and isinstance(e := t.shape[0], Dim)}
    names = {name for e in samples for name in e.names}
    for tensor in program.prepared.named[: program.prepared.count]:
        if not tensor.ndim or tensor.shape[0] not in samples:
            raise DataError(f"{tensor.describe()} has no row for each sample, so it cannot be computed batch by batch")
        if any(isinstance(e, Dim) and names.intersection(e.names) for e in tensor.shape[1:]):
            raise DataError(f"the rows of {tensor.describe()} depend on how many samples there are, so it cannot be computed batch by batch")
