"""The language: dimensions, indices, tensors, stages, graphs, scopes. Specified in docs/design/ir.md."""

from __future__ import annotations

import gc
from importlib import import_module

__all__: list[str] = []

# SymPy makes hundreds of thousands of objects that stay: looking for garbage among them takes a tenth of its import.
_collecting = gc.isenabled()
gc.disable()
try:
    import_module("sympy")
finally:
    if _collecting:
        gc.enable()
