"""What a training run leaves behind: the numbers of each epoch."""

from __future__ import annotations

from typing import Any

from graphc.callbacks.base import Callback, Logs

__all__ = ["History"]


class History(Callback):
    """The losses and metrics of a run.

    Attributes:
        history: a list of numbers for each name, one for each epoch that measures it; ``history["loss"]`` is the loss in training, each batch
            weighted by its size.
        epoch: the epochs' numbers, from 0.
        final: the exact training and validation values of the weights that were kept.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.final: dict[str, float] = {}
        self._measured: dict[str, list[int]] = {}  # the epochs of each number, which not all have

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append an epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._measured.setdefault(name, []).append(epoch)

    def plot(self, names: Any = None) -> Any:
        """The curves as a matplotlib figure: one axes a number, training and validation in it.

        Args:
            names: which numbers; by default all.
        """
        from matplotlib.figure import Figure

        chosen = [n for n in self.history if not n.startswith("val_") and (names is None or n in names)]
        figure = Figure(figsize=(5 * max(1, len(chosen)), 4), layout="constrained")
        for k, name in enumerate(chosen):
            axes = figure.add_subplot(1, len(chosen), k + 1)
            axes.plot(self._places(name), self.history[name], label="training")
            held = f"val_{name}"
            if held in self.history:
                axes.plot(self._places(held), self.history[held], linestyle="--", label="validation")
                axes.legend()
            axes.set_xlabel("epoch")
            axes.set_ylabel(name)
        return figure

    def _places(self, name: str) -> list[int]:
        return [e + 1 for e in self._measured.get(name, self.epoch)]

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in self.history.items())
        return f"<history of {len(self.epoch)} epochs{': ' if last else ''}{last}>"
