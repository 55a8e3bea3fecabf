"""The networks in JAX: a compiled step, called once a batch or scanned over the whole epoch."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from graphc.bench import parts as p
from graphc.bench.peers import Epochs
from graphc.bench.workloads import Data, Workload

__all__ = ["epochs"]

_EPSILON, _MOMENTUM = 1e-3, 0.99  # Keras's, for its norms
# A part as a function of its weights, the running statistics that it has, and the input: the output and the statistics' next values.
_Run = Callable[[Any, list[Any], list[Any], Any], tuple[Any, list[Any]]]


class _Parts:
    """The parts as functions of arrays."""

    def __init__(self) -> None:
        self.jax: Any = import_module("jax")
        self.jnp: Any = import_module("jax.numpy")
        self.activations: dict[str, Callable[[Any], Any]] = {"": lambda x: x, "relu": self.jax.nn.relu, "tanh": self.jnp.tanh}
        self.table: dict[type[p.Part], Callable[[Any, list[Any], Any], Any]] = {
            p.Dense: self.dense, p.Conv: self.convolution, p.Relu: lambda _, __, x: self.jax.nn.relu(x), p.MaxPool: self.largest,
            p.MeanPool: lambda _, __, x: self.window(x, 0.0, self.jax.lax.add) / 4, p.Flatten: lambda _, __, x: x.reshape(len(x), -1),
            p.Recurrent: self.recurrent, p.Encoder: self.encoder, p.MeanOverTime: lambda _, __, x: x.mean(1),
        }  # fmt: skip

    def dense(self, part: p.Dense, w: list[Any], x: Any) -> Any:
        return self.activations[part.activation](x @ w[0] + w[1])

    def convolution(self, part: p.Conv, w: list[Any], x: Any) -> Any:
        y = self.jax.lax.conv_general_dilated(x, w[0], (1, 1), "SAME" if part.same else "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return self.activations[part.activation](y + w[1] if part.bias else y)

    def window(self, x: Any, start: float, combine: Any) -> Any:
        return self.jax.lax.reduce_window(x, start, combine, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def largest(self, _: p.Part, __: list[Any], x: Any) -> Any:
        return self.window(x, -np.inf, self.jax.lax.max)

    def batch_norm(self, w: list[Any], state: list[Any], x: Any) -> tuple[Any, list[Any]]:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        new = [_MOMENTUM * old + (1 - _MOMENTUM) * now for old, now in zip(state, (mean, variance), strict=True)]
        return (x - mean) * (w[0] * self.jax.lax.rsqrt(variance + _EPSILON)) + w[1], new

    def recurrent(self, part: p.Recurrent, w: list[Any], x: Any) -> Any:
        """The inputs' projections at once, before the loop."""
        jax, jnp, u = self.jax, self.jnp, part.units
        kernel, again, bias = w

        def simple(h: Any, a: Any) -> tuple[Any, None]:
            return jnp.tanh(a + h @ again), None

        def lstm(carry: tuple[Any, Any], a: Any) -> tuple[Any, None]:
            h, c = carry
            i, f, g, o = jnp.split(a + h @ again, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        def gru(h: Any, a: Any) -> tuple[Any, None]:
            b = h @ again + bias[1]
            z, r = jax.nn.sigmoid(a[:, :u] + b[:, :u]), jax.nn.sigmoid(a[:, u : 2 * u] + b[:, u : 2 * u])
            return z * h + (1 - z) * jnp.tanh(a[:, 2 * u :] + r * b[:, 2 * u :]), None

        items = x.transpose(1, 0, 2) @ kernel + (bias[0] if part.kind == "GRU" else bias)
        zero = jnp.zeros((len(x), u), x.dtype)
        if part.kind == "LSTM":
            return jax.lax.scan(lstm, (zero, zero), items)[0][0]
        return jax.lax.scan(gru if part.kind == "GRU" else simple, zero, items)[0]

    def norm(self, w: list[Any], x: Any) -> Any:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * self.jax.lax.rsqrt(variance + _EPSILON) * w[0] + w[1]

    def encoder(self, part: p.Encoder, w: list[Any], x: Any) -> Any:
        size = x.shape[-1] // part.heads
        flat = [a.reshape(x.shape[-1], -1) for a in w[0:6:2]]
        q, k, v = (self.split(x @ a + b.reshape(-1), part.heads) for a, b in zip(flat, w[1:6:2], strict=True))
        scores = self.jax.nn.softmax(q @ k.swapaxes(2, 3) / size**0.5)
        joined = (scores @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = self.norm(w[8:10], x + joined @ w[6].reshape(-1, x.shape[-1]) + w[7])
        return self.norm(w[14:16], x + self.jax.nn.relu(x @ w[10] + w[11]) @ w[12] + w[13])

    def split(self, x: Any, heads: int) -> Any:
        return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    def loss(self, workload: Workload, weights: list[list[Any]], state: list[list[Any]], x: Any, beside: Any) -> tuple[Any, list[list[Any]]]:
        """The loss of a batch, and the running statistics after it."""
        h, jnp, divergence, after = x, self.jnp, 0.0, list(state)
        for k, part in enumerate(workload.parts):
            if isinstance(part, p.Latent):
                m, s = h @ weights[k][0] + weights[k][1], h @ weights[k][2] + weights[k][3]
                h = m + jnp.exp(0.5 * s) * beside
                divergence = -0.5 * (1 + s - m * m - jnp.exp(s)).sum(1).mean()
            elif isinstance(part, p.BatchNorm):
                h, after[k] = self.batch_norm(weights[k], state[k], h)
            else:
                h = self.table[type(part)](part, weights[k], h)
        if workload.latent:
            return (self.jax.nn.softplus(h) - x * h).sum(1).mean() + divergence, after
        return -(beside * self.jax.nn.log_softmax(h)).sum(1).mean(), after


def epochs(workload: Workload, data: Data) -> Epochs:
    """Two ways: the epoch as one scan, and a compiled step called for each batch."""
    net = _Parts()
    jax, jnp = net.jax, net.jnp
    tree: Any = jax.tree_util.tree_map
    x, beside = jnp.asarray(data.x), jnp.asarray(data.beside)
    weights = [[jnp.asarray(a) for a in part] for part in data.weights]
    norms = [isinstance(part, p.BatchNorm) for part in workload.parts]
    running = [[jnp.zeros(len(w[0])), jnp.ones(len(w[0]))] if norm else [] for norm, w in zip(norms, weights, strict=True)]

    def update(carry: Any, batch: Any) -> tuple[Any, Any]:
        w, m, v, t, state = carry
        (value, state), g = jax.value_and_grad(lambda w: net.loss(workload, w, state, x[batch], beside[batch]), has_aux=True)(w)
        t = t + 1
        m = tree(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = tree(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        rate, correction = 1e-3 / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        w = tree(lambda a, b, c: a - rate * b / (jnp.sqrt(c) / correction + 1e-7), w, m, v)
        return (w, m, v, t, state), value

    def start() -> Any:
        zero = tree(jnp.zeros_like, weights)
        return tree(jnp.array, (weights, zero, zero, jnp.zeros(()), running))

    whole = jax.jit(lambda carry, batches: jax.lax.scan(update, carry, batches), donate_argnums=0)
    single = jax.jit(update, donate_argnums=0)
    carries = {"scan": start(), "step": start()}

    def scanned(order: Any) -> float:
        carries["scan"], losses = whole(carries["scan"], jnp.asarray(order.reshape(-1, workload.batch)))
        return float(losses.mean())

    def stepped(order: Any) -> float:
        total = []
        for batch in order.reshape(-1, workload.batch):
            carries["step"], value = single(carries["step"], batch)
            total.append(value)
        return float(np.mean([float(value) for value in total]))

    return {"scan": scanned, "step": stepped}
