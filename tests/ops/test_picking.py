"""Picking by integers."""

from __future__ import annotations

import numpy as np

import graphc as gx


def test_one_hot_of_a_named_dimension() -> None:
    scores, ids = gx.tensor("scores", ("n", "classes")), gx.tensor("ids", ("n",), dtype="int")
    picked = gx.sum(gx.one_hot(ids, scores.shape[1]) * scores, axis=1)
    assert picked.shape == (scores.shape[0],)
    np.testing.assert_array_equal(gx.evaluate(picked, {scores: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ids: [2, 0]}), [3.0, 4.0])
