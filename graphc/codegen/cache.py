"""Compiled kernels by their source: had already, found on disk, or compiled now, in processes of their own where that pays."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphc.codegen.folder import cache_contents, cache_directory, clear_cache, prune
from graphc.codegen.machine_code import keep, kept_address
from graphc.codegen.native import SUPPORTED, link, object_code, outside

__all__ = ["Report", "by_numba", "cache_contents", "cache_directory", "clear_cache", "code_digest", "fetch", "kernel_address", "numbas"]

_INDIFFERENT = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER")  # settings that no code depends on
_FEW = 8  # kernels for which no process is begun: that takes as long as some of them
_MANY = 8  # kernels to compile for each process that is begun
_LONGEST = 30.0, 1.0  # seconds for which other processes are waited for, and as many for each kernel: then something is wrong with them
_log = logging.getLogger("graphc")
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child of a process that compiles in another thread would wait for ever for our lock, and for the compiler's own.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_loaded: dict[str, tuple[Any, int]] = {}
_by_numba: set[str] = set()  # the keys of those that Numba compiled, now or when they were kept
compiled_here = 0


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


@dataclass(frozen=True)
class Report:
    """Where the kernels of a program came from.

    Attributes:
        kernels: how many different ones there are.
        compiled: those that were compiled now.
        loaded: those that were found on disk; the others were here already.
        seconds: how long that took.
        processes: how many processes compiled.
        by_numba: how many of all these Numba compiled, since our own front-end does not know them.
    """

    kernels: int = 0
    compiled: int = 0
    loaded: int = 0
    seconds: float = 0.0
    processes: int = 1
    by_numba: int = 0

    def __str__(self) -> str:
        """In words."""
        by = f" by {self.processes} processes" if self.processes > 1 else ""
        others = f"; {self.by_numba} by Numba" if self.by_numba else ""
        return f"{self.compiled} compiled{by} and {self.loaded} loaded from the cache in {self.seconds:.2f} s{others}"


@dataclass(frozen=True)
class _Kernel:
    """A kernel by what it is: its key, its name, its source, and the file that keeps it."""

    key: str
    name: str
    source: str
    path: Path


def _kernel(source: str, placeholder: str) -> _Kernel:
    key = hashlib.sha256(f"{code_digest()}\n{source}".encode()).hexdigest()
    name = f"{placeholder}{key[:32]}"
    return _Kernel(key, name, source.replace(placeholder, name), cache_directory() / "kernels" / f"{name}.machine")


def kernel_address(source: str, placeholder: str) -> int:
    """The address of the machine code of a kernel's source, compiled at most once."""
    kernel = _kernel(source, placeholder)
    with _lock:
        if kernel.key not in _loaded and not _found(kernel):
            _loaded[kernel.key] = _compiled(kernel)
    return _loaded[kernel.key][1]


def by_numba(source: str, placeholder: str) -> bool:
    """Whether Numba compiled a kernel that is ready."""
    return _kernel(source, placeholder).key in _by_numba


def fetch(sources: Sequence[str], placeholder: str, processes: int = 1, later: Sequence[str] = ()) -> Report:
    """Have the machine code of kernels ready.

    Args:
        sources: the kernels.
        placeholder: what stands for a kernel's name in its source.
        processes: how many may compile at once.
        later: kernels that may be asked for one by one: other processes that compile leave them on disk.
    """
    start = time.perf_counter()
    kernels = list({k.key: k for k in (_kernel(s, placeholder) for s in sources)}.values())
    with _lock:
        before = compiled_here
        known = sum(k.key in _loaded for k in kernels)
        missing = [k for k in kernels if k.key not in _loaded and not _found(k)]
        taken, helpers = _compile_all(missing, [_kernel(s, placeholder) for s in later], processes)
        made = compiled_here - before + taken
    others = sum(k.key in _by_numba for k in kernels)
    report = Report(len(kernels), made, len(kernels) - known - len(missing), time.perf_counter() - start, helpers or 1, others)
    if made:
        _prune_once()
        _log.info("%d kernels: %s", len(kernels), report)
    return report


@cache
def _prune_once() -> None:
    """Keep the folder small; once a process is enough."""
    prune()


def _compile_all(missing: list[_Kernel], later: list[_Kernel], processes: int) -> tuple[int, int]:
    """Compile them, in other processes where that pays; how many came from those, and how many of them there were."""
    missing.sort(key=lambda k: ("    contraction" not in k.source, -len(k.source)))  # what takes longest first
    helpers = _helpers(missing, later, processes)
    try:
        if helpers:
            _wait(helpers, _LONGEST[0] + _LONGEST[1] * len(missing))
        taken = 0
        for kernel in missing:
            if helpers and _found(kernel):
                taken += 1
            else:  # there are no helpers, they do not know it, or something became of them
                _loaded[kernel.key] = _compiled(kernel)
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
    return taken, len(helpers)


def _wait(helpers: Sequence[subprocess.Popen[str]], seconds: float) -> None:
    """Wait until all have ended, which is after so long at most. Waiting for each with a limit would look for its end only now and then."""
    clock = threading.Timer(seconds, lambda: [helper.kill() for helper in helpers])
    clock.daemon = True
    clock.start()
    try:
        for helper in helpers:
            helper.wait()
    finally:
        clock.cancel()


def _helpers(missing: Sequence[_Kernel], later: Sequence[_Kernel], processes: int) -> list[subprocess.Popen[str]]:
    """Processes that compile the kernels into the cache, each begun with others; none where that does not pay."""
    count = min(processes, len(missing) // _MANY + 1)
    started: list[subprocess.Popen[str]] = []
    if len(missing) < _FEW or not SUPPORTED or not Path(sys.executable or "").name.startswith("python"):
        return started
    with contextlib.suppress(OSError):
        missing[0].path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(missing[0].path.parent, os.W_OK):
            return started
        lines = [json.dumps([str(k.path), k.key, k.name, k.source]) + "\n" for k in [*missing, *later]]
        for number in range(count):
            with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
                # Its own, then those of the others from their end on, until they meet: what is made already is left out.
                order = lines[number::count] + [line for k in range(1, count) for line in reversed(lines[(number + k) % count :: count])]
                given.writelines([json.dumps(sys.path) + "\n", *order])
                given.seek(0)
                options = ["-B"] if sys.dont_write_bytecode else [f"-Xpycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
                command = [sys.executable, "-I", "-S", *options, str(Path(__file__).with_name("worker.py"))]
                started.append(subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True))  # noqa: S603
    return started


def _found(kernel: _Kernel) -> bool:
    """Load a kernel from the file that keeps it, if there is one."""
    found = kept_address(kernel.path, kernel.key)
    if found is None:
        return False
    address, symbol = found
    _loaded[kernel.key] = None, address
    if symbol != kernel.name:  # ours bear their own name
        _by_numba.add(kernel.key)
    return True


def _compiled(kernel: _Kernel) -> tuple[Any, int]:
    """A kernel compiled by our own front-end, or by Numba where that does not know it: what keeps it alive, and its address."""
    global compiled_here
    from graphc.codegen.translate import Unknown, translate

    with contextlib.suppress(Unknown):
        if SUPPORTED:
            code = object_code(translate(kernel.source))
            address = link(kernel.name, outside(code), code)
            if address is not None:
                compiled_here += 1
                keep(kernel.path, kernel.key, kernel.name, code)
                return None, address
    function = numbas(kernel.source, kernel.name)
    _by_numba.add(kernel.key)
    compiled_here += not getattr(function, "cache_hits", 0)
    with contextlib.suppress(Exception):  # no public name for the code; without it nothing is kept
        keep(kernel.path, kernel.key, function.native_name, function._library._get_compiled_object())
    return function, int(function.address)


def numbas(source: str, name: str) -> Any:
    """A kernel's function compiled by Numba; its own cache serves where we keep nothing."""
    from graphc.codegen.by_numba import from_file, from_source

    return from_source(source, name) if SUPPORTED else from_file(source, name, cache_directory() / "kernels")
