"""A generative adversarial network: two losses over two sets of parameters, trained in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

N, NOISE, D, H = 8, 3, 2, 6
GENERATOR = {"g1": (NOISE, H), "gb1": (H,), "g2": (H, D), "gb2": (D,)}
DISCRIMINATOR = {"d1": (D, H), "db1": (H,), "d2": (H,), "db2": ()}


def adversaries() -> Lesson:
    z, real = gx.tensor("z", ("n", NOISE)), gx.tensor("real", ("n", D))
    g = {name: gx.parameter(name, shape) for name, shape in GENERATOR.items()}
    d = {name: gx.parameter(name, shape) for name, shape in DISCRIMINATOR.items()}

    def judge(x: gx.Tensor) -> gx.Tensor:
        return gx.sigmoid(gx.relu(x @ d["d1"] + d["db1"]) @ d["d2"] + d["db2"])

    fake = gx.tanh(z @ g["g1"] + g["gb1"]) @ g["g2"] + g["gb2"]
    loss_d = -gx.mean(gx.log(judge(real)) + gx.log(1 - judge(fake)))
    loss_g = -gx.mean(gx.log(judge(fake)))
    rng = np.random.default_rng(0)
    return Lesson(
        [loss_d, loss_g], {z: rng.normal(size=(N, NOISE)), real: rng.normal(2, 0.5, (N, D))},
        [torch_loss_d, torch_loss_g], over=[list(d.values()), list(g.values())],
    )  # fmt: skip


def _judge(torch: Any, t: Any, x: Any) -> Any:
    return torch.relu(x @ t["d1"] + t["db1"]) @ t["d2"] + t["db2"]


def _fake(torch: Any, t: Any) -> Any:
    return torch.tanh(t["z"] @ t["g1"] + t["gb1"]) @ t["g2"] + t["gb2"]


def torch_loss_d(torch: Any, t: Any) -> Any:
    from torch.nn.functional import logsigmoid

    return -(logsigmoid(_judge(torch, t, t["real"])) + logsigmoid(-_judge(torch, t, _fake(torch, t)))).mean()


def torch_loss_g(torch: Any, t: Any) -> Any:
    from torch.nn.functional import logsigmoid

    return -logsigmoid(_judge(torch, t, _fake(torch, t))).mean()


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(adversaries())


@pytest.mark.parity
def test_twenty_turns_give_pytorchs_losses() -> None:
    train_beside_torch(adversaries())


def penalised() -> Lesson:
    """Wasserstein's loss with a penalty on the slope of the critic: a gradient within a loss."""
    x, fake = gx.tensor("x", ("n", D)), gx.tensor("fake", ("n", D))
    d = {name: gx.parameter(name, shape) for name, shape in DISCRIMINATOR.items()}

    def judge(t: gx.Tensor) -> gx.Tensor:
        return gx.tanh(t @ d["d1"] + d["db1"]) @ d["d2"] + d["db2"]

    slope = gx.grad(gx.sum(judge((x + fake) / 2)), x) * 2
    loss = gx.mean(judge(fake)) - gx.mean(judge(x)) + 10 * gx.mean((gx.norm(slope, axis=1) - 1) ** 2)
    rng = np.random.default_rng(0)
    return Lesson([loss], {x: rng.normal(2, 0.5, (N, D)), fake: rng.normal(size=(N, D))}, [torch_penalised], over=[[d["d1"], d["db1"], d["d2"]]])


def torch_penalised(torch: Any, t: Any) -> Any:
    db2 = t.get("db2", 0.0)

    def judge(x: Any) -> Any:
        return torch.tanh(x @ t["d1"] + t["db1"]) @ t["d2"] + db2

    middle = ((t["x"] + t["fake"]) / 2).requires_grad_()
    (slope,) = torch.autograd.grad(judge(middle).sum(), middle, create_graph=True)
    return judge(t["fake"]).mean() - judge(t["x"]).mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()


@pytest.mark.parity
def test_a_penalty_on_a_slope_trains_as_in_pytorch() -> None:
    first_gradients(penalised())
    losses = train_beside_torch(penalised())
    assert losses[-1] < losses[0]


def test_a_sure_discriminator_still_teaches() -> None:
    """log(1 - sigmoid(z)) at z = 200, as written: finite, with the slope that it has."""
    lesson = adversaries()
    lesson.begin()
    bias = next(p for p in lesson.parameters if p.name == "db2")
    bias.value = 200.0
    slopes = gx.compile(gx.grad(lesson.losses[0], [bias]))(**{t.name: a for t, a in lesson.data.items()})
    assert np.isclose(float(slopes[0]), 1.0, atol=1e-3)


def test_it_is_drawn() -> None:
    drawn(*adversaries().losses)
