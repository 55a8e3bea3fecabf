"""The table as a drawing: a line a workload, a mark a library, on a logarithmic scale of µs a step."""

from __future__ import annotations

from graphc.bench.marks import Axis, key, left, line, mark, middle, right
from graphc.bench.results import NAMES, Results, Row
from graphc.bench.text import ratio_text, summary
from graphc.view.glyphs import glyph
from graphc.view.names import Text
from graphc.view.scene import Group, Primitive, Scene
from graphc.view.styles import style_named
from graphc.view.svg import svg

__all__ = ["bars"]

_ROW, _TOP, _PLOT, _GAP, _SIDE = 30.0, 64.0, 460.0, 16.0, 76.0


def bars(results: Results, style: str = "default") -> str:
    """The drawing as SVG, the same for the same numbers."""
    widest = max((glyph(Text(row.title), 11.0).width for row in results.rows), default=0.0)
    start = 24 + widest + _GAP
    values = [v for row in results.rows for v in (*row.times.values(), results.limit(row))]
    axis = Axis(min(values, default=1.0) / 1.4, max(values, default=10.0) * 1.4, start, start + _PLOT)
    width, bottom = start + _PLOT + _SIDE + 16, _TOP + _ROW * len(results.rows)
    groups = [Group("axis", "axis", "", _axis(axis, bottom))]
    for number, row in enumerate(results.rows):
        groups.append(Group(f"row-{number + 1}", "row", _told(results, row), _row(results, row, axis, _TOP + _ROW * (number + 0.5))))
    groups.append(Group("key", "key", "", key(results.peers, start + 6, 24, "the contractions at the peak")))
    described = " ".join(_told(results, row) for row in results.rows)
    note = summary(results)
    if note:
        groups.append(Group("note", "note", "", [left(note, 24, bottom + 58, 11.0, "muted")]))
        width = max(width, 48 + glyph(Text(note), 11.0).width)
    return svg(Scene(width, bottom + (78 if note else 54), "Time of a training step", described, groups), style_named(style))


def _axis(axis: Axis, bottom: float) -> list[Primitive]:
    parts: list[Primitive] = []
    for tick in axis.ticks():
        x = axis.place(tick)
        parts += [line("cluster", [(x, _TOP - 6), (x, bottom)], 1.0), middle(f"{tick:,.10g}", x, bottom + 14, 10.5, "muted")]
    return [*parts, middle("µs a step", (axis.start + axis.end) / 2, bottom + 32, 11.0, "muted")]


def _row(results: Results, row: Row, axis: Axis, y: float) -> list[Primitive]:
    parts: list[Primitive] = [right(row.title, axis.start - _GAP, y)]
    ends = [row.times["graphc"], row.times[row.best]] if row.best else []
    if ends:
        parts.append(line("edge", [(axis.place(v), y) for v in ends], 1.4))
        parts.append(left(ratio_text(row.ratio), axis.end + 12, y, 11.5))
    parts.append(mark("limit", axis.place(results.limit(row)), y))
    parts += [mark(name, axis.place(row.times[name]), y) for name in reversed(results.peers) if name in row.times]
    return parts


def _told(results: Results, row: Row) -> str:
    times = ", ".join(f"{NAMES[n]} {row.times[n]:.3g}" for n in results.peers if n in row.times)
    return f"{row.title}: {times} µs a step; its contractions at the peak {results.limit(row):.3g} µs."
