"""How many threads compiled programs run on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from graphc.errors import CompileError

__all__ = ["quota", "thread_count"]

_HIGHEST = 48  # a call is divided into no more chunks
_GROUPS = Path("/sys/fs/cgroup")


def thread_count() -> int:
    """The number of threads: what ``GRAPHC_NUM_THREADS`` says, else as many as there are processors for this process.

    These are the ones that its affinity allows, and no more than its control group's quota pays for. It is 1 on systems
    without POSIX threads.

    Raises:
        CompileError: for a setting that is no whole number of 1 or more. Passed over in silence, it would be found in the
            speed alone.
    """
    given = os.environ.get("GRAPHC_NUM_THREADS", "").strip()
    if given and (not (given.isascii() and given.isdigit()) or int(given) < 1):
        raise CompileError(f"GRAPHC_NUM_THREADS={given!r} is no whole number of 1 or more: set it to 1, or unset it")
    if os.name != "posix":
        return 1
    return min(int(given) if given else _processors(), _HIGHEST)


def _processors() -> int:
    """How many processors this process may keep busy."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([count, *(int(q) for q in _quotas())]))


def _quotas() -> list[float]:
    """The processors that control groups around this process may use, where they say so."""
    found: list[float] = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers == "" or "cpu" in controllers.split(","):
                root = _GROUPS if controllers == "" else _GROUPS / "cpu"
                for folder in (root / place.lstrip("/"), *(root / place.lstrip("/")).parents):
                    if folder == root or root in folder.parents:
                        found += quota(folder)
    return found


def quota(folder: Path) -> list[float]:
    """How many processors one control group pays for, where it says so."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            spent, period = " ".join((folder / name).read_text(encoding="utf-8") for name in names).split()
            return [int(spent) / int(period)] if int(spent) > 0 else []
    return []
