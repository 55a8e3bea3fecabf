"""The folder of compiled kernels: where it is, what is in it, and how it stays small."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["LIMIT", "Contents", "cache_contents", "cache_directory", "clear_cache", "note_use", "prune", "temporary_folder"]

LIMIT = 256_000_000  # bytes; what was not used for longest goes first
_DAY = 86_400.0


def cache_directory() -> Path:
    """Where kernels are kept: ``GRAPHC_CACHE_DIR``, or the user's own cache; for this process alone where there is neither."""
    given = os.environ.get("GRAPHC_CACHE_DIR")
    if given:
        return Path(given)
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = str(Path.home() / "Library" / "Caches")
        else:
            base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    except RuntimeError:
        # Nobody's home. A known place that others can write to would let them give us code to run.
        return temporary_folder()
    return Path(base) / "graphc"


@cache
def temporary_folder() -> Path:
    """A folder of this process's own, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="graphc-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class Contents:
    """What the folder holds: how many kernels, in how many files, of how many bytes."""

    folder: Path
    kernels: int
    files: int
    size: int


def _files() -> list[tuple[float, int, str]]:
    """Every file of kernels, and none that somebody else has put there: when it was last used, its size, its place."""
    found: list[tuple[float, int, str]] = []
    folder = cache_directory() / "kernels"
    # There may be some 100,000 of them, and whoever has compiled something waits for this.
    for place in (folder, folder / "__pycache__"):
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # another process may remove it
                    if entry.name.startswith("kernel_") and entry.is_file():
                        status = entry.stat()
                        found.append((status.st_mtime, status.st_size, entry.path))
    return found


def cache_contents() -> Contents:
    """What the folder holds."""
    files = _files()
    kernels = {Path(path).name.split(".")[0].split("-")[0] for _, _, path in files if path.endswith((".machine", ".py"))}
    return Contents(cache_directory(), len(kernels), len(files), sum(size for _, size, _ in files))


def clear_cache() -> int:
    """Remove all kept kernels; returns how many files there were."""
    count = 0
    for _, _, path in _files():
        with contextlib.suppress(OSError):
            os.unlink(path)
            count += 1
    folder = cache_directory() / "kernels"
    for place in (folder / "__pycache__", folder):
        with contextlib.suppress(OSError):  # something else is in it
            place.rmdir()
    return count


def note_use(path: Path) -> None:
    """Let a file that is used count as new; noted once a day."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)


def prune(limit: int = LIMIT) -> None:
    """Remove what was not used for longest until the rest fits, and what writing that was broken off has left."""
    files = _files()
    now, total = time.time(), sum(size for _, size, _ in files)
    for used, size, path in sorted(files) if total > limit else files:
        left_over = path.endswith(".tmp") and now - used > _DAY
        if left_over or total > limit:
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size
