"""Files that are left: written whole, or an error that says why not."""

from __future__ import annotations

from pathlib import Path

from graphc.errors import DataError

__all__ = ["write_file"]


def write_file(path: Path, data: bytes) -> None:
    """Write a file.

    Raises:
        DataError: naming the folder that does not exist, or the file and what forbids it.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        missing = next((p for p in reversed(path.parents) if not p.exists()), None)
        if missing is not None:
            raise DataError(f"{path} cannot be written: the folder {missing} does not exist; make it first") from None
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None
