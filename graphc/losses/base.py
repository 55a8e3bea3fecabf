"""What a loss is: a formula of (y_true, y_pred) whose entries are averaged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand
from graphc.expr.tensor import METHODS, Tensor
from graphc.ops.arithmetic import equal, where
from graphc.ops.layout import expand_dims, squeeze
from graphc.ops.reduction import mean
from graphc.ops.reduction import sum as sum_

__all__ = ["Entries", "Loss", "LossFunction", "Reduction", "Targets", "align", "as_tensor", "entries_of", "number_or_tensor", "reduce_entries"]

Entries = Callable[..., Tensor]
Reduction = Literal["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]
# What a loss takes for targets: any numbers, class labels 0 to K - 1, or numbers from 0 to 1.
Targets = Literal["numbers", "labels", "unit"]


def as_tensor(value: Any) -> Tensor:
    """``value`` as a tensor; numbers, lists, arrays and columns of frames become constants."""
    return value if isinstance(value, Tensor) else operand(np.asarray(value))


def align(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Targets and outputs in one shape: ``(n,)`` against ``(n, 1)`` gets its axis, and nothing is broadcast.

    Raises:
        ShapeError: for shapes that differ otherwise.
    """
    target, output = as_tensor(y_true), as_tensor(y_pred)
    if target.ndim + 1 == output.ndim and output.shape[-1] == 1:
        target = expand_dims(target, -1)
    elif target.ndim == output.ndim + 1 and target.shape[-1] == 1:
        target = squeeze(target, -1)
    clash = target.ndim != output.ndim or any((a == 1) != (b == 1) for a, b in zip(target.shape, output.shape, strict=True))
    if clash and target.ndim and output.ndim:
        raise ShapeError(
            f"the targets {target.describe()} and the outputs {output.describe()} have different shapes, and a loss compares them entry "
            "by entry: give the last layer as many units as the targets have columns, or take a sparse loss for class labels"
        )
    return target, output


def number_or_tensor(result: Tensor, *given: Any) -> Any:
    """``result`` as a number where none of the arguments is a tensor, else as it is."""
    if any(isinstance(g, Tensor) for g in given):
        return result
    value = METHODS["evaluate"](result, {})
    return float(value) if np.ndim(value) == 0 else value


def reduce_entries(entries: Tensor, weight: Any = None, reduction: Reduction = "sum_over_batch_size") -> Tensor:
    """The entries of a loss as one number: their mean, after each sample is multiplied by its weight.

    With ``"mean_with_sample_weight"`` their sum is divided by that of the weights; 0 where that is 0.

    Raises:
        DeclarationError: where weights meet a loss that has averaged its samples itself.
    """
    if weight is not None:
        weight = as_tensor(weight)
        if entries.ndim < weight.ndim:
            raise DeclarationError(
                f"the loss gives {entries.describe()}, already averaged over the samples, so sample weights cannot count in it: "
                "return one value a sample, gx.square(y_true - y_pred) instead of its mean"
            )
        for _ in range(entries.ndim - weight.ndim):
            weight = expand_dims(weight, -1)
        entries = entries * weight
        if reduction == "mean_with_sample_weight" and entries.ndim:
            share = mean(weight)
            return mean(entries) / where(equal(share, 0.0), 1.0, share)
    if reduction == "none" or not entries.ndim:
        return entries
    return sum_(entries) if reduction == "sum" else mean(entries)


class LossFunction:
    """A loss as a plain function: ``f(y_true, y_pred)`` is the mean of its entries.

    On tensors it gives a scalar tensor, on arrays a number. ``f.entries`` gives the entries before they are averaged.
    """

    targets: Targets = "numbers"

    def __init__(self, entries: Entries, targets: Targets = "numbers") -> None:
        self.entries, self.targets = entries, targets
        functools.update_wrapper(self, entries)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.entries.__name__

    def __call__(self, y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Any:
        """The mean of the entries: a scalar tensor, or a number where both arguments are arrays."""
        return number_or_tensor(reduce_entries(self.entries(y_true, y_pred, *args, **options)), y_true, y_pred)

    def __reduce__(self) -> str:
        """It is its name, and no copy."""
        return str(self.__qualname__)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<loss {self.name}>"


class Loss:
    """The base of loss classes: a subclass gives ``call(y_true, y_pred)``, whose entries are averaged.

    Args:
        name: how logs call it.
        reduction: ``"sum_over_batch_size"`` or ``"mean"``, ``"mean_with_sample_weight"`` (the sum of the weights divides it),
            ``"sum"``, or ``"none"``. As in Keras what is summed, or given as it is, is one number a sample: graphc's own
            losses take the mean over the last axis first.
    """

    targets: Targets | None = None
    columns: bool = False  # whether the entries are those of columns, of which a sample's loss is the mean

    def __init__(self, name: str | None = None, reduction: Reduction | None = "sum_over_batch_size") -> None:
        known = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)
        if reduction not in known:
            raise DeclarationError(f"reduction={reduction!r} of a loss: it is one of {known[:-1]}")
        self.name = name or _snake(type(self).__name__)
        self.reduction: Reduction = reduction or "none"

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each sample, or of each entry."""
        raise NotImplementedError

    def entries(self, y_true: Any, y_pred: Any) -> Tensor:
        """What is averaged or summed."""
        made = as_tensor(self.call(as_tensor(y_true), as_tensor(y_pred)))
        return mean(made, -1) if self.columns and made.ndim > 1 and self.reduction in ("sum", "none") else made

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss as a scalar tensor, or as a number where all arguments are arrays."""
        result = reduce_entries(self.entries(y_true, y_pred), sample_weight, self.reduction)
        return number_or_tensor(result, y_true, y_pred, sample_weight)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and k else c.lower() for k, c in enumerate(name))


def entries_of(loss: Any) -> Entries:
    """The function that gives a loss's entries: of graphc's own losses and metrics, or the user's function itself."""
    return getattr(loss, "entries", loss)
