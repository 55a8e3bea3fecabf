"""What an optimizer is: an update rule as a formula, with the states that it keeps for each parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import elementwise, operand
from graphc.expr.graph import unalias
from graphc.expr.numbers import LIMIT, NOT_NEGATIVE, PAST, SHARE, is_real, settings
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import METHODS, Tensor
from graphc.ops.arithmetic import clip, minimum, square, where
from graphc.ops.arithmetic import sqrt as sqrt_
from graphc.ops.reduction import mean
from graphc.ops.reduction import sum as sum_
from graphc.ops.state import assign, state
from graphc.schedules import as_schedule

__all__ = ["Optimizer", "Slots", "rule"]

State = dict[str, Tensor]
Update = Callable[[Tensor, Tensor, State, Tensor, Any], tuple[Any, Mapping[str, Any]]]
# What the numbers that optimizers take may be; those that are not here are 0 or more.
_KINDS = {
    "momentum": PAST, "rho": PAST, "beta_1": PAST, "beta_2": PAST, "dampening": SHARE,
    "clipnorm": LIMIT, "clipvalue": LIMIT, "global_clipnorm": LIMIT,
}  # fmt: skip
_OPTIONAL = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")


@dataclass(eq=False)
class Slots:
    """What an optimizer keeps for one list of parameters: the step, the rate, and a state for each parameter."""

    scope: str
    parameters: tuple[Tensor, ...]
    step: Tensor
    rate: Tensor | None
    states: list[State] = field(default_factory=list[State])

    @property
    def variables(self) -> list[Tensor]:
        """All of them, in a fixed order: the step, the rate, then parameter by parameter."""
        rate = [] if self.rate is None else [self.rate]
        return [self.step, *rate, *(t for s in self.states for t in s.values())]


class Optimizer:
    """The base of optimizers: a subclass gives ``state()`` and ``rule(p, g, state, t, lr)``.

    Args:
        learning_rate: a number, or a schedule: a function of the step.
        weight_decay: each update first takes ``weight_decay * learning_rate`` of a parameter away.
        clipnorm: each gradient is scaled to at most this norm.
        clipvalue: each entry of a gradient is kept within plus and minus this.
        global_clipnorm: all gradients together are scaled to at most this norm.
        decoupled_weight_decay: ``False`` adds ``weight_decay * p`` to the gradient instead, as PyTorch's ``Adam`` and
            ``SGD`` do.
        maximize: whether to climb instead of descend.
        name: the scope of the states.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        decoupled_weight_decay: bool = True,
        maximize: bool = False,
        name: str | None = None,
    ) -> None:
        given = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        used = [key for key, value in given.items() if value is not None]
        if len(used) > 1:
            raise DeclarationError(f"{type(self).__name__}: {' and '.join(used)} are given, and only one of them can clip")
        as_schedule(learning_rate)
        self._rate = float(learning_rate) if is_real(learning_rate) else learning_rate
        self.weight_decay, self.clipnorm, self.clipvalue, self.global_clipnorm = self._numbers(weight_decay=weight_decay, **given)
        self.decoupled_weight_decay, self.maximize = decoupled_weight_decay, maximize
        self.name = name or type(self).__name__.lower()
        self.slots: list[Slots] = []
        self.excluded: list[Tensor] = []
        self.excluded_names: list[str] = []

    def _numbers(self, **given: Any) -> tuple[Any, ...]:
        """Settings as Python's numbers, in the order given; those that may be ``None`` stay so.

        Raises:
            DeclarationError: for one that means nothing, such as a share of the past above 1.
        """
        owner = type(self).__name__
        return tuple(
            value if value is None and name in _OPTIONAL else settings(owner, _KINDS.get(name, NOT_NEGATIVE), **{name: value})[0]
            for name, value in given.items()
        )

    def state(self) -> Mapping[str, Any]:
        """The states of one parameter with their first values: a number fills its shape, a function gets the parameter."""
        return {}

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> tuple[Any, Mapping[str, Any]]:
        """The parameter's and the states' next values.

        Args:
            p, g: the parameter and its gradient.
            state: the states by name.
            t: the number of this update, from 1.
            lr: the learning rate.
        """
        raise NotImplementedError

    @property
    def learning_rate(self) -> Any:
        """The rate: the number now in use, or the schedule. A number may be changed at any time; nothing is compiled anew."""
        for slots in self.slots:
            if slots.rate is not None:
                return float(slots.rate.value)
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        as_schedule(rate)
        if not is_real(rate):
            if self.slots:
                raise DeclarationError(f"{self.name} is in use with the rate {self._rate!r}: give a schedule when you make the optimizer")
            self._rate = rate
            return
        if callable(self._rate) and self.slots:
            raise DeclarationError(f"{self.name} follows the schedule {self._rate!r}, so its rate cannot be set to {rate}")
        self._rate = float(rate)
        for slots in self.slots:
            if slots.rate is not None:
                slots.rate.value = self._rate

    @property
    def iterations(self) -> int:
        """How many updates have been made."""
        return int(self.slots[0].step.value) if self.slots else 0

    @property
    def variables(self) -> list[Tensor]:
        """The states: steps, rates, and what is kept for each parameter."""
        return list(dict.fromkeys(t for slots in self.slots for t in slots.variables))

    def exclude_from_weight_decay(self, var_list: Sequence[Tensor] | None = None, var_names: Sequence[str] | None = None) -> None:
        """Leave parameters out of weight decay: the tensors given, and those whose name contains one of the texts."""
        self.excluded += [unalias(t) for t in var_list or ()]
        self.excluded_names += list(var_names or ())

    def updates(self, loss: Tensor, parameters: Any, name: str | None = None) -> list[Tensor]:
        """One step of training as assignments, for :func:`graphc.compile`: to the parameters, the states and the step.

        Args:
            loss: a scalar; the entries of a tensor are averaged.
            parameters: a parameter, or a list of them.
            name: the scope of the states; by default the optimizer's name and the first parameter's.

        Raises:
            DeclarationError: for what is no parameter, or a rule that gives a wrong state.
        """
        chosen = _parameters(parameters)
        loss = operand(loss)
        if loss.ndim:
            loss = mean(loss)
        slots = self._made_slots(chosen, name or f"{self.name}/{chosen[0].name}")
        gradients = self._prepare(METHODS["grad"](-loss if self.maximize else loss, list(chosen)))
        step = _as_float(slots.step)
        lr = as_schedule(self._rate)(step) if slots.rate is None else slots.rate
        t = _as_float(slots.step + 1)
        assigns: list[Tensor] = []
        for p, g, states in zip(chosen, gradients, slots.states, strict=True):
            assigns += self._update(p, g, states, t, lr)
        return [*assigns, assign(slots.step, slots.step + 1)]

    def _update(self, p: Tensor, g: Tensor, states: State, t: Tensor, lr: Any) -> list[Tensor]:
        start: Tensor = p
        if self.weight_decay and not self._keeps(p):
            if self.decoupled_weight_decay:
                start = p - p * self.weight_decay * lr
            else:
                g = g + self.weight_decay * p
        new, news = self._moved(p, self.rule(start, g, dict(states), t, lr))
        if set(news) != set(states):
            raise DeclarationError(f"the rule of {self.name} returns the states {sorted(news)}, and it keeps {sorted(states)}: return each of them")
        return [assign(p, new), *(assign(states[key], operand(news[key])) for key in states)]

    def _moved(self, p: Tensor, given: Any) -> tuple[Tensor, Mapping[str, Any]]:
        """What a rule returns, looked through."""
        if not isinstance(given, tuple | list) or len(given) != 2 or not isinstance(given[1], Mapping):
            raise DeclarationError(f"the rule of {self.name} returns {given!r}: return a pair, the parameter's next value and the states' by name")
        new = operand(given[0])
        if new.shape != p.shape:
            raise ShapeError(f"the rule of {self.name} returns {new.describe()} for {p.describe()}: return a value of the parameter's shape")
        return new, given[1]

    def _keeps(self, p: Tensor) -> bool:
        return any(p is e for e in self.excluded) or any(text in p.name for text in self.excluded_names)

    def _made_slots(self, parameters: tuple[Tensor, ...], scope: str) -> Slots:
        for slots in self.slots:
            if len(slots.parameters) == len(parameters) and all(a is b for a, b in zip(slots.parameters, parameters, strict=True)):
                return slots
        # Another list of parameters under the same name, such as a model's after a layer was frozen, goes on counting.
        earlier = [s for s in self.slots if s.scope == scope]
        if earlier:
            slots = Slots(scope, parameters, earlier[0].step, earlier[0].rate)
        else:
            rate = None if callable(self._rate) else state(f"{scope}/learning_rate", (), init=self._rate)
            slots = Slots(scope, parameters, state(f"{scope}/step", (), init=0, dtype="int"), rate)
        known = {p: states for s in earlier for p, states in zip(s.parameters, s.states, strict=True)}
        for p in parameters:
            if p in known:
                slots.states.append(known[p])
                continue
            first = {key: init(p) if callable(init) else init for key, init in self.state().items()}
            slots.states.append({key: _slot(f"{self.name}/{p.name}/{key}", p, value) for key, value in first.items()})
        self.slots.append(slots)
        return slots

    def _prepare(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The gradients after clipping."""
        if self.clipvalue is not None:
            return [clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.clipnorm is not None:
            return [g * _scale(sum_(square(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None:
            total = sum_(square(gradients[0]))
            for g in gradients[1:]:
                total = total + sum_(square(g))
            return [g * _scale(total, self.global_clipnorm) for g in gradients]
        return list(gradients)

    def __repr__(self) -> str:
        return f"<optimizer {self.name}, learning_rate={self._rate!r}>"


def _parameters(parameters: Any) -> tuple[Tensor, ...]:
    given = parameters.values() if isinstance(parameters, Mapping) else parameters if isinstance(parameters, list | tuple) else [parameters]
    chosen = tuple(unalias(p) if isinstance(p, Tensor) else p for p in given)
    for p in chosen:
        if not isinstance(p, Tensor) or p.kind not in ("parameter", "state"):
            label = p.describe() if isinstance(p, Tensor) else repr(p)
            raise DeclarationError(f"{label} is no parameter, so an optimizer cannot change it: declare it with gx.parameter")
    if not chosen:
        raise DeclarationError("no parameters are given to update: give a list of tensors made by gx.parameter")
    return chosen


def _slot(name: str, p: Tensor, init: Any) -> Tensor:
    shape = p.shape if np.ndim(init) == 0 and not isinstance(init, np.ndarray) else np.shape(init)
    return state(name, shape, init=init)


def _as_float(step: Tensor) -> Tensor:
    return elementwise("float", read_symbol(0), (step,), dtype="float", latex="{0}")


def _scale(total: Tensor, limit: float) -> Tensor:
    """``min(1, limit / sqrt(total))``, 1 where the gradient is 0."""
    norm = sqrt_(total)
    return where(norm > limit, limit / norm, 1.0) if limit else minimum(norm, 0.0)


class _Rule(Optimizer):
    """An optimizer from a function."""

    def __init__(self, update: Update, first: Mapping[str, Any], learning_rate: Any, options: dict[str, Any]) -> None:
        super().__init__(learning_rate, **options)
        self._rule, self._first = update, dict(first)

    def state(self) -> Mapping[str, Any]:
        """The states given to :func:`rule`."""
        return self._first

    def rule(self, p: Tensor, g: Tensor, state: State, t: Tensor, lr: Any) -> tuple[Any, Mapping[str, Any]]:
        """The function given to :func:`rule`."""
        return self._rule(p, g, state, t, lr)


def rule(update: Update, state: Mapping[str, Any] | None = None, learning_rate: Any = 0.001, **options: Any) -> Optimizer:
    """An optimizer of one's own from one formula.

    Args:
        update: ``(p, g, state, t, lr) -> (new_p, new_state)``: parameter, gradient, states by name, the update's number
            from 1, and the rate.
        state: the states of each parameter with their first values.
        learning_rate: a number or a schedule.
        options: as for :class:`Optimizer`.

    Example:
        >>> import graphc as gx
        >>> descent = gx.optimizers.rule(lambda p, g, state, t, lr: (p - lr * g, {}), learning_rate=0.1)
        >>> descent.learning_rate
        0.1
    """
    if not callable(update):
        raise DeclarationError(f"{update!r} is no update rule: give a function (p, g, state, t, lr) -> (new_p, new_state)")
    return _Rule(update, state or {}, learning_rate, {"name": "rule", **options})
