"""What reductions, short rows and exchanged axes cost in a compiled kernel: ns an entry read, on one thread, for tables that stay in the cache.

    python examples/reduction_time.py [KIND ...]

Each figure is the least of many runs of a few hundred steps, without Python between them, less what the same steps take without the kernel.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ["GRAPHC_NUM_THREADS"] = "1"

import graphc as gx

ROWS, COLUMNS = (1024, 4096), (3, 6, 10, 16, 64, 100)
KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "sum along rows": lambda x, _: gx.sum(x, axis=1),
    "sum across rows": lambda x, _: gx.sum(x, axis=0),
    "sum over the middle": lambda x, _: gx.sum(gx.reshape(x, (32, -1, x.shape[1])), axis=1),
    "maximum along rows": lambda x, _: gx.max(x, axis=1),
    "maximum across rows": lambda x, _: gx.max(x, axis=0),
    "products of rows' scalars": lambda x, r: gx.sum((x - gx.reshape(r, (-1, 1))) * x * gx.reshape(r, (-1, 1)), axis=0),
    "exp(x - row's scalar)": lambda x, r: gx.exp(x - gx.reshape(r, (-1, 1))),
    "softmax": lambda x, _: gx.softmax(x),
    "transpose": lambda x, _: gx.transpose(x),
}


def seconds(made: Callable[[Any, Any], Any] | None, shape: tuple[int, int], steps: int) -> float:
    """A step's least time, with the kernel or without any."""
    rng = np.random.default_rng(0)
    x, r = (gx.parameter(name, s, init=rng.uniform(0.5, 1.5, s)) for name, s in (("x", shape), ("r", shape[:1])))
    z = gx.tensor("z", ("n",))
    f = gx.compile([gx.sum(z), *([] if made is None else [made(x, r)])], [z])
    order, times = np.zeros(steps, "int64"), list[float]()
    for _ in range(25):
        start = time.perf_counter()
        f.run({z: np.ones(1, "float32")}, order, 1)
        times.append(time.perf_counter() - start)
    return min(times) / steps


if __name__ == "__main__":
    print(f"{'':28}" + "".join(f"{f'{n} x {m}':>12}" for n in ROWS for m in COLUMNS))
    for kind in sys.argv[1:] or KINDS:
        row = ""
        for n in ROWS:
            for m in COLUMNS:
                steps = max(20, 2_000_000 // (n * m))
                row += f"{(seconds(KINDS[kind], (n, m), steps) - seconds(None, (n, m), steps)) / (n * m) * 1e9:12.3f}"
        print(f"{kind:28}{row}", flush=True)
