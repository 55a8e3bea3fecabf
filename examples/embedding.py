"""Words as vectors: short texts are praise or blame, and the network finds out which words say so."""

from __future__ import annotations

import numpy as np

import graphc as gx

WORDS = ["", "good", "great", "lovely", "fine", "bad", "poor", "awful", "dull", "the", "film", "music", "was", "and", "very", "a"]
PRAISE, BLAME, REST = range(1, 5), range(5, 9), range(9, len(WORDS))
LENGTH, WIDTH = 8, 4

ids = gx.tensor("ids", ("n", LENGTH), dtype="int")
praised = gx.tensor("praised", ("n",))
table = gx.parameter("table", (len(WORDS), WIDTH), init="uniform")
w, b = gx.parameter("w", (WIDTH,), init="normal"), gx.parameter("b", (), init=0.0)

# The mean over the words that are there: 0 stands for no word.
there = gx.where(ids > 0, 1.0, 0.0)
meaning = gx.sum(gx.nn.embedding(table, ids) * there[:, :, None], axis=1) / gx.maximum(gx.sum(there, axis=1, keepdims=True), 1.0)
z = meaning @ w + b
loss = gx.mean(gx.softplus(z) - praised * z)

rng = np.random.default_rng(0)
answers = rng.integers(0, 2, 800)
texts = np.zeros((800, LENGTH), dtype=np.int64)
for row, answer in zip(texts, answers, strict=True):
    length = rng.integers(3, LENGTH + 1)
    row[:length] = rng.choice(REST, length)
    places = rng.choice(length, 2, replace=False)
    row[places] = rng.choice(PRAISE if answer else BLAME, 2)

step = gx.compile([loss, *gx.optimizers.Adam(0.02).updates(loss, [table, w, b])], inputs=[ids, praised])
losses = [float(step(texts[k : k + 50], answers[k : k + 50])[0]) for _ in range(20) for k in range(0, 700, 50)]

right = (gx.compile(z)(texts[700:]) > 0) == answers[700:]
print(f"the loss fell from {losses[0]:.3f} to {losses[-1]:.4f}; of 100 new texts {right.sum()} are understood")
for word, says in sorted(zip(WORDS[1:], (table.value @ w.value)[1:], strict=True), key=lambda pair: -pair[1]):
    print(f"  {word:7} {says:+.2f}")
print("drawn to", gx.draw(loss).save("embedding.svg"))
