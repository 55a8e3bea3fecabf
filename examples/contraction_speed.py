"""How near sums of products come to the machine's peak: products of matrices and convolutions, beside NumPy and PyTorch.

It prints the two tables of docs/design/contractions.md, row by row. One thread; the best of the rounds, in GFLOP/s. The peak is that
of fused multiply-adds in registers, measured anew before each round. What is compared takes turns, so that a busy machine disturbs
all of it alike. Convolutions are plain sums of products here; examples/tile_speed.py measures them tile by tile.

    GRAPHC_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python examples/contraction_speed.py [ROUNDS]
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
os.environ["GRAPHC_CONVOLUTIONS"] = "direct"

import numpy as np

import graphc as gx
from graphc.codegen.executor import ONCE, executor
from graphc.codegen.peak import peak_flops

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RNG = np.random.default_rng(0)
PEAKS: list[float] = []  # of all rounds
MATRICES = (  # rows, columns, terms; which operands lie across
    (28, 32, 30, ""), (32, 256, 64, ""), (64, 64, 64, ""), (128, 128, 128, ""), (256, 256, 256, ""), (512, 512, 512, ""), (1024, 1024, 1024, ""),
    (128, 256, 512, ""), (784, 512, 128, "left"), (128, 784, 512, "right"), (1000, 10, 100, ""),
)  # fmt: skip
IMAGES = (  # batch, size, channels, filters, size of a filter
    (32, 32, 3, 32, 3), (32, 32, 32, 32, 3), (32, 16, 64, 64, 3), (32, 8, 128, 128, 3), (64, 28, 1, 6, 5), (64, 10, 6, 16, 5),
)  # fmt: skip
Case = tuple[float, Callable[[], Any], Callable[[], Any] | None]  # operations, ours, the other library's


def ours(outputs: gx.Tensor, arrays: dict[gx.Tensor, Any], dtype: str) -> Callable[[], Any]:
    """The kernels of a graph, without what a call from Python costs besides."""
    f = gx.compile(outputs, dtype=dtype)
    given = [arrays[t] for t in f.inputs]
    f(*given)
    execute = executor(ONCE)
    _, row = f.bind(tuple(a.shape for a in given))

    def run() -> None:
        assert f, given  # memory must live as long as its addresses
        execute(row.ctypes.data)

    return run


def stacked(m: int, n: int, k: int) -> int:
    """How many products of small matrices stand in a stack, so that a call costs little beside them."""
    return max(1, 10_000_000 // (m * n * k))


def product(m: int, n: int, k: int, across: str, dtype: str) -> Case:
    """A product of two matrices, or of a stack of them."""
    count = stacked(m, n, k)
    stack = (count,) if count > 1 else ()
    a, b = gx.tensor("a", (*stack, *((k, m) if across == "left" else (m, k)))), gx.tensor("b", (*stack, *((n, k) if across == "right" else (k, n))))
    x, y = (RNG.normal(size=t.shape).astype(dtype) for t in (a, b))
    left, right = (x.T if across == "left" else x), (y.T if across == "right" else y)
    result = np.empty((*stack, m, n), dtype)
    run = ours((a.T if across == "left" else a) @ (b.T if across == "right" else b), {a: x, b: y}, dtype)
    return 2.0 * count * m * n * k, run, lambda: np.matmul(left, right, out=result)


def convolution(batch: int, size: int, channels: int, filters: int, f: int, of: str) -> Case:
    """A convolution of images that are padded already, or its gradient by the filter."""
    x, w = gx.tensor("x", (batch, size + f - 1, size + f - 1, channels)), gx.tensor("w", (f, f, channels, filters))
    y = gx.nn.conv2d(x, w)
    g = gx.tensor("g", y.shape)
    arrays = {t: RNG.normal(size=t.shape).astype("float32") for t in (x, w, g)}
    wanted = y if of == "value" else gx.vjp(y, w, g)
    other: Callable[[], Any] | None = None
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)
        last = torch.channels_last
        images, gradient = (torch.tensor(arrays[t]).permute(0, 3, 1, 2).contiguous(memory_format=last) for t in (x, g))
        weights = torch.tensor(arrays[w]).permute(3, 2, 0, 1).contiguous(memory_format=last)
        back = torch.ops.aten.convolution_backward
        one, none = [1, 1], [0, 0]
        other = (
            (lambda: torch.conv2d(images, weights))
            if of == "value"
            else lambda: back(gradient, images, weights, None, one, none, one, False, none, 1, [False, True, False])
        )
    return 2.0 * batch * size * size * channels * filters * f * f, ours(wanted, arrays, "float32"), other


def best(run: Callable[[], Any], operations: float) -> float:
    """GFLOP/s of the quickest of some runs, for a twentieth of a second."""
    quickest, end = float("inf"), time.perf_counter() + 0.05
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        quickest = min(quickest, time.perf_counter() - start)
    return operations / quickest / 1e9


def measured(case: Case, peak_of: float = 1.0) -> tuple[str, str, str]:
    """The best of the rounds, its share of the peak, and how it stands to the other library's."""
    operations, run, other = case
    peak = own = theirs = 0.0
    for _ in range(ROUNDS):
        peak = max(peak, peak_flops(1, 0.05) / 1e9 * peak_of)
        PEAKS.append(peak / peak_of)
        own = max(own, best(run, operations))
        theirs = max(theirs, best(other, operations)) if other is not None else 0.0
    return f"{own:.0f}", f"{own / peak:.0%}".replace("%", " %"), f"{own / theirs:.2f}" if theirs else ""


def row(name: str, *cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join([name, *cells])} |", flush=True)


def product_name(m: int, n: int, k: int, across: str) -> str:
    """What a product's row is called."""
    how = f", {across} across" if across else ", a stack" if stacked(m, n, k) > 1 else ""
    return f"{m} × {n} × {k}{how}"


def convolution_name(batch: int, size: int, channels: int, filters: int, f: int) -> str:
    """What a convolution's row is called."""
    return f"{batch} of {size} × {size}, {channels} to {filters} channels, {f} × {f}"


def main() -> None:
    """Print the tables."""
    row("product (rows, columns, terms)", "float32", "of the peak", "of NumPy's", "float64", "of NumPy's")
    row(*["---"] * 6)
    for sizes in MATRICES:
        double = measured(product(*sizes, "float64"), 0.5)
        row(product_name(*sizes), *measured(product(*sizes, "float32")), double[0], double[2])
    print()
    row("convolution, float32", *("value", "of the peak", "of PyTorch's"), *("by filter", "of the peak", "of PyTorch's"))
    row(*["---"] * 7)
    for sizes in IMAGES:
        row(convolution_name(*sizes), *(cell for of in ("value", "by filter") for cell in measured(convolution(*sizes, of))))
    print(f"\nThe peak was {min(PEAKS):.0f} to {max(PEAKS):.0f} GFLOP/s in float32.")


if __name__ == "__main__":
    main()
