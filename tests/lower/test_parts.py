"""Results that are put together, one from what another one is put together from too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.runtime.prepare import prepare

RNG = np.random.default_rng(0)
W = 32  # wide enough that what is joined is cut at its seams
z, u = gx.tensor("z", ("n", 3 * W)), gx.tensor("u", ("n", W))
first, second, third = z[:, :W], z[:, W : 2 * W], z[:, 2 * W :]

# Losses whose gradients by z share parts.
LOSSES: dict[str, list[Any]] = {
    "all of one's and some more": [gx.sum(first * u) + gx.sum(second * 3), gx.sum(first * u) + gx.sum(second * 3) + gx.sum(third * u)],
    "one in common": [gx.sum(first * u) + gx.sum(second), gx.sum(first * u) + gx.sum(third**2)],
    "one that is an output too": [gx.sum(first * u), gx.sum(first * u) + gx.sum(third**2)],
    "one that something else reads": [gx.sum(first * u), gx.sum(first * u) + gx.sum(third**2) + gx.sum(third[:, :1] ** 3)],
}


def gradients(case: str) -> list[Any]:
    return [gx.grad(loss, z) for loss in LOSSES[case]]


@pytest.mark.parametrize("case", LOSSES)
def test_values_stay(case: str) -> None:
    outputs = gradients(case)
    for n in (0, 1, 5, 40):
        feed = {z: RNG.normal(size=(n, 3 * W)), u: RNG.normal(size=(n, W))}
        for got, want in zip(gx.compile(outputs, [z, u], dtype="float64")(feed[z], feed[u]), gx.evaluate(outputs, feed), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_shared_parts_are_written_to_each_by_one_kernel() -> None:
    gru = gx.layers.GRU(W)
    inputs = gx.layers.Input((6, 5))
    loss = gx.sum(gru(inputs) ** 2)
    program = prepare(gx.grad(loss, gru.weights), None).program()
    *_, backward = [c.loop.body for c in program.calls if c.loop is not None]
    put_together = [c for c in backward.calls if c.whole is not None or c.clears]
    assert [len(c.tensors) for c in put_together] == [3, 3]  # the gates of the input and of the state: two parts in common, nothing cleared
