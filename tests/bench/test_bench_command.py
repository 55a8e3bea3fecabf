"""``graphc bench`` on the command line: its arguments, what it prints and leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphc.bench import Results, Row, read
from graphc.bench.results import Panel
from graphc.cli import main

ROW = Row("mlp30", "MLP", {"graphc": 8.0, "torch": 160.0}, {"graphc": "run", "torch": "eager"}, {"graphc": 0.5, "torch": 0.5}, 200_000)
REFUSED = {
    "mlp31": "choose of mlp30",
    "--peers theano": "choose of torch",
    "--peers pytensor": "pip install pytensor",
    "--rounds 0": "1 or more",
    "--rounds few": "few",
    "--threads 0": "1 or more",
    "--threads 100000": "may use",
    "--random -1": "0 or more",
    "--seed -1": "0 or more",
    "--sizes lstm": "leave out",
    "--out figures.bmp": ".svg .json .md",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been measured."""
    found: list[tuple[Any, ...]] = []
    versions = {"graphc": "0.1", "torch": "2"}

    def measure(workloads: Any, peers: Any, **options: Any) -> Results:
        found.append(([w.name for w in workloads], peers, options["rounds"], options["threads"], options["seed"]))
        rows = [ROW] if len(peers) > 1 else [Row("mlp30", "MLP", {"graphc": 8.0}, {"graphc": "run"}, {"graphc": 0.5}, 200_000)]
        return Results(2, 15, "a machine", versions, 5e11, rows=rows)

    def grown(peers: Any, **options: Any) -> Results:
        found.append(("sizes", peers, options["rounds"]))
        return Results(2, 5, "a machine", versions, 5e11, panels=[Panel("MLP", "batch", [1, 2], [ROW, ROW])])

    monkeypatch.setattr("graphc.bench.measure", measure)
    monkeypatch.setattr("graphc.bench.measure_growth", grown)
    monkeypatch.setattr("graphc.bench.timing.processors", lambda: 4)
    monkeypatch.setattr("graphc.bench.peers.find_spec", lambda name: name if name == "torch" else None)
    return found


@pytest.mark.parametrize("line", REFUSED)
def test_wrong_arguments_give_one_line_and_status_2(line: str, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["bench", *line.split()])
    except SystemExit as stop:
        status = stop.code
    assert status == 2 and asked == []
    message = capsys.readouterr().err
    assert message.startswith("graphc") and message.count("\n") == 1 and REFUSED[line] in message


TABLE = ["mlp30", "mlp64", "mlp784", "lenet", "vgg", "lstm", "gru", "encoder", "vae"]
BOTH = ["graphc", "torch"]
MEASURED: dict[str, tuple[Any, ...]] = {
    "": (TABLE, BOTH, 15, 2, 0),
    "lstm mlp30 --rounds 3 --threads 1": (["lstm", "mlp30"], BOTH, 3, 1, 0),
    "--peers none vae": (["vae"], ["graphc"], 15, 2, 0),
    "--random 2 --seed 7": (["drawn7.1", "drawn7.2"], BOTH, 15, 2, 7),
    "all --random 1": ([*TABLE, "drawn0.1"], BOTH, 15, 2, 0),
    "gru --random 1": (["gru", "drawn0.1"], BOTH, 15, 2, 0),
    "--sizes": ("sizes", BOTH, 5),
}


@pytest.mark.parametrize("line", MEASURED)
def test_what_is_measured(line: str, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *line.split()]) == 0
    assert asked == [MEASURED[line]]
    captured = capsys.readouterr()
    assert captured.out.startswith("workload") and captured.err == ""
    assert ("pip install" in captured.out) is False


@pytest.mark.parametrize("option", [[], ["--sizes"]])
def test_files(option: list[str], asked: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (".svg", ".json", ".md"):
        path = tmp_path / "new" / f"figures{kind}"
        assert main(["bench", *option, "--out", str(path)]) == 0
        assert capsys.readouterr().out.endswith(f"{path}\n")
    assert (tmp_path / "new" / "figures.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (tmp_path / "new" / "figures.md").read_text(encoding="utf-8").startswith("| workload |")
    figures = read(tmp_path / "new" / "figures.json")
    assert (figures.panels[0].rows if option else figures.rows)[0] == ROW


def test_with_nothing_installed_it_says_how(asked: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("graphc.bench.peers.find_spec", lambda _: None)
    assert main(["bench", "mlp30"]) == 0
    assert "nothing is installed to compare with: pip install torch, or pip install jax" in capsys.readouterr().out
