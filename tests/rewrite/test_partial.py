"""Long reductions to few entries: partial results first, and the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import topological
from graphc.expr.stage import Stage
from graphc.rewrite.partial import reduce_in_parts
from graphc.rewrite.products import contraction

R, J, K, A, B = gx.indices("i j k a b")
X, W = gx.tensor("x", ("n", 40, 40, 3)), gx.tensor("w", (70, 1200))

PARTED: dict[str, Any] = {
    "a channel's sum": gx.sum(X, axis=(0, 1, 2)),
    "a mean of everything": gx.sum(gx.tanh(X) * X),
    "a product of everything": gx.prod(X * 0 + 1),
    "rows and columns": gx.sum(W * W),
    "by place": gx.define("y", (K,), gx.Sum(X[R, A, B, K] * (R + 1) * X[R, A, 0, 0], R, A, B)),
    "a filter's gradient": gx.define("g", (J, K), gx.Sum(X[R, J + A, B, 0] * X[R, A, B, K], R, A, B), extents={J: 5, A: 30}),
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "a largest entry, whose place is known": gx.max(X * 2, axis=(0, 1, 2)),
    "many columns": gx.sum(gx.tensor("v", ("n", 40, 900)), axis=(0, 1)),
    "one index": gx.sum(gx.tensor("v", ("n", 30)), axis=0),
    "short": gx.sum(gx.tensor("v", ("n", 4, 3)), axis=(0, 1)),
    "a product of large matrices": gx.tensor("a", (300, 4000)) @ gx.tensor("b", (4000, 300)),
}


def stages(y: Any) -> list[Stage]:
    return [n.op for n in topological([y]) if isinstance(n.op, Stage)]


@pytest.mark.parametrize("case", PARTED)
def test_the_values_are_those_of_one_reduction(case: str) -> None:
    y = PARTED[case]
    [parted] = reduce_in_parts([y])
    assert parted.shape == y.shape
    rng = np.random.default_rng(0)
    given = {t: rng.normal(size=[5 if isinstance(e, Dim) else e for e in t.shape]) for t in gx.leaves(y).values()}
    assert len(stages(parted)) == len(stages(y)) + 1
    np.testing.assert_allclose(gx.evaluate(parted, given), gx.evaluate(y, given), rtol=1e-10, atol=1e-9)
    used = list(given)
    np.testing.assert_allclose(gx.compile(y, inputs=used, dtype="float64")(*given.values()), gx.evaluate(y, given), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", WHOLE)
def test_what_would_not_gain_stays(case: str) -> None:
    assert len(stages(reduce_in_parts([WHOLE[case]])[0])) == len(stages(WHOLE[case]))


def test_a_filters_gradient_is_one_for_each_image() -> None:
    x, k = gx.tensor("x", ("n", 28, 28, 1)), gx.parameter("k", (5, 5, 1, 6))
    gradient = gx.grad(gx.sum(gx.nn.conv2d(x, k) ** 2), k)
    [parted] = reduce_in_parts([gradient])
    found = [t for n in topological([parted]) for t in n.outputs if contraction(t) is not None and t.ndim == 5]
    assert len(found) == 1
