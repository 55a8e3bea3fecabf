"""A generative adversarial network: two losses over two sets of parameters, each compiled with its own updates."""

from __future__ import annotations

import numpy as np

import graphc as gx

NOISE, BATCH = 4, 128
generator = gx.Sequential([gx.layers.Dense(24, activation="tanh"), gx.layers.Dense(2)], name="generator")
discriminator = gx.Sequential([gx.layers.Dense(32, activation="relu"), gx.layers.Dense(1, activation="sigmoid")], name="discriminator")

z, real = gx.tensor("z", ("n", NOISE)), gx.tensor("real", ("n", 2))
fake = generator(z)
loss_d = -gx.mean(gx.log(discriminator(real)) + gx.log(1 - discriminator(fake)))
loss_g = -gx.mean(gx.log(discriminator(fake)))

adam_d, adam_g = gx.optimizers.Adam(2e-3, beta_1=0.5), gx.optimizers.Adam(1e-3, beta_1=0.5)
teach_d = gx.compile([loss_d, *adam_d.updates(loss_d, discriminator.trainable_weights)], inputs=[z, real])
teach_g = gx.compile([loss_g, *adam_g.updates(loss_g, generator.trainable_weights)], inputs=[z])

rng = np.random.default_rng(0)
draw = gx.compile(fake)
mean, spread = np.array([2.0, -1.0]), np.array([[0.8, 0.3], [0.0, 0.5]])
print(f"the true points lie around {mean}, with deviations {np.sqrt(np.diag(spread.T @ spread)).round(2)}")
for turn in range(3001):
    if turn % 1000 == 0:
        points = draw(rng.normal(size=(2000, NOISE)))
        print(f"after {turn:4} turns the drawn ones around {points.mean(0).round(2)}, with deviations {points.std(0).round(2)}")
    truth = mean + rng.normal(size=(BATCH, 2)) @ spread
    teach_d(rng.normal(size=(BATCH, NOISE)), truth)
    teach_g(rng.normal(size=(BATCH, NOISE)))
print("drawn to", gx.draw([loss_d, loss_g]).save("gan.svg"))
