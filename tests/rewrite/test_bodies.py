"""Bodies of recurrences go through the passes, and what no iteration changes is done before the loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.rewrite.passes import rewrite
from graphc.stable import stabilise

RNG = np.random.default_rng(0)


def scans(outputs: list[Tensor]) -> list[Scan]:
    return [n.op for n in topological(rewrite(drop_aliases(stabilise(outputs)), {})) if isinstance(n.op, Scan)]


def transposed(width: int) -> tuple[list[Tensor], dict[Tensor, Any]]:
    x, w = gx.tensor("x", ("T", width, width)), gx.parameter("w", (width, width), init=RNG.normal(size=(width, width)) / width)
    last, out = gx.scan(lambda h, item: (gx.tanh(h @ w.T + item), h), x, gx.constant(np.zeros((width, width))))
    return [last, out], {x: RNG.normal(size=(6, width, width))}


@pytest.mark.parametrize("width", [1, 7, 16])
def test_a_weight_is_laid_out_once(width: int) -> None:
    outputs, feed = transposed(width)
    [scan] = scans(outputs)
    sums = [n for n in topological(scan.results) if isinstance(n.op, Stage) and n.op.reducer == "sum"]
    assert all(t in scan.parameters for n in sums for t in n.inputs)  # what is summed is copied before the loop
    [(x, value)] = feed.items()
    for a, e in zip(gx.compile(outputs, dtype="float64")(value), gx.evaluate(outputs, {x: value}), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10)


def test_what_nobody_reads_goes() -> None:
    x = gx.tensor("x", ("T", 4))

    def step(carry: Any, item: Any) -> Any:
        h, c, d = carry
        return (gx.tanh(h + item), gx.sin(c * item), gx.cos(d) + gx.sin(c)), (h * 2, gx.exp(item * c), h * 2)

    zero = gx.constant(np.zeros(4))
    (h, _, _), (a, _, b) = gx.scan(step, x, (zero, zero, zero))
    [scan] = scans([h, a, b])
    assert (scan.carries, len(scan.results)) == (1, 2)  # c serves only itself and d; both outputs are one
    value = RNG.normal(size=(5, 4))
    for got, want in zip(gx.compile([h, a, b], dtype="float64")(value), gx.evaluate([h, a, b], {x: value}), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_carry_that_another_one_reads_stays() -> None:
    x = gx.tensor("x", ("T", 4))
    zero = gx.constant(np.zeros(4))
    (h, _), _ = gx.scan(lambda c, item: ((gx.tanh(c[0] + c[1]), gx.sin(c[1] * 2 + item)), item), x, (zero, zero))
    [scan] = scans([h])
    assert scan.carries == 2
    value = RNG.normal(size=(5, 4))
    np.testing.assert_allclose(gx.compile(h, dtype="float64")(value), gx.evaluate(h, {x: value}), rtol=1e-12)
