"""A contractive autoencoder: the squared norm of the code's Jacobian is penalised, and differentiated once more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

N, D, H = 5, 4, 3


def through_the_batch() -> Lesson:
    """The Jacobian of all codes by all inputs; its blocks of one sample are the ones that are not 0."""
    x = gx.tensor("x", (N, D))
    w, b, v, c = gx.parameter("w", (D, H)), gx.parameter("b", (H,)), gx.parameter("v", (H, D)), gx.parameter("c", (D,))
    code = gx.sigmoid(x @ w + b)
    out = code @ v + c
    penalty = gx.sum(gx.jacobian(code, x) ** 2) / N
    loss = gx.mean((out - x) ** 2) + 0.1 * penalty
    return Lesson([loss], {x: np.random.default_rng(0).normal(size=(N, D))}, [torch_loss])


def sample_by_sample() -> Lesson:
    """The Jacobian by one gradient a code entry: samples do not mix, so a sum over them keeps them apart."""
    x = gx.tensor("x", ("n", D))
    w, b, v, c = gx.parameter("w", (D, H)), gx.parameter("b", (H,)), gx.parameter("v", (H, D)), gx.parameter("c", (D,))
    code = gx.sigmoid(x @ w + b)
    out = code @ v + c
    rows = [gx.grad(gx.sum(code[:, k]), x) for k in range(H)]
    penalty = sum(gx.sum(row**2) for row in rows) / x.shape[0]
    loss = gx.mean((out - x) ** 2) + 0.1 * penalty
    return Lesson([loss], {x: np.random.default_rng(0).normal(size=(N, D))}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    x = t["x"].detach().requires_grad_()
    code = torch.sigmoid(x @ t["w"] + t["b"])
    rows = [torch.autograd.grad(code[:, k].sum(), x, create_graph=True)[0] for k in range(H)]
    penalty = sum((row**2).sum() for row in rows) / N
    return ((code @ t["v"] + t["c"] - x) ** 2).mean() + 0.1 * penalty


lessons = pytest.mark.parametrize("declare", [through_the_batch, sample_by_sample])


@pytest.mark.parity
@lessons
def test_its_gradients_are_pytorchs(declare: Any) -> None:
    first_gradients(declare())


@pytest.mark.parity
@lessons
def test_twenty_steps_give_pytorchs_losses(declare: Any) -> None:
    losses = train_beside_torch(declare())
    assert losses[-1] < losses[0]


@lessons
def test_it_is_drawn(declare: Any) -> None:
    drawn(*declare().losses)
