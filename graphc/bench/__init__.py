"""``graphc bench``: training steps of whole networks, timed beside the libraries that are installed.

Nothing below imports this folder. It is begun from the command line, or as :func:`measure`.
"""

from __future__ import annotations

from graphc.bench.drawing import bars
from graphc.bench.panels import growth
from graphc.bench.results import Results, Row, read, written
from graphc.bench.text import markdown, table
from graphc.bench.timing import measure, measure_growth
from graphc.bench.workloads import WORKLOADS, Workload, drawn, named

__all__ = [
    "WORKLOADS", "Results", "Row", "Workload", "bars", "drawn", "growth", "markdown", "measure", "measure_growth", "named", "read", "table",
    "written",
]  # fmt: skip
