"""What a recurrence has computed is not computed again by its adjoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.graph import drop_aliases, random_numbers, topological
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.expr.verify import verify
from graphc.rewrite.passes import PASSES, rewrite
from graphc.stable import stabilise

RNG = np.random.default_rng(0)
N, U = 3, 4
_FUNCTIONS = (sympy.exp, sympy.tanh, sympy.sin, sympy.log, gx.expr.scalar.Sigmoid)


def gated(h: Any, x: Any, R: Any) -> Any:
    z = gx.sigmoid(x + h @ R)
    h = z * h + (1 - z) * gx.tanh((z * h) @ R)
    return h, z


def masked(h: Any, x: Any, R: Any) -> Any:
    h = gx.tanh(gx.nn.dropout(h, 0.5) @ R + x)
    return h, gx.exp(-h)


def shared(h: Any, x: Any, R: Any) -> Any:
    """Nothing but the items: there is nothing to keep."""
    return h + gx.tanh(x @ R) * gx.sum(gx.exp(x)), h


def inner(h: Any, x: Any, R: Any) -> Any:
    last, outs = gx.scan(lambda c, row: (gx.sin(c * row), gx.tanh(c)), h @ R, x[0])
    h = gx.tanh(h + last) / 2
    return h, gx.sum(outs)


def softmax(h: Any, x: Any, R: Any) -> Any:
    h = gx.softmax(h @ R + x)
    return h, gx.log(1 + h**2)


CELLS: dict[str, Callable[..., Any]] = {"gated": gated, "masked": masked, "shared": shared, "inner": inner, "softmax": softmax}


def network(cell: Callable[..., Any], **options: Any) -> tuple[Tensor, list[Tensor]]:
    x, h = gx.tensor("x", ("T", N, U)), gx.tensor("h", (N, U))
    R = gx.parameter("R", (U, U), init=RNG.normal(size=(U, U)) / 2)
    last, out = gx.scan(lambda carry, item: cell(carry, item, R), x, h, **options)
    return gx.sum(out**2) + gx.sum(last * 3), [x, h, R]


def feed_of(wrt: list[Tensor], length: int) -> dict[Tensor, Any]:
    return {wrt[0]: RNG.normal(size=(length, N, U)), wrt[1]: RNG.normal(size=(N, U))}


@pytest.mark.parametrize("length", [0, 1, 5])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_stay(cell: str, reverse: bool, length: int) -> None:
    loss, wrt = network(CELLS[cell], reverse=reverse)
    outputs = [loss, *gx.grad(loss, wrt)]
    feed = feed_of(wrt, length)
    got = gx.compile(outputs, dtype="float64")(x=feed[wrt[0]], h=feed[wrt[1]], seed=3, step=0)
    for a, e in zip(got, gx.evaluate(outputs, feed, seed=3), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("without", [(), *((name,) for name in PASSES)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_graph_means_the_same_whichever_pass_is_left_out(cell: str, without: tuple[str, ...]) -> None:
    loss, wrt = network(CELLS[cell])
    plain = drop_aliases(stabilise([loss, *gx.grad(loss, wrt)]))
    made = rewrite(plain, random_numbers(plain), without)
    verify(made)
    feed = feed_of(wrt, 4)
    for a, e in zip(gx.evaluate(made, feed, seed=3), gx.evaluate(plain, feed, seed=3), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", ["gated", "softmax"])
def test_second_derivatives_stay(cell: str) -> None:
    loss, wrt = network(CELLS[cell])
    product = gx.hvp(loss, wrt[2], gx.constant(RNG.normal(size=(U, U))))
    feed = feed_of(wrt, 4)
    got = gx.compile(product, dtype="float64")(x=feed[wrt[0]], h=feed[wrt[1]])
    np.testing.assert_allclose(got, gx.evaluate(product, feed), rtol=1e-9, atol=1e-11)


def repeated(without: tuple[str, ...], cell: str) -> tuple[int, int]:
    """Functions and sums of products in the body of a gradient's loop."""
    loss, wrt = network(CELLS[cell])
    plain = drop_aliases(stabilise([loss, *gx.grad(loss, wrt)]))
    scans = [n.op for n in topological(rewrite(plain, random_numbers(plain), without)) if isinstance(n.op, Scan)]
    stages = [n.op for n in topological(scans[-1].results) if isinstance(n.op, Stage)]
    return sum(op.body.has(*_FUNCTIONS) for op in stages), sum(op.reducer == "sum" and len(op.reads) > 1 for op in stages)


def test_the_adjoint_reads_what_the_loop_has_computed() -> None:
    assert repeated((), "gated") == (0, 2)  # what comes back through the two products
    assert repeated(("kept",), "gated")[0] > 0
