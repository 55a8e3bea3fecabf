"""The table and the drawings of given figures; files of figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from graphc.bench import Results, Row, bars, growth, markdown, read, table, written
from graphc.bench.results import Panel
from graphc.errors import FileFormatError

TIMES = {"graphc": 8.0, "torch": 160.0, "jax": 24.0}
WAYS = {"graphc": "run", "torch": "eager", "jax": "scan"}
ROWS = [
    Row("mlp30", "MLP 30-30-15-2", TIMES, WAYS, {"graphc": 0.5, "torch": 0.5001}, 200_000),
    Row("lstm", "LSTM <T 32>", {"graphc": 400.0, "torch": 600.0}, WAYS, {"graphc": 2.0, "jax": 2.0}, 100_000_000),
]
FIGURES = Results(2, 15, "a machine", {"graphc": "0.1", "torch": "2", "jax": "0.5"}, 5e11, rows=ROWS)
GROWN = replace(FIGURES, rows=[], panels=[Panel("MLP, width 128", "batch", [8, 32], ROWS), Panel("LSTM", "length", [1, 100], ROWS[::-1])])
TABLE = """\
workload        faster  graphc  PyTorch   JAX  at the peak  reached   loss
MLP 30-30-15-2  3.00 ×     8.0      160  24.0          0.4       5%  2e-04
LSTM <T 32>     1.50 ×     400      600     –          200      50%  0e+00

µs of a training step, medians of 15 rounds; a machine; 2 threads for everyone; peak 500 GFLOP/s; graphc 0.1, PyTorch 2, JAX 0.5
faster: how many times faster graphc is than the best of the others; loss: its relative distance from PyTorch's after the same steps
at the peak: what the contractions alone would take at the peak; reached: that, as a share of graphc's time
geometric mean over 2: 2.12 × faster than the best of the others; least 1.50 × (LSTM <T 32>, PyTorch)
"""


def test_the_table() -> None:
    assert table(FIGURES) == TABLE


def test_the_table_in_markdown() -> None:
    head, rule, *rows = markdown(FIGURES).split("\n\n")[0].split("\n")
    assert head.count("|") == rule.count("|") == 9 and rule.startswith("| --- | ---: |")
    assert rows[0] == "| MLP 30-30-15-2 | 3.00 × | 8.0 | 160 | 24.0 | 0.4 | 5% | 2e-04 |"


def test_a_busy_machine_is_told() -> None:
    assert "3.2 other programs were running" in table(replace(FIGURES, load=3.2))
    assert "other programs" not in table(replace(FIGURES, load=0.4))


def test_alone_there_is_nothing_to_compare() -> None:
    alone = replace(FIGURES, rows=[replace(r, times={"graphc": r.times["graphc"]}, losses={"graphc": 1.0}) for r in ROWS])
    text = table(alone)
    assert "faster" not in text and "geometric" not in text and "loss" not in text
    assert text.splitlines()[1].split()[-3:] == ["8.0", "0.4", "5%"]
    ET.fromstring(bars(alone))


@pytest.mark.parametrize(("draw", "figures"), [(bars, FIGURES), (growth, GROWN)])
def test_a_drawing_is_stable_and_can_be_read_aloud(draw, figures: Results) -> None:
    svg = draw(figures)
    assert svg == draw(figures)
    root = ET.fromstring(svg)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert "Time of a training step" in (root.findtext("s:title", namespaces=space) or "")
    described = root.findtext("s:desc", namespaces=space) or ""
    assert "PyTorch" in described and "LSTM" in described
    assert "prefers-color-scheme:dark" in svg and "http://" not in svg.replace("http://www.w3.org/2000/svg", "")
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for polygon in root.iter("{http://www.w3.org/2000/svg}polygon"):
        for x, y in (map(float, p.split(",")) for p in polygon.attrib["points"].split()):
            assert 0 <= x <= width and 0 <= y <= height
    assert svg != draw(replace(figures, peak=1e11))
    assert re.search(r"[0-9.]{12}", svg.split("</style>")[1]) is None  # no digits that another machine would round otherwise


def test_other_figures_stand_elsewhere() -> None:
    slower = replace(FIGURES, rows=[ROWS[0], replace(ROWS[1], times={"graphc": 500.0, "torch": 600.0})])
    assert bars(slower) != bars(FIGURES)
    assert "1.20 ×" in table(slower)


def test_figures_come_back_from_a_file(tmp_path: Path) -> None:
    for figures in (FIGURES, GROWN):
        path = tmp_path / "figures.json"
        path.write_text(written(figures), encoding="utf-8")
        assert read(path) == figures


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{}], "panels": []}', '{"rows": [], "panels": [1]}', '{"rows": [], "panels": []}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"figures\.json holds no figures"):
        read(path)
