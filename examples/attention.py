"""A causal attention block: every position may look back, and learns to copy what stood three places before."""

from __future__ import annotations

import numpy as np

import graphc as gx

LENGTH, SYMBOLS, WIDTH, HEADS, BACK = 12, 6, 32, 2, 3

ids = gx.tensor("ids", ("n", LENGTH), dtype="int")
wanted = gx.tensor("wanted", ("n", LENGTH), dtype="int")
table = gx.parameter("table", (SYMBOLS, WIDTH), init=gx.initializers.RandomNormal(stddev=0.5))
position = gx.parameter("position", (LENGTH, WIDTH), init=gx.initializers.RandomNormal(stddev=0.5))
Q, K, V, R = (gx.parameter(name, (WIDTH, WIDTH)) for name in ("Q", "K", "V", "R"))
out = gx.parameter("out", (WIDTH, SYMBOLS))
gamma, beta = gx.parameter("gamma", (WIDTH,), init=1.0), gx.parameter("beta", (WIDTH,), init=0.0)


def heads(t: gx.Tensor) -> gx.Tensor:
    """(n, length, width) as (n, heads, length, width of a head)."""
    return gx.swapaxes(t.reshape((ids.shape[0], LENGTH, HEADS, WIDTH // HEADS)), 1, 2)


h = gx.nn.embedding(table, ids) + position
normal = gx.nn.layer_norm(h, gamma, beta)
causal = np.tril(np.ones((LENGTH, LENGTH), dtype=bool))
mixed = gx.nn.attention(heads(normal @ Q), heads(normal @ K), heads(normal @ V), mask=causal)
h = h + gx.swapaxes(mixed, 1, 2).reshape((ids.shape[0], LENGTH, WIDTH)) @ R
scores = h @ out
likely = gx.log_softmax(scores, axis=-1)
loss = -gx.mean(gx.sum(gx.one_hot(wanted, SYMBOLS) * likely, axis=-1)[:, BACK:])

parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
step = gx.compile([loss, *gx.optimizers.Adam(0.01).updates(loss, parameters)], inputs=[ids, wanted])
rng = np.random.default_rng(0)
losses: list[float] = []
for _ in range(200):
    texts = rng.integers(0, SYMBOLS, (64, LENGTH))
    losses.append(float(step(texts, np.roll(texts, BACK, axis=1))[0]))

texts = rng.integers(0, SYMBOLS, (200, LENGTH))
said = gx.compile(gx.argmax(scores, axis=-1))(texts)[:, BACK:]
print(f"the loss fell from {losses[0]:.3f} to {losses[-1]:.4f}")
print(f"{np.mean(said == texts[:, :-BACK]):.1%} of the symbols are the one {BACK} places before; by chance it would be {1 / SYMBOLS:.1%}")
print("drawn to", gx.draw(loss).save("attention.svg"))
