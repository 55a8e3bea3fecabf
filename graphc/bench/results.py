"""What was measured, as numbers that a table and a drawing are made of, and that a file keeps."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphc.errors import FileFormatError

__all__ = ["NAMES", "Panel", "Results", "Row", "read", "written"]

NAMES = {"graphc": "graphc", "torch": "PyTorch", "jax": "JAX", "keras": "Keras", "pytensor": "PyTensor"}


@dataclass(frozen=True)
class Row:
    """A workload's figures.

    Attributes:
        name, title: of the workload.
        times: by library, the median µs of a step.
        ways: by library, which of its ways of running an epoch that was.
        losses: by library, the mean loss of the first epoch, from the same weights over the same order.
        flops: operations of the contractions of a step.
    """

    name: str
    title: str
    times: dict[str, float]
    ways: dict[str, str]
    losses: dict[str, float]
    flops: int

    @property
    def best(self) -> str:
        """The fastest of the others; empty where there is none."""
        others = [n for n in self.times if n != "graphc"]
        return min(others, key=lambda n: self.times[n], default="")

    @property
    def ratio(self) -> float:
        """How many times faster than the fastest of the others; NaN where there is none."""
        return self.times[self.best] / self.times["graphc"] if self.best else math.nan

    @property
    def distance(self) -> float:
        """The relative distance of the loss from PyTorch's, or from another library's where that is missing."""
        other = next((self.losses[n] for n in ("torch", "jax", "keras", "pytensor") if n in self.losses), math.nan)
        return abs(self.losses["graphc"] - other) / abs(other)


@dataclass(frozen=True)
class Panel:
    """A row of networks of which one size grows: what stays, what grows, and the size of each of ``rows``."""

    title: str
    along: str
    sizes: list[int]
    rows: list[Row]


@dataclass(frozen=True)
class Results:
    """One run: how it was made, the machine's peak, and the figures.

    Attributes:
        threads, rounds: for every library.
        machine: the kind of processor, in words.
        versions: of the libraries.
        peak: operations a second that fused multiply-adds reach on so many threads.
        load: how many programs were running or waiting for a processor, on average over the minute before.
        rows: of the table.
        panels: of the drawing of cost against size.
        notes: what a library could not do.
    """

    threads: int
    rounds: int
    machine: str
    versions: dict[str, str]
    peak: float
    load: float = 0.0
    rows: list[Row] = field(default_factory=list[Row])
    panels: list[Panel] = field(default_factory=list[Panel])
    notes: list[str] = field(default_factory=list[str])

    @property
    def peers(self) -> list[str]:
        """The libraries that have a figure, graphc first."""
        found = [row.times for row in self.rows] + [row.times for panel in self.panels for row in panel.rows]
        return [n for n in NAMES if any(n in times for times in found)]

    @property
    def mean(self) -> float:
        """The geometric mean of the ratios; NaN where there are none."""
        ratios = [math.log(row.ratio) for row in self.rows if row.best]
        return math.exp(sum(ratios) / len(ratios)) if ratios else math.nan

    def limit(self, row: Row) -> float:
        """The µs that the contractions of a step alone would take at the peak."""
        return row.flops / self.peak * 1e6


def written(results: Results) -> str:
    """The numbers as JSON."""
    return json.dumps(asdict(results), indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Results:
    """The numbers of a file that ``graphc bench --out FILE.json`` left.

    Raises:
        FileFormatError: for another file.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = [Row(**r) for r in data.pop("rows")]
        panels = [Panel(p["title"], p["along"], p["sizes"], [Row(**r) for r in p["rows"]]) for p in data.pop("panels")]
        return Results(**data, rows=rows, panels=panels)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        kind = type(error).__name__
        raise FileFormatError(f"{path} holds no figures of graphc bench ({kind}): make it with graphc bench --out FILE.json") from None
