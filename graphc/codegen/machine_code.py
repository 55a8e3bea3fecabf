"""Machine code of kernels kept as it is, so that a process that compiles nothing need not load the compiler.

A kept file holds a digest of everything behind it, the kernel's key, its symbol, the functions of the C library that it
calls, and the object code. It is used only where all of that is right; otherwise the compiler's own cache comes next. Only ELF
objects of 64 bits are kept: on other systems the compiler is always asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["keep", "kept_address"]

_lock = threading.Lock()
_ELF = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_SYMBOLS = 2  # the kind of the section that lists symbols


def keep(path: Path, key: str, function: Any) -> None:
    """Write what the compiler has just made to a file; without a word where that is not possible."""
    with contextlib.suppress(Exception):
        code = function._library._get_compiled_object()  # no public name; without it nothing is kept
        outside = _undefined(code)
        head = "\n".join([key, function.native_name, " ".join(outside)])
        content = head.encode() + b"\n" + code
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(temporary, path)


def kept_address(path: Path, key: str) -> int | None:
    """The address of the kernel in a kept file, or ``None`` where the file is missing, damaged, or of another key."""
    try:
        digest, content = path.read_bytes().split(b"\n", 1)
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        found, symbol, outside, code = content.split(b"\n", 3)
        if found.decode() != key:
            return None
        with _lock:
            return _link(symbol.decode(), outside.decode().split(), code)
    except (OSError, ValueError):
        return None


def _link(symbol: str, outside: list[str], code: bytes) -> int | None:
    import llvmlite.binding as llvm

    engine = _engine()
    # A function that is missing would end the process when the code is linked.
    if any(llvm.address_of_symbol(name) is None for name in outside):
        return None
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine.get_function_address(symbol) or None


@cache
def _engine() -> Any:
    """Where kept code is linked."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _undefined(code: bytes) -> list[str]:
    """The symbols that an ELF object takes from elsewhere.

    Raises:
        ValueError: for an object of another format.
    """
    if not code.startswith(_ELF):
        raise ValueError("not an ELF object of 64 bits")
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, start + k * size) for k in range(count)]
    names: list[str] = []
    for section in sections:
        if section[1] == _SYMBOLS:
            texts = sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], section[9]):
                name, _, _, index = struct.unpack_from("<IBBH", code, at)
                if index == 0 and name:
                    names.append(code[texts + name : code.index(b"\0", texts + name)].decode())
    return sorted(names)
