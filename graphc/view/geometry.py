"""Curves cut at the outlines of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.view.scene import Point

__all__ = ["Outside", "arrow_head", "cut", "outside_of"]

Outside = Callable[[Point], bool]


def outside_of(shape: str, centre: Point, width: float, height: float, margin: float = 0.0) -> Outside:
    """Whether a point lies outside a shape that is grown by ``margin``."""
    cx, cy = centre
    a, b = width / 2 + margin, height / 2 + margin
    if shape == "circle":
        return lambda p: (p[0] - cx) ** 2 / a**2 + (p[1] - cy) ** 2 / b**2 > 1
    corner = {"pill": b, "round": 6.0 + margin}.get(shape, margin)
    r = min(corner, a, b)

    def outside(p: Point) -> bool:
        x, y = abs(p[0] - cx), abs(p[1] - cy)
        if x > a or y > b:
            return True
        dx, dy = x - (a - r), y - (b - r)
        return dx > 0 and dy > 0 and dx * dx + dy * dy > r * r

    return outside


def _split(piece: Sequence[Point], t: float) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """De Casteljau: a cubic cut in two at ``t``."""

    def mix(p: Point, q: Point) -> Point:
        return p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t

    a, b, c, d = piece
    ab, bc, cd = mix(a, b), mix(b, c), mix(c, d)
    abc, bcd = mix(ab, bc), mix(bc, cd)
    middle = mix(abc, bcd)
    return (a, ab, abc, middle), (middle, bcd, cd, d)


def _pieces(points: Sequence[Point]) -> list[tuple[Point, ...]]:
    return [tuple(points[k : k + 4]) for k in range(0, len(points) - 3, 3)]


def _from_outside(points: Sequence[Point], outside: Outside) -> tuple[Point, ...]:
    """The part of a chain that comes before its end's shape; the whole where it never leaves the shape."""
    pieces = _pieces(points)
    for k in range(len(pieces) - 1, -1, -1):
        piece = pieces[k]
        steps = [t / 16 for t in range(16, -1, -1)]
        leaves = next((t for t in steps if outside(_split(piece, t)[0][3])), None)
        if leaves is None:
            continue
        low, high = leaves, min(1.0, leaves + 1 / 16)
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if outside(_split(piece, middle)[0][3]) else (low, middle)
        kept = [*pieces[:k], _split(piece, low)[0]]
        return (kept[0][0], *(p for piece in kept for p in piece[1:]))
    return tuple(points)


def cut(points: Sequence[Point], tail: Outside, head: Outside) -> tuple[Point, ...]:
    """A curve between two centres, without what lies inside the shapes at its ends."""
    kept = _from_outside(points, head)
    return tuple(reversed(_from_outside(tuple(reversed(kept)), tail)))


def arrow_head(points: Sequence[Point], outline: Outside, length: float = 6.5, breadth: float = 5.6) -> tuple[Point, Point, Point]:
    """A triangle that continues a curve to the outline of the node it points at."""
    (x0, y0), (x1, y1) = next(
        ((p, points[-1]) for p in reversed(points[:-1]) if abs(p[0] - points[-1][0]) + abs(p[1] - points[-1][1]) > 0.05), points[-2:]
    )
    size = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy = (x1 - x0) / size, (y1 - y0) / size
    reach = length
    while reach < 5 * length and outline((x1 + dx * reach, y1 + dy * reach)):
        reach += 0.25
    while reach > 3 and not outline((x1 + dx * reach, y1 + dy * reach)):
        reach -= 0.25
    tip = (x1 + dx * reach, y1 + dy * reach)
    base = (tip[0] - dx * length, tip[1] - dy * length)
    return tip, (base[0] - dy * breadth / 2, base[1] + dx * breadth / 2), (base[0] + dy * breadth / 2, base[1] - dx * breadth / 2)
