"""A causal attention block: layer norm, heads by reshape, a mask, a residual, a feed-forward part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

N, T, D, HEADS = 3, 5, 8, 2


def block_loss() -> Lesson:
    x, y = gx.tensor("x", ("n", T, D)), gx.tensor("y", ("n", T, D))
    shapes = {"wq": (D, D), "wk": (D, D), "wv": (D, D), "wo": (D, D), "w1": (D, 16), "b1": (16,), "w2": (16, D), "b2": (D,)}
    p = {name: gx.parameter(name, shape) for name, shape in shapes.items()}
    gamma, beta = gx.parameter("gamma", (D,)), gx.parameter("beta", (D,))
    gamma2, beta2 = gx.parameter("gamma2", (D,)), gx.parameter("beta2", (D,))

    def heads(t: gx.Tensor) -> gx.Tensor:
        return gx.swapaxes(t.reshape((x.shape[0], T, HEADS, D // HEADS)), 1, 2)

    h = gx.nn.layer_norm(x, gamma, beta)
    causal = gx.constant(np.tril(np.ones((T, T), dtype=bool)))
    mixed = gx.nn.attention(heads(h @ p["wq"]), heads(h @ p["wk"]), heads(h @ p["wv"]), mask=causal)
    x1 = x + gx.swapaxes(mixed, 1, 2).reshape((x.shape[0], T, D)) @ p["wo"]
    h = gx.nn.layer_norm(x1, gamma2, beta2)
    z = x1 + gx.relu(h @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
    loss = gx.mean((z - y) ** 2)
    rng = np.random.default_rng(0)
    return Lesson([loss], {x: rng.normal(size=(N, T, D)), y: rng.normal(size=(N, T, D))}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    from torch.nn.functional import layer_norm, scaled_dot_product_attention

    h = layer_norm(t["x"], (D,), t["gamma"], t["beta"])
    q, k, v = ((h @ t[w]).reshape(N, T, HEADS, D // HEADS).transpose(1, 2) for w in ("wq", "wk", "wv"))
    mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
    x1 = t["x"] + mixed.transpose(1, 2).reshape(N, T, D) @ t["wo"]
    h = layer_norm(x1, (D,), t["gamma2"], t["beta2"])
    z = x1 + torch.relu(h @ t["w1"] + t["b1"]) @ t["w2"] + t["b2"]
    return ((z - t["y"]) ** 2).mean()


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(block_loss())


@pytest.mark.parity
def test_twenty_steps_give_pytorchs_losses() -> None:
    losses = train_beside_torch(block_loss())
    assert losses[-1] < losses[0]


@pytest.mark.parity
def test_its_second_derivatives_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    q, k, v = (gx.tensor(name, (2, T, 4)) for name in "qkv")
    causal = np.tril(np.ones((T, T), dtype=bool))
    loss = gx.sum(gx.sin(gx.nn.attention(q, k, v, mask=causal)))
    rng = np.random.default_rng(0)
    arrays, vectors = ([rng.normal(size=(2, T, 4)) for _ in range(3)] for _ in range(2))
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    scores = (tensors[0] @ tensors[1].transpose(-1, -2) / 2).masked_fill(~torch.tensor(causal), -torch.inf)
    slopes = torch.autograd.grad(torch.sin(torch.softmax(scores, -1) @ tensors[2]).sum(), tensors, create_graph=True)
    theirs = torch.autograd.grad(sum((s * torch.tensor(u)).sum() for s, u in zip(slopes, vectors, strict=True)), tensors)
    ours = gx.evaluate(gx.hvp(loss, [q, k, v], vectors), dict(zip((q, k, v), arrays, strict=True)))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-9, atol=1e-10)


def test_it_is_drawn() -> None:
    svg = drawn(*block_loss().losses)
    assert "attention" in svg
    assert "layer_norm" in svg


def test_a_later_token_changes_nothing_before_it() -> None:
    lesson = block_loss()
    lesson.begin()
    x, y = lesson.data
    changed = lesson.data[x].copy()
    changed[:, -1] += 5.0
    # The slope of the loss by y is -2/size (z - y): what the block gives, entry by entry.
    slope = gx.grad(lesson.losses[0], y)
    before, after = (gx.evaluate(slope, {x: values, y: lesson.data[y]}) for values in (lesson.data[x], changed))
    assert np.array_equal(before[:, :-1], after[:, :-1])
    assert not np.allclose(before[:, -1], after[:, -1])
