"""The language: dimensions, indices, tensors, stages, graphs, scopes. Specified in docs/design/ir.md."""

from __future__ import annotations

__all__: list[str] = []
