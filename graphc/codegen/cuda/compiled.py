"""Kernels compiled for CUDA, at most once each in a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.codegen.cuda.grid import Launch, launches
from graphc.codegen.cuda.printer import function_names, kernel_source
from graphc.lower import ir

__all__ = ["functions", "ptx"]

_loaded: dict[str, dict[str, Any]] = {}  # the modules by their source


def functions(kernel: ir.Kernel, floats: str) -> list[tuple[Any, Launch]]:
    """A kernel's functions and how each is launched; they are compiled when they are first called."""
    source = kernel_source(kernel, floats)
    if source not in _loaded:
        space: dict[str, Any] = {"__name__": f"graphc_kernels.cuda_{len(_loaded)}"}
        exec(compile(source, "<graphc cuda>", "exec"), space)  # noqa: S102 - our own source
        _loaded[source] = space
    return [(_loaded[source][name], launch) for name, launch in zip(function_names(kernel), launches(kernel), strict=True)]


def ptx(kernel: ir.Kernel, floats: str, capability: Sequence[int] = (8, 0)) -> list[str]:
    """The assembly of a kernel's functions for a compute capability; it takes NVIDIA's compiler, and no device."""
    from numba import cuda, types

    compiler: Any = cuda
    made: Any = types
    kinds = {"float": getattr(made, floats), "double": made.float64, "int": made.int64, "bool": made.boolean}
    texts: list[str] = []
    for function, launch in functions(kernel, floats):
        arrays = [made.int64[::1], made.int64, *(kinds[kind][::1] for kind in kernel.buffers)]
        signature = made.void(*arrays, *[made.int64] * (kernel.params + len(launch.shared)))
        texts.append(compiler.compile_ptx(function.py_func, signature, cc=tuple(capability))[0])
    return texts
