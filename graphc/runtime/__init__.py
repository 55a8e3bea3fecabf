"""Compiled programs: :func:`compile` and what it returns."""

from __future__ import annotations

from graphc.runtime.compiled import Compiled as Compiled
from graphc.runtime.compiled import compile as compile

__all__ = ["Compiled", "compile"]
