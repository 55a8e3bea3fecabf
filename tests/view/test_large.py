"""Large graphs fold by a rule that depends on the graph alone: scopes, repetitions, stretches."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.view import draw, frames

BLOCKS = 1250


def residual(blocks: int = BLOCKS) -> gx.Tensor:
    """Unscoped blocks of four operations."""
    h = gx.tensor("x", ("n", 4))
    for k in range(blocks):
        h = gx.tanh(h @ gx.parameter(f"W{k}", (4, 4), init=0.1) + gx.parameter(f"b{k}", (4,), init=0.0)) + h
    return gx.mean(h**2).named("L")


def chain(length: int = 5000) -> gx.Tensor:
    x = gx.scalar("x")
    for _ in range(length):
        x = gx.sin(x)
    return x.named("y")


def wide(terms: int = BLOCKS) -> gx.Tensor:
    y: gx.Tensor | float = 0.0
    for k in range(terms):
        y = y + gx.scalar(f"x{k}") * gx.parameter(f"w{k}", (), init=0.5)
    return gx.sigmoid(y).named("p")


def irregular(operations: int = 5000) -> gx.Tensor:
    """Nothing in it comes twice."""
    pick = random.Random(1)
    made = [gx.scalar("x")]
    for _ in range(operations):
        a, b = made[-1], pick.choice(made[-20:])
        made.append(pick.choice([lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: gx.sin(a) + b])(a, b))
    return made[-1].named("y")


def transformer(blocks: int = 12) -> gx.Tensor:
    h = gx.tensor("x", ("n", "T", 8))
    for k in range(blocks):
        with gx.scope(f"block{k}"):
            with gx.scope("attention"):
                q, key, v = (h @ gx.parameter(name, (8, 8)) for name in ("Wq", "Wk", "Wv"))
                a = gx.nn.attention(q, key, v) @ gx.parameter("Wo", (8, 8))
            h = gx.nn.layer_norm(h + a, gx.parameter("g1", (8,)), gx.parameter("b1", (8,)))
            with gx.scope("mlp"):
                m = gx.relu(h @ gx.parameter("W1", (8, 32)) + gx.parameter("c1", (32,))) @ gx.parameter("W2", (32, 8)) + gx.parameter("c2", (8,))
            h = gx.nn.layer_norm(h + m, gx.parameter("g2", (8,)), gx.parameter("b2", (8,)))
    return gx.mean(h**2).named("L")


def layers(count: int = 100) -> gx.Tensor:
    h = gx.tensor("x", ("n", 4))
    for k in range(count):
        with gx.scope(f"layer{k}"):
            h = gx.tanh(h @ gx.parameter("W", (4, 4)) + gx.parameter("b", (4,)))
    return gx.mean(h**2).named("L")


def nodes(picture: Any) -> int:
    return picture.dot.count("tooltip=") - picture.dot.count(" -> ") - 1


@pytest.mark.parametrize(
    ("make", "options", "most", "words"),
    [
        (residual, {}, 12, "what is repeated 1,250 times is drawn once"),
        (residual, {"view": "layer"}, 3, "25,000 parameters"),
        (chain, {}, 4, "what is repeated 5,000 times is drawn once"),
        (wide, {}, 12, "what is repeated 1,249 times is drawn once"),
        (irregular, {}, 20, "stretches of many operations are folded into one node"),
        (transformer, {}, 20, "each scope is folded into one node; fold=False draws them all; depth=2 looks further in"),
        (transformer, {"depth": 2}, 20, "each scope of depth 2 is folded into one node; what is repeated 12 times is drawn once"),
        (transformer, {"view": "layer"}, 20, "what is repeated"),
        (layers, {}, 8, "each scope is folded into one node; what is repeated 99 times is drawn once"),
        (layers, {"view": "layer"}, 6, "what is repeated 99 times is drawn once"),
        (lambda: gx.grad(y := residual(300), gx.leaves(y)["W0"]), {}, 20, "what is repeated 300 and 299 times is drawn once"),
    ],
)
def test_a_large_graph_folds(make: Callable[[], gx.Tensor], options: dict[str, Any], most: int, words: str) -> None:
    y = make()
    picture = draw(y, **options)
    assert words in picture.description
    assert nodes(picture) <= most
    assert picture.svg == draw(y, **options).svg
    assert picture.dot == draw(make(), **options).dot


def test_a_repetition_shows_what_goes_from_block_to_block() -> None:
    dot = draw(residual()).dot
    assert dot.count("style=dashed tooltip") == 1
    assert "1250 times, one after the other" in dot
    assert "W0 … W1249" in dot


def test_values_of_a_folded_graph_stand_where_one_node_is_one_tensor() -> None:
    y = residual()
    picture = draw(y, at={gx.leaves(y)["x"]: np.ones((2, 4))}, backward=True)
    assert "output L, value" in picture.dot or "tensor L, value" in picture.dot
    assert "tanh; the first of 1250 alike" in picture.dot
    assert "∂L/∂x" in picture.dot


def test_other_blocks_are_no_repetition() -> None:
    x = gx.scalar("x")
    for k in range(40):
        x = gx.sin(x) if k % 2 else x * (k + 2)
    assert "repeated" not in draw(x).description, "numbers differ from block to block"
    for k in range(40):
        x = gx.sin(x) if k % 2 else x * 3
    assert "repeated 20 times" in draw(x).description


def test_nothing_is_folded_where_one_does_not_want_it() -> None:
    y = transformer(3)
    whole = draw(y, fold=False)
    assert nodes(whole) > 60
    assert "folded" not in whole.description
    with pytest.raises(gx.GraphcError, match="more than 1000 cannot be laid out: leave fold at True"):
        draw(residual(), fold=False)
    with pytest.raises(gx.DeclarationError, match="fold=0 is neither"):
        draw(y, fold=0)  # type: ignore[arg-type]
    for depth in (0, -1, True, 1.5):
        with pytest.raises(gx.DeclarationError, match="depth="):
            draw(y, depth=depth)  # type: ignore[arg-type]


def test_what_cannot_be_followed_is_refused() -> None:
    y = residual()
    with pytest.raises(gx.GraphcError, match="more than 120 cannot be followed"):
        frames(y, at={gx.leaves(y)["x"]: np.ones((2, 4))})
    with pytest.raises(gx.GraphcError, match="more than 120 cannot be read"):
        draw(y, backward=True)
    with pytest.raises(gx.DeclarationError, match="use view='layer'"):
        draw(y, view="neuron")
