"""Cost against size as small drawings beside each other, both axes logarithmic: what grows in proportion is straight."""

from __future__ import annotations

from graphc.bench.marks import Axis, key, left, line, mark, middle, right
from graphc.bench.results import NAMES, Panel, Results
from graphc.view.scene import Area, Group, Point, Primitive, Scene
from graphc.view.styles import style_named
from graphc.view.svg import svg

__all__ = ["growth"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _ACROSS, _DOWN, _COLUMNS = 230.0, 180.0, 62.0, 78.0, 296.0, 262.0, 3


def growth(results: Results, style: str = "default") -> str:
    """The drawing as SVG, the same for the same numbers."""
    values = [v for p in results.panels for row in p.rows for v in (*row.times.values(), results.limit(row))]
    low, high = min(values, default=1.0) / 1.3, max(values, default=10.0) * 1.3
    groups: list[Group] = []
    for number, panel in enumerate(results.panels):
        x, y = _LEFT + _ACROSS * (number % _COLUMNS), _TOP + _DOWN * (number // _COLUMNS)
        across = Axis(panel.sizes[0] / 1.2, panel.sizes[-1] * 1.2, x, x + _WIDTH)
        up = Axis(low, high, y + _HEIGHT, y)
        groups.append(Group(f"panel-{number + 1}", "panel", _told(results, panel), _panel(results, panel, across, up)))
    groups.append(Group("key", "key", "", key(results.peers, _LEFT + 12, 24, "the contractions at the peak", lines=True)))
    rows = -(-len(results.panels) // _COLUMNS)
    described = " ".join(_told(results, panel) for panel in results.panels)
    columns = min(_COLUMNS, len(results.panels))
    size = _LEFT + _ACROSS * (columns - 1) + _WIDTH + 24, _TOP + _DOWN * (rows - 1) + _HEIGHT + 52
    return svg(Scene(*size, "Time of a training step against size", described, groups), style_named(style))


def _panel(results: Results, panel: Panel, across: Axis, up: Axis) -> list[Primitive]:
    parts: list[Primitive] = [
        left(panel.title, across.start, up.end - 16, 11.5),
        Area(across.start, up.end, _WIDTH, _HEIGHT, line="cluster"),
        middle(panel.along, (across.start + across.end) / 2, up.start + 34, 11.0, "muted"),
        left("µs", across.start - 40, up.end + 2, 10.0, "muted"),
    ]
    for tick in up.ticks():
        y = up.place(tick)
        parts += [line("cluster", [(across.start, y), (across.end, y)], 0.8), right(f"{tick:,.10g}", across.start - 6, y, 10.0, "muted")]
    parts += [middle(str(size), across.place(size), up.start + 14, 10.0, "muted") for size in panel.sizes]
    parts.append(line("limit", [(across.place(s), up.place(results.limit(row))) for s, row in zip(panel.sizes, panel.rows, strict=True)], 1.2))
    for name in reversed(results.peers):
        points: list[Point] = [
            (across.place(s), up.place(row.times[name])) for s, row in zip(panel.sizes, panel.rows, strict=True) if name in row.times
        ]
        parts += [*([line(name, points)] if len(points) > 1 else []), *(mark(name, x, y, 3.4) for x, y in points)]
    return parts


def _told(results: Results, panel: Panel) -> str:
    first, last = panel.rows[0], panel.rows[-1]
    ends = (f"{NAMES[n]} from {first.times[n]:.3g} to {last.times[n]:.3g} µs" for n in results.peers if n in first.times and n in last.times)
    return f"{panel.title}, {panel.along} from {panel.sizes[0]} to {panel.sizes[-1]}: {', '.join(ends)}."
