"""Losses on probabilities: cross-entropies and the Kullback-Leibler divergence, as the textbook writes them.

Their stable forms come from graphc itself: the logarithm of a sigmoid or a softmax is rewritten before anything is
differentiated or compiled, so such outputs are taken as they are, and the loss is right at any score. Outputs that no
exponential made (numbers given as data, a linear layer) may be exactly 0 or 1, or leave that range: these are kept
within 1e-7 and 1 - 1e-7 first, as Keras does with all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from graphc.errors import DataError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.numbers import SHARE, settings
from graphc.expr.operation import Alias, Leaf, Phase, Reshape
from graphc.expr.scalar import Maximum, Minimum, Select, Sigmoid
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Tensor
from graphc.losses.base import Loss, LossFunction, Reduction, align, as_tensor
from graphc.ops.arithmetic import clip, log, softplus
from graphc.ops.axes import axis_of
from graphc.ops.layout import squeeze
from graphc.ops.reduction import log_softmax
from graphc.ops.reduction import sum as sum_

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "KLDivergence", "SparseCategoricalCrossentropy", "binary_crossentropy",
    "categorical_crossentropy", "kl_divergence", "sparse_categorical_crossentropy",
]  # fmt: skip

_EPSILON = 1e-7


def _from_exponential(output: Tensor) -> bool:
    """Whether these numbers are made of exponentials or sigmoids alone, as those of a sigmoid or a softmax are.

    ``1/(1 + exp(-z))`` is; ``z/(1 + exp(-z))`` and an ELU, which may leave 0 to 1, are not.
    """
    return _made_of(output, 12) == {"exponential"}


def _made_of(tensor: Tensor, depth: int) -> set[str]:
    op = tensor.op
    if isinstance(op, Leaf):
        return set[str]() if op.kind == "constant" else {"data"}
    if isinstance(op, Stage):
        rest = op.body.replace(lambda part: isinstance(part, sympy.exp | Sigmoid), lambda _: sympy.Integer(1))
        if rest != op.body and not any(read_symbol(k) in rest.free_symbols for k in range(len(op.reads))):
            return {"exponential"}
        if rest.has(Select, Maximum, Minimum) or not (op.elementwise or (op.reducer == "sum" and op.body == read_symbol(0))):
            return {"formula"}
    elif not isinstance(op, Alias | Phase | Reshape):
        return {"formula"}
    if not depth:
        return {"formula"}
    return set[str]().union(*(_made_of(t, depth - 1) for t in tensor.inputs))


def _probability(output: Tensor) -> Tensor:
    return output if _from_exponential(output) else clip(output, _EPSILON, 1 - _EPSILON)


def _normalised(output: Tensor, axis: int) -> Tensor:
    return output if _from_exponential(output) else clip(output / sum_(output, axis, keepdims=True), _EPSILON, 1 - _EPSILON)


@LossFunction
def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0) -> Tensor:
    """``-(y log p + (1 - y) log(1 - p))``, averaged.

    Args:
        y_true: 0, 1, or probabilities between.
        y_pred: probabilities ``p``.
        from_logits: whether ``y_pred`` are scores ``z`` with ``p = sigmoid(z)`` instead.
        label_smoothing: the share by which targets move towards 1/2.

    Probabilities that are no result of an exponential are kept within 1e-7 and 1 - 1e-7 first.

    Example:
        >>> import graphc as gx
        >>> round(gx.losses.binary_crossentropy([0.0], [0.75]), 4)
        1.3863
    """
    target, output = align(y_true, y_pred)
    (smooth,) = settings("binary_crossentropy", SHARE, label_smoothing=label_smoothing)
    if smooth:
        target = target * (1 - smooth) + smooth / 2
    if from_logits:
        return target * softplus(-output) + (1 - target) * softplus(output)
    p = _probability(output)
    return -(target * log(p) + (1 - target) * log(1 - p))


@LossFunction
def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Tensor:
    """``-sum(y log p)`` over the classes, averaged over the samples; targets are one-hot or probabilities.

    Args:
        y_true, y_pred: of one shape, the classes along ``axis``.
        from_logits: whether ``y_pred`` are scores ``z`` with ``p = softmax(z)`` instead.
        label_smoothing: the share of each target that is spread evenly over the classes.
        axis: the axis of the classes.

    Probabilities that are no result of an exponential are divided by their sum and kept within 1e-7 and 1 - 1e-7 first.
    """
    target, output = align(y_true, y_pred)
    (smooth,) = settings("categorical_crossentropy", SHARE, label_smoothing=label_smoothing)
    if smooth:
        target = target * (1 - smooth) + smooth / output.shape[axis_of(output, axis)]
    logs = log_softmax(output, axis) if from_logits else log(_normalised(output, axis))
    return -sum_(target * logs, axis)


def picked(labels: Tensor, values: Tensor) -> Tensor:
    """``values[n, labels[n]]``, for any number of leading axes: a sum over the classes with a condition."""
    rank = values.ndim
    places = tuple(Affine.variable(k) for k in range(rank))
    body = Select(sympy.Eq(read_symbol(0), index_symbol(rank - 1)), read_symbol(1), sympy.Integer(0))
    chosen = stage(values.shape, [(labels, places[:-1]), (values, places)], body, outputs=rank - 1, reducer="sum", dtype=values.dtype)
    return chosen.called("pick", labels, values, latex="{1}_{{0}}")


def checked_labels(y_true: Any, output: Tensor) -> Tensor:
    """Class labels that pick among the outputs. Those that are known are looked through: a sum with a condition passes wrong ones over.

    Raises:
        DataError: for one that is no class, 0 to K - 1.
    """
    labels, classes = class_labels(y_true, output), output.shape[-1]
    given = as_tensor(y_true)
    if given.kind == "constant" and isinstance(classes, int) and not (right := np.isin(given.value, np.arange(classes))).all():
        wrong = given.value[~right].flat[0]
        raise DataError(f"y_true has the class {wrong:g}, and there are {classes} classes, 0 to {classes - 1}: number the classes from 0")
    return labels


def class_labels(y_true: Any, output: Tensor) -> Tensor:
    """Class labels without a trailing axis of size 1."""
    labels = as_tensor(y_true)
    return squeeze(labels, -1) if labels.ndim == output.ndim and labels.shape[-1] == 1 else labels


@LossFunction
def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Tensor:
    """``-log p[label]``, averaged over the samples; targets are class labels 0 to K - 1, the classes stand on the last axis.

    Args:
        y_true: labels of shape ``(n,)`` or ``(n, 1)``.
        y_pred: probabilities ``(n, K)``.
        from_logits: whether ``y_pred`` are scores instead.

    Raises:
        DataError: for labels in an array that are no class.
    """
    output = as_tensor(y_pred)
    labels = checked_labels(y_true, output)
    logs = log_softmax(output) if from_logits else log(_normalised(output, -1))
    return -picked(labels, logs)


@LossFunction
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """``sum(y log(y / p))`` over the last axis, averaged over the samples.

    Source: Kullback, Leibler, Annals of Mathematical Statistics 22 (1951). Targets are kept at 1e-7 or more.
    """
    target, output = align(y_true, y_pred)
    y = clip(target, _EPSILON, 1.0)
    p = output if _from_exponential(output) else clip(output, _EPSILON, 1.0)
    return sum_(y * (log(y) - log(p)), axis=-1)


# What these take for targets, so that data that does not fit can be named.
binary_crossentropy.targets = "unit"
sparse_categorical_crossentropy.targets = "labels"


class BinaryCrossentropy(Loss):
    """Cross-entropy of yes and no; see :func:`binary_crossentropy`."""

    targets = "unit"
    columns = True

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, name: str | None = None,
        reduction: Reduction | None = "sum_over_batch_size",
    ) -> None:  # fmt: skip
        super().__init__(name, reduction)
        self.from_logits = from_logits
        (self.label_smoothing,) = settings("BinaryCrossentropy", SHARE, label_smoothing=label_smoothing)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of :func:`binary_crossentropy`."""
        return binary_crossentropy.entries(y_true, y_pred, self.from_logits, self.label_smoothing)


class CategoricalCrossentropy(Loss):
    """Cross-entropy of one-hot classes; see :func:`categorical_crossentropy`."""

    targets = "numbers"

    def __init__(
        self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1, name: str | None = None,
        reduction: Reduction | None = "sum_over_batch_size",
    ) -> None:  # fmt: skip
        super().__init__(name, reduction)
        self.from_logits, self.axis = from_logits, axis
        (self.label_smoothing,) = settings("CategoricalCrossentropy", SHARE, label_smoothing=label_smoothing)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of :func:`categorical_crossentropy`."""
        return categorical_crossentropy.entries(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of class labels; see :func:`sparse_categorical_crossentropy`."""

    targets = "labels"

    def __init__(self, from_logits: bool = False, name: str | None = None, reduction: Reduction | None = "sum_over_batch_size") -> None:
        super().__init__(name, reduction)
        self.from_logits = from_logits

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of :func:`sparse_categorical_crossentropy`."""
        return sparse_categorical_crossentropy.entries(y_true, y_pred, self.from_logits)


class KLDivergence(Loss):
    """The Kullback-Leibler divergence; see :func:`kl_divergence`."""

    targets = "numbers"

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of :func:`kl_divergence`."""
        return kl_divergence.entries(y_true, y_pred)
