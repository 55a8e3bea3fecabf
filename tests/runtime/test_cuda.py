"""``target="cuda"``: what is missing is said; programs run in numba-cuda's simulator, and on a device where there is one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphc as gx
from graphc import layers as K
from graphc import models
from graphc.codegen.cuda import available

ROOT = Path(__file__).parent.parent.parent
INSTALLED = importlib.util.find_spec("numba_cuda") is not None
needs_numba_cuda = pytest.mark.skipif(not INSTALLED, reason='numba-cuda is not installed: pip install "numba-cuda"')


def process(simulated: bool, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of Python's, in which the simulator takes the device's place or does not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"NUMBA_ENABLE_CUDASIM": str(int(simulated)), "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)


@needs_numba_cuda
@pytest.mark.parametrize("simulated", [True, False], ids=["in the simulator", "on a device"])
def test_programs(simulated: bool) -> None:
    if not simulated and available.missing() is not None:
        pytest.skip(f"no device: {available.missing()}")
    done = process(simulated, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/runtime/device_programs.py")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("compiling", ["a tensor", "a model"])
def test_without_the_package_it_is_named(compiling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "numba_cuda" else find(name, *rest))
    with pytest.raises(
        gx.CompileError, match=r'^target="cuda" cannot be used: the package numba-cuda is not installed: pip install "graphc\[cuda\]"'
    ):
        start(compiling)


def start(compiling: str) -> Any:
    if compiling == "a tensor":
        return gx.compile(gx.tensor("x", ("n",)) + 1, target="cuda")
    model = models.Sequential([K.Dense(1)])
    model.compile("sgd", "mse", target="cuda")
    return model


@pytest.mark.parametrize("compiling", ["a tensor", "a model"])
def test_whatever_is_missing_is_told_at_once(compiling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "missing", lambda: "there is no driver: install one")
    with pytest.raises(gx.CompileError, match=r'^target="cuda" cannot be used: there is no driver: install one; or use target="cpu"$'):
        start(compiling)


@needs_numba_cuda
def test_without_a_driver_or_a_device_that_is_said() -> None:
    reason = available.missing()
    if reason is None or os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        pytest.skip("there is a device, or its simulator")
    with pytest.raises(gx.CompileError, match=r"driver|device|compiler"):
        start("a tensor")
    assert "\n" not in reason


@needs_numba_cuda
def test_an_error_of_the_launch_is_ours() -> None:
    text = """
import graphc as gx


x = gx.tensor("x", ("n",))
f = gx.compile(x + 1, target="cuda")
bound = f._layout(((3,),))
bound.early[:] = [lambda iteration: 1 / 0]
try:
    f([1.0, 2.0, 3.0])
except gx.CompileError as error:
    print(error)
"""
    done = process(True, "-c", text)
    assert done.stdout.startswith("a kernel could not be run on the device (ZeroDivisionError): please report this"), done.stderr
