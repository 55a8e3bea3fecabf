"""What a recurrence does not need its carries for is computed before it or after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.expr.verify import verify
from graphc.rewrite.passes import PASSES
from graphc.stable import stabilise

RNG = np.random.default_rng(0)
N, D, U = 3, 4, 5


def network(cell: Callable[..., Any], **options: Any) -> tuple[Tensor, list[Tensor]]:
    x, h = gx.tensor("x", ("T", N, D)), gx.tensor("h", (N, U))
    W, R = gx.parameter("W", (D, U), init=RNG.normal(size=(D, U))), gx.parameter("R", (U, U), init=RNG.normal(size=(U, U)) / 3)
    b = gx.parameter("b", (U,), init=RNG.normal(size=U))
    last, out = gx.scan(lambda carry, item: cell(carry, item, W, R, b), x, h, **options)
    loss = gx.sum(out**2) + gx.sum(last * 3)
    return loss, [x, h, W, R, b]


def plain(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    h = gx.tanh(item @ W + h @ R + b)
    return h, h


def noisy(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    h = gx.tanh(gx.nn.dropout(item @ W, 0.5) + h @ R + b)
    return h, h


def ahead(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    return h + gx.tanh(item @ W) @ R, gx.sum(h) * gx.tanh(item @ W + b)


def total(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    """A carry that only adds up, and an output that needs no carry."""
    return h + gx.exp(-(item @ W)) * b, item @ W @ R


def between(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    """A carry that only adds up, and an output that is a sum on its way."""
    so_far = h + gx.exp(-(item @ W)) @ R
    return so_far + b * gx.sin(item @ W), so_far


def within(h: Any, item: Any, W: Any, R: Any, b: Any) -> Any:
    last, _ = gx.scan(lambda c, row: (gx.tanh(c @ R + row @ W), c), item, b)
    h = h + last
    return h, h


CELLS: dict[str, Callable[..., Any]] = {"plain": plain, "noisy": noisy, "ahead": ahead, "total": total, "between": between, "within": within}


@pytest.mark.parametrize("length", [0, 1, 6])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_stay(cell: str, reverse: bool, length: int) -> None:
    loss, wrt = network(CELLS[cell], reverse=reverse)
    outputs = [loss, *gx.grad(loss, wrt)]
    feed = {wrt[0]: RNG.normal(size=(length, N, D)), wrt[1]: RNG.normal(size=(N, U))}
    want = gx.evaluate(outputs, feed, seed=3)
    f = gx.compile(outputs, dtype="float64")
    for a, e in zip(f(x=feed[wrt[0]], h=feed[wrt[1]], seed=3, step=0), want, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)
    verify(PASSES["fission"](drop_aliases(stabilise(outputs)), {}))


@pytest.mark.parametrize("cell", CELLS)
def test_values_alone_stay(cell: str) -> None:
    loss, wrt = network(CELLS[cell])
    feed = {wrt[0]: RNG.normal(size=(4, N, D)), wrt[1]: RNG.normal(size=(N, U))}
    got = gx.compile(loss, dtype="float64")(x=feed[wrt[0]], h=feed[wrt[1]], seed=3, step=0)
    np.testing.assert_allclose(got, gx.evaluate(loss, feed, seed=3), rtol=1e-10)


def test_second_derivatives_stay() -> None:
    loss, wrt = network(plain)
    direction = gx.constant(RNG.normal(size=(U, U)))
    product = gx.hvp(loss, wrt[3], direction)
    feed = {wrt[0]: RNG.normal(size=(4, N, D)), wrt[1]: RNG.normal(size=(N, U))}
    got = gx.compile(product, dtype="float64")(x=feed[wrt[0]], h=feed[wrt[1]])
    np.testing.assert_allclose(got, gx.evaluate(product, feed), rtol=1e-10, atol=1e-12)


def loops(outputs: list[Tensor]) -> list[Scan]:
    return [n.op for n in topological(outputs) if isinstance(n.op, Scan)]


def products(outputs: Any) -> int:
    ops = [n.op for n in topological(outputs)]
    return sum(isinstance(op, Stage) and op.reducer == "sum" and len(op.reads) > 1 for op in ops)


def test_projections_stand_before_the_loop_and_gradients_of_weights_after_it() -> None:
    loss, wrt = network(plain)
    outputs = drop_aliases([loss, *gx.grad(loss, wrt)])
    forward, backward = loops(PASSES["fission"](outputs, {}))
    assert products(forward.results) == 1  # h @ R
    assert products(backward.results) == 1  # its adjoint; the projections are computed for all times at once
    assert forward.carries == 1
    assert backward.carries == 1  # the adjoint of h; W, R and b are summed over time afterwards
    assert all(p.shape != (N, D) for p in (*forward.parameters, *backward.parameters))  # the items themselves are gone


def test_a_sum_that_is_read_on_its_way_stays() -> None:
    x = gx.tensor("x", ("T", 3))
    _, running = gx.scan(lambda c, item: (c + item, c * 2), x, gx.constant(np.zeros(3)))
    [scan] = loops(PASSES["fission"](drop_aliases([running]), {}))
    assert scan.carries == 1


@pytest.mark.parametrize("twice", [False, True])
def test_a_carry_that_counts_twice_is_no_sum(twice: bool) -> None:
    x, i = gx.tensor("x", ("T", 3)), gx.indices("i")

    def step(carry: Any, item: Any) -> Any:
        inner = gx.define("inner", (i,), carry[i] + item[i]) if twice else carry
        other = item if twice else carry
        return gx.define("next", (i,), inner[i] + inner[i] + other[i]), item

    last, _ = gx.scan(step, x, gx.constant(np.ones(3)))
    value = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(gx.compile(last, dtype="float64")(value), gx.evaluate(last, {x: value}), rtol=1e-12)


def test_a_recurrence_of_entries_stays_as_it_is() -> None:
    x = gx.tensor("x", ("T", 3))
    last, _ = gx.scan(lambda c, item: (gx.tanh(c * item), c), x, gx.constant(np.ones(3)))
    before = drop_aliases([last])
    assert PASSES["fission"](before, {}) == before
