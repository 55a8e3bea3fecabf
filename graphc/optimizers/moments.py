"""Adam and its kin: averages of gradients and of their squares, corrected for starting at 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import abs, maximum, sign, sqrt, square
from graphc.optimizers.base import Optimizer, State

__all__ = ["Adam", "AdamW", "Adamax", "Lion", "Nadam"]

Next = tuple[Any, Mapping[str, Any]]


class _Moments(Optimizer):
    """Optimizers with two averages."""

    def __init__(self, learning_rate: Any, beta_1: float, beta_2: float, epsilon: float, options: dict[str, Any]) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = self._numbers(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)

    def state(self) -> Mapping[str, Any]:
        """The averages of gradients and of their squares."""
        return {"momentum": 0.0, "velocity": 0.0}

    def _averages(self, g: Tensor, state: State) -> tuple[Tensor, Tensor]:
        m = self.beta_1 * state["momentum"] + (1 - self.beta_1) * g
        v = self.beta_2 * state["velocity"] + (1 - self.beta_2) * square(g)
        return m, v


class Adam(_Moments):
    """``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``, ``p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)``.

    Source: Kingma, Ba, ICLR 2015, the form before their section 2.1; AMSGrad: Reddi, Kale, Kumar, ICLR 2018.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: the shares of the past in the two averages.
        epsilon: keeps the root away from 0.
        amsgrad: whether to divide by the largest average of squares so far.
        epsilon_after_correction: PyTorch's ``sqrt(v / (1 - b2^t)) + epsilon``.
        options: as for :class:`Optimizer`.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7, amsgrad: bool = False,
        epsilon_after_correction: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, options)
        self.amsgrad, self.epsilon_after_correction = amsgrad, epsilon_after_correction

    def state(self) -> Mapping[str, Any]:
        """The averages, and the largest average of squares for AMSGrad."""
        return {"momentum": 0.0, "velocity": 0.0, **({"largest": 0.0} if self.amsgrad else {})}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        m, v = self._averages(g, state)
        new: dict[str, Any] = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = new["largest"] = maximum(state["largest"], v)
        correction = sqrt(1 - self.beta_2**t)
        rate = lr / (1 - self.beta_1**t)
        # Dividing by sqrt(v)/correction + epsilon is the same as this, and costs every entry one division more.
        epsilon = self.epsilon * correction if self.epsilon_after_correction else self.epsilon
        return p - rate * correction * m / (sqrt(v) + epsilon), new


class AdamW(Adam):
    """Adam with a weight decay of 0.004 by default, taken from the parameters and not from the gradients.

    Source: Loshchilov, Hutter, ICLR 2019.
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)


class Adamax(_Moments):
    """Adam with the largest past gradient for a norm: ``u <- max(b2 u, |g|)``, ``p - lr / (1 - b1^t) m / (u + epsilon)``.

    Source: Kingma, Ba, ICLR 2015, section 7.1. ``epsilon_in_norm=True`` is PyTorch's ``u <- max(b2 u, |g| + epsilon)``.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        epsilon_in_norm: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, options)
        self.epsilon_in_norm = epsilon_in_norm

    def state(self) -> Mapping[str, Any]:
        """The average of gradients and the norm."""
        return {"momentum": 0.0, "norm": 0.0}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        m = self.beta_1 * state["momentum"] + (1 - self.beta_1) * g
        size = abs(g) + self.epsilon if self.epsilon_in_norm else abs(g)
        u = maximum(self.beta_2 * state["norm"], size)
        return p - lr / (1 - self.beta_1**t) * m / (u if self.epsilon_in_norm else u + self.epsilon), {"momentum": m, "norm": u}


class Nadam(_Moments):
    """Adam with Nesterov's look ahead; the momentum rises by a schedule of its own, ``u = b1 (1 - 0.96^(d t) / 2)``.

    Source: Dozat, ICLR workshop 2016. ``momentum_decay`` is ``d``: Keras's is 1, PyTorch's default 0.004.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        momentum_decay: float = 1.0, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, options)
        (self.momentum_decay,) = self._numbers(momentum_decay=momentum_decay)

    def state(self) -> Mapping[str, Any]:
        """The averages, and the product of all momenta so far."""
        return {"momentum": 0.0, "velocity": 0.0, "product": np.ones(())}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        m, v = self._averages(g, state)
        now, after = (self.beta_1 * (1 - 0.5 * 0.96 ** (self.momentum_decay * n)) for n in (t, t + 1))
        product = state["product"] * now
        ahead = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
        root = sqrt(v / (1 - self.beta_2**t)) + self.epsilon
        return p - lr * ahead / root, {"momentum": m, "velocity": v, "product": product}


class Lion(_Moments):
    """The sign of a mixture of gradient and average: ``p - lr sign(b1 m + (1 - b1) g)``, ``m <- b2 m + (1 - b2) g``.

    Source: Chen et al., NeurIPS 2023.
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any) -> None:
        super().__init__(learning_rate, beta_1, beta_2, 0.0, options)

    def state(self) -> Mapping[str, Any]:
        """The average of gradients."""
        return {"momentum": 0.0}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        m = state["momentum"]
        return p - lr * sign(self.beta_1 * m + (1 - self.beta_1) * g), {"momentum": self.beta_2 * m + (1 - self.beta_2) * g}
