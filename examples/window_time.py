"""How long convolutions and pools take, forward and backward, and what each pass over windows saves.

Float32, one thread; the least of the rounds, in µs. Each line is compiled anew without one pass, and with all. The passes
are turned off here through the table that the compiler reads; it is no public name.

    python examples/window_time.py [ROUNDS [CASE ...]]

A CASE is the beginning of a name in the first column; without one those of one axis are taken, and "all" takes all of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.rewrite.passes import PASSES

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
WITHOUT = ((), ("lanes",), ("layouts",), ("padding",), ("residues",), ("borders",), ("residues", "padding", "lanes", "layouts", "borders"))
RNG = np.random.default_rng(0)
Outputs = tuple[list[gx.Tensor], list[gx.Tensor]]


def window(shape: tuple[int, ...], operation: Callable[..., gx.Tensor], kernel: tuple[int, ...] | None, of: str) -> Outputs:
    """Inputs and outputs: the operation's value (``y``), or its adjoint by the input (``x``) or the filter (``k``)."""
    inputs = [gx.tensor("x", shape), *([gx.tensor("k", kernel)] if kernel else [])]
    y = operation(*inputs)
    if of == "y":
        return inputs, [y]
    g = gx.tensor("g", y.shape)
    return [*inputs, g], [gx.vjp(y, inputs["xk".index(of)], g)]


def step(layers: list[gx.layers.Layer]) -> Outputs:
    """The loss and the gradients of a network of ten classes on 32 pictures."""
    x, y = gx.tensor("x", (32, 28, 28, 3)), gx.tensor("y", (32, 10))
    net = gx.Sequential(layers)
    loss = -gx.mean(gx.sum(y * gx.log_softmax(net(x)), axis=1))
    return [x, y], [loss, *gx.grad(loss, [t for t in gx.leaves(loss).values() if t.kind == "parameter"])]


def lenet() -> Outputs:
    """Two convolutions, the first padded, with pools between them."""
    n = gx.layers
    pairs = [n.Conv2D(6, 5, padding="same", activation="relu"), n.MaxPooling2D(2), n.Conv2D(16, 5, activation="relu"), n.MaxPooling2D(2)]
    return step([*pairs, n.Flatten(), n.Dense(120, activation="relu"), n.Dense(84, activation="relu"), n.Dense(10)])


def strided() -> Outputs:
    """Three convolutions of stride 2 instead of pools."""
    n = gx.layers
    return step([*(n.Conv2D(f, 3, strides=2, padding="same", activation="relu") for f in (16, 32, 64)), n.Flatten(), n.Dense(10)])


def conv(sizes: tuple[int, ...], channels: int, of: str, **options: Any) -> Callable[[], Outputs]:
    """A convolution of 8 samples with three taps an axis."""
    operation = gx.nn.conv2d if len(sizes) == 2 else gx.nn.conv1d
    kernel = (*[3] * len(sizes), channels, channels)
    return lambda: window((8, *sizes, channels), lambda x, k: operation(x, k, **options), kernel, of)


def pool(name: str, of: str, **options: Any) -> Callable[[], Outputs]:
    """A pool of 8 pictures with windows of 3 by 3."""
    return lambda: window((8, 28, 28, 16), lambda x: getattr(gx.nn, name)(x, 3, **options), None, of)


CASES: dict[str, Callable[[], Outputs]] = {
    "lenet": lenet,
    "strided": strided,
    **{f"28x28x32 same d{of}": conv((28, 28), 32, of, padding="same") for of in "yxk"},
    **{f"32x32x64 same d{of}": conv((32, 32), 64, of, padding="same") for of in "yxk"},
    **{f"256x32 same d{of}": conv((256,), 32, of, padding="same") for of in "yxk"},
    **{f"28x28x32 stride 2 d{of}": conv((28, 28), 32, of, padding="same", strides=2) for of in "yxk"},
    **{f"{name} {label} d{of}": pool(name, of, **options) for name in ("avg_pool2d", "max_pool2d") for of in "yx"
       for label, options in (("same", {"strides": 1, "padding": "same"}), ("stride 2", {"strides": 2}))},
}  # fmt: skip


def measure(case: Callable[[], Outputs], without: tuple[str, ...]) -> float:
    """The least time of a call, in µs."""
    kept = dict(PASSES)
    PASSES.update({name: lambda outputs, _: list(outputs) for name in without})
    try:
        inputs, outputs = case()
        f = gx.compile(outputs, inputs=inputs)
        arrays = [RNG.normal(size=t.shape).astype(np.float32) for t in inputs]
        f(*arrays)
    finally:
        PASSES.update(kept)
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        f(*arrays)
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


if __name__ == "__main__":
    chosen = sys.argv[2:] or ["256x32"]
    print(f"{'':24}" + "".join(f"{'no ' + '+'.join(w) if w else 'all':>14}" for w in WITHOUT[:-1]) + f"{'none':>14}")
    for name in (c for c in CASES if chosen == ["all"] or any(c.startswith(start) for start in chosen)):
        print(f"{name:24}" + "".join(f"{measure(CASES[name], w):14.0f}" for w in WITHOUT), flush=True)
