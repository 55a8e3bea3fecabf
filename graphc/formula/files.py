"""Files that are left: written whole, or an error that says why not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from graphc.errors import DataError, DeclarationError

__all__ = ["made_folder", "path_of", "write_file"]


def path_of(given: Any, where: str) -> Path:
    """The path that is given, as a text or a path object.

    Raises:
        DeclarationError: for anything else.
    """
    try:
        path = Path(os.fsdecode(given))
    except TypeError:
        raise DeclarationError(f"{given!r} of {where} is no path: give the name of a file") from None
    if not path.name or "\0" in str(path):
        raise DeclarationError(f"{str(given)!r} of {where} names no file: give the name of one")
    return path


def write_file(path: Path, data: bytes, beside: bool = False) -> None:
    """Write a file.

    Args:
        path: where to.
        data: what it holds.
        beside: whether it is written beside and moved into place, so that a run that is killed leaves what was there.

    Raises:
        DataError: naming the folder that does not exist, or the file and what forbids it.
    """
    place = path.with_name(f"{path.name}.part") if beside else path
    try:
        place.write_bytes(data)
        if beside:
            place.replace(path)
    except OSError as error:
        if beside and place.is_file():
            place.unlink()
        missing = next((p for p in reversed(path.parents) if not p.exists()), None)
        if missing is not None:
            raise DataError(f"{path} cannot be written: the folder {missing} does not exist; make it first") from None
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None


def made_folder(path: Path) -> None:
    """Make the folder that a file is to stand in, where there is none.

    Raises:
        DataError: naming the folder and what forbids it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: its folder {path.parent} cannot be made ({error.strerror or error})") from None
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"{path} cannot be written: nothing may be written in the folder {path.parent}")
