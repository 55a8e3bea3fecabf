"""Callbacks that watch a number, and change or end the training by it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Literal

from graphc.callbacks.base import Callback, Logs
from graphc.errors import DeclarationError
from graphc.expr.numbers import is_real, whole_above

__all__ = ["EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN", "Watch"]

Mode = Literal["auto", "min", "max"]
_HIGHER_IS_BETTER = ("acc", "accuracy", "auc", "precision", "recall", "f1")


class Watch:
    """The best value of one number so far."""

    def __init__(self, monitor: str, mode: Mode = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise DeclarationError(f"mode={mode!r} of a callback: it is 'auto', 'min' or 'max'")
        if not isinstance(monitor, str):
            raise DeclarationError(f"monitor={monitor!r} of a callback: it is the name of a number, 'val_loss'")
        self.monitor, self.min_delta = monitor, abs(min_delta)
        last = monitor.removeprefix("val_")
        self.higher = mode == "max" or (mode == "auto" and any(last == n or last.endswith(n) for n in _HIGHER_IS_BETTER))
        self.best = -math.inf if self.higher else math.inf

    def value(self, logs: Logs | None, owner: Callback) -> float | None:
        """The number in an epoch's logs; ``None`` in an epoch that is not validated, in a run that has others.

        Raises:
            DeclarationError: where the run never measures such a number, listing what it does.
        """
        found = (logs or {}).get(self.monitor)
        if found is not None:
            return found
        every = owner.params.get("validation_freq")
        hint = "watch one of"
        if self.monitor.startswith("val_"):
            if every is not None and self.monitor.removeprefix("val_") in (logs or {}):
                if every <= owner.params["epochs"]:
                    return None
                hint = f"validation_freq={every} lies beyond the last epoch: make it smaller, or watch one of"
            elif every is None:
                hint = "give validation data, or watch one of"
        known = ", ".join(logs or {}) or "the losses"
        raise DeclarationError(f"{type(owner).__name__} watches {self.monitor}, which is not measured: {hint} {known}")

    def better(self, value: float, than: float | None = None) -> bool:
        """Whether a value is better than the best, or than another, by more than ``min_delta``."""
        best = self.best if than is None else than
        return value - self.min_delta > best if self.higher else value + self.min_delta < best


def _check_numbers(owner: str, **numbers: Any) -> None:
    for name, value in numbers.items():
        if not is_real(value):
            raise DeclarationError(f"{name}={value!r} of {owner}: it is a number")


class EarlyStopping(Callback):
    """End the training where a number has not improved for ``patience`` epochs, and keep the best weights.

    However the run ends, with all epochs used up and by Ctrl-C too, the model is left with the weights, the optimizer's
    state and the step of the best epoch.

    Args:
        monitor: the number to watch.
        min_delta: what counts as an improvement.
        patience: so many epochs without one end the run; epochs that do not measure the number are passed over.
        verbose: 1 prints which epoch was kept.
        mode: whether less or more is better; ``"auto"`` follows from the name.
        baseline: the first value to be better than.
        restore_best_weights: ``False`` leaves the last weights instead.
        start_from_epoch: so many epochs are not watched.
    """

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0, verbose: int = 0, mode: Mode = "auto",
        baseline: float | None = None, restore_best_weights: bool = True, start_from_epoch: int = 0,
    ) -> None:  # fmt: skip
        _check_numbers("EarlyStopping", min_delta=min_delta, baseline=0.0 if baseline is None else baseline)
        self.patience = whole_above(0, "patience", patience, "EarlyStopping")
        self.start_from_epoch = whole_above(0, "start_from_epoch", start_from_epoch, "EarlyStopping")
        self.monitor, self.min_delta, self.verbose = monitor, min_delta, verbose
        self.mode: Mode = mode
        self.baseline, self.restore_best_weights = baseline, restore_best_weights
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget what was seen in another run."""
        self.watch = Watch(self.monitor, self.mode, self.min_delta)
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, -1
        self._kept: Any = None

    @property
    def best(self) -> float:
        """The best value so far."""
        return self.watch.best

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keep the state where it is the best, and count where it is not."""
        value = self.watch.value(logs, self)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.watch.better(value):
            self.watch.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._kept = self.model.snapshot()
            if self.baseline is None or self.watch.better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Go back to the best state."""
        if self.verbose and self.stopped_epoch:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self._kept is not None:
            self.model.restore(self._kept)
            self._kept = None
            if self.verbose:
                print(f"Kept the weights of epoch {self.best_epoch + 1}: {self.monitor} {self.best:.4f}")


class TerminateOnNaN(Callback):
    """End the training where the loss is no number."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True


def _check_rate(callback: Callback) -> None:
    """See that the optimizer's rate is a number, which a callback can change."""
    if callback.model is not None and callable(rate := callback.model.optimizer.learning_rate):
        raise DeclarationError(
            f"{type(callback).__name__} changes the learning rate, and {callback.model.optimizer.name} follows the schedule {rate!r}: "
            "give the optimizer a number, or leave the callback out"
        )


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch: ``schedule(epoch)`` or ``schedule(epoch, rate)`` gives it.

    The history has it as ``learning_rate``.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise DeclarationError(f"{schedule!r} is no schedule for LearningRateScheduler: give a function (epoch, rate) -> rate")
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See that the rate can be set."""
        _check_rate(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        rate: Any = self.schedule(epoch, optimizer.learning_rate) if self._takes_rate else self.schedule(epoch)
        if not is_real(rate):
            raise DeclarationError(f"the schedule of LearningRateScheduler gives {rate!r} for epoch {epoch}: let it return a number")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell the rate of the epoch."""
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except (TypeError, ValueError):  # takes one, or hides what it takes
        return False
    return True


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` where a number has not improved for ``patience`` epochs.

    Args:
        monitor, mode, min_delta: what is watched, as for :class:`EarlyStopping`.
        factor: below 1.
        patience: so many epochs without improvement.
        verbose: 1 prints each change.
        cooldown: so many epochs are not watched after a change.
        min_lr: the rate does not fall below it.

    The history has the rate of each epoch as ``learning_rate``.
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: Mode = "auto",
        min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0,
    ) -> None:  # fmt: skip
        if not is_real(factor) or not 0 < factor < 1:
            raise DeclarationError(f"factor={factor!r} of ReduceLROnPlateau: it lies between 0 and 1")
        _check_numbers("ReduceLROnPlateau", min_delta=min_delta, min_lr=min_lr)
        self.patience = whole_above(0, "patience", patience, "ReduceLROnPlateau")
        self.cooldown = whole_above(0, "cooldown", cooldown, "ReduceLROnPlateau")
        self.monitor, self.factor, self.verbose = monitor, factor, verbose
        self.mode: Mode = mode
        self.min_delta, self.min_lr = min_delta, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget what was seen in another run, and see that the rate can be set."""
        _check_rate(self)
        self.watch = Watch(self.monitor, self.mode, self.min_delta)
        self.wait, self.pause = 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Watch, and reduce the rate where nothing improves."""
        value = self.watch.value(logs, self)
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate
        if value is None:
            return
        if self.pause:
            self.pause -= 1
            self.wait = 0
        if self.watch.better(value):
            self.watch.best, self.wait = value, 0
        elif not self.pause:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        old = optimizer.learning_rate
        if old > self.min_lr:
            optimizer.learning_rate = max(old * self.factor, self.min_lr)
            if self.verbose:
                print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")
            self.pause, self.wait = self.cooldown, 0
