"""Text classification: ids are looked up in a table, the mean is taken over what is no padding, and a layer decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.lessons.lesson import Lesson, drawn, first_gradients, train_beside_torch

WORDS, WIDTH = 11, 4


def classifier() -> Lesson:
    ids, y = gx.tensor("ids", ("n", "t"), dtype="int"), gx.tensor("y", ("n",))
    table, w, b = gx.parameter("table", (WORDS, WIDTH)), gx.parameter("w", (WIDTH,)), gx.parameter("b", ())

    words = gx.nn.embedding(table, ids)
    real = gx.where(ids > 0, 1.0, 0.0)
    meaning = gx.sum(words * real[:, :, None], axis=1) / gx.maximum(gx.sum(real, axis=1, keepdims=True), 1.0)
    z = meaning @ w + b
    loss = gx.mean(gx.softplus(z) - y * z)
    rng = np.random.default_rng(0)
    texts = rng.integers(1, WORDS, (6, 7))
    texts[0] = 3  # one word again and again
    texts[1, 2:] = 0  # padding
    texts[2] = 0  # nothing but padding
    return Lesson([loss], {ids: texts, y: rng.integers(0, 2, 6).astype(float)}, [torch_loss])


def torch_loss(torch: Any, t: Any) -> Any:
    from torch.nn import functional as F

    real = (t["ids"] > 0).to(t["table"].dtype)
    words = F.embedding(t["ids"], t["table"])
    meaning = (words * real[:, :, None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1.0)
    return F.binary_cross_entropy_with_logits(meaning @ t["w"] + t["b"], t["y"])


@pytest.mark.parity
def test_its_gradients_are_pytorchs() -> None:
    first_gradients(classifier())


@pytest.mark.parity
def test_twenty_steps_give_pytorchs_losses() -> None:
    losses = train_beside_torch(classifier())
    assert losses[-1] < losses[0]


def test_the_padding_word_and_absent_words_learn_nothing() -> None:
    lesson = classifier()
    lesson.begin()
    table = next(p for p in lesson.parameters if p.name == "table")
    slope = gx.evaluate(gx.grad(lesson.losses[0], table), lesson.data)
    texts = next(iter(lesson.data.values()))
    absent = sorted(set(range(WORDS)) - set(texts.ravel().tolist()) | {0})
    assert np.all(slope[absent] == 0)
    assert np.any(slope[3] != 0)


def test_it_is_drawn() -> None:
    assert "embedding" in drawn(*classifier().losses)
