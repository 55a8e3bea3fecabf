"""What a picture is made of once every place is known: a few primitives in points, y downwards, colours by role."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.view.names import Text

__all__ = ["Area", "Curve", "Group", "Label", "Point", "Polygon", "Primitive", "Scene"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle, its corners rounded by ``radius``; empty roles draw nothing."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 0.0
    fill: str = ""
    line: str = ""
    thickness: float = 1.0
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A chain of cubic Bézier pieces: 1 + 3 n points."""

    points: tuple[Point, ...]
    line: str
    thickness: float = 1.1
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline."""

    points: tuple[Point, ...]
    fill: str = ""
    line: str = ""
    thickness: float = 1.0
    dash: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """Text centred on a point."""

    text: Text
    x: float
    y: float
    size: float
    role: str = "ink"


Primitive = Area | Curve | Polygon | Label


@dataclass(slots=True)
class Group:
    """Primitives that belong together: a node, an edge. ``title`` is what a reader hears or sees on hovering."""

    id: str
    kind: str
    title: str = ""
    parts: list[Primitive] = field(default_factory=list[Primitive])


@dataclass(slots=True)
class Scene:
    """A whole picture."""

    width: float
    height: float
    title: str
    description: str
    groups: list[Group]
