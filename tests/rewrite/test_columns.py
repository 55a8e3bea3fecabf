"""Columns that lie apart: moved to the result's end, and the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import topological
from graphc.expr.stage import Stage
from graphc.rewrite import columns
from graphc.rewrite.products import contraction

X = gx.tensor("x", ("n", 5, 6))


def weights(*shape: int, of: str = "") -> Any:
    return gx.parameter(of + "w" + "_".join(map(str, shape)), shape)


def heads(x: Any, of: str = "") -> Any:
    return gx.einsum("btm,mhd->bhtd", x, weights(x.shape[-1], 2, 3, of=of))


def attention(x: Any, of: str = "") -> Any:
    q = heads(x, of)
    p = gx.softmax(gx.einsum("bhqd,bhkd->bhqk", q, gx.tanh(q)), axis=-1)
    return gx.einsum("bhqd,hdm->bqm", gx.einsum("bhqk,bhkd->bhqd", p, q), weights(2, 3, 6, of=of))


NETS: dict[str, Callable[[], Any]] = {
    "heads": lambda: heads(X),
    "with a bias": lambda: gx.tanh(heads(X) + weights(2, 1, 3)),
    "attention": lambda: attention(X),
    "a layer of Keras": lambda: gx.layers.MultiHeadAttention(2, 3)(X, X),
    "two": lambda: attention(gx.tanh(attention(X, "first/"))),
    "flat afterwards": lambda: gx.reshape(heads(X), (X.shape[0], -1)),
    "by halves": lambda: gx.concatenate([(y := heads(X))[:, :, :2], y[:, :, 3:]], axis=2),
    "summed over heads": lambda: gx.sum(heads(X) * gx.constant([0.0, 1.0, 2.0]), axis=1),
    "the greatest head": lambda: gx.max(heads(X), axis=1),
    "three levels": lambda: gx.einsum("btm,mghd->bghtd", X, weights(6, 2, 2, 3)),
}


def program(case: str) -> tuple[list[Any], list[Any]]:
    y = NETS[case]()
    loss = gx.sum(gx.sin(y))
    parameters = [t for t in gx.leaves(y).values() if t.kind == "parameter"]
    return [loss, *gx.grad(loss, parameters), y], list(gx.leaves(y).values())


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sums of products are turned too."""
    monkeypatch.setattr(columns, "_WORTH", 1)


@pytest.mark.parametrize("case", NETS)
@pytest.mark.parametrize("batch", [1, 4])
def test_the_values_are_the_same(case: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, given = program(case)
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=[batch if isinstance(e, Dim) else e for e in t.shape]) for t in given]
    gathered = columns.gather_columns(outputs)
    assert [t.shape for t in gathered] == [t.shape for t in outputs]
    made = gx.compile(outputs, inputs=given, dtype="float64")(*arrays)
    monkeypatch.setattr(columns, "_WORTH", float("inf"))
    wanted = gx.compile(outputs, inputs=given, dtype="float64")(*arrays)
    values = dict(zip(given, arrays, strict=True))
    for tensor, one, other in zip(gathered, made, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(gx.evaluate(tensor, values), other, rtol=1e-9, atol=1e-9)


def test_the_columns_of_all_heads_are_one_row() -> None:
    loss = gx.sum(attention(X))
    w = next(t for t in gx.leaves(loss).values() if t.name == "w6_2_3")
    found = columns.gather_columns([gx.grad(loss, w)])
    products = [(t, c) for n in topological(found) for t in n.outputs if (c := contraction(t)) is not None and c.columns]
    assert products
    for tensor, c in products:
        assert isinstance(tensor.op, Stage)
        assert tensor.op.free is not None
        assert tensor.op.free[-2:] == (c.columns[-1], c.n)
