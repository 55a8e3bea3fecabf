"""A convolutional network with batch norm and pooling that reads digits of 8 by 8 pixels."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import graphc as gx

digits = load_digits()
images = (digits.images / 16.0)[..., None]
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1400], order[1400:]

layers = gx.layers
model = gx.Sequential(
    [
        layers.Input((8, 8, 1)),
        layers.Conv2D(8, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(images[train], digits.target[train], batch_size=50, epochs=12, verbose=0, seed=0).history

model.summary()
print(f"in training {history['accuracy'][-1]:.1%} are right in the last epoch, {history['accuracy'][0]:.1%} in the first")
_, right = model.evaluate(images[test], digits.target[test], verbose=0)
print(f"of {len(test)} digits that it has not seen {right:.1%} are right")
print("drawn to", gx.draw(model).save("convolution.svg"))
