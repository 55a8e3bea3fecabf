"""What training prints: a line an epoch, and on a terminal how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.expr.numbers import whole_above

__all__ = ["line", "loudness", "numbers", "progress"]

Logs = Mapping[str, float]


def loudness(verbose: Any, where: str) -> int:
    """How much is printed: 0 is nothing, ``"auto"`` is 1.

    Raises:
        DeclarationError: for what is no number either.
    """
    if verbose is None or (isinstance(verbose, str) and verbose == "auto"):
        return 1
    return int(verbose) if isinstance(verbose, bool) else whole_above(0, "verbose", verbose, where)


def line(epoch: int, epochs: int, logs: Logs) -> str:
    """The line of an epoch."""
    # On a terminal the line takes the place of the progress that stood there.
    start = "\r\x1b[K" if _terminal() else ""
    return f"{start}Epoch {epoch + 1}/{epochs} - {numbers(logs)}"


def numbers(logs: Logs) -> str:
    """Named numbers in a row."""
    return " - ".join(f"{name}: {_number(value)}" for name, value in logs.items())


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.4e}"


def _terminal() -> bool:
    return bool(getattr(sys.stdout, "isatty", lambda: False)())


def progress(epoch: int, epochs: int) -> Callable[..., None] | None:
    """What a terminal shows within an epoch; nothing elsewhere."""
    if not _terminal():
        return None

    def show(done: int, total: int, means: Sequence[float]) -> None:
        bar = "━" * (20 * done // max(total, 1))
        loss = f" - loss: {_number(float(means[0]))}" if means else ""
        print(f"\r\x1b[KEpoch {epoch + 1}/{epochs} {bar:<20} {done}/{total}{loss}", end="", flush=True)

    return show
