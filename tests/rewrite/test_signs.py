"""A rectifier is the end of the sum of products that it reads, and so is its gradient; whatever else asks for the pre-activation has it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import topological
from graphc.expr.tensor import Tensor
from graphc.rewrite.signs import cut_off, read_signs
from graphc.runtime import bound
from graphc.runtime.formulas import product_of

X, S = gx.tensor("x", ("n", 7)), gx.tensor("s", ("n", 6, 7))
IMAGE = gx.tensor("image", ("n", 6, 5, 3))
COUNT = itertools.count()
RNG = np.random.default_rng(0)
FEED = {X: RNG.normal(size=(9, 7)), S: RNG.normal(size=(9, 6, 7)), IMAGE: RNG.normal(size=(3, 6, 5, 3))}


def weights(*shape: int) -> Tensor:
    return gx.parameter(f"w{next(COUNT)}", shape, init=np.random.default_rng(shape[0]).normal(size=shape))


def with_gradients(result: Tensor) -> list[Tensor]:
    loss = gx.sum(gx.sin(result))
    return [result, *gx.grad(loss, [t for t in gx.leaves(loss).values() if t.kind in ("parameter", "input")])]


def recurrence() -> Tensor:
    h = gx.layers.SimpleRNN(5, activation="relu", kernel_initializer=gx.initializers.GlorotUniform(1))(S)
    return h @ weights(5, 2)


# Each: the result, and how many kernels of it and its gradients cut off by themselves and by another.
ROWS: dict[str, tuple[Callable[[], Tensor], int, int]] = {
    "one layer": (lambda: gx.relu(X @ weights(7, 5) + weights(5)) @ weights(5, 3), 1, 1),
    "without a bias": (lambda: gx.relu(X @ weights(7, 5)) @ weights(5, 3), 1, 1),
    "two layers": (lambda: gx.relu(gx.relu(X @ weights(7, 5) + weights(5)) @ weights(5, 6)) @ weights(6, 2), 2, 2),
    "the other way round": (lambda: gx.maximum(X @ weights(7, 5), 0.0) @ weights(5, 3), 0, 0),  # at 0 its derivative is another one
    "a residual": (lambda: gx.relu(gx.relu(X @ weights(7, 7)) @ weights(7, 7) + X) @ weights(7, 3), 2, 2),
    "three axes": (lambda: gx.relu(S @ weights(7, 20) + weights(20)) @ weights(20, 3), 1, 1),
    "a part of its columns": (lambda: gx.relu((X @ weights(7, 9) + weights(9))[:, :5]) @ weights(5, 3), 0, 0),
    "a part of its rows": (lambda: gx.relu((S @ weights(7, 9))[:, :2]) @ weights(9, 3), 0, 0),
    "a part of its result": (lambda: gx.relu(X @ weights(7, 9) + weights(9))[:, 1:6] @ weights(5, 3), 1, 0),
    "a convolution": (lambda: gx.nn.conv2d(gx.relu(gx.nn.conv2d(IMAGE, weights(3, 3, 3, 9)) + weights(9)), weights(2, 2, 9, 12)), 1, 0),
    "a recurrence": (recurrence, 0, 0),  # its adjoint wants the pre-activation of every item
    "columns beside each other": (lambda: gx.relu(gx.nn.conv2d(IMAGE, weights(3, 3, 1, 3), groups=3)) * 2, 0, 0),
}  # fmt: skip


def ends(f: Any) -> tuple[int, int]:
    """How many products cut off by themselves, and by another tensor."""
    found = [0, 0, 0]
    programs = [f.program]
    while programs:
        for call in programs.pop().calls:
            programs += [call.inside] if call.inside is not None else []
            product = product_of(call.kernel)
            if product is not None:
                found[int(call.params[product.ends.number])] += 1  # type: ignore[union-attr]
    return found[1], found[2]


@pytest.mark.parametrize("name", ROWS)
def test_values_stay_and_ends_are_found(name: str) -> None:
    make, own, other = ROWS[name]
    outputs = with_gradients(make())
    inputs = [t for t in FEED if t in gx.leaves(outputs[0]).values()]
    want = gx.evaluate(outputs, {t: FEED[t] for t in inputs})
    for got, wanted in zip(gx.evaluate(read_signs(outputs), {t: FEED[t] for t in inputs}), want, strict=True):
        np.testing.assert_array_equal(got, wanted)
    f = gx.compile(outputs, inputs, dtype="float64")
    for got, wanted in zip(f(*(FEED[t] for t in inputs)), want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)
    assert ends(f) == (own, other)


def test_the_pre_activation_can_be_asked_for() -> None:
    t = X @ weights(7, 5) + weights(5)
    outputs = [t, *with_gradients(gx.relu(t) @ weights(5, 3))]
    f = gx.compile(outputs, [X], dtype="float64")
    for got, want in zip(f(FEED[X]), gx.evaluate(outputs, {X: FEED[X]}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    assert ends(f)[0] == 0
    outputs = with_gradients(gx.relu(t) @ weights(5, 3) + gx.sum(t * t))  # all of it, not its sign alone
    f = gx.compile(outputs, [X], dtype="float64")
    for got, want in zip(f(FEED[X]), gx.evaluate(outputs, {X: FEED[X]}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)
    assert ends(f)[0] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_zero(dtype: str) -> None:
    w, v = gx.parameter("w", (2, 20), init=np.eye(2, 20)), gx.parameter("v", (20, 1), init=1.0)
    x = gx.tensor("x", ("n", 2))
    h = gx.relu(x @ w)
    outputs = [h, gx.grad(gx.sum(h @ v), x)]
    given = np.array([[np.nan, 1.0], [0.0, -0.0], [np.inf, 2.0], [-1.0, 1e-30]], dtype)
    f = gx.compile(outputs, [x], dtype=dtype)
    assert ends(f) == (1, 0)  # what the gradient goes through is a sum of one term, no product
    for got, want in zip(f(given), gx.evaluate(outputs, {x: given.astype("float64")}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_in_pieces_of_a_batch(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", threads)
    outputs = with_gradients(gx.relu(gx.relu(S @ weights(7, 20) + weights(20)) @ weights(20, 18)) @ weights(18, 3))
    want = gx.evaluate(outputs, {S: FEED[S]})
    for size in (2, 4):
        monkeypatch.setattr(bound, "piece_size", lambda *_, size=size: size)
        f = gx.compile(outputs, [S], dtype="float64")
        for got, wanted in zip(f(FEED[S]), want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)


def test_a_kernel_says_how_it_ends() -> None:
    f = gx.compile(with_gradients(gx.relu(X @ weights(7, 5)) @ weights(5, 3)), [X])
    f(FEED[X].astype("float32"))
    assert " = max(0, (sum over k: " in f.explain()
    assert " = max(0, sum(x[" in f.source
    assert " = select(0 >= t" in f.source


def test_what_a_rectifier_is() -> None:
    assert cut_off(gx.relu(X).op) == (0, None)  # type: ignore[arg-type]
    assert cut_off(gx.tanh(X).op) is None  # type: ignore[arg-type]
    gradient = gx.grad(gx.sum(gx.relu(X) ** 2), X)
    assert any(cut_off(n.op) not in (None, (0, None)) for n in topological([gradient]) if n.inputs)  # type: ignore[arg-type]
