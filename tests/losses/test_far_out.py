"""Cross-entropies of scores far out: the textbook's formulas keep their value and gradient in float32."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import losses as L

SPELLINGS = {
    "sigmoid": lambda z: gx.sigmoid(z),
    "named": lambda z: gx.sigmoid(z).named("p"),
    "written out": lambda z: 1 / (1 + gx.exp(-z)),
    "reshaped": lambda z: gx.reshape(gx.sigmoid(z), (-1, 1))[:, 0],
}


@pytest.mark.parametrize("z", [-200.0, -20.0, 0.0, 20.0, 200.0])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_scores_far_out_keep_their_loss_and_gradient(spelling, z):
    score, target = gx.tensor("z", (1,)), gx.tensor("y", (1,))
    loss = L.binary_crossentropy(target, SPELLINGS[spelling](score))
    value, slope = gx.evaluate([loss, gx.grad(loss, score)], {score: [z], target: [1.0]}, dtype="float32")
    np.testing.assert_allclose(value, np.logaddexp(0, -z), rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(slope, [-1 / (1 + np.exp(z))], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("sparse", [False, True])
def test_softmax_far_out(sparse):
    z = gx.tensor("z", (2, 3))
    scores = np.array([[200.0, 0.0, -200.0], [0.0, 0.0, 0.0]])
    y = [2, 0] if sparse else [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    loss = (L.sparse_categorical_crossentropy if sparse else L.categorical_crossentropy)(gx.constant(y), gx.softmax(z))
    value, slope = gx.evaluate([loss, gx.grad(loss, z)], {z: scores}, dtype="float32")
    np.testing.assert_allclose(value, (400 + np.log(3)) / 2, rtol=1e-6)
    np.testing.assert_allclose(slope, [[0.5, 0, -0.5], [-1 / 3, 1 / 6, 1 / 6]], atol=1e-6)
