"""The exclusive or: no single neuron computes it, two layers do; and the trained network is drawn."""

from __future__ import annotations

import numpy as np

import graphc as gx

inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
targets = np.array([0, 1, 1, 0])


def train(*layers: gx.layers.Layer) -> gx.Sequential:
    """A network of these layers after 300 epochs."""
    model = gx.Sequential([*layers, gx.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=gx.optimizers.Adam(0.1), loss="binary_crossentropy")
    model.fit(inputs, targets, batch_size=4, epochs=300, seed=0, verbose=0)
    return model


alone = train()
deep = train(gx.layers.Dense(4, activation="tanh"))
print("targets          ", targets)
print("one neuron       ", alone.predict(inputs).ravel().round(2))
print("with hidden layer", deep.predict(inputs).ravel().round(2))
print("drawn to", gx.draw(deep, view="neuron").save("exclusive-or.svg"))
