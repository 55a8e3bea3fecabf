"""Where in the user's code a tensor was declared."""

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import dataclass

__all__ = ["Origin", "caller", "within_package"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class Origin:
    """A line of the user's code."""

    file: str
    line: int

    @property
    def source(self) -> str:
        """The text of the line, empty where it cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{os.path.basename(self.file)}:{self.line}"
        return f"{place}: {self.source}" if self.source else place


def within_package(depth: int) -> bool:
    """Whether the line that called, ``depth`` calls further out than the one asking, is graphc's own."""
    return sys._getframe(depth + 1).f_code.co_filename.startswith(_PACKAGE)  # pyright: ignore[reportPrivateUsage]


def caller() -> Origin:
    """The innermost line of the calling stack that is not graphc's own."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # inspect.stack() reads source files: too slow for every node
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Origin(frame.f_code.co_filename, frame.f_lineno)
