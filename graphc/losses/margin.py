"""Losses on signed scores: hinge losses and the perceptron's. Labels are -1 and 1; a label 0 counts as -1."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.build import elementwise
from graphc.expr.scalar import Select
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.losses.base import Loss, LossFunction, align
from graphc.ops.arithmetic import maximum, square
from graphc.ops.reduction import max as max_
from graphc.ops.reduction import sum as sum_

__all__ = ["CategoricalHinge", "Hinge", "Perceptron", "SquaredHinge", "categorical_hinge", "hinge", "perceptron", "squared_hinge"]


def _margin(y_true: Any, y_pred: Any) -> Tensor:
    target, output = align(y_true, y_pred)
    label = read_symbol(0)
    signed = elementwise("±", Select(sympy.Eq(label, 0), sympy.Integer(-1), label), (target,), dtype="float", latex=r"\pm{0}")
    return signed * output


@LossFunction
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(0, 1 - y_true y_pred)``, averaged: the loss of a support vector machine.

    Source: Cortes, Vapnik, Machine Learning 20 (1995).
    """
    return maximum(0.0, 1 - _margin(y_true, y_pred))


@LossFunction
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(0, 1 - y_true y_pred)^2``, averaged."""
    return square(hinge.entries(y_true, y_pred))


@LossFunction
def perceptron(y_true: Any, y_pred: Any) -> Tensor:
    """``max(0, -y_true y_pred)``, averaged: its gradient descent is Rosenblatt's rule, which corrects wrong answers only.

    Source: Rosenblatt, Psychological Review 65 (1958).
    """
    # At 0 the score itself takes the gradient: a perceptron that starts with zero weights is wrong there, and learns.
    return maximum(-_margin(y_true, y_pred), 0.0)


@LossFunction
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(0, 1 + wrong - right)`` of the best wrong score and the right one; targets are one-hot."""
    target, output = align(y_true, y_pred)
    right = sum_(target * output, axis=-1)
    wrong = max_((1 - target) * output, axis=-1)
    return maximum(0.0, wrong - right + 1)


class _Formula(Loss):
    """A class around one of the functions above."""

    formula: LossFunction
    targets = "numbers"
    columns = True

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The entries of the function."""
        return self.formula.entries(y_true, y_pred)


class Hinge(_Formula):
    """The hinge loss; see :func:`hinge`."""

    formula = hinge


class SquaredHinge(_Formula):
    """The squared hinge loss; see :func:`squared_hinge`."""

    formula = squared_hinge


class Perceptron(_Formula):
    """The perceptron's loss; see :func:`perceptron`."""

    formula = perceptron


class CategoricalHinge(_Formula):
    """The hinge loss of several classes; see :func:`categorical_hinge`."""

    formula = categorical_hinge
    columns = False
