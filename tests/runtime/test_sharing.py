"""Equal structure is compiled once: a deeper network calls its kernels more often, and has no more of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gx

WIDTH = 8


def residual(h: gx.Tensor, k: int) -> gx.Tensor:
    normal = gx.nn.layer_norm(h, gx.parameter(f"g{k}", (WIDTH,), init=1.0), gx.parameter(f"c{k}", (WIDTH,), init=0.0))
    return h + gx.tanh(normal @ gx.parameter(f"w{k}", (WIDTH, WIDTH)) + gx.parameter(f"b{k}", (WIDTH,), init=0.0))


def recurrent(h: gx.Tensor, k: int) -> gx.Tensor:
    w, u = gx.parameter(f"w{k}", (WIDTH, WIDTH)), gx.parameter(f"u{k}", (WIDTH, WIDTH))

    def step(carry: gx.Tensor, item: gx.Tensor) -> tuple[gx.Tensor, gx.Tensor]:
        carry = gx.tanh(item @ w + carry @ u)
        return carry, carry

    return gx.scan(step, h, np.zeros((4, WIDTH)))[1]


def counts(layer: Callable[[gx.Tensor, int], gx.Tensor], depth: int) -> tuple[int, int]:
    """How many calls of kernels a training step has, and how many kernels."""
    h: gx.Tensor = gx.tensor("x", (5, 4, WIDTH))
    for k in range(depth):
        h = layer(h, k)
    loss = gx.mean(h**2)
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    text = gx.compile([loss, *gx.optimizers.Adam(1e-3).updates(loss, parameters)]).explain()
    found = re.match(r"(\d+) kernel calls of (\d+) kernels", text)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("layer", [residual, recurrent])
def test_a_deeper_network_has_no_more_kernels(layer: Callable[[gx.Tensor, int], gx.Tensor]) -> None:
    calls, kernels = counts(layer, 4)
    more_calls, same_kernels = counts(layer, 8)
    assert more_calls > 1.8 * calls
    assert same_kernels <= kernels + 1
