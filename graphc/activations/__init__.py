"""Activation functions; ``gx.activations``. Users write their own as a plain function of a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from graphc.activations import catalogue
from graphc.activations.catalogue import *  # noqa: F403
from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor

__all__ = ["get"]
__all__ += catalogue.__all__


def get(activation: Any) -> Callable[..., Tensor]:
    """The activation that ``activation`` means: a name, a function, or ``None`` for :func:`linear`.

    Raises:
        DeclarationError: for an unknown name, listing the known ones.

    Example:
        >>> import graphc as gx
        >>> gx.activations.get("relu").__name__
        'relu'
    """
    if activation is None:
        return catalogue.linear
    if isinstance(activation, str) and activation in catalogue.__all__:
        return getattr(catalogue, activation)
    if callable(activation):
        return cast("Callable[..., Tensor]", activation)
    raise DeclarationError(f"the activation {activation!r} is unknown: give a function of a tensor, or one of {', '.join(catalogue.__all__)}")
