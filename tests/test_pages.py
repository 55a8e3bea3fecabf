"""The Python on the Markdown pages and in the examples runs, and gives what the pages say."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")])
EXAMPLES = sorted(ROOT.joinpath("examples").glob("*.py"))
ARGUMENTS = {"compile_cost.py": ["lstm"], "contraction_speed.py": ["1"]}  # a part of what takes long
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__page__"}
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        code = match.group(1)
        line = text.count("\n", 0, match.start()) + 1
        if ">>>" not in code:
            exec(compile("\n" * line + code, str(page), "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
        report: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
        assert result.failed == 0, "".join(report)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "MPLBACKEND": "Agg"}
    run = subprocess.run(
        [sys.executable, str(example), *ARGUMENTS.get(example.name, ())],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_the_links_between_pages_lead_somewhere() -> None:
    wrong = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists()
    ]
    assert wrong == []


def _numbers_apart(text: str) -> tuple[str, list[float]]:
    """A drawing without its numbers, and the numbers."""
    number = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
    return number.sub("#", text), [float(n) for n in number.findall(text)]


def test_the_table_of_figures_is_that_of_the_measurement() -> None:
    page = ROOT / "docs" / "benchmarks.md"
    script = runpy.run_path(str(ROOT / "docs" / "images" / "redraw.py"))
    assert page.read_text(encoding="utf-8") == script["with_figures"](page.read_text(encoding="utf-8")), "write it anew: python docs/images/redraw.py"


def test_the_rows_of_contractions_are_those_that_the_example_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["contraction_speed.py"])
    for name in ("GRAPHC_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # which it sets where nobody has
        monkeypatch.setenv(name, os.environ.get(name, "2"))
    example = runpy.run_path(str(ROOT / "examples" / "contraction_speed.py"))
    rows = re.findall(r"^\| ([^|]*\d × \d[^|]*?) \|", (ROOT / "docs" / "design" / "contractions.md").read_text(encoding="utf-8"), re.MULTILINE)
    printed = [example["product_name"](*sizes) for sizes in example["MATRICES"]] + [
        example["convolution_name"](*sizes) for sizes in example["IMAGES"]
    ]
    assert rows[: len(printed)] == printed


@pytest.fixture(scope="module")
def drawn() -> Any:
    names: dict[str, Any] = {"__name__": "redraw", "__file__": str(ROOT / "docs" / "images" / "redraw.py")}
    script = ROOT / "docs" / "images" / "redraw.py"
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)
    return names["pictures"]()


def test_every_picture_of_the_pages_is_drawn_by_the_script(drawn: Any) -> None:
    assert sorted(p.name for p in ROOT.joinpath("docs", "images").glob("*.svg")) == sorted(drawn)


@pytest.mark.parametrize("image", sorted(ROOT.joinpath("docs", "images").glob("*.svg")), ids=lambda p: p.name)
def test_a_picture_is_what_is_drawn_now(image: Path, drawn: Any) -> None:
    """Byte for byte but for the coordinates: another version of Graphviz may round them otherwise."""
    kept, kept_numbers = _numbers_apart(image.read_text(encoding="utf-8"))
    now, now_numbers = _numbers_apart(drawn[image.name].svg)
    assert kept == now, "draw it anew: python docs/images/redraw.py"
    assert np.allclose(kept_numbers, now_numbers, rtol=0, atol=0.5), "draw it anew: python docs/images/redraw.py"
