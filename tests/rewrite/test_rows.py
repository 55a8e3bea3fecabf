"""Which recurrences may be run for some rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import drop_aliases, random_numbers, topological
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.rewrite.passes import rewrite
from graphc.rewrite.rows import by_rows

i, j = gx.indices("i j")
x, h0 = gx.tensor("x", ("T", "n", 4)), gx.tensor("h", ("n", 4))
w, ids, square = gx.parameter("w", (4, 4), init=np.eye(4)), gx.constant([0, 1, 2]), gx.tensor("s", ("n", "n"))
each = gx.tensor("e", ("n", 4))  # something for each row, the same at all times

APART: dict[str, Any] = {
    "entry by entry": lambda h, t: gx.tanh(h + t),
    "a product with a weight": lambda h, t: gx.tanh(h @ w + t),
    "sums along a row": lambda h, t: gx.softmax(h + t) * gx.max(h, axis=1, keepdims=True),
    "something of its own": lambda h, t: h * each + t,
    "gates side by side": lambda h, t: gx.concatenate([h[:, 2:] + t[:, 2:], h[:, :2] * t[:, :2]], axis=1),
    "the length of the batch": lambda h, t: h + t / h.shape[0],
}
TOGETHER: dict[str, Any] = {
    "a mean over rows": lambda h, t: h - gx.mean(h, axis=0),
    "rows turned round": lambda h, t: h[::-1] + t,
    "another row": lambda h, t: h + t[:1],
    "a product over rows": lambda h, t: square @ h + t,
    "the number of a row": lambda h, t: gx.define("z", (i, j), h[i, j] + t[i, j] * i),
    "an id that is checked": lambda h, t: gx.take(h, ids, axis=1)[:, :1] + t,
    "noise": lambda h, t: h + gx.random.normal(h.shape) * t,
}


def scan_of(cell: Any) -> Scan:
    last, sums = gx.scan(lambda h, t: (cell(h, t), gx.sum(h, axis=1)), x, h0)
    outputs = drop_aliases([last, sums])
    [scan] = [n.op for n in topological(rewrite(outputs, random_numbers(outputs))) if isinstance(n.op, Scan)]
    return scan


@pytest.mark.parametrize("cell", APART)
def test_rows_that_do_not_meet(cell: str) -> None:
    scan = scan_of(APART[cell])
    found = by_rows(scan)
    assert found is not None
    part = Dim.named(found.name)
    assert found.extent == x.shape[1]
    moving = scan.carries + scan.sequences
    assert found.apart[:moving] == (True,) * moving
    assert all(t.shape[0] == part for t in found.scan.results)
    for parameter, apart in zip(found.scan.parameters, found.apart, strict=True):
        assert (parameter.ndim > 0 and parameter.shape[0] == part) is apart
    stages = [n.op for n in topological(found.scan.results) if isinstance(n.op, Stage)]
    assert not any(e == found.extent for op in stages for e in op.extents)


@pytest.mark.parametrize("cell", TOGETHER)
def test_rows_that_meet(cell: str) -> None:
    assert by_rows(scan_of(TOGETHER[cell])) is None


def test_a_carry_without_rows_keeps_them_together() -> None:
    last, outs = gx.scan(lambda c, t: ((c[0] + t, c[1] + 1), c[0]), x, (h0, gx.constant(0.0)))
    [scan] = [n.op for n in topological(rewrite(drop_aliases([*last, outs]), {})) if isinstance(n.op, Scan)]
    assert by_rows(scan) is None
