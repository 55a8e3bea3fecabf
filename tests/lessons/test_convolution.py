"""A convolutional network with pooling and batch norm; running statistics are assigned beside the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import STEPS, Lesson, drawn, first_gradients, train_beside_torch

N, SIZE, CLASSES = 6, 9, 3


def network() -> tuple[Lesson, tuple[gx.Tensor, gx.Tensor]]:
    x, y = gx.tensor("x", ("n", SIZE, SIZE, 2)), gx.tensor("y", ("n",), dtype="int")
    k1, k2 = gx.parameter("k1", (3, 3, 2, 4)), gx.parameter("k2", (3, 3, 4, 5))
    gamma, beta = gx.parameter("gamma", (4,)), gx.parameter("beta", (4,))
    mean, var = gx.state("moving_mean", (4,), init=0.0), gx.state("moving_var", (4,), init=1.0)
    w, b = gx.parameter("w", (5 * 2 * 2, CLASSES)), gx.parameter("b", (CLASSES,))

    z = gx.nn.conv2d(x, k1, padding="same")
    h = gx.relu(gx.nn.batch_norm(z, gamma, beta))
    h = gx.nn.max_pool2d(h, 2)
    h = gx.nn.avg_pool2d(gx.relu(gx.nn.conv2d(h, k2, padding="same")), 2)
    logits = h.reshape((x.shape[0], 20)) @ w + b
    loss = -gx.mean(gx.sum(gx.one_hot(y, CLASSES) * gx.log_softmax(logits), axis=1))
    assigns = [gx.assign(mean, 0.9 * mean + 0.1 * gx.mean(z, axis=(0, 1, 2))), gx.assign(var, 0.9 * var + 0.1 * gx.var(z, axis=(0, 1, 2)))]
    rng = np.random.default_rng(0)
    data = {x: rng.normal(size=(N, SIZE, SIZE, 2)), y: rng.integers(0, CLASSES, N)}
    return Lesson([loss], data, [torch_loss], extra=assigns), (mean, var)


def torch_hidden(torch: Any, t: Any) -> Any:
    return torch.conv2d(t["x"].permute(0, 3, 1, 2), t["k1"].permute(3, 2, 0, 1), padding=1)


def torch_loss(torch: Any, t: Any) -> Any:
    from torch.nn import functional as F

    h = torch.relu(F.batch_norm(torch_hidden(torch, t), None, None, t["gamma"], t["beta"], training=True))
    h = F.max_pool2d(h, 2)
    h = F.avg_pool2d(torch.relu(torch.conv2d(h, t["k2"].permute(3, 2, 0, 1), padding=1)), 2)
    return F.cross_entropy(h.permute(0, 2, 3, 1).reshape(N, -1) @ t["w"] + t["b"], t["y"])


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(network()[0])


@pytest.mark.parity
def test_twenty_steps_give_pytorchs_losses_and_running_statistics() -> None:
    lesson, (mean, var) = network()
    seen: list[tuple[Any, Any]] = []

    def loss_and_statistics(torch: Any, t: Any) -> Any:
        z = torch_hidden(torch, t).detach()
        seen.append((z.mean((0, 2, 3)).numpy(), z.var((0, 2, 3), unbiased=False).numpy()))
        return torch_loss(torch, t)

    lesson.torch_losses = [loss_and_statistics]
    losses = train_beside_torch(lesson)
    assert losses[-1] < losses[0]
    assert len(seen) == STEPS
    running_mean, running_var = np.zeros(4), np.ones(4)
    for m, v in seen:
        running_mean, running_var = 0.9 * running_mean + 0.1 * m, 0.9 * running_var + 0.1 * v
    np.testing.assert_allclose(mean.value, running_mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(var.value, running_var, rtol=1e-3)


def by_layers() -> tuple[Lesson, tuple[gx.Tensor, gx.Tensor]]:
    """The same network of layers: the statistics are kept by the layer, and assigned without being asked for."""
    x, y = gx.tensor("x", ("n", SIZE, SIZE, 2)), gx.tensor("y", ("n",), dtype="int")
    layers = gx.layers
    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    model = gx.Sequential(
        [
            layers.Conv2D(4, 3, padding="same", use_bias=False), norm, layers.Activation("relu"), layers.MaxPooling2D(2),
            layers.Conv2D(5, 3, padding="same", use_bias=False, activation="relu"), layers.AveragePooling2D(2), layers.Flatten(),
            layers.Dense(CLASSES),
        ],
        name="net",
    )  # fmt: skip
    logits = model(x)
    loss = -gx.mean(gx.sum(gx.one_hot(y, CLASSES) * gx.log_softmax(logits), axis=1))
    rng = np.random.default_rng(0)
    data = {x: rng.normal(size=(N, SIZE, SIZE, 2)), y: rng.integers(0, CLASSES, N)}

    names = {"conv2d/kernel": "k1", "batch_normalization/gamma": "gamma", "batch_normalization/beta": "beta"}
    names |= {"conv2d_1/kernel": "k2", "dense/kernel": "w", "dense/bias": "b"}

    def torch_named(torch: Any, t: Any) -> Any:
        return torch_loss(torch, {**t, **{short: t[f"net/{name}"] for name, short in names.items()}})

    return Lesson([loss], data, [torch_named]), (norm.moving_mean, norm.moving_variance)


@pytest.mark.parity
def test_layers_with_running_statistics_train_alike() -> None:
    lesson, (mean, var) = by_layers()
    first_gradients(lesson)
    mean.value, var.value = 0.0, 1.0
    by_hand, (mean_by_hand, var_by_hand) = network()
    for mine, other in zip(lesson.parameters, ("k1", "gamma", "beta", "k2", "w", "b"), strict=True):
        by_hand.starts[next(p for p in by_hand.parameters if p.name == other)] = lesson.starts[mine]
    losses = train_beside_torch(lesson)
    assert np.allclose(losses, train_beside_torch(by_hand), rtol=1e-4)
    np.testing.assert_allclose(mean.value, mean_by_hand.value, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(var.value, var_by_hand.value, rtol=1e-3)
    kept = mean.value
    gx.compile(gx.inference(lesson.losses[0]))(**{t.name: v for t, v in lesson.data.items()})
    assert np.array_equal(mean.value, kept)
    assert "batch_normalization" in drawn(*lesson.losses)


def test_it_is_drawn() -> None:
    svg = drawn(*network()[0].losses)
    for name in ("conv2d", "batch_norm", "max_pool2d", "avg_pool2d"):
        assert name in svg
