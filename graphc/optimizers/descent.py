"""Gradient descent with and without momentum, and the rules that scale each entry by its past gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.expr.tensor import Tensor
from graphc.ops.arithmetic import sqrt, square, where
from graphc.optimizers.base import Optimizer, State

__all__ = ["Adadelta", "Adagrad", "RMSprop", "SGD"]

Next = tuple[Any, Mapping[str, Any]]


class SGD(Optimizer):
    """Gradient descent: ``p - lr g``; with momentum ``v <- momentum v - lr g``, ``p + v``.

    Source: Robbins, Monro 1951; Polyak 1964; Nesterov 1983 in the form of Sutskever et al., ICML 2013.

    Args:
        learning_rate: a number or a schedule.
        momentum: the share of the last step that is kept.
        nesterov: whether to look ahead: ``p + momentum v - lr g``.
        dampening: PyTorch's: from the second update on the gradient counts ``1 - dampening``; with ``dampening`` equal to
            ``momentum`` the step is a moving average of gradients.
        options: as for :class:`Optimizer`.
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, dampening: float = 0.0, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.momentum, self.dampening = self._numbers(momentum=momentum, dampening=dampening)
        self.nesterov = nesterov

    def state(self) -> Mapping[str, Any]:
        """The velocity, where there is momentum."""
        return {"momentum": 0.0} if self.momentum else {}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        if not self.momentum:
            return p - lr * g, {}
        weight = where(t > 1.0, 1 - self.dampening, 1.0) if self.dampening else 1
        v = self.momentum * state["momentum"] - lr * (weight * g if self.dampening else g)
        return p + (self.momentum * v - lr * g if self.nesterov else v), {"momentum": v}


class RMSprop(Optimizer):
    """``v <- rho v + (1 - rho) g^2``, ``p - lr g / sqrt(v + epsilon)``.

    Source: Tieleman, Hinton, lecture 6.5, 2012.

    Args:
        learning_rate: a number or a schedule.
        rho: the share of the past in the average of squares.
        momentum: the share of the last step that is kept.
        epsilon: keeps the root away from 0.
        centered: whether to subtract the squared average of gradients from the average of squares.
        epsilon_outside_root: PyTorch's ``sqrt(v) + epsilon``.
        options: as for :class:`Optimizer`.
    """

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7, centered: bool = False,
        epsilon_outside_root: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **options)
        self.rho, self.momentum, self.epsilon = self._numbers(rho=rho, momentum=momentum, epsilon=epsilon)
        self.centered, self.epsilon_outside_root = centered, epsilon_outside_root

    def state(self) -> Mapping[str, Any]:
        """The average of squares, of gradients where centered, and the last step where there is momentum."""
        names = ["velocity", *(["average"] if self.centered else []), *(["momentum"] if self.momentum else [])]
        return dict.fromkeys(names, 0.0)

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        new: dict[str, Any] = {"velocity": self.rho * state["velocity"] + (1 - self.rho) * square(g)}
        spread = new["velocity"]
        if self.centered:
            new["average"] = self.rho * state["average"] + (1 - self.rho) * g
            spread = spread - square(new["average"])
        root = sqrt(spread) + self.epsilon if self.epsilon_outside_root else sqrt(spread + self.epsilon)
        step = lr * g / root
        if self.momentum:
            step = new["momentum"] = self.momentum * state["momentum"] + step
        return p - step, new


class Adagrad(Optimizer):
    """``a <- a + g^2``, ``p - lr g / sqrt(a + epsilon)``.

    Source: Duchi, Hazan, Singer, JMLR 12 (2011).

    Args:
        learning_rate: a number or a schedule.
        initial_accumulator_value: where ``a`` starts.
        epsilon: keeps the root away from 0.
        learning_rate_decay: PyTorch's ``lr_decay``: the rate is divided by ``1 + decay * (t - 1)``.
        epsilon_outside_root: PyTorch's ``sqrt(a) + epsilon``.
        options: as for :class:`Optimizer`.
    """

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7,
        learning_rate_decay: float = 0.0, epsilon_outside_root: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value, self.epsilon, self.learning_rate_decay = self._numbers(
            initial_accumulator_value=initial_accumulator_value, epsilon=epsilon, learning_rate_decay=learning_rate_decay
        )
        self.epsilon_outside_root = epsilon_outside_root

    def state(self) -> Mapping[str, Any]:
        """The sum of squares."""
        return {"accumulator": self.initial_accumulator_value}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        a = state["accumulator"] + square(g)
        if self.learning_rate_decay:
            lr = lr / (1 + self.learning_rate_decay * (t - 1))
        root = sqrt(a) + self.epsilon if self.epsilon_outside_root else sqrt(a + self.epsilon)
        return p - lr * g / root, {"accumulator": a}


class Adadelta(Optimizer):
    """Steps as large as past steps: ``p - lr g rms(step) / rms(g)``, with ``rms(x) = sqrt(average(x^2) + epsilon)``.

    Source: Zeiler, arXiv 1212.5701. PyTorch's default rate is 1, Keras's, taken here, 0.001.
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.rho, self.epsilon = self._numbers(rho=rho, epsilon=epsilon)

    def state(self) -> Mapping[str, Any]:
        """The averages of squared gradients and of squared steps."""
        return {"accumulated_gradient": 0.0, "accumulated_delta": 0.0}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> Next:
        """Keras's rule."""
        gradient = self.rho * state["accumulated_gradient"] + (1 - self.rho) * square(g)
        delta = -sqrt(state["accumulated_delta"] + self.epsilon) * g / sqrt(gradient + self.epsilon)
        moved = self.rho * state["accumulated_delta"] + (1 - self.rho) * square(delta)
        return p + lr * delta, {"accumulated_gradient": gradient, "accumulated_delta": moved}
