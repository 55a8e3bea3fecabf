"""A user's data against a model: what does not fit is named before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.data import Column, as_floats, as_numbers, check_finite
from graphc.errors import DataError, DeclarationError, ShapeError
from graphc.expr.dims import Dim, Extent
from graphc.expr.graph import guards
from graphc.expr.operation import DType
from graphc.expr.tensor import Tensor

__all__ = ["Feed", "TargetKind", "check_any_batch", "features", "sample_weights", "target", "target_kind"]

Array = np.ndarray[Any, Any]
TargetKind = tuple[DType, tuple[Extent, ...]]


@dataclass(frozen=True)
class Feed:
    """The arrays of a run, checked and converted: inputs, targets, and the samples' weights."""

    inputs: tuple[Array, ...]
    targets: tuple[Array, ...] = ()
    weight: Array | None = None

    def __len__(self) -> int:
        return int(self.inputs[0].shape[0])

    def take(self, positions: Array) -> Feed:
        """The samples at some positions."""
        weight = None if self.weight is None else self.weight[positions]
        return Feed(tuple(a[positions] for a in self.inputs), tuple(a[positions] for a in self.targets), weight)


def features(x: Any, names: Sequence[str], keys: Sequence[str] = ()) -> list[Column]:
    """The arrays of a model's inputs, as the user gave them: one, a list of them, or by name.

    Args:
        x: what was given.
        names: the inputs' names.
        keys: what they were called in the dictionary that the model was made of, where it was.

    Raises:
        DataError: for a wrong number of arrays, entries that are no numbers, NaN, or infinite ones.
    """
    if isinstance(x, Mapping):
        called = names if not keys or (any(k not in x for k in keys) and all(n in x for n in names)) else keys
        missing = [n for n in called if n not in x]
        if missing:
            raise DataError(f"the model's input {missing[0]} has no array among {', '.join(map(str, x))}")
        given = [x[n] for n in called]
    elif len(names) > 1:
        if not isinstance(x, list | tuple) or len(x) != len(names):
            count = len(x) if isinstance(x, list | tuple) else 1
            raise DataError(f"the model has {len(names)} inputs ({', '.join(names)}), and {count} arrays are given")
        given = list(x)
    else:
        given = [x]
    labels = ["x"] if len(names) == 1 else [str(k) for k in keys or names]
    columns = [as_numbers(label, value) for label, value in zip(labels, given, strict=True)]
    for column in columns:
        check_finite(column)
    lengths = [len(c) for c in columns]
    if len(set(lengths)) > 1:
        raise DataError(f"the inputs have different numbers of samples: {', '.join(f'{c.label} {len(c)}' for c in columns)}")
    if not lengths[0]:
        raise DataError(f"{labels[0]} has no samples")
    return columns


def fit_input(tensor: Tensor, column: Column, floats: Any) -> Array:
    """An array in the type and rank of its input.

    Raises:
        DataError: for another number of axes or columns, with both numbers, or entries of a wrong kind, or beyond the precision.
    """
    array = column.array
    if array.ndim + 1 == tensor.ndim and tensor.shape[-1] == 1:
        array = array[..., None]
    if array.ndim != tensor.ndim:
        raise DataError(f"{column.label} has the shape {array.shape}, and the model's input {tensor.describe()} has {tensor.ndim} axes")
    for axis, (want, got) in enumerate(zip(tensor.shape, array.shape, strict=True)):
        if isinstance(want, int) and want != got and axis:
            what = "columns" if array.ndim == 2 else f"entries on axis {axis}"
            raise DataError(f"{column.label} has {got} {what}, and the model's input {tensor.describe()} wants {want}")
    if tensor.dtype == "int" and array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise DataError(f"{column.label} has entries that are no whole numbers, and the model's input {tensor.describe()} takes ids")
    if tensor.dtype == "float":
        return as_floats(column, array, floats)
    return np.ascontiguousarray(array, dtype=np.int64 if tensor.dtype == "int" else np.bool_)


def target(label: str, value: Any, output: Tensor, loss: Any, count: int) -> Array:
    """Targets in the shape that the model's output and the loss want.

    Raises:
        DeclarationError: for an output without a row for each sample.
        DataError: for a wrong number of samples or columns, NaN or infinite ones, labels outside 0 to K - 1, or binary targets outside 0 to 1.
    """
    if not output.ndim:
        raise DeclarationError(
            f"the model's output {output.describe()} is one number for all samples, and targets are compared sample by sample: "
            "give an output with a row for each sample, and add a number for all of them by model.add_loss(...)"
        )
    column = as_numbers(label, value)
    check_finite(column)
    array = column.array
    if len(column) != count:
        raise DataError(f"x has {count} samples and {label} has {len(column)}: give one target for each sample")
    kind = getattr(loss, "targets", None)
    if kind == "labels":
        return _labels(label, array, output)
    if array.ndim + 1 == output.ndim and output.shape[-1] == 1:
        array = array[..., None]
    elif array.ndim == output.ndim + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if kind is not None:
        _check_shape(label, array, output)
    if kind == "unit" and array.size and (array.min() < 0 or array.max() > 1):
        bad = int(np.flatnonzero(((array < 0) | (array > 1)).reshape(len(array), -1).any(axis=1))[0])
        raise DataError(f"{label} has {array[bad].flat[0]:g} in row {bad}, and binary targets lie between 0 and 1: code the classes as 0 and 1")
    return array


def _check_shape(label: str, array: Array, output: Tensor) -> None:
    if array.ndim == output.ndim - 1 and output.shape[-1] != 1:
        raise DataError(
            f"{label} has the shape {array.shape} and the model gives {output.describe()}: give one column for each output, "
            "or take the loss sparse_categorical_crossentropy for class labels"
        )
    if array.ndim != output.ndim:
        raise DataError(f"{label} has the shape {array.shape}, and the model gives {output.describe()}: {output.ndim} axes are wanted")
    for axis, (want, got) in enumerate(zip(output.shape, array.shape, strict=True)):
        if axis and isinstance(want, int) and want != got:
            raise DataError(f"{label} has {got} columns and the model gives {want}: change the number of units of the last layer, or the targets")


def _labels(label: str, array: Array, output: Tensor) -> Array:
    if array.ndim == output.ndim and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != output.ndim - 1:
        raise DataError(
            f"{label} has the shape {array.shape}, and class labels for {output.describe()} have {output.ndim - 1} axes: "
            "take the loss categorical_crossentropy for one-hot targets"
        )
    if array.dtype.kind == "f" and not np.array_equal(array, np.floor(array)):
        raise DataError(f"{label} has entries that are no whole numbers, and the loss takes class labels")
    classes = output.shape[-1]
    if isinstance(classes, int) and array.size and (array.min() < 0 or array.max() >= classes):
        wrong = (array < 0) | (array >= classes)
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"{label} has the class {int(array[wrong].flat[0])} in row {row}, and the model has {classes} classes, 0 to {classes - 1}: "
            "number the classes from 0, or give the last layer more units"
        )
    return np.ascontiguousarray(array, dtype=np.int64)


def target_kind(array: Array, output: Tensor, loss: Any) -> TargetKind:
    """The type and shape of the tensor that stands for the targets."""
    kind = getattr(loss, "targets", None)
    if kind == "labels":
        return "int", output.shape[:-1]
    dtype: DType = "float" if kind is not None or array.dtype.kind == "f" else "int"
    same_rank = array.ndim == output.ndim
    shape = [
        output.shape[axis] if same_rank and (not isinstance(output.shape[axis], int) or output.shape[axis] == size) else size
        for axis, size in enumerate(array.shape)
    ]
    return dtype, (output.shape[0], *shape[1:])


def check_any_batch(outputs: Sequence[Tensor], scalars: Sequence[Tensor]) -> None:
    """See that the losses and metrics of a model's outputs do not hold for one size of batch alone.

    Raises:
        ShapeError: for a formula that sets the number of samples against a number.
    """
    batch = {name for t in outputs for extent in t.shape[:1] if isinstance(extent, Dim) for name in extent.names}
    known = set(guards(outputs))
    for guard in guards(scalars):
        a_number = isinstance(guard.left, int) or isinstance(guard.right, int)
        if guard.kind == "equal" and a_number and guard.names <= batch and guard not in known:
            raise ShapeError(f"{guard.message} (batches have any number of samples; declared at {guard.origin})")


def sample_weights(sample_weight: Any, count: int) -> Array | None:
    """One weight for each sample; ``None`` where none are given.

    Raises:
        DataError: for a wrong number of weights, NaN or a negative one.
    """
    if sample_weight is None:
        return None
    column = as_numbers("sample_weight", sample_weight)
    check_finite(column)
    weight = column.array.astype(np.float64)
    if weight.ndim == 2 and weight.shape[1] == 1:
        weight = weight[:, 0]
    if weight.shape != (count,):
        raise DataError(f"sample_weight has the shape {weight.shape}, and there are {count} samples: give one number for each")
    if weight.size and weight.min() < 0:
        raise DataError(f"sample_weight has {weight.min():g} in row {int(weight.argmin())}: a weight is 0 or more")
    return weight
