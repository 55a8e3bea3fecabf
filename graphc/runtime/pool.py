"""The threads that help the calling one: one pool a process, made when it is first needed.

Helpers are threads of Python's that run a compiled loop (:mod:`graphc.codegen.division`), without its lock. They are gone in a
child after ``os.fork``, which makes a pool of its own when it needs one, and they end before the interpreter does.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.codegen.division import HELP, WORDS
from graphc.codegen.executor import helper
from graphc.runtime.mirror import aligned

__all__ = ["pool_address"]

_PATIENCE = 100_000  # ns for which helpers wait awake between two calls of a step: about what it takes to wake one (docs/design/threads.md)
_kept: list[Any] = []  # the words of all pools: a helper may look at them as long as the process lives


def _files() -> tuple[int, int]:
    """What a thread sleeps on, reading, and what wakes it: a counter that is read one by one, or a pipe, which does the same."""
    if hasattr(os, "eventfd"):
        event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
        return event, event
    return os.pipe()


def _help(loop: Callable[[int, int], None], address: int, number: int) -> None:
    """What a helper runs. Where Linux wakes it on a busy processor, it has its turn later, and takes nobody's: not the caller's."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    loop(address, number)


class _Pool:
    """Helpers and what they share with the thread that calls them."""

    def __init__(self) -> None:
        self.files = _files()
        self.words = aligned(WORDS["size"], np.int64)
        _kept.append(self.words)
        self.words[:] = 0
        self.address: int = self.words.ctypes.data
        self.threads: list[threading.Thread] = []
        self.full = False
        system = ctypes.CDLL(None)
        for word, name in (("read", "read"), ("write", "write"), ("clock", "clock_gettime"), ("sleep", "usleep")):
            self[word] = ctypes.cast(getattr(system, name), ctypes.c_void_p).value or 0
        self["source"], self["target"] = self.files
        self["clock_number"], self["patience"] = time.CLOCK_MONOTONIC, _PATIENCE

    def __setitem__(self, word: str, value: int) -> None:
        self.words[WORDS[word] // 8] = value

    def grow(self, helpers: int) -> None:
        """See that there are so many helpers, or as many as the system lets us have."""
        while len(self.threads) < helpers and not self.full:
            number = len(self.threads) + 1
            thread = threading.Thread(target=_help, args=(helper(HELP), self.address, number), name=f"graphc-{number}", daemon=True)
            # Ctrl-C may end ``start`` when the thread runs already: its number, and so its memory, is never given again.
            self.threads.append(thread)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is about to end
                self.threads.pop()
                self.full = True
            finally:
                self["helpers"] = len(self.threads)

    def end(self) -> None:
        """Let all helpers end, and wait for them."""
        self["stop"] = 1
        for _ in self.threads:
            os.write(self.files[1], (1).to_bytes(8, "little"))
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(1.0)

    def forget(self) -> None:
        """Close what a child has inherited."""
        for file in set(self.files):
            with contextlib.suppress(OSError):
                os.close(file)


_pool: _Pool | None = None
_lock = threading.Lock()


def pool_address(helpers: int) -> int:
    """The address of the pool's words, with so many helpers if the system has them; 0 where there are none."""
    global _pool
    if helpers < 1:
        return 0
    pool = _pool
    if pool is None or len(pool.threads) < helpers:
        with _lock:
            try:
                _pool = pool = _pool or _Pool()
            except OSError:  # no more files: the calling thread does it all
                return 0
            pool.grow(helpers)
    return pool.address if pool.threads else 0


def _end() -> None:
    if _pool is not None:
        _pool.end()


def _after_fork() -> None:
    """A child has none of its parent's threads."""
    global _pool, _lock
    if _pool is not None:
        _pool.forget()
    _pool, _lock = None, threading.Lock()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
