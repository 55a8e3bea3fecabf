"""What compiling costs: for some models the time to declare and differentiate, to compile cold and warm, kernels, memory.

Each model runs in two processes with a cache of its own, empty in the first and filled in the second. Seconds are those that a
processor spends on the main thread, and on processes that compile, so that other work on the machine does not count, nor that of
NumPy's threads, which wait in a loop for a while as it is imported; "whole" is everything from the start of the second process to
its first step, with Python, NumPy and SymPy. Memory is the largest resident size over that of the bare import.

    python examples/compile_cost.py [MODEL ...]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx

BATCH = 32


def mlp() -> tuple[gx.Tensor, list[gx.Tensor]]:
    """A small network, 30-30-15-2."""
    x, y = gx.tensor("x", ("n", 30)), gx.tensor("y", ("n",), dtype="int")
    layers = gx.layers
    net = gx.Sequential([layers.Dense(30, activation="relu"), layers.Dense(15, activation="relu"), layers.Dense(2)])
    return -gx.mean(gx.sum(gx.one_hot(y, 2) * gx.log_softmax(net(x)), axis=1)), [x, y]


def vgg() -> tuple[gx.Tensor, list[gx.Tensor]]:
    """Six convolutions of 3 by 3 with batch normalisation, on pictures of 32 by 32."""
    x, y = gx.tensor("x", ("n", 32, 32, 3)), gx.tensor("y", ("n",), dtype="int")
    layers = gx.layers
    stack: list[Any] = []
    for k, width in enumerate((32, 32, 64, 64, 128, 128)):
        stack += [layers.Conv2D(width, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        stack += [layers.MaxPooling2D(2)] if k % 2 else []
    net = gx.Sequential([*stack, layers.Flatten(), layers.Dense(10)])
    return -gx.mean(gx.sum(gx.one_hot(y, 10) * gx.log_softmax(net(x)), axis=1)), [x, y]


def lenet() -> tuple[gx.Tensor, list[gx.Tensor]]:
    """LeNet-5 on pictures of 32 by 32."""
    x, y = gx.tensor("x", ("n", 32, 32, 1)), gx.tensor("y", ("n",), dtype="int")
    layers = gx.layers
    net = gx.Sequential(
        [
            layers.Conv2D(6, 5, activation="tanh"), layers.AveragePooling2D(2), layers.Conv2D(16, 5, activation="tanh"), layers.AveragePooling2D(2),
            layers.Conv2D(120, 5, activation="tanh"), layers.Flatten(), layers.Dense(84, activation="tanh"), layers.Dense(10),
        ]
    )  # fmt: skip
    return -gx.mean(gx.sum(gx.one_hot(y, 10) * gx.log_softmax(net(x)), axis=1)), [x, y]


def lstm() -> tuple[gx.Tensor, list[gx.Tensor]]:
    """An LSTM of 32 steps from 16 to 64."""
    x, y = gx.tensor("x", (32, "n", 16)), gx.tensor("y", ("n",))
    w, u, b = gx.parameter("w", (16, 256)), gx.parameter("u", (64, 256)), gx.parameter("b", (256,), init=0.0)

    def step(carry: Any, item: gx.Tensor) -> Any:
        h, c = carry
        i, f, g, o = gx.split(item @ w + h @ u + b, 4, axis=1)
        c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
        h = gx.sigmoid(o) * gx.tanh(c)
        return (h, c), h

    zero = gx.broadcast_to(0.0, (x.shape[1], 64))
    (last, _), _ = gx.scan(step, x, (zero, zero))
    return gx.mean(((last @ gx.parameter("out", (64,))) - y) ** 2), [x, y]


def transformer(depth: int) -> tuple[gx.Tensor, list[gx.Tensor]]:
    """A transformer's encoder: width 64, 4 heads, 32 places."""
    width, heads, places = 64, 4, 32
    x, y = gx.tensor("x", ("n", places, width)), gx.tensor("y", ("n", places, width))

    def block(h: gx.Tensor, k: int) -> gx.Tensor:
        def weight(name: str, *shape: int, init: Any = "glorot_uniform") -> gx.Tensor:
            return gx.parameter(f"{name}{k}", shape, init=init)

        def split(t: gx.Tensor) -> gx.Tensor:
            return gx.swapaxes(t.reshape((x.shape[0], places, heads, width // heads)), 1, 2)

        q, key, v = (split(h @ weight(name, width, width) + weight(f"b{name}", width, init=0.0)) for name in "qkv")
        mixed = gx.swapaxes(gx.nn.attention(q, key, v), 1, 2).reshape((x.shape[0], places, width))
        h = gx.nn.layer_norm(h + mixed @ weight("o", width, width), weight("g", width, init=1.0), weight("c", width, init=0.0))
        wide = gx.relu(h @ weight("w", width, 4 * width) + weight("d", 4 * width, init=0.0))
        return gx.nn.layer_norm(h + wide @ weight("u", 4 * width, width), weight("e", width, init=1.0), weight("f", width, init=0.0))

    h = x
    for k in range(depth):
        h = block(h, k)
    return gx.mean((h - y) ** 2), [x, y]


MODELS: dict[str, Callable[[], tuple[gx.Tensor, list[gx.Tensor]]]] = {
    "mlp": mlp, "vgg": vgg, "encoder2": lambda: transformer(2), "encoder12": lambda: transformer(12), "lenet": lenet, "lstm": lstm,
}  # fmt: skip


def measure(name: str) -> dict[str, float]:
    """Declare, differentiate, compile and run one training step."""
    bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.thread_time()
    loss, inputs = MODELS[name]()
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    outputs = [loss, *gx.optimizers.Adam(1e-3).updates(loss, parameters)]
    declared = time.thread_time()
    rng = np.random.default_rng(0)
    sizes = [tuple(e if isinstance(e, int) else BATCH for e in t.shape) for t in inputs]
    arrays = [rng.integers(0, 10, s) if t.dtype == "int" else rng.normal(size=s) for t, s in zip(inputs, sizes, strict=True)]
    program = gx.compile(outputs, inputs=inputs)
    program(*arrays)
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN)
    compiled = time.thread_time() + helpers.ru_utime + helpers.ru_stime
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - bare) / 1024
    words = program.explain(measure=False).split(maxsplit=5)  # "118 kernel calls of 46 kernels ..."
    costs = {"declare": declared - start, "compile": compiled - declared, "whole": compiled, "memory": memory}
    return costs | {"calls": int(words[0]), "kernels": int(words[4].rstrip(";"))}


def main(names: list[str]) -> None:
    """Print the table."""
    print(f"{'model':10} {'declare':>8} {'cold':>8} {'warm':>8} {'whole':>8} {'calls':>6} {'kernels':>8} {'cold':>8} {'warm':>8}")
    for name in names:
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {"GRAPHC_CACHE_DIR": cache}
            command = [sys.executable, __file__, "--measure", name]
            runs = [subprocess.run(command, env=environment, check=True, capture_output=True).stdout for _ in range(2)]  # noqa: S603
        cold, warm = (json.loads(r) for r in runs)
        print(
            f"{name:10} {warm['declare']:6.2f} s {cold['compile']:6.2f} s {warm['compile']:6.2f} s {warm['whole']:6.2f} s "
            f"{cold['calls']:6} {cold['kernels']:8} {cold['memory']:5.0f} MB {warm['memory']:5.0f} MB"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main(sys.argv[1:] or list(MODELS))
