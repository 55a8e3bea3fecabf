"""Printers of the loop IR, and the one wrapper around Numba."""

from __future__ import annotations

__all__: list[str] = []
