"""Sums of products with few columns: turned or divided so that they have many, and the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import topological
from graphc.expr.stage import Stage
from graphc.rewrite import lanes, products
from graphc.rewrite.padding import pad_windows
from graphc.rewrite.passes import rewrite
from graphc.rewrite.residues import split_residues

X, S = gx.tensor("x", ("n", 9, 8, 2)), gx.tensor("s", ("n", 20, 3))
IMAGE = ((1, 2), (2, 2))


def weights(*shape: int) -> Any:
    return gx.parameter("w" + "_".join(map(str, shape)), shape)


def conv(x: Any, filters: int, size: int = 3, **more: Any) -> Any:
    return gx.nn.conv2d(x, weights(size, size, x.shape[-1], filters), **more)


def pool(x: Any, kind: str = "max", **more: Any) -> Any:
    return getattr(gx.nn, f"{kind}_pool2d")(x, 2, **more)


def dense(x: Any, units: int) -> Any:
    flat = gx.reshape(x, (x.shape[0], -1))
    return flat @ weights(flat.shape[1], units)


NETS: dict[str, Callable[[], Any]] = {
    "an input as it comes": lambda: conv(X, 3),
    "padded": lambda: gx.tanh(conv(X, 3, padding="same")),
    "with a bias and a mean of windows": lambda: pool(gx.tanh(conv(X, 3) + weights(3)), "avg"),
    "the greatest of windows, flat": lambda: dense(pool(gx.relu(conv(X, 3, padding="same"))), 4),
    "two in a row": lambda: conv(gx.tanh(conv(X, 3, padding="same")), 2, padding="same"),
    "two and pools, as LeNet": lambda: dense(pool(gx.tanh(conv(pool(gx.tanh(conv(X, 3, padding="same")), "avg"), 4)), "avg"), 3),
    "many filters behind few": lambda: conv(gx.tanh(conv(X, 3)), 20),
    "few filters behind many": lambda: conv(gx.tanh(conv(X, 20)), 3),
    "strided": lambda: conv(gx.tanh(conv(X, 3, strides=2, padding="same")), 2, strides=2),
    "dilated": lambda: conv(X, 3, dilation=2),
    "transposed": lambda: gx.nn.conv2d_transpose(gx.tanh(conv(X, 3)), weights(2, 2, 2, 3), strides=2),
    "a residue is added": lambda: gx.tanh(conv(gx.tanh(conv(X, 3, padding="same")), 3, padding="same") + conv(X, 3, 1)),
    "channels beside each other": lambda: conv(gx.concatenate([gx.tanh(conv(X, 3)), conv(X, 2)], axis=-1), 2),
    "by channels": lambda: gx.softmax(conv(X, 3), axis=-1),
    "normalised over samples": lambda: gx.tanh((y := conv(X, 3)) - gx.mean(y, axis=(0, 1, 2))) / (1 + gx.mean(y * y, axis=(0, 1, 2))),
    "normalised over places": lambda: (y := conv(X, 3)) - gx.mean(y, axis=(1, 2, 3), keepdims=True),
    "places turned": lambda: conv(gx.transpose(gx.tanh(conv(X, 3)), (0, 2, 1, 3)), 2),
    "one after the other": lambda: gx.nn.conv1d(gx.tanh(gx.nn.conv1d(S, weights(3, 3, 2), padding="same")), weights(5, 2, 2)),
    "a few columns of a matrix": lambda: gx.tanh(gx.tanh(S @ weights(3, 4)) @ weights(4, 2)),
    "places chosen by ids": lambda: gx.take(gx.tanh(conv(X, 3)), np.array([0, 3, 1]), axis=1),
    "cut and joined": lambda: gx.concatenate([(y := gx.tanh(conv(X, 3)))[:, ::-1], y[:, :2]], axis=1),
    "dropped out": lambda: gx.nn.dropout(gx.tanh(conv(X, 3)), 0.5),
}


def program(case: str) -> tuple[list[Any], list[Any]]:
    """A loss, its gradients by the parameters, and the result itself; what they are computed from."""
    y = NETS[case]()
    loss = gx.sum(gx.sin(y))
    parameters = [t for t in gx.leaves(y).values() if t.kind == "parameter"]
    return [loss, *gx.grad(loss, parameters), gx.tanh(y)], list(gx.leaves(y).values())


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sums of products are turned too."""
    for module, name, value in ((lanes, "_WORTH", 1), (lanes, "_WIDE", 2), (products, "_LONG", 1)):
        monkeypatch.setattr(module, name, value)


def arrays(given: list[Any], batch: int) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=[batch if isinstance(e, Dim) else e for e in t.shape]) for t in given]


@pytest.mark.parametrize("case", NETS)
def test_the_values_are_the_same(case: str) -> None:
    outputs, given = program(case)
    windows = pad_windows(split_residues(outputs))
    widened = lanes.widen_products(windows)
    assert [t.shape for t in widened] == [t.shape for t in outputs]
    if case == "dropped out":
        return
    values = dict(zip(given, arrays(given, 3), strict=True))
    for made, wanted in zip(widened, outputs, strict=True):
        np.testing.assert_allclose(gx.evaluate(made, values), gx.evaluate(wanted, values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", NETS)
@pytest.mark.parametrize("batch", [1, 3, 17])
def test_the_kernels_compute_the_same(case: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, given = program(case)
    values = arrays(given, batch)
    made = gx.compile(outputs, inputs=given, dtype="float64")(*values)
    monkeypatch.setattr(lanes, "_WORTH", float("inf"))
    wanted = gx.compile(outputs, inputs=given, dtype="float64")(*values)
    for one, other in zip(made, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def contractions(outputs: list[Any]) -> list[Any]:
    found = [(t, products.contraction(t)) for n in topological(outputs) for t in n.outputs]
    return [(t, c) for t, c in found if c is not None]


def test_the_columns_of_a_small_network_are_places_and_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    x = gx.tensor("x", ("n", 28, 28, 1))
    h = gx.nn.avg_pool2d(gx.tanh(gx.nn.conv2d(x, weights(5, 5, 1, 6), padding="same")), 2)
    loss = gx.sum(gx.tanh(gx.nn.conv2d(h, weights(5, 5, 6, 16))))
    outputs = rewrite([loss, *gx.grad(loss, [t for t in gx.leaves(loss).values() if t.kind == "parameter"])], {})
    found = [(t.op.extents[c.n], products.along_sum(t, c)) for t, c in contractions(outputs) if isinstance(t.op, Stage)]
    assert sum(isinstance(columns, Dim) for columns, _ in found) == 3  # of two layers, of a gradient by an input
    assert sum(along for _, along in found) == 2  # of gradients by filters
    assert len(found) == 5


def test_what_has_many_columns_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    x = gx.tensor("x", ("n", 28, 28, 16))
    outputs = [gx.sum(gx.tanh(gx.nn.conv2d(x, weights(3, 3, 16, 16)))), gx.tensor("a", ("n", 300)) @ weights(300, 10)]
    assert lanes.widen_products(outputs) == outputs
