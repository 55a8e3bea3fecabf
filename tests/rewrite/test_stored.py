"""A reduction of what a product reads anyway reads it too; what is not in memory, or reads one array, stays as it is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import topological
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.rewrite.stored import read_stored

X, Y, W = gx.tensor("x", ("n", 5, "m")), gx.tensor("y", ("n", 5, "m")), gx.tensor("w", ("m", 3))
FIRST, SECOND = read_symbol(0), read_symbol(1)
BODY = FIRST + SECOND**2
FEED = {X: np.random.default_rng(1).normal(size=(4, 5, 6)), Y: np.random.default_rng(2).normal(size=(4, 5, 6))}
FEED[W] = np.random.default_rng(3).normal(size=(6, 3))


def of(tensors: list[Tensor], body: Any, order: tuple[int, ...] = (0, 1, 2), outputs: int = 3, reducer: Any = None) -> Tensor:
    """A stage over the tensors' entries, whose axes are these indices."""
    extents: list[Any] = [0, 0, 0]
    for axis, index in enumerate(order):
        extents[index] = tensors[0].shape[axis]
    places = tuple(Affine.variable(k) for k in order)
    return stage(extents, [(t, places) for t in tensors], body, outputs=outputs, reducer=reducer)


@pytest.mark.parametrize("reducer", ["sum", "prod"])
@pytest.mark.parametrize(("order", "count"), [(o, c) for o in itertools.permutations(range(3)) for c in (0, 1, 2)])
def test_a_reduction_reads_what_a_product_reads(order: tuple[int, ...], count: int, reducer: str) -> None:
    stored = of([X, Y], BODY)
    outputs = [stored @ W, of([Y, X], SECOND + FIRST**2, order, count, reducer)]
    before, after = topological(outputs), read_stored(outputs)
    assert sum(len(n.inputs) == 2 for n in before) - sum(len(n.inputs) == 2 for n in topological(after)) == 1
    for got, want in zip(gx.evaluate(after, FEED), gx.evaluate(outputs, FEED), strict=True):
        np.testing.assert_array_equal(got, want)
    compiled = gx.compile(outputs, [X, Y, W], dtype="float64")
    for got, want in zip(compiled(*FEED.values()), gx.evaluate(outputs, FEED), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


OTHERS = {
    "another formula": [of([X, Y], BODY) @ W, of([X, Y], BODY + 1, outputs=1, reducer="sum")],
    "the other way round": [of([X, Y], BODY) @ W, of([Y, X], BODY, outputs=1, reducer="sum")],
    "not in memory": [of([of([X, Y], BODY)], FIRST + 1), of([X, Y], BODY, outputs=1, reducer="sum")],
    "one array": [of([X], FIRST**2) @ W, of([X], FIRST**2, outputs=1, reducer="sum")],
}


@pytest.mark.parametrize("case", OTHERS)
def test_anything_else_stays(case: str) -> None:
    before, after = (topological(x) for x in (OTHERS[case], read_stored(OTHERS[case])))
    assert [n.op for n in before] == [n.op for n in after]


def test_the_gradient_of_a_bias_is_a_sum_of_one_array() -> None:
    x, w, v = gx.tensor("x", (64, 9)), gx.parameter("w", (9, 33), init=0.1), gx.parameter("v", (33, 7), init=0.2)
    b = gx.parameter("b", (33,), init=0.0)
    outputs = gx.grad(gx.sum((gx.relu(x @ w + b) @ v) ** 2), [w, b, v])
    sums = [c for c in gx.compile(outputs).program.calls if c.tensors[0].shape == (33,)]
    assert [len(c.buffers) for c in sums] == [2]
