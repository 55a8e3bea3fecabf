"""Optimizers as formulas; ``gx.optimizers``.

Update rules and defaults are Keras 3's; each option in which PyTorch's rule differs is an argument. ``updates(loss,
parameters)`` gives one step as assignments, which print, draw and compile like everything else.
"""

from __future__ import annotations

from typing import Any

from graphc import schedules
from graphc.errors import DeclarationError
from graphc.optimizers.base import Optimizer, rule
from graphc.optimizers.descent import SGD, Adadelta, Adagrad, RMSprop
from graphc.optimizers.moments import Adam, Adamax, AdamW, Lion, Nadam

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer", "RMSprop", "get", "rule", "schedules"]

_NAMES = {c.__name__.lower(): c for c in (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion)}


def get(optimizer: Any) -> Optimizer:
    """The optimizer that ``optimizer`` means: a name, a class or an optimizer.

    Raises:
        DeclarationError: for an unknown name, listing the known ones.

    Example:
        >>> import graphc as gx
        >>> gx.optimizers.get("adam").learning_rate
        0.001
    """
    if isinstance(optimizer, str) and optimizer.lower() in _NAMES:
        return _NAMES[optimizer.lower()]()
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        return optimizer()
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise DeclarationError(f"the optimizer {optimizer!r} is unknown: give one made by gx.optimizers, or one of {', '.join(_NAMES)}")
