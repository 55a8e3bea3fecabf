"""A variational autoencoder of digits: noise within the graph, and the divergence as a loss that the model adds."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import graphc as gx

CODE = 4
images = load_digits().data / 16.0

x = gx.layers.Input((64,))
h = gx.layers.Dense(48, activation="relu")(x)
mean, logvar = gx.layers.Dense(CODE, name="mean")(h), gx.layers.Dense(CODE, name="logvar")(h)
noise = gx.random.normal((x.shape[0], CODE))
code = gx.by_phase(training=mean + gx.exp(0.5 * logvar) * noise, inference=mean)
hidden, last = gx.layers.Dense(48, activation="relu", name="hidden"), gx.layers.Dense(64, activation="sigmoid", name="pixels")
model = gx.Model(x, last(hidden(code)))
divergence = -0.5 * gx.sum(1 + logvar - mean**2 - gx.exp(logvar), axis=1)
model.add_loss(0.01 * gx.mean(divergence))
model.compile(optimizer=gx.optimizers.Adam(3e-3), loss="mse")
history = model.fit(images, images, batch_size=64, epochs=30, verbose=0, seed=0).history["loss"]

back = model.predict(images[:200])
print(f"the loss fell from {history[0]:.4f} to {history[-1]:.4f}")
print(f"pictures come back with a squared error of {np.mean((back - images[:200]) ** 2):.4f}; the mean picture has {images.var(0).mean():.4f}")

c = gx.tensor("c", ("n", CODE))
fresh = gx.compile(last(hidden(c)))(np.random.default_rng(1).normal(size=(3, CODE)))
print("three digits that nobody wrote:")
for rows in zip(*(picture.reshape(8, 8) for picture in fresh), strict=True):
    print("   ".join("".join(" .:*#"[min(4, int(5 * p))] * 2 for p in row) for row in rows))
