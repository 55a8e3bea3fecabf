"""What drawings of figures share: a library's colour and mark, texts flush left or right, logarithmic axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from graphc.bench.results import NAMES
from graphc.view.glyphs import glyph
from graphc.view.names import Text
from graphc.view.scene import Area, Curve, Label, Point, Polygon, Primitive

__all__ = ["DASHES", "Axis", "key", "left", "line", "mark", "middle", "right"]

# Colours of the palette by role, and a shape and a dash for each, so that colour never stands alone.
_ROLES = {"graphc": "parameter-line", "torch": "output-line", "jax": "input-line", "keras": "state-line", "pytensor": "random-line"}
DASHES = {"graphc": "", "torch": "6 3", "jax": "2 2.5", "keras": "8 3 2 3", "pytensor": "1 3", "limit": "3 3"}
_TRIANGLE = ((0.0, -1.15), (1.1, 0.85), (-1.1, 0.85))
_OUTLINES: dict[str, tuple[Point, ...]] = {
    "torch": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "jax": _TRIANGLE,
    "keras": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    "pytensor": tuple((x, -y) for x, y in _TRIANGLE),
}


@dataclass(frozen=True)
class Axis:
    """Places of values on a logarithmic scale, from ``low`` at ``start`` to ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value lies."""
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The powers of ten within."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**k for k in range(first, last + 1)]


def mark(name: str, x: float, y: float, size: float = 4.5) -> Primitive:
    """A library's mark; the limit's is a stroke."""
    if name == "limit":
        return Area(x - 1.0, y - 1.7 * size, 2.0, 3.4 * size, fill="ink")
    role = _ROLES[name]
    if name == "graphc":
        return Area(x - size, y - size, 2 * size, 2 * size, size, role)
    return Polygon(tuple((x + size * a, y + size * b) for a, b in _OUTLINES[name]), role)


def line(name: str, points: list[Point], thickness: float = 1.6) -> Curve:
    """A chain of straight pieces in a library's colour and dash."""
    chain = [points[0], *(p for a, b in pairwise(points) for p in (a, b, b))]
    return Curve(tuple(chain), _ROLES.get(name, "ink" if name == "limit" else name), thickness, DASHES.get(name, ""))


def middle(text: str, x: float, y: float, size: float = 11.0, role: str = "ink") -> Label:
    """Text centred on a point."""
    return Label(Text(text), x, y, size, role)


def left(text: str, x: float, y: float, size: float = 11.0, role: str = "ink") -> Label:
    """Text that begins at a point."""
    return Label(Text(text), x + glyph(Text(text), size).width / 2, y, size, role)


def right(text: str, x: float, y: float, size: float = 11.0, role: str = "ink") -> Label:
    """Text that ends at a point."""
    return Label(Text(text), x - glyph(Text(text), size).width / 2, y, size, role)


def key(names: list[str], x: float, y: float, limit: str, *, lines: bool = False) -> list[Primitive]:
    """Marks with what they mean, in one row; where they stand on ``lines``, with a piece of these."""
    parts: list[Primitive] = []
    for name in [*names, "limit"]:
        text = limit if name == "limit" else NAMES[name]
        parts += [line(name, [(x - 14, y), (x + 14, y)])] if lines else []
        parts += [] if lines and name == "limit" else [mark(name, x, y)]
        parts.append(left(text, x + (20 if lines else 10), y))
        x += (54 if lines else 32) + glyph(Text(text), 11.0).width
    return parts
