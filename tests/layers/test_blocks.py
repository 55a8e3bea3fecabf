"""Layers that assign to states, within layers and models of one's own: as in a plain row of them."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import layers as K
from graphc import models as M

RNG = np.random.default_rng(0)


def block():
    return [K.Dense(3, kernel_initializer="glorot_uniform"), K.BatchNormalization(momentum=0.8)]


class InACall(K.Layer):
    def __init__(self):
        super().__init__()
        self.net = M.Sequential(block())

    def call(self, x):
        return self.net(x)


class MadeInBuild(K.Layer):
    def build(self, input_shape):
        self.net = M.Sequential([K.Input(input_shape[1:]), *block()])

    def call(self, x):
        return self.net(x)


class AGraphMadeInBuild(K.Layer):
    def build(self, input_shape):
        x = K.Input(input_shape[1:])
        dense, normal = block()
        self.net = M.Model(x, normal(dense(x)))

    def call(self, x):
        return self.net(x)


class AModel(M.Model):
    def __init__(self):
        super().__init__()
        self.dense, self.normal = block()

    def call(self, x):
        return self.normal(self.dense(x))


class Around(K.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


WAYS = [
    InACall,
    MadeInBuild,
    AGraphMadeInBuild,
    AModel,
    lambda: Around(MadeInBuild()),
    lambda: Around(AModel()),
    lambda: Around(M.Sequential([InACall()])),
]


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_statistics_inside_layers_and_models_of_ones_own(way):
    x, y = RNG.normal(size=(24, 4)), RNG.normal(size=(24, 1))
    plain, made = (M.Sequential([K.Input((4,)), *layers, K.Dense(1)]) for layers in (block(), [WAYS[way]()]))
    made.set_weights(plain.get_weights())
    for model in (plain, made):
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=3, batch_size=7, seed=0, verbose=0)
    for one, other in zip(plain.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plain.predict(x), made.predict(x), rtol=1e-5, atol=1e-6)


def test_a_model_with_statistics_at_each_time():
    x = RNG.normal(2, size=(16, 5, 3))
    model = M.Sequential([K.Input((5, 3)), K.TimeDistributed(M.Sequential([K.BatchNormalization(momentum=0.5)]))])
    model.compile("sgd", "mse")
    model.fit(x, x, batch_size=16, verbose=0)
    mean = next(w.value for w in model.weights if w.name.endswith("moving_mean"))
    np.testing.assert_allclose(mean, x.mean((0, 1)) / 2, rtol=1e-5)
