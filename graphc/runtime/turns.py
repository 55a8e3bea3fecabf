"""One program at a time: all of them share the memory of parameters and states, whatever they run on."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager

__all__ = ["alone"]

_lock = threading.RLock()


def alone() -> AbstractContextManager[bool]:
    """No other program runs while this is held; whoever holds it may take it again."""
    return _lock


def _after_fork() -> None:
    """A child has none of its parent's threads: nobody would let go of a lock that another one holds."""
    global _lock
    if _lock.acquire(blocking=False):
        _lock.release()
    else:
        _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
