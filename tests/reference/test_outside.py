"""Reads that leave their tensor."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx

i = gx.indices("i")


@pytest.mark.parametrize("target", ["evaluate", "numpy", "cpu"])
def test_an_id_that_is_read_outside_is_0_and_picks_the_first(target: str) -> None:
    table, ids = gx.tensor("table", (4,)), gx.tensor("ids", (2,), dtype="int")
    y = gx.define("y", i, table[ids[i - 1]] * (i + 1), extents={i: 4}, outside=0)
    arrays = [np.array([5.0, 6.0, 7.0, 8.0]), np.array([2, 3])]
    value = gx.evaluate(y, {table: arrays[0], ids: arrays[1]}) if target == "evaluate" else gx.compile(y, inputs=[table, ids], target=target)(*arrays)
    np.testing.assert_array_equal(value, [5.0, 14.0, 24.0, 20.0])


def test_an_id_that_is_read_outside_under_a_gradient() -> None:
    table, ids = gx.tensor("table", (4,)), gx.constant([2, 3])
    y = gx.define("y", i, table[ids[i - 1]] * (i + 1), extents={i: 4}, outside=0)
    np.testing.assert_array_equal(gx.evaluate(gx.grad(gx.sum(y), table), {table: [5.0, 6.0, 7.0, 8.0]}), [5.0, 0.0, 2.0, 3.0])


def test_integers_that_are_read_outside_stay_integers() -> None:
    ids = gx.tensor("ids", (2,), dtype="int")
    y = gx.define("y", i, ids[i] + 1, extents={i: 3}, outside=0)
    assert y.dtype == "int"
    np.testing.assert_array_equal(gx.evaluate(y, {ids: [3, 4]}), [4, 5, 1])
