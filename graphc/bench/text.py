"""The figures as a table: plain and aligned, or Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.bench.results import NAMES, Results, Row

__all__ = ["markdown", "ratio_text", "summary", "table"]


_BUSY = 0.7  # programs on average; more of them take time from what is measured


def _time(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def ratio_text(value: float) -> str:
    """A ratio with two or three digits: ``3.1 ×``."""
    return f"{value:.0f} ×" if value >= 100 else f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"


def _distance(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0e}"


def _cells(results: Results) -> tuple[list[str], list[list[str]]]:
    compared = len(results.peers) > 1
    ratio, loss = (["faster"], ["loss"]) if compared else ([], [])
    head = ["workload", *ratio, *(NAMES[n] for n in results.peers), "at the peak", "reached", *loss]

    def cells(name: str, row: Row) -> list[str]:
        limit, own = results.limit(row), row.times["graphc"]
        ratio = [ratio_text(row.ratio) if row.best else "–"] if compared else []
        distance = [_distance(row.distance)] if compared else []
        return [name, *ratio, *(_time(row.times.get(n)) for n in results.peers), _time(limit), f"{limit / own:.0%}", *distance]

    rows = [cells(row.title, row) for row in results.rows]
    return head, rows + [cells(row.title, row) for panel in results.panels for row in panel.rows]


def _machine(results: Results) -> str:
    versions = ", ".join(f"{NAMES[n]} {results.versions[n]}" for n in results.peers)
    threads = "1 thread" if results.threads == 1 else f"{results.threads} threads"
    return f"{results.machine}; {threads} for everyone; peak {results.peak / 1e9:.0f} GFLOP/s; {versions}"


def summary(results: Results) -> str:
    """The geometric mean of the ratios and the least of them, in a sentence; empty where nothing was compared."""
    compared = [row for row in results.rows if row.best]
    if not compared:
        return ""
    least = min(compared, key=lambda row: row.ratio)
    mean = f"geometric mean over {len(compared)}: {ratio_text(results.mean)} faster than the best of the others"
    return f"{mean}; least {ratio_text(least.ratio)} ({least.title}, {NAMES[least.best]})"


def _notes(results: Results) -> list[str]:
    lines = [f"µs of a training step, medians of {results.rounds} rounds; {_machine(results)}"]
    if len(results.peers) > 1:
        lines.append(
            "faster: how many times faster graphc is than the best of the others; loss: its relative distance from PyTorch's after the same steps"
        )
    lines.append("at the peak: what the contractions alone would take at the peak; reached: that, as a share of graphc's time")
    lines += results.notes
    if results.load > _BUSY:
        lines.append(f"{results.load:.1f} other programs were running when this began: repeat it on a machine of its own")
    return [*lines, *([summary(results)] if summary(results) else [])]


def table(results: Results) -> str:
    """Aligned columns of plain text, ratios first."""
    head, rows = _cells(results)
    widths = [max(len(r[k]) for r in [head, *rows]) for k in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))).rstrip()

    return "\n".join([line(head), *map(line, rows), "", *_notes(results)]) + "\n"


def markdown(results: Results) -> str:
    """The same for a page."""
    head, rows = _cells(results)
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, rule, *rows]]
    return "\n".join([*lines, "", *(f"{note}.\n" for note in _notes(results))]).rstrip("\n") + "\n"
