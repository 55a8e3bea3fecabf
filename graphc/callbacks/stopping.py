"""Callbacks that watch a number, and change or end the training by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from graphc.callbacks.base import Callback, Logs
from graphc.errors import DeclarationError

__all__ = ["EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau", "TerminateOnNaN", "Watch"]

Mode = Literal["auto", "min", "max"]
_HIGHER_IS_BETTER = ("acc", "accuracy", "auc", "precision", "recall", "f1")


class Watch:
    """The best value of one number so far."""

    def __init__(self, monitor: str, mode: Mode = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise DeclarationError(f"mode={mode!r} of a callback: it is 'auto', 'min' or 'max'")
        self.monitor, self.min_delta = monitor, abs(min_delta)
        last = monitor.removeprefix("val_")
        self.higher = mode == "max" or (mode == "auto" and any(last == n or last.endswith(n) for n in _HIGHER_IS_BETTER))
        self.best = -math.inf if self.higher else math.inf

    def value(self, logs: Logs | None, owner: str) -> float:
        """The number in an epoch's logs.

        Raises:
            DeclarationError: where the logs have no such number, listing what they have.
        """
        found = (logs or {}).get(self.monitor)
        if found is None:
            hint = "give validation data, or watch one of" if self.monitor.startswith("val_") else "watch one of"
            raise DeclarationError(f"{owner} watches {self.monitor}, which is not measured: {hint} {', '.join(logs or {}) or 'the losses'}")
        return found

    def better(self, value: float, than: float | None = None) -> bool:
        """Whether a value is better than the best, or than another, by more than ``min_delta``."""
        best = self.best if than is None else than
        return value - self.min_delta > best if self.higher else value + self.min_delta < best


class EarlyStopping(Callback):
    """End the training where a number has not improved for ``patience`` epochs, and keep the best weights.

    However the run ends, with all epochs used up and by Ctrl-C too, the model is left with the weights, the optimizer's
    state and the step of the best epoch.

    Args:
        monitor: the number to watch.
        min_delta: what counts as an improvement.
        patience: so many epochs without one end the run.
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
        self.monitor, self.min_delta, self.patience, self.verbose = monitor, min_delta, patience, verbose
        self.mode: Mode = mode
        self.baseline, self.restore_best_weights, self.start_from_epoch = baseline, restore_best_weights, start_from_epoch
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
        value = self.watch.value(logs, "EarlyStopping")
        if epoch < self.start_from_epoch:
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


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch: ``schedule(epoch)`` or ``schedule(epoch, rate)`` gives it."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, optimizer.learning_rate)
        except TypeError:
            rate = self.schedule(epoch)
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` where a number has not improved for ``patience`` epochs.

    Args:
        monitor, mode, min_delta: what is watched, as for :class:`EarlyStopping`.
        factor: below 1.
        patience: so many epochs without improvement.
        verbose: 1 prints each change.
        cooldown: so many epochs are not watched after a change.
        min_lr: the rate does not fall below it.
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: Mode = "auto",
        min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0,
    ) -> None:  # fmt: skip
        if not 0 < factor < 1:
            raise DeclarationError(f"factor={factor!r} of ReduceLROnPlateau: it lies between 0 and 1")
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.mode: Mode = mode
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget what was seen in another run."""
        self.watch = Watch(self.monitor, self.mode, self.min_delta)
        self.wait, self.pause = 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Watch, and reduce the rate where nothing improves."""
        value = self.watch.value(logs, "ReduceLROnPlateau")
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
