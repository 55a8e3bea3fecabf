"""Recurrences whose carries, items and outputs are read and written where they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import cost
from graphc.runtime import loop

RNG = np.random.default_rng(0)

# (carries, item) -> (next carries, outputs): each wires results to carries and outputs in another way.
CELLS: dict[str, Callable[..., Any]] = {
    "a carry that is an output": lambda a, b, x: ((gx.tanh(a + x), b * 2), gx.tanh(a + x)),
    "an output that is both next carries": lambda a, b, x: ((gx.sin(a + b + x),) * 2, gx.sin(a + b + x)),
    "carries that change places": lambda a, b, x: ((b, a + x), a),
    "one that follows the other": lambda a, b, x: ((a + x, a), b),
    "a carry that stays": lambda a, b, x: ((a, gx.cos(b * x)), b),
    "the item as the next carry": lambda a, b, x: ((x, a * b), x),
    "an output of the item alone": lambda a, b, x: ((a + 1, b), gx.exp(x)),
    "the carry before as the output": lambda a, b, x: ((gx.tanh(a * x), a + b), (a, b)),
    "one output twice": lambda a, b, x: ((a + x, b + x), (a * b, a * b, a * b + 1)),
    "products": lambda a, b, x: ((gx.einsum("ij,kj,kl->il", a, b, x), gx.tanh(b + a)), gx.sum(a, axis=0)),
    "reshaped": lambda a, b, x: ((gx.reshape(gx.reshape(gx.tanh(a + x), (-1,)), a.shape), gx.reshape(b, a.shape)), gx.reshape(a, (-1,))),
    "whole numbers": lambda a, b, x: ((a + 1.5 * gx.argmax(b + x, axis=1)[:, None], b - x), gx.argmax(a, axis=1)),
}


def nested(a: Any, b: Any, x: Any) -> Any:
    """A loop in the loop, over rows of the item, which starts from the carry and whose outputs are ours."""
    last, outs = gx.scan(lambda c, row: (gx.tanh(c + row), c * row), x, a[0])
    return (outs + last, b + outs), (outs, last)


CELLS["nested"] = nested


def build(cell: str, wanted: str, reverse: bool) -> tuple[list[Any], list[Any]]:
    x, a, b = gx.tensor("x", ("T", "n", 3)), gx.tensor("a", ("n", 3)), gx.tensor("b", ("n", 3))
    last, outs = gx.scan(lambda carry, item: CELLS[cell](*carry, item), x, (a, b), reverse=reverse)
    stacked = list(outs) if isinstance(outs, tuple) else [outs]
    results = {"last": list(last), "stacked": stacked, "both": [*last, *stacked]}[wanted]
    if cell == "whole numbers" or wanted != "both":
        return results, [x, a, b]
    total = gx.sum(results[0])
    for k, t in enumerate(results):
        total = total + gx.sum(t * t * (k + 1))
    return [*results, *gx.grad(total, [x, a, b])], [x, a, b]


@pytest.fixture(params=[1, 3])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many threads share a loop whose rows do not meet, however small it is."""
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(request.param))
    monkeypatch.setattr(loop, "_FEWEST", 1)
    monkeypatch.setattr(loop, "_WORTH", 0)
    monkeypatch.setattr(cost, "LEAST", 0)
    monkeypatch.setattr(cost, "CHUNK", 1)
    return request.param


@pytest.mark.parametrize("wanted", ["last", "stacked", "both"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_every_wiring_gives_the_values_of_the_declaration(cell: str, reverse: bool, wanted: str, parts: int) -> None:
    outputs, inputs = build(cell, wanted, reverse)
    f = gx.compile(outputs, inputs, dtype="float64")
    assert f.threads == parts
    for length, n in ((4, 3), (1, 3), (2, 3), (0, 3), (5, 1), (4, 8), (3, 2)):  # one program, and memory of other sizes again
        feed = {t: RNG.normal(size=(n, 3)) for t in inputs[1:]} | {inputs[0]: RNG.normal(size=(length, n, 3))}
        for got, want in zip(f(*(feed[t] for t in inputs)), gx.evaluate(outputs, feed), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("parts")
def test_a_short_last_batch_walks_through_the_same_memory() -> None:
    x = RNG.normal(size=(7, 4, 3))  # samples first: the loop is over the second axis
    s = gx.tensor("s", ("n", 4, 3))
    w = gx.parameter("w", (3, 3), init=RNG.normal(size=(3, 3)))
    zero = gx.broadcast_to(0.0, (s.shape[0], 3))
    (last, _), outs = gx.scan(lambda c, item: ((gx.tanh(c[0] @ w + item), c[0] + c[1]), c[1]), gx.swapaxes(s, 0, 1), (zero, zero))
    loss = gx.mean(gx.sum(last**2, axis=1)) + gx.mean(outs)
    f = gx.compile([loss, *gx.optimizers.SGD(0.1).updates(loss, [w])], dtype="float64")
    g = gx.compile([loss, *gx.grad(loss, [w])], dtype="float64")
    start = w.value.copy()
    means = f.run({s: x}, np.arange(7), 3)
    losses = []
    value = start
    for rows in (slice(0, 3), slice(3, 6), slice(6, 7)):
        w.value = value
        one, slope = g(x[rows])
        losses.append(float(one) * (rows.stop - rows.start))
        value = value - 0.1 * slope
    np.testing.assert_allclose(means[0], sum(losses) / 7, rtol=1e-10)


@pytest.mark.parametrize("threads", [2, 3, 5, 8])
def test_parts_of_a_shorter_batch_have_the_memory_that_they_need(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(threads))
    monkeypatch.setattr(loop, "_WORTH", 0)
    x, a = gx.tensor("x", (2, "n", 3)), gx.tensor("a", ("n", 3))
    f = gx.compile(gx.scan(lambda c, item: (gx.tanh(c + item), c), x, a)[0], [x, a])
    divided = 0
    for batch in range(1, 45):
        bound, _ = f.bind(((2, batch, 3), (batch, 3)))
        [found] = bound.loops.values()
        assert found.loop.rows is not None
        name = found.loop.rows.name
        for fewer in range(1, batch + 1):
            parts = [p for kept in bound.rows_for(f.sizes(((2, fewer, 3), (fewer, 3)))).parts.values() for p in kept]
            rows = [p.sizes[name] for p in parts]
            assert sum(rows) == fewer
            assert len(rows) <= threads
            assert rows[0] <= batch
            assert all(n <= body.sizes[name] for n, body in zip(rows, found.bodies, strict=False))
            divided += len(rows) > 1
    assert divided > 500


def test_the_id_that_an_error_names_does_not_depend_on_threads(parts: int) -> None:
    ids = gx.tensor("ids", ("T", "n"), dtype="int")
    w = gx.parameter("w", (7, 3), init=np.ones((7, 3)))
    last, outs = gx.scan(lambda c, i: (gx.tanh(c + gx.take(w, i)), c), ids, gx.broadcast_to(0.0, (ids.shape[1], 3)))
    f = gx.compile([last, outs])
    given = np.zeros((9, 8), int)
    f(given)
    given[1, 3], given[3, 1], given[5, 6], given[8, 0] = 13, 21, 36, 80
    with pytest.raises(gx.DataError, match=r"ids holds 13"):
        f(given)
    assert [len(k.bodies) for k in f.bind((given.shape,))[0].loops.values()] == [1], parts
