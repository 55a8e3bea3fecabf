"""The pages as a browser shows them: nothing is written to its console, and something is seen. Skipped where there is no Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import graphc as gx
from graphc.cli import page

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path")


def shown(target: Path, size: str = "1200,1600") -> np.ndarray:
    """What a browser shows of a page, as an array of pixels; its console has to stay empty."""
    assert BROWSER is not None
    image = target.with_suffix(".shot.png")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
        f"--user-data-dir={target.parent / 'profile'}", f"--window-size={size}", f"--screenshot={image}", target.as_uri(),
    ]  # fmt: skip
    environment = os.environ | {"HOME": str(target.parent)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert [line for line in run.stderr.splitlines() if re.search(r"CONSOLE", line)] == []
    assert image.exists(), run.stderr
    return np.asarray(Image.open(image).convert("RGB")).astype(int)


def colours(pixels: np.ndarray) -> int:
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


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


def test_a_page_like_that_of_the_tour(tmp_path: Path) -> None:
    e, at = circuit()
    sections = [page.section("One", page.figure(gx.draw(e, at=at).svg, "caption", wide=True), page.details("More", page.code("x = 1")))]
    target = tmp_path / "tour.html"
    target.write_text(page.page("Title", "Lead", sections), encoding="utf-8")
    assert colours(shown(target)) > 50
