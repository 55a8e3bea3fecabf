"""Normalisation by the statistics of a batch, which are kept for inference."""

from __future__ import annotations

from typing import Any

from graphc import regularizers
from graphc.errors import DeclarationError
from graphc.expr.dims import Extent
from graphc.expr.numbers import AXIS, NOT_NEGATIVE, SHARE, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.layers.phase import LayerPhase
from graphc.ops.arithmetic import equal, where
from graphc.ops.axes import axis_of
from graphc.ops.layout import expand_dims, reshape
from graphc.ops.normalization import standardise
from graphc.ops.reduction import mean, var
from graphc.ops.state import assign, choice

__all__ = ["BatchNormalization"]


class BatchNormalization(Layer):
    r""":math:`\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta`, with mean and variance of the batch in training.

    Each step of training moves ``moving_mean`` and ``moving_variance`` towards those of the batch,
    ``moving = momentum * moving + (1 - momentum) * batch``; in inference they take the place of the batch's. The variance
    is that of the entries themselves, divided by their number, in both (PyTorch keeps the one divided by one less, and
    its ``momentum`` is ``1 - momentum``). Where ``trainable`` is ``False``, training too takes the moving statistics and leaves
    them as they are.

    Source: Ioffe and Szegedy, ICML 2015, arXiv 1502.03167.

    Args:
        axis: the axis of the channels; each has statistics of its own, over all other axes.
        momentum: the share of the old statistics that is kept at each step.
        epsilon: added to the variance.
        center, scale: whether there is a ``beta``, a ``gamma``.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: the first values.
        beta_regularizer, gamma_regularizer: penalties.
        synchronized: taken for Keras's sake.
        options: ``name``, ``trainable``, ``input_shape``.

    Shapes: any, unchanged; ``gamma``, ``beta``, ``moving_mean`` and ``moving_variance``, in this order, have one entry a channel.

    Example:
        >>> import graphc as gx
        >>> layer = gx.layers.BatchNormalization()
        >>> layer(gx.layers.Input((28, 28, 3))).shape
        (n, 28, 28, 3)
        >>> [w.name for w in layer.trainable_weights]
        ['batch_normalization/gamma', 'batch_normalization/beta']
        >>> [w.name for w in layer.non_trainable_weights]
        ['batch_normalization/moving_mean', 'batch_normalization/moving_variance']
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        (self.axis,) = settings("BatchNormalization", AXIS, axis=axis)
        (self.momentum,) = settings("BatchNormalization", SHARE, momentum=momentum)
        (self.epsilon,) = settings("BatchNormalization", NOT_NEGATIVE, epsilon=epsilon)
        self.center, self.scale = center, scale
        first = (beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer)
        check_names(self, *first, penalties=(beta_regularizer, gamma_regularizer))
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer, self.moving_variance_initializer = moving_mean_initializer, moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = regularizers.get(beta_regularizer), regularizers.get(gamma_regularizer)
        self.synchronized = synchronized
        self.gamma: Any = None
        self.beta: Any = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``gamma``, ``beta`` and the moving statistics."""
        rank = len(input_shape)
        size: Extent | None = input_shape[self.axis] if -rank <= self.axis < rank else None
        if not isinstance(size, int):
            shown = "missing" if size is None else size
            raise DeclarationError(f"{self.name}: axis {self.axis} of its input is {shown} in the shape {input_shape}, and a number is needed there")
        if self.scale:
            self.gamma = self.add_weight((size,), self.gamma_initializer, regularizer=self.gamma_regularizer, name="gamma")
        if self.center:
            self.beta = self.add_weight((size,), self.beta_initializer, regularizer=self.beta_regularizer, name="beta")
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight((size,), self.moving_variance_initializer, trainable=False, name="moving_variance")

    def call(self, x: Tensor, mask: Any = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The normalised input; in training the moving statistics are moved on. What a mask leaves out is not in the statistics."""
        axis = axis_of(x, self.axis)
        others = tuple(a for a in range(x.ndim) if a != axis)
        average, variance = mean(x, others), var(x, others)
        if isinstance(mask, Tensor) and axis >= mask.ndim:
            average, variance = _masked_statistics(x, others, mask)
        updates = [
            assign(moving, self.momentum * moving + (1 - self.momentum) * now)
            for moving, now in ((self.moving_mean, average), (self.moving_variance, variance))
        ]
        made = choice(
            LayerPhase(self), self._normalised(x, axis, average, variance), self._normalised(x, axis, self.moving_mean, self.moving_variance), updates
        )
        given = [t for t in (x, self.gamma, self.beta) if t is not None]
        return made.called("batch_norm", *given, latex=r"\operatorname{batch\_norm}({0})")

    def _normalised(self, x: Tensor, axis: int, average: Tensor, variance: Tensor) -> Tensor:
        """``gamma * (x - average) / sqrt(variance + epsilon) + beta``, along the axis of the channels."""
        along = [1] * x.ndim
        along[axis] = -1

        def placed(t: Tensor) -> Tensor:
            return t if axis == x.ndim - 1 else reshape(t, tuple(along))

        y = standardise(x, placed(average), placed(variance), self.epsilon)
        y = y if self.gamma is None else y * placed(self.gamma)
        return y if self.beta is None else y + placed(self.beta)


def _masked_statistics(x: Tensor, axes: tuple[int, ...], mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance along axes, over the entries that a mask lets through."""
    seen = expand_dims(where(mask, 1.0, 0.0), tuple(range(mask.ndim, x.ndim)))
    share = mean(seen)
    seen = seen / where(equal(share, 0.0), 1.0, share)
    centred = x - mean(x * seen, axes, keepdims=True)
    return mean(x * seen, axes), mean(centred**2 * seen, axes)
