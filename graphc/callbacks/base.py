"""What a callback is: hooks that ``fit`` calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from graphc.errors import DeclarationError

__all__ = ["Callback", "CallbackList"]

Logs = dict[str, float]


class Callback:
    """The base of callbacks: a subclass overrides the hooks it needs. ``self.model`` is the model in training.

    Hooks of batches make ``fit`` return to Python after each batch; the others cost nothing.
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})

    def set_model(self, model: Any) -> None:
        """Called before training with the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before training with ``epochs``, ``steps``, ``verbose``, and ``validation_freq`` where there is validation data, else ``None``."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once, at every end of the run, Ctrl-C included."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after each epoch with its losses and metrics; ``self.model.stop_training = True`` ends the run."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch with its loss and metrics."""


class CallbackList:
    """Several callbacks as one."""

    def __init__(self, callbacks: Iterable[Any], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise DeclarationError(f"{callback!r} is no callback: give objects of subclasses of gx.callbacks.Callback")
            callback.set_model(model)
            callback.set_params(params)

    @property
    def wants_batches(self) -> bool:
        """Whether one of them overrides a hook of batches."""
        hooks = ("on_train_batch_begin", "on_train_batch_end")
        return any(getattr(type(c), hook) is not getattr(Callback, hook) for c in self.callbacks for hook in hooks)

    def call(self, hook: str, *args: Any) -> None:
        """Call a hook of all."""
        for callback in self.callbacks:
            getattr(callback, hook)(*args)
