"""Learning-rate schedules: formulas of the step; ``gx.schedules`` and ``gx.optimizers.schedules``.

A schedule is a plain function ``step -> tensor``; the first update has step 0. On a number it gives a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.build import operand
from graphc.expr.numbers import FINITE, NOT_NEGATIVE, POSITIVE, SHARE, Kind, is_real, settings
from graphc.expr.tensor import METHODS, Tensor
from graphc.ops.arithmetic import cos, floor, maximum, minimum, where

__all__ = [
    "Constant", "CosineDecay", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule", "OneCycle", "PiecewiseConstantDecay",
    "PolynomialDecay", "Warmup", "as_schedule",
]  # fmt: skip

_RATE = Kind("a learning rate, a finite number of 0 or more", NOT_NEGATIVE.holds)


class LearningRateSchedule:
    """The base of schedules: a subclass gives ``formula(step)``, in tensors."""

    def formula(self, step: Tensor) -> Any:
        """The learning rate at ``step``."""
        raise NotImplementedError

    def __call__(self, step: Any) -> Any:
        """The learning rate at ``step``: a tensor for a tensor, a number for a number."""
        if isinstance(step, Tensor):
            return operand(self.formula(step))
        return float(METHODS["evaluate"](operand(self.formula(operand(float(step)))), {}))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class Constant(LearningRateSchedule):
    """The same learning rate at every step."""

    def __init__(self, learning_rate: float) -> None:
        (self.learning_rate,) = settings("Constant", _RATE, learning_rate=learning_rate)

    def formula(self, step: Tensor) -> Any:
        """``learning_rate``."""
        return self.learning_rate


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after so many steps it is multiplied by ``decay_rate``.
        decay_rate: the factor.
        staircase: whether it changes only every ``decay_steps`` steps.

    Example:
        >>> import graphc as gx
        >>> gx.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
        0.025
    """

    def __init__(self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False) -> None:
        (self.initial_learning_rate,) = settings("ExponentialDecay", _RATE, initial_learning_rate=initial_learning_rate)
        self.decay_steps, self.decay_rate = settings("ExponentialDecay", POSITIVE, decay_steps=decay_steps, decay_rate=decay_rate)
        self.staircase = staircase

    def formula(self, step: Tensor) -> Any:
        """``initial * rate ** (step / steps)``."""
        passed = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (floor(passed) if self.staircase else passed)


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``."""

    def __init__(self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False) -> None:
        (self.initial_learning_rate,) = settings("InverseTimeDecay", _RATE, initial_learning_rate=initial_learning_rate)
        (self.decay_steps,) = settings("InverseTimeDecay", POSITIVE, decay_steps=decay_steps)
        (self.decay_rate,) = settings("InverseTimeDecay", NOT_NEGATIVE, decay_rate=decay_rate)
        self.staircase = staircase

    def formula(self, step: Tensor) -> Any:
        """``initial / (1 + rate * step / steps)``."""
        passed = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (floor(passed) if self.staircase else passed))


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]``, and so on."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float]) -> None:
        if len(values) != len(boundaries) + 1:
            raise DeclarationError(f"{len(boundaries)} boundaries separate {len(boundaries) + 1} values, and {len(values)} are given")
        self.boundaries = [settings("PiecewiseConstantDecay", FINITE, boundaries=b)[0] for b in boundaries]
        if self.boundaries != sorted(self.boundaries):
            raise DeclarationError(f"boundaries={list(boundaries)}: they must rise")
        self.values = [settings("PiecewiseConstantDecay", _RATE, values=v)[0] for v in values]

    def formula(self, step: Tensor) -> Any:
        """The value of the piece that ``step`` lies in."""
        rate: Any = operand(float(self.values[-1]))
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = where(step <= float(boundary), float(value), rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From ``initial_learning_rate`` to ``end_learning_rate`` in ``decay_steps`` steps, along a power of what is left.

    Args:
        initial_learning_rate, decay_steps, end_learning_rate: where it starts, how long it takes, where it ends.
        power: 1 is a straight line.
        cycle: whether it starts again, over a longer time, instead of staying at the end.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, end_learning_rate: float = 0.0001, power: float = 1.0, cycle: bool = False
    ) -> None:
        self.initial_learning_rate, self.end_learning_rate = settings(
            "PolynomialDecay", _RATE, initial_learning_rate=initial_learning_rate, end_learning_rate=end_learning_rate
        )
        (self.decay_steps,) = settings("PolynomialDecay", POSITIVE, decay_steps=decay_steps)
        (self.power,) = settings("PolynomialDecay", FINITE, power=power)
        self.cycle = cycle

    def formula(self, step: Tensor) -> Any:
        """``(initial - end) * (1 - step / steps) ** power + end``."""
        if self.cycle:
            length = self.decay_steps * maximum(1.0, -floor(-(step / self.decay_steps)))
            passed = step / length
        else:
            passed = minimum(step, float(self.decay_steps)) / self.decay_steps
        left = 1 - passed
        return (self.initial_learning_rate - self.end_learning_rate) * (left if self.power == 1 else left**self.power) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from ``initial_learning_rate`` to ``alpha`` times it, after an optional linear warm-up.

    Source: Loshchilov, Hutter, ICLR 2017.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the cosine takes.
        alpha: the share of the rate that is left at the end.
        warmup_target: where the warm-up leads, and the cosine starts; ``None`` for no warm-up.
        warmup_steps: how long the warm-up takes.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, alpha: float = 0.0, warmup_target: float | None = None, warmup_steps: float = 0
    ) -> None:
        (self.initial_learning_rate,) = settings("CosineDecay", _RATE, initial_learning_rate=initial_learning_rate)
        self.alpha, self.warmup_steps = settings("CosineDecay", NOT_NEGATIVE, alpha=alpha, warmup_steps=warmup_steps)
        (self.decay_steps,) = settings("CosineDecay", POSITIVE, decay_steps=decay_steps)
        self.warmup_target = None if warmup_target is None else settings("CosineDecay", _RATE, warmup_target=warmup_target)[0]

    def formula(self, step: Tensor) -> Any:
        """``top * ((1 - alpha) * (1 + cos(pi * step / steps)) / 2 + alpha)``."""
        if self.warmup_target is None:
            return self._cosine(step, self.initial_learning_rate)
        warm = float(self.warmup_steps)
        rise = (self.warmup_target - self.initial_learning_rate) * (step / warm) + self.initial_learning_rate if warm else step
        return where(step < warm, rise, self._cosine(maximum(step - warm, 0.0) if warm else step, self.warmup_target))

    def _cosine(self, step: Tensor, top: float) -> Any:
        passed = minimum(step, float(self.decay_steps)) / self.decay_steps
        return top * ((1 - self.alpha) * (0.5 * (1 + cos(math.pi * passed))) + self.alpha)


class OneCycle(LearningRateSchedule):
    """Up from ``max / div_factor`` to the maximum, then down to ``max / (div_factor * final_div_factor)``, each half a cosine.

    Source: Smith, Topin, arXiv 1708.07120.

    Args:
        max_learning_rate: the highest rate.
        total_steps: the number of updates of the whole training.
        pct_start: the share of the steps that go up.
        div_factor: the first rate is the maximum divided by it.
        final_div_factor: the last rate is the first divided by it.
    """

    def __init__(
        self, max_learning_rate: float, total_steps: int, pct_start: float = 0.3, div_factor: float = 25, final_div_factor: float = 1e4
    ) -> None:
        (self.pct_start,) = settings("OneCycle", SHARE, pct_start=pct_start)
        self.max_learning_rate, self.total_steps, self.div_factor, self.final_div_factor = settings(
            "OneCycle",
            POSITIVE,
            max_learning_rate=max_learning_rate,
            total_steps=total_steps,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
        )

    def formula(self, step: Tensor) -> Any:
        """``a + (b - a) * (1 - cos(pi * passed)) / 2`` between the rates ``a`` and ``b`` of each part."""
        first = self.max_learning_rate / self.div_factor
        last = first / self.final_div_factor
        top, end = self.pct_start * self.total_steps - 1.0, self.total_steps - 1.0
        down = _between(self.max_learning_rate, last, _share(step - top if top else step, end - top))
        if top <= 0:
            return down
        return where(step <= top, _between(first, self.max_learning_rate, step / top), down)


def _share(passed: Tensor, length: float) -> Tensor:
    return minimum(maximum(passed / max(length, 1e-12), 0.0), 1.0)


def _between(start: float, end: float, share: Tensor) -> Tensor:
    return end + (start - end) / 2 * (1 + cos(math.pi * share))


class Warmup(LearningRateSchedule):
    """A linear rise over ``steps`` steps in front of another schedule or rate."""

    def __init__(self, schedule: Any, steps: int) -> None:
        (self.steps,) = settings("Warmup", POSITIVE, steps=steps)
        as_schedule(schedule)
        self.schedule = schedule

    def formula(self, step: Tensor) -> Any:
        """``min(1, (step + 1) / steps)`` times the schedule."""
        return minimum((step + 1) / self.steps, 1.0) * as_schedule(self.schedule)(step)


def as_schedule(rate: Any) -> Callable[[Any], Any]:
    """The schedule that ``rate`` means: a number, or a function of the step.

    Raises:
        DeclarationError: for anything else, and for a number that is negative or not finite.
    """
    if is_real(rate):
        if not rate >= 0 or not math.isfinite(rate):
            raise DeclarationError(f"the learning rate {rate!r}: it is a finite number of 0 or more")
        return Constant(float(rate))
    if callable(rate):
        return rate
    raise DeclarationError(f"the learning rate {rate!r} is neither a number nor a function of the step")
