"""Models; ``gx.models``."""

from __future__ import annotations

from graphc.models.model import Model
from graphc.models.saving import load_model
from graphc.models.sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]
