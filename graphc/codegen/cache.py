"""Compiled kernels, kept as source files with their machine code beside them, under names that say what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from graphc.codegen.machine_code import keep, kept_address
from graphc.codegen.native import SUPPORTED, link, object_code, outside

__all__ = ["cache_directory", "clear_cache", "code_digest", "kernel_address"]

_INDIFFERENT = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER")  # settings that no code depends on
_loaded: dict[str, tuple[Any, int]] = {}
compiled_here = 0


def cache_directory() -> Path:
    """Where kernels are kept: ``GRAPHC_CACHE_DIR``, or the user's own cache."""
    given = os.environ.get("GRAPHC_CACHE_DIR")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "graphc"


def clear_cache() -> int:
    """Remove all kept kernels; returns how many files there were."""
    folder = cache_directory() / "kernels"
    count = sum(1 for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return count


@cache
def code_digest() -> str:
    """A digest of everything besides a kernel's source that its machine code depends on."""
    import llvmlite.binding as llvm

    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.name.encode())
        found.update(path.read_bytes())
    features = ",".join(f"{k}={v}" for k, v in sorted(llvm.get_host_cpu_features().items()))
    facts = [sys.version, _version("numba"), _version("llvmlite"), llvm.get_default_triple(), llvm.get_host_cpu_name(), features, *_settings()]
    found.update("\0".join(facts).encode())
    return found.hexdigest()


def _version(package: str) -> str:
    """What a package says of its version, read without importing it where it keeps that in a file of its own."""
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None:
        with contextlib.suppress(OSError):
            return (Path(spec.origin).parent / "_version.py").read_text(encoding="utf-8")
    return str(importlib.import_module(package).__version__)


def _settings() -> list[str]:
    """The compiler's settings: from the environment, and from its file in the working directory."""
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_") and name not in _INDIFFERENT]
    with contextlib.suppress(OSError):
        settings.append(Path(".numba_config.yaml").read_bytes().hex())
    return settings


def kernel_address(source: str, placeholder: str) -> int:
    """The address of the machine code of a kernel's source, compiled at most once."""
    digest = hashlib.sha256(f"{code_digest()}\n{source}".encode()).hexdigest()
    if digest not in _loaded:
        name = f"{placeholder}{digest[:32]}"
        kept = cache_directory() / "kernels" / f"{name}.machine"
        address = kept_address(kept, digest)
        function: Any = None
        if address is None:
            function, address = _compiled(source.replace(placeholder, name), name, kept, digest)
        _loaded[digest] = (function, address)
    return _loaded[digest][1]


def _compiled(source: str, name: str, kept: Path, digest: str) -> tuple[Any, int]:
    """A kernel compiled by our own front-end, or by Numba where that does not know it: what keeps it alive, and its address."""
    global compiled_here
    from graphc.codegen.translate import Unknown, translate

    with contextlib.suppress(Unknown):
        if SUPPORTED:
            code = object_code(translate(source))
            address = link(name, outside(code), code)
            if address is not None:
                compiled_here += 1
                keep(kept, digest, name, code)
                return None, address
    function = numbas(source, name)
    compiled_here += not getattr(function, "cache_hits", 0)
    with contextlib.suppress(Exception):  # no public name for the code; without it nothing is kept
        keep(kept, digest, function.native_name, function._library._get_compiled_object())
    return function, int(function.address)


def numbas(source: str, name: str) -> Any:
    """A kernel's function compiled by Numba; its own cache serves where we keep nothing."""
    from graphc.codegen.by_numba import from_file, from_source

    return from_source(source, name) if SUPPORTED else from_file(source, name, cache_directory() / "kernels")
