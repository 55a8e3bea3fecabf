"""Kernels compiled for CUDA, at most once each in a process."""

from __future__ import annotations

from typing import Any

from graphc.codegen.cuda.grid import Launch, launches
from graphc.codegen.cuda.printer import function_names, kernel_source
from graphc.lower import ir

__all__ = ["functions"]

_loaded: dict[str, dict[str, Any]] = {}  # the modules by their source


def functions(kernel: ir.Kernel, floats: str) -> list[tuple[Any, Launch]]:
    """A kernel's functions and how each is launched; they are compiled when they are first called."""
    source = kernel_source(kernel, floats)
    if source not in _loaded:
        space: dict[str, Any] = {"__name__": f"graphc_kernels.cuda_{len(_loaded)}"}
        exec(compile(source, "<graphc cuda>", "exec"), space)  # noqa: S102 - our own source
        _loaded[source] = space
    return [(_loaded[source][name], launch) for name, launch in zip(function_names(kernel), launches(kernel), strict=True)]
