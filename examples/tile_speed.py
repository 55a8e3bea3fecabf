"""What convolutions gain tile by tile (Winograd), and what they lose: a convolution and both its gradients, beside plain sums of products.

It prints the table of docs/design/tiles.md, row by row. Both take turns; the best of the rounds, in ms. The error is that of float32
against the plain sums in float64, relative to the largest number of the result.

    python examples/tile_speed.py [ROUNDS]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
IMAGES = (  # batch, size, channels, filters, size of a filter
    (32, 32, 16, 16, 3), (32, 32, 32, 32, 3), (32, 16, 16, 64, 3), (32, 16, 64, 64, 3), (32, 8, 128, 128, 3), (8, 56, 64, 64, 3),
    (8, 28, 128, 128, 3), (8, 14, 256, 256, 3), (32, 8, 32, 32, 3), (32, 16, 32, 32, 5), (1, 32, 64, 64, 3),
)  # fmt: skip


def network(batch: int, size: int, channels: int, filters: int, f: int) -> list[gx.Tensor]:
    """A convolution, and its gradients by the images and by the filter."""
    x, w = gx.tensor("x", (batch, size, size, channels)), gx.tensor("w", (f, f, channels, filters))
    g = gx.tensor("g", (batch, size, size, filters))
    y = gx.nn.conv2d(x, w, padding="same")
    return [y, gx.vjp(y, x, g), gx.vjp(y, w, g)]


def compiled(outputs: list[gx.Tensor], arrays: list[Any], way: str, dtype: str = "float32") -> Callable[[], Any]:
    """A call of the compiled network, whose convolutions are computed in one way or the other."""
    os.environ["GRAPHC_CONVOLUTIONS"] = way
    f = gx.compile(outputs, inputs=[gx.leaves(outputs)[name] for name in "xwg"], dtype=dtype)
    return lambda: f(*arrays)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    print("| images | plain, ms | by tiles, ms | times as fast | error of the value | by the images | by the filter |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for sizes in IMAGES:
        batch, size, channels, filters, f = sizes
        outputs = network(*sizes)
        arrays = [
            rng.normal(size=s).astype("float32") for s in ((batch, size, size, channels), (f, f, channels, filters), (batch, size, size, filters))
        ]
        runs = [compiled(outputs, arrays, way) for way in ("direct", "")]
        exact = compiled(outputs, [a.astype("float64") for a in arrays], "direct", "float64")()
        errors = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(runs[1](), exact, strict=True)]
        best = [float("inf")] * 2
        for _ in range(ROUNDS):
            for k, run in enumerate(runs):
                start = time.perf_counter()
                run()
                best[k] = min(best[k], time.perf_counter() - start)
        name = f"{batch} of {size} × {size}, {channels} to {filters} channels, {f} × {f}"
        cells = [f"{best[0] * 1e3:.2f}", f"{best[1] * 1e3:.2f}", f"{best[0] / best[1]:.2f}", *(f"{e:.1e}" for e in errors)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
