"""A siamese pair: one tower on two inputs, and a contrastive loss on their distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

D, H, CODE = 6, 8, 3


def pair() -> Lesson:
    a, b, same = gx.tensor("a", ("n", D)), gx.tensor("b", ("n", D)), gx.tensor("same", ("n",))
    w1, b1, w2 = gx.parameter("w1", (D, H)), gx.parameter("b1", (H,)), gx.parameter("w2", (H, CODE))

    def tower(x: gx.Tensor) -> gx.Tensor:
        return gx.tanh(x @ w1 + b1) @ w2

    distance = gx.sqrt(gx.sum((tower(a) - tower(b)) ** 2, axis=1))
    loss = gx.mean(same * distance**2 + (1 - same) * gx.maximum(1.0 - distance, 0.0) ** 2)
    rng = np.random.default_rng(0)
    left = rng.normal(size=(8, D))
    right = left + rng.normal(size=(8, D)) * np.repeat([0.1, 2.0], 4)[:, None]
    return Lesson([loss], {a: left, b: right, same: np.repeat([1.0, 0.0], 4)}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    def tower(x: Any) -> Any:
        return torch.tanh(x @ t["w1"] + t["b1"]) @ t["w2"]

    distance = ((tower(t["a"]) - tower(t["b"])) ** 2).sum(1).sqrt()
    return (t["same"] * distance**2 + (1 - t["same"]) * (1.0 - distance).clamp(min=0.0) ** 2).mean()


def triplet() -> Lesson:
    anchor, near, far = (gx.tensor(name, ("n", D)) for name in ("anchor", "near", "far"))
    tower = gx.Sequential([gx.layers.Dense(H, activation="tanh"), gx.layers.Dense(CODE, use_bias=False)], name="tower")
    p, q, r = tower(anchor), tower(near), tower(far)
    loss = gx.mean(gx.relu(gx.sum((p - q) ** 2, axis=1) - gx.sum((p - r) ** 2, axis=1) + 0.5))
    rng = np.random.default_rng(0)
    a = rng.normal(size=(8, D))
    return Lesson([loss], {anchor: a, near: a + 0.3 * rng.normal(size=a.shape), far: rng.normal(size=a.shape)}, [torch_triplet])


def torch_triplet(torch: Any, t: Any) -> Any:
    def tower(x: Any) -> Any:
        h = torch.tanh(x @ t["tower/dense/kernel"] + t["tower/dense/bias"])
        return h @ t["tower/dense_1/kernel"]

    p, q, r = tower(t["anchor"]), tower(t["near"]), tower(t["far"])
    return torch.relu(((p - q) ** 2).sum(1) - ((p - r) ** 2).sum(1) + 0.5).mean()


lessons = pytest.mark.parametrize("declare", [pair, triplet])


@pytest.mark.parity
@lessons
def test_its_gradients_are_pytorchs(declare: Any) -> None:
    first_gradients(declare())


@pytest.mark.parity
@lessons
def test_twenty_steps_give_pytorchs_losses(declare: Any) -> None:
    losses = train_beside_torch(declare())
    assert losses[-1] < losses[0]


def test_two_equal_inputs_have_a_gradient() -> None:
    """The distance is 0 there, where the root has no slope; the stable form of a norm gives 0 and not NaN."""
    lesson = pair()
    lesson.begin()
    a, b, same = lesson.data
    slopes = gx.evaluate(gx.grad(lesson.losses[0], lesson.parameters), {a: lesson.data[a], b: lesson.data[a], same: lesson.data[same]})
    assert all(np.all(np.isfinite(s)) for s in slopes)


@lessons
def test_it_is_drawn(declare: Any) -> None:
    drawn(*declare().losses)
