"""Numbers below the normal range: 0 in training steps, kept by all else, before and afterwards; one rule for all threads."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pytest

import graphc as gx

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors have another mode, or none")
SMALL = np.float32(3e-38)
BELOW = SMALL / np.float32(4)


def kept() -> bool:
    """Whether this thread's processor keeps small numbers."""
    return bool((np.full(64, SMALL) / np.float32(4) == BELOW).all())


def quarter(kind: Any, rows: int = 3) -> tuple[Any, Any]:
    """A parameter or a state, and what makes a quarter of it."""
    p = kind("p", (rows, 64), init=np.full((rows, 64), SMALL))
    return p, gx.assign(p, 0.25 * p)


@pytest.mark.parametrize(
    ("kind", "setting", "want"),
    [
        (gx.parameter, "", 0.0), (gx.parameter, "keep", BELOW), (gx.parameter, "flush", 0.0),
        (gx.state, "", BELOW), (gx.state, "keep", BELOW), (gx.state, "flush", 0.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("run", [False, True])
def test_a_training_step_takes_them_as_0(kind: Any, setting: str, want: float, run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DENORMALS", setting)
    p, updated = quarter(kind)
    x = gx.tensor("x", ("n",))
    f = gx.compile([gx.sum(x), updated], [x])
    if run:
        f.run({x: np.ones(4, np.float32)}, np.arange(4), 4)
    else:
        f(np.ones(4, np.float32))
    np.testing.assert_array_equal(p.value, np.full((3, 64), want, np.float32))
    assert kept()


def test_a_function_of_values_keeps_them_beside_a_training_step() -> None:
    x = gx.tensor("x", ("n",))
    f, (_, updated) = gx.compile(0.25 * x), quarter(gx.parameter)
    step = gx.compile([updated])
    for _ in range(2):
        np.testing.assert_array_equal(f(np.full(100, SMALL)), np.full(100, BELOW))
        step()


@pytest.mark.parametrize("run", [False, True])
def test_they_are_kept_again_after_a_call_that_raises(run: bool) -> None:
    ids, table = gx.tensor("ids", ("n",), dtype="int"), gx.parameter("table", (5, 64), init=np.ones((5, 64)))
    f = gx.compile([gx.sum(gx.take(table, ids)), gx.assign(table, 0.5 * table)], [ids])
    for bad in ([7, 1, 2, 3], [1, 2, 3, -9]):
        with pytest.raises(gx.DataError):
            f.run({ids: np.array(bad)}, np.arange(4), 2) if run else f(np.array(bad))
        assert kept()


@pytest.mark.parametrize(("setting", "want"), [("keep", BELOW), ("", 0.0)])
def test_helpers_take_them_as_their_caller_does(setting: str, want: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "3")
    monkeypatch.setenv("GRAPHC_DENORMALS", setting)
    p, updated = quarter(gx.parameter, 20_000)
    f = gx.compile([updated])
    for _ in range(20):
        p.value = np.full((20_000, 64), SMALL)
        f()
        np.testing.assert_array_equal(p.value, np.full((20_000, 64), want, np.float32))
    assert f.divided


def test_another_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DENORMALS", "drop")
    with pytest.raises(gx.CompileError, match="neither"):
        gx.compile(gx.tensor("x", ("n",)) + 1)
