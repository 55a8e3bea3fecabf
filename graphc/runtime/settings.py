"""Settings that the environment gives for all programs."""

from __future__ import annotations

import os

from graphc.errors import CompileError

__all__ = ["setting"]


def setting(name: str, *values: str) -> str:
    """What an environment variable says; empty where it is unset.

    Raises:
        CompileError: for anything but ``values``.
    """
    given = os.environ.get(name, "").strip()
    if given not in ("", *values):
        known = " nor ".join(f'"{v}"' for v in values)
        wrong = f"neither {known}: set it to one of them" if len(values) > 1 else f"not {known}: set it to that"
        raise CompileError(f"{name}={given!r} is {wrong}, or unset it")
    return given
