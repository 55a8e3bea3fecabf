"""Which parts of a graph are computed sample by sample, and what is put together from sums over some samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import drop_aliases, random_numbers, root_of, topological
from graphc.expr.operation import Random, Scan
from graphc.rewrite.passes import rewrite
from graphc.rewrite.samples import Samples, by_samples

i, j, k = gx.indices("i j k")
x, y = gx.tensor("x", ("n", 3, 4)), gx.tensor("y", ("n", 4))
w = gx.parameter("w", (4, 4), init=np.eye(4))
ids = gx.tensor("ids", ("n",), dtype="int")
square = gx.tensor("s", ("n", "n"))

APART: dict[str, Any] = {
    "entry by entry": gx.tanh(x) * x,
    "a product with a weight": gx.tanh(x @ w),
    "a product in each sample": gx.einsum("bik,bjk->bij", x, gx.tanh(x)),
    "sums along a sample": gx.softmax(x) - gx.max(x, axis=1, keepdims=True),
    "two inputs": gx.tanh(x) * y[:, None, :],
    "noise": gx.tanh(x) * gx.random.uniform(x.shape),
    "another shape": gx.tanh(gx.reshape(gx.tanh(x), (x.shape[0], 12))),
    "a length": gx.tanh(x) / x.shape[0],
}
TOGETHER: dict[str, Any] = {
    "the other way round": gx.tanh(x)[::-1] * 2,
    "another sample": gx.tanh(gx.tanh(x) @ w) - gx.tanh(x)[:1],
    "the number of a sample": gx.define("z", (i, j), y[i, j] * i),
    "an id that is checked": gx.take(w, ids, axis=0) * 2,
    "a product over samples": square @ gx.tanh(y),
    "samples on the second axis": gx.tanh(gx.transpose(y) * 2),
}
SUMS: dict[str, Any] = {
    "of entries": gx.sum(gx.tanh(x), axis=(0, 1)),
    "of products": gx.einsum("bti,btj->ij", gx.tanh(x), x),
    "extremes": gx.max(gx.tanh(x), axis=0),
    "of everything": gx.sum(gx.tanh(x)),
}


def parts(output: Any) -> Samples | None:
    outputs = drop_aliases([output] if isinstance(output, gx.Tensor) else list(output))
    numbers = random_numbers(outputs)
    return by_samples(rewrite(outputs, numbers), numbers)


@pytest.mark.parametrize("case", APART)
def test_samples_that_do_not_meet(case: str) -> None:
    found = parts([gx.tanh(APART[case]) * 3, APART[case]])
    assert found is not None
    assert found.extent == x.shape[0]
    assert all(t.shape[0] == found.rows for t in found.computed)
    assert [t.shape for t in found.outputs] == [APART[case].shape] * 2
    assert all(root_of(t) in found.computed for t in found.outputs)


@pytest.mark.parametrize("case", TOGETHER)
def test_samples_that_meet(case: str) -> None:
    found = parts([TOGETHER[case], gx.tanh(x @ w), gx.tanh(x) * 2])
    assert found is not None
    assert [root_of(t) in found.computed for t in found.outputs] == [False, True, True]


@pytest.mark.parametrize("case", SUMS)
def test_sums_over_samples(case: str) -> None:
    found = parts([SUMS[case], gx.tanh(x) * 2])
    assert found is not None
    assert found.outputs[0] in found.sums
    assert found.outputs[0].shape == SUMS[case].shape


def test_a_winner_that_is_asked_for_is_no_sum() -> None:
    found = parts([gx.argmax(gx.tanh(y), axis=0), gx.tanh(y) * 2, gx.tanh(y @ w)])
    assert found is not None
    assert found.sums == frozenset()


def test_numbers_go_with_their_nodes() -> None:
    noise = gx.random.uniform(y.shape)
    found = parts([gx.tanh(y * noise), gx.tanh(y), gx.random.uniform((3,))])
    assert found is not None
    nodes = [n for n in topological(found.outputs) if isinstance(n.op, Random)]
    assert len(nodes) == 2
    assert sorted(found.numbers[n] for n in nodes) == [0, 1]


def test_a_weight_of_as_many_rows_is_no_batch() -> None:
    a, m = gx.tensor("a", (4, 4)), gx.parameter("m", (4, 4), init=1.0)
    found = parts([gx.tanh(a) @ w, gx.tanh(gx.tanh(a) * 2), m * gx.tanh(a)])
    assert found is not None
    assert [root_of(t) in found.computed for t in found.outputs] == [True, True, False]


def test_recurrences_stay_as_they_are() -> None:
    last, _ = gx.scan(lambda h, t: (gx.tanh(h @ w + t), h), gx.transpose(x, (1, 0, 2)), gx.tanh(y))
    found = parts([last, gx.tanh(gx.tanh(x) * 2)])
    assert found is not None
    [scan] = [n for n in topological(found.outputs) if isinstance(n.op, Scan)]
    assert scan.outputs[0].shape == y.shape


def test_nothing_without_samples() -> None:
    assert parts(gx.tanh(w) @ w) is None
    assert parts(gx.tanh(gx.tensor("one", (1, 4)))) is None
