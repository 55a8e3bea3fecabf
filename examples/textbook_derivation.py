"""The textbook's backpropagation through a network of two layers, derived step by step and proved by numbers."""

from __future__ import annotations

import graphc as gx

x = gx.tensor("x", ("d",))
y = gx.tensor("y", ("k",))
W1, W2 = gx.tensor("W1", ("m", "d")), gx.tensor("W2", ("k", "m"))
z = (W1 @ x).named("z")
h = gx.sigmoid(z).named("h")
o = (W2 @ h).named("o")
loss = (gx.sum((o - y) ** 2) / 2).named("J")

derivation = gx.derive(loss, W1)
for number, step in enumerate(derivation.steps, start=1):
    print(f"{number}. {step.text}    ({step.reason})")
print()
print(derivation.text)
for quantity in derivation.where:
    print(f"    where {quantity.text}")
print(derivation.verify())
