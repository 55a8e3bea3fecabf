"""A contractive autoencoder: the Jacobian of the code is penalised, so a gradient stands within the loss."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import graphc as gx

CODE = 12
images = load_digits().data / 16.0


def train(strength: float) -> tuple[float, float]:
    """The error of the pictures and the squared norm of the Jacobian after training with a penalty."""
    x = gx.tensor("x", ("n", 64))
    W, b = gx.parameter("W", (64, CODE)), gx.parameter("b", (CODE,), init=0.0)
    V, c = gx.parameter("V", (CODE, 64)), gx.parameter("c", (64,), init=0.0)
    code = gx.sigmoid(x @ W + b)
    error = gx.mean((gx.sigmoid(code @ V + c) - x) ** 2)
    # Samples do not mix: the gradient of one entry's sum over all of them is each one's own row of the Jacobian.
    rows = [gx.grad(gx.sum(code[:, k]), x) for k in range(CODE)]
    jacobian = sum(gx.sum(row**2) for row in rows) / x.shape[0]
    loss = error + strength * jacobian
    step = gx.compile([loss, *gx.optimizers.Adam(0.01).updates(loss, [W, b, V, c])])
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = rng.permutation(len(images))
        for k in range(0, len(images), 64):
            step(images[order[k : k + 64]])
    found = gx.compile([error, jacobian])(images)
    return float(found[0]), float(found[1])


for strength in (0.0, 1e-4, 1e-3):
    error, jacobian = train(strength)
    print(f"penalty {strength:6}: squared error of the pictures {error:.4f}, squared norm of the code's Jacobian {jacobian:.3f}")
print("the stronger the penalty, the less the code moves when the picture does")
