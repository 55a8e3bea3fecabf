"""How near sums of products come to the machine's peak: products of matrices and convolutions, beside NumPy and PyTorch.

One thread; the best of the rounds, in GFLOP/s. The peak is that of fused multiply-adds in registers, measured anew before each
round. What is compared takes turns, so that a busy machine disturbs all of it alike.

    GRAPHC_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python examples/contraction_speed.py [ROUNDS [float64]]
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("GRAPHC_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import graphc as gx
from graphc.codegen.executor import ONCE, executor
from graphc.codegen.peak import peak_flops

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
DTYPE = sys.argv[2] if len(sys.argv) > 2 else "float32"
RNG = np.random.default_rng(0)
MATRICES = (  # rows, columns, terms; which operands lie across
    (28, 32, 30, ""), (32, 256, 64, ""), (64, 64, 64, ""), (128, 128, 128, ""), (256, 256, 256, ""), (512, 512, 512, ""), (1024, 1024, 1024, ""),
    (128, 256, 512, ""), (784, 512, 128, "left"), (128, 784, 512, "right"), (1000, 10, 100, ""),
)  # fmt: skip
IMAGES = (  # batch, size, channels, filters, size of a filter
    (32, 32, 3, 32, 3), (32, 32, 32, 32, 3), (32, 16, 64, 64, 3), (32, 8, 128, 128, 3), (64, 28, 1, 6, 5), (64, 10, 6, 16, 5),
)  # fmt: skip
Case = tuple[str, float, Callable[[], Any], dict[str, Callable[[], Any]]]  # name, operations, ours, others


def ours(outputs: gx.Tensor, arrays: dict[gx.Tensor, Any]) -> Callable[[], Any]:
    """The kernels of a graph, without what a call from Python costs besides."""
    f = gx.compile(outputs, dtype=DTYPE)
    given = [arrays[t] for t in f.inputs]
    f(*given)
    execute = executor(ONCE)
    _, row = f.bind(tuple(a.shape for a in given))

    def run() -> None:
        assert f, given  # memory must live as long as its addresses
        execute(row.ctypes.data)

    return run


def product(m: int, n: int, k: int, across: str) -> Case:
    """A product of two matrices; of small ones a stack, so that a call costs little beside it."""
    count = max(1, 10_000_000 // (m * n * k))
    stack = (count,) if count > 1 else ()
    a, b = gx.tensor("a", (*stack, *((k, m) if across == "left" else (m, k)))), gx.tensor("b", (*stack, *((n, k) if across == "right" else (k, n))))
    x, y = (RNG.normal(size=t.shape).astype(DTYPE) for t in (a, b))
    left, right = (x.T if across == "left" else x), (y.T if across == "right" else y)
    result = np.empty((*stack, m, n), DTYPE)
    run = ours((a.T if across == "left" else a) @ (b.T if across == "right" else b), {a: x, b: y})
    name = f"{m} x {n} x {k}" + (f", {across} across" if across else "") + (f", {count} of them" if stack else "")
    return name, 2.0 * count * m * n * k, run, {"NumPy": lambda: np.matmul(left, right, out=result)}


def convolution(batch: int, size: int, channels: int, filters: int, f: int, of: str) -> Case:
    """A convolution of images that are padded already, or its gradient by the filter."""
    x, w = gx.tensor("x", (batch, size + f - 1, size + f - 1, channels)), gx.tensor("w", (f, f, channels, filters))
    y = gx.nn.conv2d(x, w)
    g = gx.tensor("g", y.shape)
    arrays = {t: RNG.normal(size=t.shape).astype(DTYPE) for t in (x, w, g)}
    wanted = y if of == "value" else gx.vjp(y, w, g)
    peers: dict[str, Callable[[], Any]] = {}
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)
        last = torch.channels_last
        images, gradient = (torch.tensor(arrays[t]).permute(0, 3, 1, 2).contiguous(memory_format=last) for t in (x, g))
        weights = torch.tensor(arrays[w]).permute(3, 2, 0, 1).contiguous(memory_format=last)
        back = torch.ops.aten.convolution_backward
        one, none = [1, 1], [0, 0]
        peers["PyTorch"] = (
            (lambda: torch.conv2d(images, weights))
            if of == "value"
            else lambda: back(gradient, images, weights, None, one, none, one, False, none, 1, [False, True, False])
        )
    operations = 2.0 * batch * size * size * channels * filters * f * f
    return f"{batch} of {size} x {size}, {channels} to {filters}, {f} x {f}, {of}", operations, ours(wanted, arrays), peers


def best(run: Callable[[], Any], operations: float) -> float:
    """GFLOP/s of the quickest of some runs, for a twentieth of a second."""
    quickest, end = float("inf"), time.perf_counter() + 0.05
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        quickest = min(quickest, time.perf_counter() - start)
    return operations / quickest / 1e9


def main() -> None:
    """Print the table."""
    cases = [product(*sizes) for sizes in MATRICES]
    cases += [convolution(*sizes, of) for sizes in IMAGES for of in ("value", "by filter")]
    for name, operations, run, peers in cases:
        figures: dict[str, float] = {}
        for _ in range(ROUNDS):
            now = {"peak": peak_flops(1, 0.05) / 1e9 / (1 if DTYPE == "float32" else 2), "graphc": best(run, operations)}
            now |= {other: best(call, operations) for other, call in peers.items()}
            figures = {key: max(value, figures.get(key, 0.0)) for key, value in now.items()}
        share = figures["graphc"] / figures["peak"]
        ratios = "".join(f", {figures['graphc'] / figures[other]:.2f} of {other}'s" for other in peers)
        print(f"{name:45s} {figures['graphc']:6.1f} of {figures['peak']:6.1f} GFLOP/s, {share:4.0%}{ratios}", flush=True)


if __name__ == "__main__":
    main()
