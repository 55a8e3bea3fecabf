"""Values and errors that passes must keep: what each of them once lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx

RNG = np.random.default_rng(0)
ONES = np.ones((64, 64))
INFINITE = np.where(np.arange(66 * 66).reshape(66, 66) % 67 == 0, np.inf, 1.0)
X, Y = gx.tensor("x", (50, 7)), gx.tensor("y", ("n", 7))
Z, W, INTS = gx.tensor("z", (64, 64)), gx.tensor("w", (66, 66)), gx.tensor("i", (2, 6, 6, 3), dtype="int")
LINE, IDS = gx.tensor("line", (10,)), gx.tensor("ids", (3,), dtype="int")


def with_gradient(x: Any, y: Any) -> list[Any]:
    return [y, gx.grad(gx.sum(y), x)]


CASES: dict[str, tuple[Callable[[], list[Any]], dict[Any, Any]]] = {
    # A sum over samples with as many entries as there are samples, which later ones read by their own row.
    "a sum that samples read": (lambda: with_gradient(X, gx.exp(X) @ X.T), {X: RNG.normal(size=(50, 7))}),
    "the same, any number of samples": (lambda: with_gradient(Y, gx.exp(Y) @ Y.T), {Y: RNG.normal(size=(50, 7))}),
    # What lies outside takes part in formulas as a number would, not as SymPy's.
    "divided by a border of zeros": (lambda: [Z / gx.pad(Z[:, :-1], ((0, 0), (1, 0)))], {Z: ONES}),
    "a logarithm of a border": (lambda: [gx.log(gx.pad(Z, 1))], {Z: ONES}),
    "a power of a border": (lambda: [gx.pad(Z, 1) ** -2.5], {Z: ONES}),
    "a border times infinity": (lambda: [gx.pad(Z, 1) * W], {Z: ONES, W: INFINITE}),
    "a border times infinity, summed": (lambda: [gx.sum(gx.pad(Z, 1) * W, axis=1)], {Z: ONES, W: INFINITE}),
    "a function of a sum with a border": (lambda: [gx.exp(gx.concatenate([Z, Z], 1)), gx.tanh(gx.pad(Z, 1) + W)], {Z: ONES, W: INFINITE}),
    "a choice with a border": (lambda: [gx.where(gx.pad(Z, 1) > 0, W, 2 * gx.pad(Z, 1)), gx.maximum(gx.pad(Z, 1), W)], {Z: ONES, W: -INFINITE}),
    "whole numbers in windows that reach outside": (
        lambda: [gx.nn.max_pool2d(INTS, (3, 3), padding="same")], {INTS: RNG.integers(-9, 9, (2, 6, 6, 3))},
    ),
    "ids of a part": (lambda: [gx.take(LINE[2:5], IDS), gx.take(gx.flip(LINE), IDS)], {LINE: np.arange(10.0), IDS: [0, 1, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_values_are_kept(case: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(threads))
    make, feed = CASES[case]
    outputs = make()
    with np.errstate(all="ignore"):
        wanted = gx.evaluate(outputs, feed)
    got = gx.compile(outputs, list(feed), dtype="float64")(*feed.values())
    for mine, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)


BAD_IDS: dict[str, tuple[Callable[[], Any], list[int], str]] = {
    "of a part": (lambda: gx.take(LINE[2:5], IDS), [0, 1, 4], "ids holds 4, and axis 0 of .* runs from 0 to 2"),
    "below a part": (lambda: gx.take(LINE[2:5], IDS), [0, -1, 4], "ids holds -1"),
    "of what is turned round": (lambda: gx.take(gx.flip(LINE), IDS), [0, 1, 11], "ids holds 11, and axis 0 of .* runs from 0 to 9"),
    "of what is padded": (lambda: gx.take(gx.pad(LINE, 1), IDS), [0, 11, 12], "ids holds 12, and axis 0 of .* runs from 0 to 11"),
    "of what is repeated": (lambda: gx.take(gx.broadcast_to(gx.sum(LINE), (4,)), IDS), [0, 3, 7], "ids holds 7"),
}


@pytest.mark.parametrize("row", BAD_IDS)
def test_ids_are_checked_against_what_they_pick_from(row: str) -> None:
    make, ids, message = BAD_IDS[row]
    for run in (lambda: gx.evaluate(make(), {LINE: np.arange(10.0), IDS: ids}), lambda: gx.compile(make(), [LINE, IDS])(np.arange(10.0), ids)):
        with pytest.raises(gx.DataError, match=message):
            run()


def test_sizes_that_a_recurrence_needs_are_checked() -> None:
    x, h, y = gx.tensor("x", ("t", "n")), gx.tensor("h", ("n",)), gx.tensor("y", ("m",))
    cases = [
        (gx.scan(lambda c, i: (c + i * c[2], c), x, h)[0], [x, h], [np.ones((2, 1)), np.ones(1)], [np.ones((2, 3)), np.ones(3)]),
        (gx.scan(lambda c, i: (c + gx.sum(i[1:4]), c), x, h)[0], [x, h], [np.ones((2, 3)), np.ones(3)], [np.ones((2, 4)), np.ones(4)]),
        (gx.scan(lambda c, i: (c + gx.sum(i * y), c), x, h)[0], [x, h, y], [np.ones((2, 3)), np.ones(3), np.ones(2)],
         [np.ones((2, 3)), np.ones(3), np.ones(3)]),
    ]  # fmt: skip
    for out, inputs, bad, good in cases:
        f = gx.compile(out, inputs, dtype="float64")
        with pytest.raises(gx.GraphcError):
            f(*bad)
        with pytest.raises(gx.GraphcError):
            gx.evaluate(out, dict(zip(inputs, bad, strict=True)))
        np.testing.assert_allclose(f(*good), gx.evaluate(out, dict(zip(inputs, good, strict=True))), rtol=1e-12)


def test_an_empty_index_checks_no_other() -> None:
    i, j = gx.indices("i j")
    empty, five = gx.tensor("a", (0,)), gx.tensor("b", (5,))
    with pytest.raises(gx.ShapeError, match="axis 0 of b"):
        gx.define("y", (i, j), empty[i] * gx.exp(five[j]), extents={j: 10})
    assert gx.compile(gx.define("y", (i, j), empty[i + 3] * gx.exp(five[j]), extents={i: 0}))(np.ones(0), np.ones(5)).shape == (0, 5)
