"""The pages as a browser shows them: nothing is written to its console, and something is seen. Skipped where there is no Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphc as gx
from tests.cli.browser import colours, needs_browser, shown

pytestmark = needs_browser


def circuit() -> tuple[gx.Tensor, dict[gx.Tensor, float]]:
    a, b = gx.scalars("a b")
    return ((a + b).named("c") * (b + 1).named("d")).named("e"), {a: 2.0, b: 1.0}


def test_the_console_is_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text("<!DOCTYPE html><title>t</title><script>console.error('lost')</script>", encoding="utf-8")
    with pytest.raises(AssertionError, match="lost"):
        shown(broken)


def test_a_blank_page_has_one_colour(tmp_path: Path) -> None:
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>t</title>", encoding="utf-8")
    assert colours(shown(blank)) == 1


def test_a_picture(tmp_path: Path) -> None:
    e, at = circuit()
    assert colours(shown(gx.draw(e, backward=True, at=at).save(tmp_path / "e.html"))) > 50


def test_the_passes(tmp_path: Path) -> None:
    e, at = circuit()
    assert colours(shown(gx.frames(e, at=at).save(tmp_path / "e.html"))) > 50


def test_a_derivation(tmp_path: Path) -> None:
    e, at = circuit()
    target = tmp_path / "d.html"
    gx.derive(e, next(iter(at))).save(target)
    assert colours(shown(target)) > 10
