"""Kernels kept on disk: found again by another process, passed over when damaged, missed when what makes them changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.codegen import cache, folder
from graphc.runtime import compile

PROGRAM = """
import numpy as np, graphc as gx
from graphc.codegen import cache
from graphc.runtime import compile
x = gx.tensor("x", ("n", 3))
f = compile(gx.softmax(gx.tanh(x @ gx.constant(np.eye(3)))), dtype="float64")
a = np.arange(6.0).reshape(2, 3)
assert np.allclose(f(a), gx.evaluate(gx.softmax(gx.tanh(x)), {x: a}))
print(f.compiled.compiled, cache.cache_directory())
"""


def output(program: str, place: Path, **settings: str) -> str:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(place), "PYTHONPATH": str(Path(gx.__file__).parent.parent), **settings}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def run(place: Path) -> int:
    return int(output(PROGRAM, place).split()[0])


def test_another_process_compiles_nothing_and_damage_is_passed_over(tmp_path: Path) -> None:
    assert run(tmp_path) > 0
    assert run(tmp_path) == 0
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    for number, path in enumerate(files):
        content = path.read_bytes()
        path.write_bytes([b"", b"\x00garbage(", content[: len(content) // 2]][number % 3])
    assert run(tmp_path) > 0
    assert run(tmp_path) == 0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "kernels-of-a-test"))
    monkeypatch.setattr(cache, "_loaded", {})
    return monkeypatch


def value() -> Any:
    x = gx.tensor("x", (3,))
    return compile(gx.exp(x) * 3 + 0.125)(np.zeros(3))


def test_a_changed_generator_is_a_miss(fresh: Any) -> None:
    before = cache.compiled_here
    value()
    made = cache.compiled_here - before
    fresh.setattr(cache, "_loaded", {})
    value()
    assert cache.compiled_here - before == made
    fresh.setattr(cache, "_loaded", {})
    fresh.setattr(cache, "code_digest", lambda: "another generator")
    value()
    assert cache.compiled_here - before == 2 * made


@pytest.mark.parametrize("kind", ["a file", "under a file", "not writable"])
def test_an_unusable_folder_is_passed_over(kind: str, fresh: Any, tmp_path: Path) -> None:
    place = tmp_path / "blocked"
    if kind == "not writable":
        place.mkdir()
        place.chmod(0o500)
    else:
        place.write_text("this is no folder")
    fresh.setenv("GRAPHC_CACHE_DIR", str(place / "below" if kind == "under a file" else place))
    np.testing.assert_allclose(value(), np.full(3, 3.125))


def test_the_folder_is_the_one_asked_for(fresh: Any, tmp_path: Path) -> None:
    value()
    kept = [p for p in (tmp_path / "kernels-of-a-test").rglob("*") if p.is_file()]
    assert kept
    assert all(p.parent.name == "kernels" and p.stem.encode() in p.read_bytes() for p in kept)
    assert cache.clear_cache() == len(kept)
    assert not [p for p in (tmp_path / "kernels-of-a-test").rglob("*") if p.is_file()]


MANY = """
import logging, sys
import numpy as np, graphc as gx
from graphc.codegen import cache
from graphc.expr.tensor import Tensor
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s|%(message)s")
cache._MANY = 4
x = gx.tensor("x", ("n",))
wanted = [gx.sum(x ** k, axis=0) * k + k for k in range(2, 14)] + [gx.linalg.det(gx.constant(np.eye(2)) * gx.sum(x))]
f = gx.compile(wanted)
a = np.arange(1.0, 4.0)
np.testing.assert_allclose(f(a), gx.evaluate(wanted, {x: a}), rtol=1e-5)
print(f.compiled.kernels, f.compiled.compiled, f.compiled.loaded, f.compiled.processes)
print(f.explain().splitlines()[0])
"""


def counts(place: Path, threads: int) -> tuple[list[int], list[str]]:
    lines = output(MANY, place, GRAPHC_NUM_THREADS=str(threads)).splitlines()
    numbers = next(line for line in lines if line[0].isdigit())
    return [int(n) for n in numbers.split()], lines


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_program_says_where_its_kernels_came_from(threads: int, tmp_path: Path) -> None:
    (kernels, compiled, loaded, processes), lines = counts(tmp_path, threads)
    assert (compiled, loaded, processes) == (kernels, 0, threads if cache.SUPPORTED else 1)
    assert any(line.startswith(f"graphc|{kernels} kernels: {kernels} compiled") for line in lines)
    assert f"; {kernels} compiled" in lines[-1]
    (again, compiled, loaded, processes), lines = counts(tmp_path, threads)
    assert (again, compiled, loaded, processes) == (kernels, 0, kernels, 1)
    assert not any(line.startswith("graphc|") for line in lines)
    assert f"; 0 compiled and {kernels} loaded from the cache" in lines[-1]


ALONE = """
import sys
import numpy as np, graphc as gx
functions = [gx.tanh, gx.exp, gx.log, gx.sin, gx.cos, gx.erf, gx.softplus, gx.sigmoid, gx.sinh, gx.floor]
inputs = [gx.tensor(f"x{k}", (f"n{k}",)) for k in range(len(functions))]
wanted = [function(x) for function, x in zip(functions, inputs)]
f = gx.compile(wanted)
assert f.compiled.compiled > len(wanted) and f.compiled.processes == 1, f.compiled
arrays = [np.ones(k) for k in range(len(wanted))]
for value, other in zip(f(*arrays), gx.evaluate(wanted, dict(zip(inputs, arrays)))):
    np.testing.assert_allclose(value, other, rtol=1e-5)
print("graphc.codegen.translate" in sys.modules)
"""


def test_many_kernels_are_compiled_without_a_compiler_in_the_process(tmp_path: Path) -> None:
    assert output(ALONE, tmp_path, GRAPHC_NUM_THREADS="1").split() == [str(not cache.SUPPORTED)]


@pytest.mark.parametrize("kind", ["missing", "failing", "waiting for ever", "another program"])
def test_helpers_that_cannot_work_are_done_without(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another program that Python is embedded in is not begun at all: who knows what it would do."""
    program = tmp_path / ("editor" if kind == "another program" else "python")
    if kind != "missing":
        program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'begun'}\n{'exit 1' if kind == 'failing' else 'exec sleep 1000'}\n")
        program.chmod(0o700)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(cache, "_loaded", {})
    monkeypatch.setattr(cache, "_FEW", 1)
    monkeypatch.setattr(cache, "_LONGEST", (0.5, 0.0))
    monkeypatch.setattr(sys, "executable", str(program))
    before = cache.compiled_here
    np.testing.assert_allclose(value(), np.full(3, 3.125))
    assert cache.compiled_here > before
    assert (tmp_path / "begun").exists() == (kind in ("failing", "waiting for ever") and cache.SUPPORTED)


def test_processes_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(gx.__file__).parent.parent)}
    running = [subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, b"")
    assert run(tmp_path) == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_without_a_home_nothing_is_shared_with_others(fresh: Any) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    fresh.delenv("GRAPHC_CACHE_DIR")
    fresh.delenv("XDG_CACHE_HOME", raising=False)
    fresh.setattr(Path, "home", nobody)
    np.testing.assert_allclose(value(), np.full(3, 3.125))
    assert cache.cache_directory() == cache.cache_directory()
    assert cache.cache_directory().stat().st_mode & 0o077 == 0


def test_numba_keeps_its_own_where_we_keep_nothing(fresh: Any, tmp_path: Path) -> None:
    fresh.setattr(cache, "SUPPORTED", False)
    np.testing.assert_allclose(value(), np.full(3, 3.125))
    before = cache.compiled_here
    for path in (tmp_path / "kernels-of-a-test" / "kernels").glob("*.machine"):
        path.unlink()
    fresh.setattr(cache, "_loaded", {})
    np.testing.assert_allclose(value(), np.full(3, 3.125))
    assert cache.compiled_here == before


def test_what_was_not_used_for_longest_goes_first(fresh: Any, tmp_path: Path) -> None:
    place = tmp_path / "kernels-of-a-test" / "kernels"
    place.mkdir(parents=True)
    for age, name in enumerate(["kernel_a.machine", "kernel_b.machine", "kernel_c.machine", "kernel_left.tmp", "notes.txt"]):
        (place / name).write_bytes(bytes(1000))
        os.utime(place / name, (1e9 - age, 1e9 - age))
    folder.note_use(place / "kernel_b.machine")
    assert folder.cache_contents().kernels == 3
    folder.prune(10_000)
    assert {p.name for p in place.iterdir()} == {"kernel_a.machine", "kernel_b.machine", "kernel_c.machine", "notes.txt"}
    folder.prune(2000)
    assert {p.name for p in place.iterdir()} == {"kernel_a.machine", "kernel_b.machine", "notes.txt"}
    folder.prune(1999)
    assert {p.name for p in place.iterdir()} == {"kernel_b.machine", "notes.txt"}
    assert folder.clear_cache() == 1
    assert {p.name for p in place.iterdir()} == {"notes.txt"}
