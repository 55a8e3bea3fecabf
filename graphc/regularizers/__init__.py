"""Penalties on weights; ``gx.regularizers``. A penalty is a plain function of a tensor that gives a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from graphc.errors import DeclarationError
from graphc.expr.build import operand
from graphc.expr.numbers import NOT_NEGATIVE, settings
from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import abs, square
from graphc.ops.reduction import sum

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2"]


class Regularizer:
    """The base of penalties: a subclass gives ``__call__(weight) -> scalar tensor``."""

    def __call__(self, weight: Tensor) -> Tensor:
        """The penalty, to be added to the loss."""
        raise NotImplementedError


class L1L2(Regularizer):
    """``l1 * sum(|w|) + l2 * sum(w^2)``.

    Example:
        >>> import graphc as gx
        >>> float(gx.evaluate(gx.regularizers.L1L2(l1=1.0, l2=10.0)(gx.constant([1.0, -2.0])), {}))
        53.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = (float(v) for v in settings(type(self).__name__, NOT_NEGATIVE, l1=l1, l2=l2))

    def __call__(self, weight: Tensor) -> Tensor:
        """The penalty on ``weight``, a scalar."""
        terms = [factor * sum(form(weight)) for factor, form in ((self.l1, abs), (self.l2, square)) if factor]
        if not terms:
            return operand(0.0)
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(l1={self.l1:g}, l2={self.l2:g})"


class L1(L1L2):
    """``l1 * sum(|w|)``: drives weights to 0."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """``l2 * sum(w^2)``: keeps weights small."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


l1, l2 = L1, L2


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both penalties at once."""
    return L1L2(l1, l2)


_NAMES: dict[str, Callable[[], Regularizer]] = {"l1": L1, "L1": L1, "l2": L2, "L2": L2, "l1_l2": l1_l2, "L1L2": l1_l2, "l1l2": l1_l2}


def get(regularizer: Any) -> Callable[[Tensor], Tensor] | None:
    """The penalty that ``regularizer`` means: a name, a function of a tensor, or ``None``.

    Raises:
        DeclarationError: for an unknown name.
    """
    if regularizer is None:
        return None
    if isinstance(regularizer, str) and regularizer in _NAMES:
        return _NAMES[regularizer]()
    if callable(regularizer):
        return cast("Callable[[Tensor], Tensor]", regularizer)
    raise DeclarationError(f"the regularizer {regularizer!r} is unknown: give a function of a tensor, or one of l1, l2, l1_l2")
