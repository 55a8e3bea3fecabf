"""What programs take on an NVIDIA device, beside the CPU: products, elementary functions, reductions, training steps.

    python examples/device_time.py [scale]

Each program reads parameters, which stay on the device, and gives one number; a call's own cost, of launches and of that
number's way back, is in every figure.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import graphc as gx
from graphc import layers, models


def fastest(call: Callable[[], Any], seconds: float = 1.0) -> float:
    """The shortest of many calls, in seconds; the first ones compile."""
    call()
    call()
    best, stop = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def programs(n: int) -> dict[str, tuple[Any, float]]:
    """Outputs, and the operations or bytes that they take."""
    a, b = gx.parameter("a", (n, n), init="glorot_uniform"), gx.parameter("b", (n, n), init="glorot_uniform")
    return {
        f"product of {n} x {n}, GFLOP/s": (gx.sum(a @ b), 2e-9 * n**3),
        f"tanh of {n} x {n}, GB/s": (gx.assign(a, gx.tanh(a))[0, 0], 8e-9 * n**2),
        f"sum of {n} x {n}, GB/s": (gx.sum(b), 4e-9 * n**2),
        f"column sums of {n} x {n}, GB/s": (gx.sum(b, axis=0)[0], 4e-9 * n**2),
        f"row sums of {n} x {n}, GB/s": (gx.sum(b, axis=1)[0], 4e-9 * n**2),
    }


def step(target: str, sizes: tuple[int, ...], batch: int) -> float:
    """Microseconds of a training step with Adam."""
    import numpy as np

    model = models.Sequential([*(layers.Dense(n, activation="relu") for n in sizes[1:-1]), layers.Dense(sizes[-1], activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", target=target)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20 * batch, sizes[0])).astype("float32"), rng.integers(0, sizes[-1], 20 * batch)
    return fastest(lambda: model.fit(x, y, epochs=1, batch_size=batch, verbose=0)) / 20 * 1e6


def main(n: int) -> None:
    """Print the table, or what is missing for it."""
    try:
        gx.compile(gx.scalar("x") + 1, target="cuda")
    except gx.CompileError as error:
        print(error)
        return
    for name, (output, amount) in programs(n).items():
        figures = [amount / fastest(gx.compile(output, target=target)) for target in ("cuda", "cpu")]
        print(f"{name:40} cuda {figures[0]:10.1f}   cpu {figures[1]:10.1f}", flush=True)
    for sizes, batch in (((30, 30, 15, 2), 32), ((784, 512, 256, 10), 128)):
        figures = [step(target, sizes, batch) for target in ("cuda", "cpu")]
        print(f"{f'step of {sizes}, batch {batch}, us':40} cuda {figures[0]:10.1f}   cpu {figures[1]:10.1f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048)
