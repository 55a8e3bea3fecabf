"""Pictures of graphs."""

from __future__ import annotations

from graphc.view.draw import draw
from graphc.view.frames import Frames, frames
from graphc.view.paths import Path, Paths, paths
from graphc.view.picture import Picture

__all__ = ["Frames", "Path", "Paths", "Picture", "draw", "frames", "paths"]
