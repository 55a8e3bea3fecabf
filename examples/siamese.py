"""A siamese pair: one network on two digits learns a distance, by which digits that it has never seen are told apart."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import graphc as gx

digits = load_digits()
data, labels = digits.data / 16.0, digits.target

tower = gx.Sequential([gx.layers.Dense(48, activation="relu"), gx.layers.Dense(8)], name="tower")
a, b = gx.tensor("a", ("n", 64)), gx.tensor("b", ("n", 64))
same = gx.tensor("same", ("n",))

distance = gx.norm(tower(a) - tower(b), axis=1)
loss = gx.mean(same * distance**2 + (1 - same) * gx.maximum(1.0 - distance, 0.0) ** 2)
step = gx.compile([loss, *gx.optimizers.Adam(3e-3).updates(loss, tower.trainable_weights)], inputs=[a, b, same])

rng = np.random.default_rng(0)


def pairs(of: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of the samples given, half of them of one digit."""
    left = rng.choice(of, count)
    right = rng.choice(of, count)
    for k in range(0, count, 2):
        right[k] = rng.choice(of[labels[of] == labels[left[k]]])
    return data[left], data[right], (labels[left] == labels[right]).astype(float)


known = np.flatnonzero((labels != 0) & (labels != 4))  # 0 and 4 are never seen
losses = [float(step(*pairs(known, 64))[0]) for _ in range(600)]

left, right, alike = pairs(np.flatnonzero((labels == 0) | (labels == 4)), 400)
apart = gx.compile(distance)(left, right)
print(f"the loss fell from {losses[0]:.3f} to {np.mean(losses[-20:]):.4f}")
print(f"two zeros or two fours, never seen: distance {apart[alike == 1].mean():.2f}; a zero and a four: {apart[alike == 0].mean():.2f}")
print("drawn to", gx.draw(loss).save("siamese.svg"))
