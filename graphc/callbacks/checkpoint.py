"""Files written while a model trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphc.callbacks.base import Callback, Logs
from graphc.callbacks.stopping import Mode, Watch
from graphc.errors import DeclarationError
from graphc.formula.files import made_folder, path_of

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Callback):
    """Write the model to a file after each epoch: its last state, and beside it the best.

    ``gx.load_model`` gives the last state, and training goes on from there. However a run ends, the model in memory is
    left in the best state, as with :class:`EarlyStopping`.

    Args:
        filepath: where to; ``{epoch}`` and the names of numbers in it are filled in: ``"run-{epoch:02d}-{val_loss:.2f}"``.
            A folder that does not exist is made.
        monitor: the number that says which state is the best.
        verbose: 1 prints each file.
        save_best_only: whether to write only where the state is the best so far.
        mode: whether less or more is better; ``"auto"`` follows from the name.
        save_freq: how many epochs lie between two files.
    """

    def __init__(
        self, filepath: Any, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False, mode: Mode = "auto", save_freq: Any = 1
    ) -> None:
        self.filepath = str(path_of(filepath, "ModelCheckpoint"))
        self.monitor, self.verbose, self.save_best_only = monitor, verbose, save_best_only
        self.mode: Mode = mode
        self.save_freq = 1 if save_freq == "epoch" else save_freq
        if isinstance(self.save_freq, bool) or not isinstance(self.save_freq, int) or self.save_freq < 1:
            raise DeclarationError(f"save_freq={save_freq!r} of ModelCheckpoint: it is 'epoch', or a number of epochs")
        self.watch = Watch(monitor, mode)
        self._kept: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Make the folder, before the first epoch is spent; go on from the best state of the file that the model came from."""
        if "{" not in str(Path(self.filepath).parent):
            made_folder(Path(self.filepath))
        self.watch, self._kept = Watch(self.monitor, self.mode), None
        if self.model.best is not None and self.model.best[0] == self.monitor:
            _, self.watch.best, self._kept = self.model.best

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keep the best, and write the file."""
        better = False
        if self.save_best_only or self.monitor in (logs or {}):
            value = self.watch.value(logs, self)
            if value is not None and self.watch.better(value):
                better = True
                self.watch.best, self._kept = value, self.model.snapshot()
        if (epoch + 1) % self.save_freq == 0 and (better or not self.save_best_only):
            path = self._path({**(logs or {}), "epoch": epoch + 1})
            made_folder(Path(path))
            self.model.save(path, None if self._kept is None else (self.monitor, self.watch.best, self._kept))
            if self.verbose:
                print(f"Epoch {epoch + 1}: saved to {path}")

    def _path(self, numbers: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**numbers)
        except (LookupError, ValueError, AttributeError) as error:
            wrong = f"{error} is not measured" if isinstance(error, KeyError) else str(error)
            raise DeclarationError(
                f"filepath={self.filepath!r} of ModelCheckpoint cannot be filled in for epoch {numbers['epoch']}: {wrong}: "
                f"take names among {', '.join(sorted(numbers))}"
            ) from None

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Go back to the best state."""
        if self._kept is not None:
            self.model.restore(self._kept)
