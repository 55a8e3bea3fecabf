"""Pictures of graphs."""

from __future__ import annotations

from graphc.view.draw import draw
from graphc.view.picture import Picture

__all__ = ["Picture", "draw"]
