"""Arrays for leaves: whatever means the same numbers is accepted, and what does not fit is named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import DataError, ShapeError
from graphc.expr.dims import Dim, Extent
from graphc.expr.operation import DType
from graphc.expr.tensor import Guard, Tensor

__all__ = ["array_of", "as_array", "bind_sizes", "check_guards", "extent_value", "float_name", "id_message", "numpy_dtype"]

Array = np.ndarray[Any, Any]


def numpy_dtype(kind: DType, floats: Any) -> Any:
    """The NumPy type of a tensor's kind, where floats are ``floats``."""
    return {"float": np.dtype(floats), "int": np.dtype(np.int64), "bool": np.dtype(np.bool_)}[kind]


def float_name(dtype: Any) -> Any:
    """``"float32"`` or ``"float64"`` for NumPy's types of these names; anything else as it is."""
    if isinstance(dtype, np.dtype) or (isinstance(dtype, type) and issubclass(dtype, np.floating)):
        return np.dtype(dtype).name
    return dtype


def id_message(ids: str, place: int, target: str, axis: int, size: int) -> str:
    """What is said of an id out of range: the tensor that holds it, the id, and the axis that it goes to."""
    given = f"{ids} holds {place}, and" if ids else f"{place} is read, and"
    where = f"axis {axis} of {target}" if target else "the axis that it goes to"
    return f"{given} {where} runs from 0 to {size - 1}: an id is out of range"


def array_of(what: str, value: Any) -> Array:
    """``value`` as NumPy reads it; ``what``: how a message calls it.

    Raises:
        DataError: for nothing, a tensor, rows of unequal lengths, or what cannot be read, saying what to give instead.
    """
    if value is None:
        raise DataError(f"{what} is None: give an array")
    if isinstance(value, Tensor):
        raise DataError(f"{what} is the tensor {value.describe()}, which is a formula: give an array of numbers")
    if hasattr(value, "toarray"):
        raise DataError(f"{what} is a sparse matrix: give .toarray() of it")
    try:
        return np.asarray(value)
    except ValueError:
        raise DataError(f"{what} has rows of unequal lengths: give one array") from None
    except (RuntimeError, TypeError) as error:  # tensors of other libraries that carry gradients, or lie on a device
        if hasattr(value, "detach"):
            raise DataError(f"{what} carries gradients or lies on a device: give .detach().cpu().numpy() of it") from None
        raise DataError(f"{what} cannot be read as an array ({error}): give a NumPy array") from None


def as_array(tensor: Tensor, value: Any, floats: Any) -> Array:
    """``value`` as an array of the tensor's kind, native and in row-major order; the caller's array stays as it is.

    Raises:
        DataError: for values that are no numbers of that kind, or a wrong number of axes.
    """
    array = array_of(f"the value of {tensor.describe()}", value)
    if array.dtype.kind == "O":  # numbers all the same, as frames of nullable columns give them
        with contextlib.suppress(ValueError):
            array = np.array(array.tolist())
    if array.dtype.kind not in "fiub":
        raise DataError(f"the value of {tensor.describe()} has entries of type {array.dtype}, which are no real numbers")
    if tensor.dtype == "int" and array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.floor(array))
        if not whole.all():
            raise DataError(f"{tensor.describe()} takes whole numbers, and {array[~whole].flat[0]} is none")
    if tensor.dtype == "int" and array.dtype.kind in "uf" and array.size and not (array.max() < 2**63 and array.min() >= -(2**63)):
        raise DataError(f"{tensor.describe()} takes whole numbers of 64 bits, and {array.flat[np.argmax(np.abs(array))]} is beyond them")
    if tensor.dtype == "bool" and array.dtype.kind != "b" and not np.isin(array, (0, 1)).all():
        raise DataError(f"{tensor.describe()} takes truth values: give booleans, or 0 and 1")
    if array.ndim != tensor.ndim:
        raise DataError(f"{tensor.describe()} has {tensor.ndim} axes, and the array given has shape {array.shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # 1e300 is infinite in single precision
        return np.ascontiguousarray(array, dtype=numpy_dtype(tensor.dtype, floats)).reshape(array.shape)


def bind_sizes(arrays: Iterable[tuple[Tensor, Sequence[int]]]) -> dict[str, int]:
    """The named sizes, read off the shapes of arrays.

    Raises:
        DataError: where an array's shape does not fit its tensor, or two arrays disagree on a name.
    """
    sizes: dict[str, int] = {}
    sources: dict[str, Tensor] = {}
    later: list[tuple[Tensor, int, Dim, int]] = []
    for tensor, shape in arrays:
        for axis, (extent, actual) in enumerate(zip(tensor.shape, shape, strict=True)):
            if isinstance(extent, int):
                if extent != actual:
                    raise DataError(
                        f"{tensor.describe()} wants {extent} on axis {axis}, and the array given has shape {tuple(shape)} ({tensor.origin})"
                    )
                continue
            if len(extent.terms) > 1 or extent != Dim.named(extent.names[0]):
                later.append((tensor, axis, extent, actual))
                continue
            name = extent.names[0]
            if sizes.setdefault(name, actual) != actual:
                raise DataError(
                    f"the dimension {name} is {sizes[name]} in {sources[name].describe()} and {actual} in {tensor.describe()}: one name is one size"
                )
            sources.setdefault(name, tensor)
    for tensor, axis, extent, actual in later:
        if not set(extent.names) <= set(sizes) or extent.evaluate(sizes) != actual:
            raise DataError(f"{tensor.describe()} wants {extent} on axis {axis}, and the array given has {actual} there (sizes: {sizes})")
    return sizes


def check_guards(demands: Iterable[Guard], sizes: Mapping[str, int]) -> None:
    """Check what was left open when a graph was declared.

    Raises:
        ShapeError: with the message of the declaring line.
    """
    for guard in demands:
        if not guard.holds(sizes):
            known = ", ".join(f"{n} = {s}" for n, s in sizes.items())
            raise ShapeError(f"{guard.message} (with {known}; declared at {guard.origin})")


def extent_value(extent: Extent, sizes: Mapping[str, int], tensor: Tensor) -> int:
    """The number that an extent is.

    Raises:
        DataError: where a named size is not known from any array.
    """
    if isinstance(extent, int):
        return extent
    missing = [n for n in extent.names if n not in sizes]
    if missing:
        raise DataError(f"the dimension {missing[0]} of {tensor.describe()} is not known: give an array that has it")
    return extent.evaluate(sizes)
