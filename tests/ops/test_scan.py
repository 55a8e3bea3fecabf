"""How recurrences are declared: tuples of any form, carries of every kind, what a step may use and ignore."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
H = RNG.normal(size=3)


def agree(outputs: list[gx.Tensor], feeds: dict[gx.Tensor, Any], wanted: list[Any]) -> None:
    """The evaluator, NumPy source and kernels give what is wanted."""
    programs = [gx.compile(outputs, inputs=list(feeds), target=target, dtype="float64") for target in ("numpy", "cpu")]
    readings = [gx.evaluate(outputs, feeds), *(f(*feeds.values()) for f in programs)]
    for values in readings:
        for value, want in zip(values, wanted, strict=True):
            assert np.shape(value) == np.shape(want)
            np.testing.assert_allclose(value, want, rtol=1e-12, atol=1e-12)


def test_tuples_hold_tuples() -> None:
    x, a, b = gx.tensor("x", ("t", 3)), gx.tensor("a", (3,)), gx.tensor("b", (3,))

    def step(carry: Any, item: Any) -> Any:
        (h, (c,)), (i, [j]) = carry, item
        return (h + i, (c * 0.5 + j,)), ((h,), c)

    (h, (c,)), ((o,), p) = gx.scan(step, (x, (x,)), (a, (b,)))
    late, cs = 2 * H, []
    for row in X:
        cs.append(late)
        late = late * 0.5 + row
    agree([h, c, o, p], {x: X, a: H, b: 2 * H}, [H + X.sum(0), late, H + np.cumsum(X, 0) - X, cs])


@pytest.mark.parametrize(
    ("kind", "start", "following", "wanted"),
    [
        ("int", 0.5, lambda c, i: i, "float"),  # a float that becomes whole numbers stays a float
        ("int", 0, lambda c, i: c + i / 2, "float"),
        ("int", True, lambda c, i: c + i, "int"),
        ("int", False, lambda c, i: c + i / 2, "float"),
        ("bool", True, gx.logical_and, "bool"),
        ("float", 0, lambda c, i: c * i, "float"),
    ],
)
def test_a_carry_has_the_wider_kind_of_what_it_is(kind: str, start: Any, following: Any, wanted: str) -> None:
    x = gx.tensor("x", ("t",), dtype=kind)
    last, before = gx.scan(lambda c, i: (following(c, i), c), x, start)
    assert last.dtype == before.dtype == wanted
    given = np.array([1, 0, 1])
    plain = {"int": np.multiply(1, given), "bool": given.astype(bool), "float": given * 1.0}[kind]
    carry, seen = start, []
    for item in plain:
        seen.append(carry)
        carry = carry and bool(item) if kind == "bool" else following(carry, item)
    agree([last, before], {x: plain}, [carry, seen])


def test_a_step_may_ignore_its_carry_or_its_item() -> None:
    x, a = gx.tensor("x", ("t", 3)), gx.tensor("a", (3,))
    last, shifted = gx.scan(lambda c, i: (i, c), x, a)
    agree([last, shifted], {x: X, a: H}, [X[-1], np.vstack([H, X[:-1]])])
    slopes = gx.grad(gx.sum(last**2) + gx.sum(shifted**3), [x, a])
    expected = np.vstack([3 * X[:-1] ** 2, 2 * X[-1]])
    agree(slopes, {x: X, a: H}, [expected, 3 * H**2])
    same, ones = gx.scan(lambda c, i: (a, 1.0), x, a)
    agree([same, ones], {x: X, a: H}, [H, np.ones(5)])
    doubled, _ = gx.scan(lambda c, i: (c * 2, c), x, a)
    agree([gx.grad(gx.sum(doubled), a)], {a: H, x: X}, [np.full(3, 32.0)])


def test_sequences_of_any_rank_and_kind() -> None:
    x, z, n = gx.tensor("x", ("t", 2, 2)), gx.tensor("z", ("t",)), gx.tensor("n", ("t", 3), dtype="int")
    last, _ = gx.scan(lambda c, i: (c + gx.sum(i[0]) * i[1] + i[2][0], c), (x, z, n), 0.0)
    a, b, c = RNG.normal(size=(4, 2, 2)), RNG.normal(size=4), RNG.integers(0, 5, (4, 3))
    for length in (4, 1, 0):
        values = (a[:length], b[:length], c[:length])
        agree([last], dict(zip((x, z, n), values, strict=True)), [(a.sum((1, 2)) * b + c[:, 0])[:length].sum()])


def test_a_list_of_numbers_is_one_sequence() -> None:
    last, _ = gx.scan(lambda c, i: (c + i, c), [1.0, 2.0, 4.0], 0.0)
    rows, _ = gx.scan(lambda c, i: (c + i[1], c), [[1, 2], [3, 4]], 0)
    agree([last, rows], {}, [7.0, 6])
