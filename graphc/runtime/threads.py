"""How many threads compiled programs run on."""

from __future__ import annotations

import os

from graphc.errors import CompileError

__all__ = ["thread_count"]

_HIGHEST = 1  # kernels are not divided among threads yet


def thread_count() -> int:
    """The number of threads: as many as ``GRAPHC_NUM_THREADS`` allows and kernels can use, which is one at present.

    Raises:
        CompileError: for a setting that is no whole number of 1 or more. Passed over in silence, it would be found in the
            speed alone.
    """
    given = os.environ.get("GRAPHC_NUM_THREADS", "").strip()
    if not given:
        return _HIGHEST
    if not (given.isascii() and given.isdigit()) or int(given) < 1:
        raise CompileError(f"GRAPHC_NUM_THREADS={given!r} is no whole number of 1 or more: set it to 1, or unset it")
    return min(int(given), _HIGHEST)
