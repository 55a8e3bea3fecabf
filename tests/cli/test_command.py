"""The command line: what it prints, what it leaves, how it refuses."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import graphc as gx
from graphc.cli import main
from graphc.cli.curve import learning_curve
from tests.cli.browser import colours, needs_browser, shown

SHAPES = ["X=m,n", "w=n", "y=m"]
FORMULA = "sum((X*w - y)^2)"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"graphc {gx.__version__}\n"


def test_the_package_is_a_command_too() -> None:
    run = subprocess.run([sys.executable, "-m", "graphc", "--version"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"graphc {gx.__version__}\n", "")
    assert subprocess.run([sys.executable, "-m", "graphc", "fly"], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("command", [[], ["tour"], ["draw"], ["derive"], ["cache"], ["bench"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert "usage: graphc" in capsys.readouterr().out


REFUSED = [
    [],
    ["nothing"],
    ["cache", "burn"],
    ["draw"],
    ["draw", "sum(("],
    ["draw", FORMULA],
    ["draw", FORMULA, *SHAPES, "--out", "picture.bmp"],
    ["draw", FORMULA, *SHAPES, "--style", "plaid"],
    ["draw", FORMULA, "X"],
    ["derive", FORMULA, "v", *SHAPES],
    ["tour", "--seed", "x"],
    ["tour", "--seed", "-1"],
    ["tour", "--seed", "5000000000"],
    ["derive", "1e400*x", "x", "x="],
    ["derive", "x/0", "x", "x="],
    ["derive", "x", "", "x="],
    ["derive", "x'*x", "x", "x=n", "x=m"],
    ["derive", "x'*x", "x", "x=-1"],
    ["derive", "x'*x", "x", "x=3.5"],
    ["derive", "x'*x", "x", "x=n+1"],
    ["derive", "x'*x", "x", "x=²"],
    ["draw", "sum(X)", "X=n,,m"],
    ["draw", "sum(X)", "X=99999999999999999999"],
    ["tour", "--out", __file__],
]


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_wrong_arguments_give_one_line_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphc.cli.tour.EPOCHS", 2)
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    message = capsys.readouterr().err
    assert message.startswith("graphc") and message.count("\n") == 1


@pytest.mark.parametrize("arguments", [["derive", FORMULA, "w", "w=n"], ["draw", FORMULA]], ids=" ".join)
def test_a_missing_shape_is_asked_for_as_the_command_line_takes_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "X has no shape" in message and "X=m,n" in message and "argument" not in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("kind", ["svg", "png", "pdf", "dot", "html"])
def test_draw(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / f"graph.{kind}"
    assert main(["draw", FORMULA, *SHAPES, "--out", str(target), "--backward"]) == 0
    assert target.stat().st_size > 500
    assert capsys.readouterr().out == f"{target}\n"


def test_derive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", FORMULA, "w", *SHAPES]) == 0
    shown = capsys.readouterr().out
    assert "∂L/∂w = 2 Xᵀ (X w − y)" in shown
    assert "agrees" in shown
    assert main(["derive", FORMULA, "w", *SHAPES, "--latex"]) == 0
    assert r"X^{\top}" in capsys.readouterr().out
    target = tmp_path / "gradient.html"
    assert main(["derive", FORMULA, "w", *SHAPES, "--out", str(target)]) == 0
    assert "<html" in target.read_text(encoding="utf-8")


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    kept = tmp_path / "kernels" / "kernel_0.machine"
    kept.parent.mkdir()
    kept.write_text("# a kernel")
    assert main(["cache", "info"]) == 0
    assert "1 kernels in 1 files" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert not kept.exists()
    assert main(["cache", "info"]) == 0
    assert "0 kernels" in capsys.readouterr().out


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("sklearn")
    from graphc.cli.tour import tour

    return tour(tmp_path_factory.mktemp("tour") / "new" / "folder", seed=0).read_text(encoding="utf-8")


class TestTour:
    def test_it_is_one_page_that_needs_nothing_else(self, page: str) -> None:
        assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
        for outside in ("<script src", "<link", "<img", "@import", "http://www.w3.org/1999/xlink"):
            assert outside not in page
        assert {part for part in page.split('"') if part.startswith("http")} <= {"http://www.w3.org/2000/svg"}

    def test_its_pictures_are_well_formed(self, page: str) -> None:
        drawn = [part.split("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
        assert len(drawn) > 10
        for picture in drawn:
            ET.fromstring("<svg" + picture)

    def test_it_shows_the_network_and_its_proof(self, page: str) -> None:
        assert "h1 = gx.relu(X @ W1 + b1)" in page
        assert "return X" not in page
        assert "The formula agrees with" in page
        assert "def gradient(" in page

    @needs_browser
    def test_a_browser_shows_it(self, page: str, tmp_path: Path) -> None:
        target = tmp_path / "tour.html"
        target.write_text(page, encoding="utf-8")
        assert colours(shown(target)) > 50

    def test_the_model_learned(self, page: str) -> None:
        accuracy = float(page.split("accuracy ")[1].split("%", maxsplit=1)[0])
        assert accuracy >= 95

    def test_the_same_seed_gives_the_same_numbers(self, page: str, tmp_path: Path) -> None:
        from graphc.cli.tour import tour

        again = tour(tmp_path, seed=0).read_text(encoding="utf-8")
        cut = "Made in "
        assert again.split(cut)[0] == page.split(cut, maxsplit=1)[0]


def test_a_learning_curve_is_readable_and_takes_anything() -> None:
    drawn = learning_curve({"a <b>": [3.0, 1.0, float("nan"), 0.5], "b": [2.0]}, kept=2)
    root = ET.fromstring(drawn)
    texts = "".join(root.itertext())
    assert "a <b> from 3 to 0.5" in texts and "kept: epoch 2" in texts
    ET.fromstring(learning_curve({}))
    ET.fromstring(learning_curve({"flat": [0.0, 0.0]}))
