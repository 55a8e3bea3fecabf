"""Kernels compiled by Numba, where its own cache keeps them: from files, under names that say what is in them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from graphc.codegen.folder import temporary_folder

__all__ = ["from_file", "from_source"]


def from_source(source: str, name: str) -> Any:
    """The compiled function of a source, which nothing is kept of."""
    module = types.ModuleType(f"graphc_kernels.{name}")
    module.__dict__["KEEPS"] = False
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)  # noqa: S102 - printed by us
    return getattr(module, name)


def from_file(source: str, name: str, folder: Path) -> Any:
    """The compiled function from its file in a folder, or from a temporary one where the folder cannot be used."""
    for place in (folder, None):
        for attempt in range(2):
            used = place if place is not None else temporary_folder()
            try:
                return _import(_write(used, source, name), name)
            except Exception:
                if place is None and attempt:
                    raise
                _discard(used, name)
    raise AssertionError(name)


def _write(folder: Path, source: str, name: str) -> Path:
    """The source in its file; a file that says something else is written again, at once or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == source:
            return path
    handle, temporary = tempfile.mkstemp(dir=folder, prefix="kernel_", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(temporary, path)
    return path


def _discard(folder: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        for path in [*folder.glob(f"{name}*"), *(folder / "__pycache__").glob(f"{name}*")]:
            path.unlink(missing_ok=True)


def _import(path: Path, name: str) -> Any:
    """The module of a kernel, under an importable name: machine code that is loaded later looks it up."""
    from numba.core import config as numba_config

    config: Any = numba_config
    module_name = f"graphc_kernels.{name}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__["KEEPS"] = True
    sys.modules[module_name] = module
    before, config.CACHE_DIR = config.CACHE_DIR, ""
    try:
        spec.loader.exec_module(module)
    finally:
        config.CACHE_DIR = before
    return getattr(module, name)
