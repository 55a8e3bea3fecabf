"""An LSTM in ten lines, by gx.scan: it reads a noisy wave and says how fast it swings."""

from __future__ import annotations

import numpy as np

import graphc as gx

LENGTH, HIDDEN = 24, 16

x = gx.tensor("x", ("n", LENGTH, 1))
W = gx.parameter("W", (1, 4 * HIDDEN))
U = gx.parameter("U", (HIDDEN, 4 * HIDDEN), init="orthogonal")
b = gx.parameter("b", (4 * HIDDEN,), init=0.0)


def step(carry: tuple[gx.Tensor, gx.Tensor], item: gx.Tensor) -> tuple[tuple[gx.Tensor, gx.Tensor], gx.Tensor]:
    """One moment: gates, the cell's next content, the next output."""
    h, c = carry
    i, f, g, o = gx.split(item @ W + h @ U + b, 4, axis=1)
    c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
    h = gx.sigmoid(o) * gx.tanh(c)
    return (h, c), h


zero = gx.broadcast_to(0.0, (x.shape[0], HIDDEN))
(last, _), _ = gx.scan(step, gx.swapaxes(x, 0, 1), (zero, zero))
model = gx.Model(x, gx.layers.Dense(1)(last))
model.compile(optimizer=gx.optimizers.Adam(0.01), loss="mse")

rng = np.random.default_rng(0)
speed = rng.uniform(0.2, 1.2, (600, 1))
waves = np.sin(speed * np.arange(LENGTH) + rng.uniform(0, 6.3, (600, 1))) + 0.05 * rng.normal(size=(600, LENGTH))
history = model.fit(waves[:500, :, None], speed[:500], batch_size=50, epochs=40, verbose=0, seed=0).history["loss"]

guessed = model.predict(waves[500:, :, None])
print(f"the loss fell from {history[0]:.4f} to {history[-1]:.5f} in {len(history)} epochs")
print(f"on waves it has not seen it is off by {np.abs(guessed - speed[500:]).mean():.3f} on average; their speeds spread by {speed.std():.3f}")
print("drawn to", gx.draw(model).save("lstm.svg"))
