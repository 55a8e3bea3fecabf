"""An LSTM: a recurrence over time, written as one step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

T, N, D, H = 7, 5, 3, 4


def lstm_loss() -> Lesson:
    x, y = gx.tensor("x", ("t", "n", D)), gx.tensor("y", ("n",))
    wx, wh, b = gx.parameter("wx", (D, 4 * H)), gx.parameter("wh", (H, 4 * H)), gx.parameter("b", (4 * H,))
    out = gx.parameter("out", (H, 1))

    def step(carry: Any, item: gx.Tensor) -> Any:
        h, c = carry
        i, f, g, o = gx.split(item @ wx + h @ wh + b, 4, axis=1)
        c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
        h = gx.sigmoid(o) * gx.tanh(c)
        return (h, c), h

    zero = gx.broadcast_to(0.0, (x.shape[1], H))
    (last, _), _ = gx.scan(step, x, (zero, zero))
    loss = gx.mean(((last @ out)[:, 0] - y) ** 2)
    rng = np.random.default_rng(0)
    return Lesson([loss], {x: rng.normal(size=(T, N, D)), y: rng.normal(size=N)}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    h = c = torch.zeros(N, H, dtype=t["x"].dtype)
    for item in t["x"]:
        i, f, g, o = (item @ t["wx"] + h @ t["wh"] + t["b"]).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return (((h @ t["out"])[:, 0] - t["y"]) ** 2).mean()


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(lstm_loss())


@pytest.mark.parity
def test_twenty_steps_give_pytorchs_losses() -> None:
    losses = train_beside_torch(lstm_loss())
    assert losses[-1] < losses[0]


def test_it_is_drawn() -> None:
    assert "scan" in drawn(*lstm_loss().losses)
