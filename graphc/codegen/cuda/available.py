"""What is missing for CUDA on this machine, and what to do about it."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

__all__ = ["compiler_missing", "missing"]

_INSTALL = 'pip install "graphc[cuda]"'


def missing() -> str | None:
    """What is missing, in a sentence; ``None`` where programs can run, on a device or in numba-cuda's simulator."""
    if importlib.util.find_spec("numba_cuda") is None:
        return f"the package numba-cuda is not installed: {_INSTALL}"
    try:
        from numba import cuda
        from numba.core import config
    except Exception as error:  # noqa: BLE001 - whatever hinders it is what the user is told
        return f"numba-cuda cannot be imported ({_first_line(error)}): {_INSTALL}"
    settings: Any = config
    if settings.ENABLE_CUDASIM:
        return None
    try:
        devices = len(cuda.gpus)
    except Exception as error:  # noqa: BLE001
        return f"there is no driver or no device ({_first_line(error)}): install NVIDIA's driver, and see that nvidia-smi lists the device"
    if not devices:
        return "the driver finds no device: see that nvidia-smi lists one, and that CUDA_VISIBLE_DEVICES does not hide it"
    return compiler_missing()


@cache
def compiler_missing() -> str | None:
    """What of NVIDIA's compiler is missing, in a sentence; ``None`` where it works: it is tried."""
    from numba import cuda, types

    compiler: Any = cuda
    made: Any = types

    def nothing(x: Any) -> None:
        x[0] = x[1]

    try:
        compiler.compile_ptx(nothing, made.void(made.float32[::1]), cc=(8, 0))
    except Exception as error:  # noqa: BLE001
        return f"NVIDIA's compiler, the libraries NVVM and NVRTC, is not found ({_first_line(error)}): {_INSTALL}"
    return None


def _first_line(error: Exception) -> str:
    """The part of an error's message that says what is wrong."""
    lines = [line.strip(" :.") for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Error at driver init")]
    return said[0] if said else type(error).__name__
