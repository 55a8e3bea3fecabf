"""The setting of the number of threads is obeyed, or refused."""

from __future__ import annotations

import pytest

import graphc as gx


@pytest.mark.parametrize("given", ["", "1", " 1 ", "2", "64", "0001"])
def test_a_number_of_threads_is_obeyed(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", given)
    x = gx.tensor("x", ("n",))
    f = gx.compile(x + 1)
    assert f.threads == 1
    assert f([1.0])[0] == 2.0


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "²", "1 2"])
def test_anything_else_is_refused(given: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", given)
    x = gx.tensor("x", ("n",))
    with pytest.raises(gx.CompileError, match=r"GRAPHC_NUM_THREADS=.*set it to 1, or unset it"):
        gx.compile(x + 1, target=target)
