"""An operation of one's own from one formula: a locally connected layer, a convolution whose kernel differs from place to place."""

from __future__ import annotations

import numpy as np

import graphc as gx

t, u, c, d = gx.indices("t u c d")
signal = gx.tensor("signal", ("n", 12, 2))
kernel = gx.parameter("kernel", (5, 4, 2, 3), init=0.1)
n = gx.indices("n")

# The kernel has the place t among its axes; a convolution's would not.
layer = gx.define("layer", (n, t, d), gx.Sum(signal[n, 2 * t + u, c] * kernel[t, u, c, d], u, c))
loss = gx.mean(gx.relu(layer) ** 2)

print(f"{signal} and {kernel} give {layer}")
data = {signal: np.random.default_rng(0).normal(size=(8, 12, 2))}
gradient = gx.evaluate(gx.grad(loss, kernel), data)
print(f"the gradient with respect to the kernel has shape {gradient.shape} and norm {np.linalg.norm(gradient):.4f}")
print(gx.check_gradients(loss, kernel, at=data))
