"""The graphs that the picture tests draw."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx

Example = tuple[gx.Tensor, dict[gx.Tensor, Any]]


def circuit() -> Example:
    """e = (a + b)(b + 1) at a = 2, b = 1."""
    a, b = gx.scalars("a b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    return (c * d).named("e"), {a: 2, b: 1}


def two_paths() -> Example:
    """f = x1 x2 + sin x1."""
    x1, x2 = gx.scalars("x1 x2")
    return (x1 * x2 + gx.sin(x1)).named("f"), {x1: 2, x2: 5}


def network() -> Example:
    """Two dense layers and a mean squared error."""
    x, y = gx.tensor("x", ("n", 2)), gx.tensor("y", ("n", 1))
    W1, b1 = gx.parameter("W1", (2, 3), init=0.5), gx.parameter("b1", (3,), init=0.0)
    W2, b2 = gx.parameter("W2", (3, 1), init=-0.25), gx.parameter("b2", (1,), init=0.0)
    h = gx.tanh((x @ W1 + b1).named("z")).named("h")
    y_hat = (h @ W2 + b2).named("y_hat")
    return gx.mean((y_hat - y) ** 2).named("L"), {x: [[1, 2], [3, 4]], y: [[1], [0]]}


def softmax_regression() -> Example:
    """One layer, softmax, cross-entropy."""
    X, Y = gx.tensor("X", ("n", 4)), gx.tensor("Y", ("n", 3))
    W, b = gx.parameter("W", (4, 3), init=0.1), gx.parameter("b", (3,), init=0.0)
    p = gx.softmax((X @ W + b).named("z")).named("p")
    return (-gx.mean(gx.sum(Y * gx.log(p), axis=1))).named("L"), {X: np.ones((2, 4)), Y: np.eye(3)[:2]}


def convolution() -> Example:
    """A strided convolution with a bias, in index notation."""
    X, K, b = gx.tensor("X", ("n", 9, 9, 3)), gx.parameter("K", (3, 3, 3, 8), init=0.1), gx.parameter("b", (8,), init=0.0)
    n, i, j, c, u, v, k = gx.indices("n i j c u v k")
    Y = gx.define("Y", (n, i, j, k), gx.Sum(X[n, 2 * i + u, 2 * j + v, c] * K[u, v, c, k], u, v, c) + b[k])
    return Y, {X: np.zeros((1, 9, 9, 3))}


def deep(blocks: int = 12) -> Example:
    """A chain of scoped blocks."""
    x = gx.tensor("x", ("n", 4))
    h = x
    for k in range(blocks):
        with gx.scope(f"block{k}"):
            h = gx.relu(h @ gx.parameter("W", (4, 4), init=0.1) + gx.parameter("b", (4,), init=0.0))
    return gx.mean(h**2).named("L"), {x: np.ones((2, 4))}


def recurrence() -> Example:
    """A recurrent layer whose last state is judged."""
    x = gx.tensor("x", ("T", "n", 2))
    U, W = gx.parameter("U", (2, 3), init=0.1), gx.parameter("W", (3, 3), init=0.2)

    def step(h: gx.Tensor, item: gx.Tensor) -> tuple[gx.Tensor, gx.Tensor]:
        h = gx.tanh(item @ U + h @ W).named("h")
        return h, h

    last, _ = gx.scan(step, x, gx.constant(np.zeros((2, 3)), name="h0"))
    return gx.mean(last**2).named("L"), {x: np.ones((4, 2, 2))}


def lstm() -> Example:
    """A long short-term memory, all of whose states are judged."""
    x, h0, c0 = gx.tensor("x", ("T", "n", 3)), gx.tensor("h0", ("n", 4)), gx.tensor("c0", ("n", 4))
    weights = {g: (gx.parameter(f"W_{g}", (3, 4)), gx.parameter(f"U_{g}", (4, 4)), gx.parameter(f"b_{g}", (4,))) for g in "fiog"}

    def step(carry: tuple[gx.Tensor, gx.Tensor], item: gx.Tensor) -> tuple[tuple[gx.Tensor, gx.Tensor], gx.Tensor]:
        h, c = carry
        f, i, o, g = ((gx.tanh if n == "g" else gx.sigmoid)(item @ W + h @ U + b).named(n) for n, (W, U, b) in weights.items())
        c = (f * c + i * g).named("c")
        h = (o * gx.tanh(c)).named("h")
        return (h, c), h

    _, states = gx.scan(step, x, (h0, c0))
    return gx.mean(states**2).named("L"), {x: np.ones((3, 2, 3)), h0: np.zeros((2, 4)), c0: np.zeros((2, 4))}


EXAMPLES = {f.__name__: f for f in (circuit, two_paths, network, softmax_regression, convolution, deep, recurrence, lstm)}
