"""A page as a browser shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path")


def shown(target: Path, size: str = "1200,1600") -> np.ndarray[Any, Any]:
    """What a browser shows of a page, as an array of pixels; its console has to stay empty."""
    assert BROWSER is not None
    image = target.with_suffix(".shot.png")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
        f"--user-data-dir={target.parent / 'profile'}", f"--window-size={size}", f"--screenshot={image}", target.as_uri(),
    ]  # fmt: skip
    environment = os.environ | {"HOME": str(target.parent)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert said == [], said
    assert image.exists(), run.stderr
    return np.asarray(Image.open(image).convert("RGB")).astype(int)


def colours(pixels: np.ndarray[Any, Any]) -> int:
    """How many colours there are; one on a blank page."""
    return len(np.unique(pixels.reshape(-1, 3), axis=0))
