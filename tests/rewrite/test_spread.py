"""What is computed from spread tensors entry by entry is spread itself, and has the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.stage import Stage
from graphc.rewrite.passes import rewrite

X = gx.tensor("x", ("n", 6, 8, 3))


def pooled(activation: Callable[[Any], Any], kind: str = "avg", **more: Any) -> Any:
    return getattr(gx.nn, f"{kind}_pool2d")(activation(X), 2, **more)


def flat(y: Any) -> Any:
    return gx.reshape(y, (y.shape[0], -1))


NETS: dict[str, Callable[[], Any]] = {
    "a mean of windows": lambda: gx.sin(pooled(gx.tanh)),
    "the greatest of windows": lambda: gx.sin(pooled(gx.tanh, "max")),
    "turned": lambda: gx.sin(gx.nn.avg_pool2d(gx.transpose(gx.tanh(X), (0, 2, 1, 3)), 2)),
    "flat afterwards": lambda: gx.exp(-flat(pooled(gx.sigmoid))),
    "by place": lambda: gx.sin(gx.nn.avg_pool2d(gx.tanh(X) * gx.constant(np.arange(8.0)[:, None]), 2)),
    "padded": lambda: gx.sin(pooled(gx.tanh, padding="same", strides=1)),
    "windows that leave some out": lambda: gx.sin(gx.nn.avg_pool2d(gx.tanh(X), 3, strides=4)),
    "two readers": lambda: gx.sin(pooled(gx.tanh)) + gx.sum(gx.sin(pooled(gx.exp))),
}


@pytest.mark.parametrize("case", NETS)
@pytest.mark.parametrize("batch", [1, 5])
def test_the_values_are_the_same(case: str, batch: int) -> None:
    y = NETS[case]()
    outputs = [y, gx.grad(gx.sum(y), X)]
    made = rewrite(outputs, {})
    value = np.random.default_rng(0).normal(size=[batch if isinstance(e, Dim) else e for e in X.shape])
    wanted = [gx.evaluate(t, {X: value}) for t in outputs]
    for one, other in zip([gx.evaluate(t, {X: value}) for t in made], wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    for one, other in zip(gx.compile(outputs, dtype="float64")(value), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_a_pools_gradient_and_the_activations_are_one_pass() -> None:
    [gradient] = drop_aliases([gx.grad(gx.sum(gx.sin(pooled(gx.tanh))), X)])
    [made] = rewrite([gradient], {})
    [without] = rewrite([gradient], {}, without=["spread"])
    for tensor, scattered in ((made, True), (without, False)):
        assert isinstance(tensor.op, Stage)
        assert (tensor.op.free is None) == scattered
    assert len(topological([made])) < len(topological([without]))
