"""How long a training step takes, beside PyTorch and JAX where they are installed.

A 30-30-15-2 network with ReLU and softmax cross-entropy, batches of 32, Adam, float32, whole shuffled epochs with the order
drawn outside the timed code. The libraries take turns; medians over the rounds are printed, and their ratios.

    python examples/step_time.py [SAMPLES [ROUNDS]]

SAMPLES is the length of an epoch, by default 4160; with 416, what a library does once an epoch counts ten times as much.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 4160
BATCH, WIDTHS = 32, (30, 30, 15, 2)
STEPS = SAMPLES // BATCH
RNG = np.random.default_rng(0)
X = RNG.normal(size=(SAMPLES, WIDTHS[0])).astype(np.float32)
Y = np.eye(2, dtype=np.float32)[RNG.integers(0, 2, SAMPLES)]
WEIGHTS = [(RNG.normal(size=(a, b)) / a**0.5).astype(np.float32) for a, b in pairwise(WIDTHS)]
Epoch = Callable[[np.ndarray], float]


def with_graphc() -> Epoch:
    """The epoch as graphc compiles it."""
    import graphc as gx

    x, y = gx.tensor("x", ("n", WIDTHS[0])), gx.tensor("y", ("n", 2))
    weights = [gx.parameter(f"W{k}", w.shape, init=w) for k, w in enumerate(WEIGHTS)]
    biases = [gx.parameter(f"b{k}", w.shape[1:], init=0.0) for k, w in enumerate(WEIGHTS)]
    h = x
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        h = h @ w + b if k == len(weights) - 1 else gx.relu(h @ w + b)
    loss = -gx.mean(gx.sum(y * gx.log_softmax(h), axis=1))
    step = gx.compile([loss, *gx.optimizers.Adam(1e-3, epsilon_after_correction=True).updates(loss, [*weights, *biases])])
    return lambda order: step.run({x: X, y: Y}, order, BATCH)[0]


def with_torch() -> Epoch:
    """The same loop in PyTorch, its Adam fused."""
    import torch

    torch.set_num_threads(2)
    layers: list[torch.nn.Module] = []
    for k, w in enumerate(WEIGHTS):
        layer = torch.nn.Linear(w.shape[0], w.shape[1])
        layer.weight.data, layer.bias.data = torch.tensor(w.T.copy()), torch.zeros(w.shape[1])
        layers += [layer] if k == len(WEIGHTS) - 1 else [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-7, fused=True)
    x, y = torch.tensor(X), torch.tensor(Y)

    def epoch(order: np.ndarray) -> float:
        total = 0.0
        for batch in torch.from_numpy(order).split(BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / STEPS

    return epoch


def with_jax() -> Epoch:
    """The epoch as one `lax.scan`, compiled by XLA."""
    import jax
    import jax.numpy as jnp

    def loss(p: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        for k in range(0, len(p), 2):
            x = x @ p[k] + p[k + 1]
            x = x if k == len(p) - 2 else jax.nn.relu(x)
        return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(x), axis=1))

    def update(state: tuple[list[jax.Array], list[jax.Array], list[jax.Array], jax.Array], batch: jax.Array) -> tuple[object, jax.Array]:
        p, m, v, t = state
        value, g = jax.value_and_grad(loss)(p, jnp.asarray(X)[batch], jnp.asarray(Y)[batch])
        t = t + 1
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
        rate, correction = 1e-3 / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        p = [a - rate * b / (jnp.sqrt(c) / correction + 1e-7) for a, b, c in zip(p, m, v, strict=True)]
        return (p, m, v, t), value

    run = jax.jit(lambda state, batches: jax.lax.scan(update, state, batches))
    start = [jnp.asarray(t) for w in WEIGHTS for t in (w, np.zeros(w.shape[1], np.float32))]
    state = [(start, [a * 0 for a in start], [a * 0 for a in start], jnp.zeros(()))]

    def epoch(order: np.ndarray) -> float:
        state[0], losses = run(state[0], jnp.asarray(order.reshape(STEPS, BATCH)))
        return float(losses.mean())

    return epoch


def main(rounds: int) -> None:
    """Time the libraries in turns and print medians and ratios."""
    peers = {"graphc": with_graphc, "torch": with_torch, "jax": with_jax}
    epochs = {name: make() for name, make in peers.items() if importlib.util.find_spec(name)}
    orders = [np.random.default_rng(k).permutation(SAMPLES) for k in range(rounds + 2)]
    losses = {name: [epoch(order) for order in orders[:2]] for name, epoch in epochs.items()}  # compiles
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for order in orders[2:]:
        for name, epoch in epochs.items():
            start = time.perf_counter()
            losses[name].append(epoch(order))
            times[name].append((time.perf_counter() - start) / STEPS * 1e6)
    fastest = statistics.median(times["graphc"])
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:8} {middle:9.1f} µs a step, {middle / fastest:6.1f} times graphc's; best {min(values):8.1f}; loss {losses[name][-1]:.6f}")


if __name__ == "__main__":
    main(int(sys.argv[2]) if len(sys.argv) > 2 else 30)
