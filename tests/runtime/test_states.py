"""Assignments: old values for everyone else, nothing changed by a call that raises, one truth for all programs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DataError
from graphc.expr.operation import Cell
from graphc.runtime import compile


def pair() -> tuple[Any, Any]:
    return gx.state("a", (3,), init=[1.0, 2.0, 3.0]), gx.state("b", (3,), init=[10.0, 20.0, 30.0])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_other_outputs_see_the_old_value(target: str) -> None:
    a, b = pair()
    f = compile([a, a * 2, gx.assign(a, a + b), gx.sum(a), gx.reshape(a, (3, 1))], dtype="float64", target=target)
    old, double, new, total, shaped = f()
    np.testing.assert_array_equal(old, [1, 2, 3])
    np.testing.assert_array_equal(double, [2, 4, 6])
    np.testing.assert_array_equal(new, [11, 22, 33])
    np.testing.assert_array_equal(shaped[:, 0], [1, 2, 3])
    assert total == 6
    np.testing.assert_array_equal(a.value, new)
    np.testing.assert_array_equal(f()[2], [21, 42, 63])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_two_states_change_places(target: str) -> None:
    a, b = pair()
    f = compile([gx.assign(a, b), gx.assign(b, a)], dtype="float64", target=target)
    f()
    np.testing.assert_array_equal(a.value, [10, 20, 30])
    np.testing.assert_array_equal(b.value, [1, 2, 3])


def test_next_values_that_read_each_other_and_themselves_elsewhere() -> None:
    a, b = pair()
    f = compile([gx.assign(a, a[::-1] + b), gx.assign(b, gx.sum(a) * b)], dtype="float64")
    f()
    np.testing.assert_array_equal(a.value, [13, 22, 31])
    np.testing.assert_array_equal(b.value, [60, 120, 180])


def test_one_value_for_two_states_and_its_own_use() -> None:
    a, b = pair()
    value = gx.exp(a * 0) + b
    f = compile([gx.assign(a, value), gx.assign(b, value), gx.sum(value)], dtype="float64")
    assert f()[2] == 63
    np.testing.assert_array_equal(a.value, b.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_given_between_calls_are_seen(dtype: str) -> None:
    a, b = pair()
    f, g = compile(gx.assign(a, a + 1), dtype=dtype), compile(a * b, dtype="float64")
    f()
    np.testing.assert_array_equal(g(), [20, 60, 120])
    a.value = [5.0, 5.0, 5.0]
    np.testing.assert_array_equal(g(), [50, 100, 150])
    f()
    np.testing.assert_array_equal(a.value, [6, 6, 6])
    np.testing.assert_array_equal(g(), [60, 120, 180])
    np.testing.assert_array_equal(gx.evaluate(a * b, {}), [60, 120, 180])


def test_a_value_read_is_a_copy() -> None:
    a, _ = pair()
    a.value[...] = 7
    np.testing.assert_array_equal(compile(a + 0.0)(), [1, 2, 3])


def test_a_call_that_raises_changes_nothing() -> None:
    a, b = pair()
    ids = gx.tensor("ids", ("n",), dtype="int")
    i = gx.indices("i")
    picked = gx.define("picked", (i,), b[ids[i]])
    f = compile([gx.assign(a, a + 1), gx.assign(b, b + gx.sum(picked)), picked], dtype="float64")
    for bad in ([0, 3], [-1], [2**40]):
        with pytest.raises(gx.DataError, match=r"axis 0 of b runs from 0 to 2"):
            f(np.array(bad))
        np.testing.assert_array_equal(a.value, [1, 2, 3])
        np.testing.assert_array_equal(b.value, [10, 20, 30])
    np.testing.assert_array_equal(f([2])[2], [30])
    np.testing.assert_array_equal(a.value, [2, 3, 4])


def test_sums_of_products_that_start_from_a_state_wait_for_the_checks() -> None:
    rng = np.random.default_rng(0)
    table, ids, x, y = gx.tensor("table", (6, 2)), gx.tensor("ids", (3,), dtype="int"), gx.tensor("x", (7, 4)), gx.tensor("y", (7, 4))
    a, b = gx.state("a", (4, 4)), gx.state("b", (4, 4), init=1.0)
    f = compile([gx.sum(gx.take(table, ids)), gx.assign(a, a + x.T @ y), gx.assign(b, 0.5 * b + y.T @ x)], inputs=[table, ids, x, y], dtype="float64")
    rows, u, v = rng.normal(size=(6, 2)), rng.normal(size=(7, 4)), rng.normal(size=(7, 4))
    with pytest.raises(DataError, match="ids"):
        f(rows, [0, 9, 1], u, v)
    _, first, second = f(rows, [0, 5, 1], u, v)
    np.testing.assert_allclose(first, u.T @ v, rtol=1e-12)
    np.testing.assert_allclose(second, v.T @ u + 0.5, rtol=1e-12)


def test_whole_and_truth_states() -> None:
    count, flag = gx.state("count", (), init=0, dtype="int"), gx.state("flag", (2,), init=False, dtype="bool")
    f = compile([gx.assign(count, count + 1), gx.assign(flag, gx.logical_not(flag))])
    f()
    f()
    f()
    assert count.value == 3
    np.testing.assert_array_equal(flag.value, [True, True])


def test_two_next_values_are_refused() -> None:
    a, b = pair()
    with pytest.raises(gx.DeclarationError, match="two next values"):
        compile([gx.assign(a, b), gx.assign(a, b * 2)])


def test_outputs_belong_to_the_caller() -> None:
    x = gx.tensor("x", ("n",))
    f = compile([x, x * 2])
    given = np.arange(3, dtype=np.float32)
    first = f(given)
    first[0][...] = -1
    first[1][...] = -1
    np.testing.assert_array_equal(given, [0, 1, 2])
    np.testing.assert_array_equal(f(given)[1], [0, 2, 4])


def test_large_arrays_are_read_where_they_are_and_left_alone() -> None:
    x = gx.tensor("x", ("n", 50))
    f = compile([gx.sum(x), x])
    big, small = np.ones((1000, 50), np.float32), np.ones((1000, 50))
    assert f(big)[0] == 50000
    assert f(small * 2)[0] == 100000
    assert f(big)[0] == 50000
    np.testing.assert_array_equal(f(big)[1], big)
    g = compile(gx.sum(x * x), dtype="float32")
    for factor in (1, 2, 3):
        assert g(big * np.float32(factor)) == 50000 * factor**2


def test_a_value_that_comes_while_another_is_fetched_is_not_lost() -> None:
    cell = Cell(0.0, np.zeros(1))
    other = threading.Thread(target=lambda: cell.passed_on(lambda: np.full(1, 2.0)))

    def fetch() -> Any:
        other.start()
        other.join(0.2)  # it waits until the value is fetched
        return np.full(1, 1.0)

    cell.passed_on(fetch)
    assert cell.array == 1.0
    other.join()
    assert cell.array == 2.0


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_the_first_bad_id_is_named(target: str) -> None:
    table, ids = gx.tensor("table", (5, 3)), gx.tensor("ids", ("n",), dtype="int")
    out = gx.take(table, ids, axis=0)
    feed = {table: np.ones((5, 3)), ids: [1, 7, 2, 9]}
    with pytest.raises(gx.DataError, match="ids holds 7"):
        gx.evaluate(out, feed)
    with pytest.raises(gx.DataError, match="ids holds 7"):
        gx.compile(out, [table, ids], target=target)(*feed.values())
