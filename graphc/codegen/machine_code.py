"""Machine code of kernels kept as it is, so that a process that compiles nothing need not load a compiler.

A kept file holds a digest of everything behind it, the kernel's key, its symbol, the functions of the C library that it
calls, and the object code. It is used only where all of that is right; otherwise the kernel is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from graphc.codegen.folder import note_use
from graphc.codegen.native import link, outside

__all__ = ["keep", "kept_address"]


def keep(path: Path, key: str, symbol: str, code: bytes) -> None:
    """Write what the compiler has just made to a file; without a word where that is not possible."""
    with contextlib.suppress(OSError, ValueError):
        head = "\n".join([key, symbol, " ".join(outside(code))])
        content = head.encode() + b"\n" + code
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="kernel_", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)


def kept_address(path: Path, key: str) -> tuple[int, str] | None:
    """The address and the symbol of the kernel in a kept file; ``None`` where the file is missing, damaged, or of another key."""
    try:
        digest, content = path.read_bytes().split(b"\n", 1)
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        found, symbol, needed, code = content.split(b"\n", 3)
        if found.decode() != key:
            return None
        note_use(path)
        address = link(symbol.decode(), needed.decode().split(), code)
        return None if address is None else (address, symbol.decode())
    except (OSError, ValueError):
        return None
