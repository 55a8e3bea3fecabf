"""Losses; ``gx.losses``.

A loss is a plain function ``(y_true, y_pred) -> tensor`` whose entries are averaged, and users write their own the same
way. Each loss here is a function, a class with options, and a short name (``mse``, ``MSE``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import DeclarationError
from graphc.losses import margin, probability, regression
from graphc.losses.base import Loss
from graphc.losses.margin import *  # noqa: F403
from graphc.losses.probability import *  # noqa: F403
from graphc.losses.regression import *  # noqa: F403

__all__ = ["BCE", "KLD", "MAE", "MAPE", "MSE", "MSLE", "Loss", "bce", "get", "kld", "mae", "mape", "mse", "msle"]
__all__ += margin.__all__
__all__ += probability.__all__
__all__ += regression.__all__

mse = MSE = regression.mean_squared_error
mae = MAE = regression.mean_absolute_error
mape = MAPE = regression.mean_absolute_percentage_error
msle = MSLE = regression.mean_squared_logarithmic_error
bce = BCE = probability.binary_crossentropy
kld = KLD = probability.kl_divergence


def get(loss: Any) -> Callable[..., Any]:
    """The loss that ``loss`` means: a name, a function, a class or an object of one.

    Raises:
        DeclarationError: for an unknown name, listing the known ones.

    Example:
        >>> import graphc as gx
        >>> gx.losses.get("mse")
        <loss mean_squared_error>
    """
    if isinstance(loss, str):
        found = globals().get(loss) if loss in __all__ else None
        if loss in ("Loss", "get") or found is None:
            names = sorted(n for n in __all__ if n.islower() and n != "get")
            raise DeclarationError(f"the loss {loss!r} is unknown: give a function (y_true, y_pred) -> tensor, or one of {', '.join(names)}")
        loss = found
    if isinstance(loss, type) and issubclass(loss, Loss):
        return loss()
    if callable(loss):
        return loss
    raise DeclarationError(f"{loss!r} is no loss: give a name, or a function (y_true, y_pred) -> tensor")
