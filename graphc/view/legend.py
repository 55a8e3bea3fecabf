"""The legend: what the shapes, the colours and the lines of a picture mean."""

from __future__ import annotations

from graphc.view.glyphs import glyph
from graphc.view.names import Text
from graphc.view.outline import Outline
from graphc.view.scene import Area, Curve, Group, Label, Polygon, Primitive
from graphc.view.styles import KINDS, SHAPES

__all__ = ["legend"]

SIZE, SWATCH, ROW = 9.5, 22.0, 18.0
_LINES = {
    "backward": "gradients flow back",
    "saved": "value that the backward pass reads",
    "strong": "this path",
    "loop": "carried to the next iteration",
}


def legend(outline: Outline, room: float) -> tuple[Group | None, tuple[float, float]]:
    """One row of samples, or several where ``room`` is narrow; ``None`` where there is nothing to tell apart."""
    roles = [r for r in KINDS if any(v.role == r for v in outline.vertices)]
    entries: list[tuple[str, str]] = [(r, KINDS[r]) for r in roles]
    if any(v.above and v.role != "operation" for v in outline.vertices):
        entries.append(("value", "value"))
    if any(v.below for v in outline.vertices):
        entries.append(("gradient", "gradient"))
    entries = [(f"text-{r}" if t in ("value", "gradient") and r == t else r, t) for r, t in entries]
    entries += [(f"line-{k}", words) for k, words in _LINES.items() if any(a.kind == k for a in outline.arrows)]
    if len(entries) < 2:
        return None, (0.0, 0.0)
    parts: list[Primitive] = []
    x, y, widest = 0.0, ROW / 2, 0.0
    for kind, words in entries:
        text = Text(words)
        size = glyph(text, SIZE)
        width = SWATCH + 5 + size.width
        if x and x + width > room:
            x, y = 0.0, y + ROW
        parts += _sample(kind, x, y)
        parts.append(Label(text, x + SWATCH + 5 + size.width / 2, y, SIZE, "muted"))
        x += width + 14
        widest = max(widest, x - 14)
    return Group("legend", "legend", "legend", parts), (widest, y + ROW / 2)


def _sample(kind: str, x: float, y: float) -> list[Primitive]:
    if kind.startswith("text-"):
        role = kind.removeprefix("text-")
        return [Label(Text("2.5", "2.5"), x + SWATCH / 2, y, 11.0, role)]
    if kind.startswith("line-"):
        role, dash, width = {
            "backward": ("gradient", "5 3", 1.25),
            "saved": ("muted", "1.2 3", 0.9),
            "strong": ("gradient", "", 2.4),
            "loop": ("state-line", "4 2.5", 1.4),
        }[kind[5:]]
        x1 = x + SWATCH
        line = Curve(((x, y), (x + 6, y), (x1 - 10, y), (x1 - 5, y)), role, width, dash)
        return [line, Polygon(((x1, y), (x1 - 5, y - 2.4), (x1 - 5, y + 2.4)), role)]
    look = SHAPES[kind]
    w, h = (12.0, 12.0) if look.shape == "circle" else (SWATCH - 4, 11.0)
    left, top = x + (SWATCH - w) / 2, y - h / 2
    fill, line = f"{kind}-fill", f"{kind}-line"
    if look.shape == "octagon":
        c, r, b = 3.0, left + w, top + h
        corners = ((left + c, top), (r - c, top), (r, top + c), (r, b - c), (r - c, b), (left + c, b), (left, b - c), (left, top + c))
        return [Polygon(corners, fill, line, look.width, look.dash)]
    radius = {"circle": h / 2, "pill": h / 2, "round": 3.0, "stack": 2.0}.get(look.shape, 0.5)
    parts: list[Primitive] = []
    if look.shape == "stack":
        parts.append(Area(left + 2, top - 2, w, h, radius, fill, line, 0.8))
    if look.double:
        parts.append(Area(left - 1.8, top - 1.8, w + 3.6, h + 3.6, radius + 1.8, "background", line, 0.8))
    return [*parts, Area(left, top, w, h, radius, fill, line, min(look.width, 1.6), look.dash)]
