"""Sentences of words by their ids, of any length: an LSTM in both directions, and attention, tell whether they are kind."""

from __future__ import annotations

import numpy as np

import graphc as gx

WORDS, LONGEST, NOT = 200, 16, 1  # the id 0 fills up short sentences; the word 1 turns the one after it round


def sentences(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ids of words, each good, bad or neither, and whether the good ones outweigh the bad."""
    worth = np.zeros(WORDS)
    worth[2:22], worth[22:42] = 1.0, -1.0
    ids = np.where(rng.random((count, LONGEST)) < 0.25, rng.integers(2, 42, (count, LONGEST)), rng.integers(42, WORDS, (count, LONGEST)))
    ids[rng.random(ids.shape) < 0.15] = NOT
    ids[np.arange(LONGEST) >= rng.integers(6, LONGEST + 1, (count, 1))] = 0
    turned = np.where(np.roll(ids, 1, axis=1) == NOT, -1.0, 1.0)
    turned[:, 0] = 1.0
    score = (worth[ids] * turned).sum(1)
    return ids[score != 0], (score > 0)[score != 0].astype(int)


rng = np.random.default_rng(0)
(x, y), (new, truth) = sentences(3000, rng), sentences(500, rng)

recurrent = gx.Sequential([
    gx.layers.Embedding(WORDS, 16, mask_zero=True, input_length=LONGEST),
    gx.layers.Bidirectional(gx.layers.LSTM(16, dropout=0.1)),
    gx.layers.Dense(1, activation="sigmoid"),
], name="recurrent")  # fmt: skip

ids = gx.layers.Input((LONGEST,), dtype="int", name="ids")
words = gx.layers.Embedding(WORDS, 16, mask_zero=True)(ids)
before = gx.layers.Conv1D(16, 2, padding="causal", activation="relu")(words)
seen = gx.layers.MultiHeadAttention(num_heads=2, key_dim=8)(words, gx.layers.add([words, before]))
pooled = gx.layers.GlobalAveragePooling1D()(gx.layers.LayerNormalization()(gx.layers.add([words, seen])))
attentive = gx.Model(ids, gx.layers.Dense(1, activation="sigmoid")(gx.layers.Dense(16, activation="relu")(pooled)), name="attentive")

for model in (recurrent, attentive):
    model.compile(optimizer=gx.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=12, verbose=0, seed=0).history["loss"]
    right = model.evaluate(new, truth, verbose=0)[1]
    print(f"{model.name}, {model.count_params():,} weights: the loss fell from {history[0]:.3f} to {history[-1]:.3f}")
    print(f"it is right on {right:.1%} of sentences that it has not seen")
recurrent.summary()
