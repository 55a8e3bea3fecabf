"""An intermediate tensor that is given a value is that value, whatever was chosen before it by phase."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.reference.evaluate import Prepared

RNG = np.random.default_rng(3)
x, w = gx.tensor("x", ("n", 4)), gx.tensor("w", (4, 3))
FIRST = gx.nn.dropout(x, 0.5).named("first")
SECOND = gx.nn.dropout((FIRST @ w).named("z"), 0.25).named("second")
TOTAL = gx.sum(SECOND**2)
FEEDS = {x: RNG.normal(size=(5, 4)), w: RNG.normal(size=(4, 3))}


def _plain(seed: int) -> tuple[np.ndarray, float]:
    first, total = gx.evaluate([FIRST, TOTAL], FEEDS, seed=seed)
    return first, float(total)


def test_an_intermediate_after_a_choice_of_phase_is_cut_off() -> None:
    assert gx.evaluate(TOTAL, FEEDS | {SECOND: np.full((5, 3), 2.0)}) == 60.0


@pytest.mark.parametrize("seed", [0, 7])
def test_what_is_left_draws_as_it_did(seed: int) -> None:
    first, total = _plain(seed)
    assert gx.evaluate(TOTAL, FEEDS | {FIRST: first}, seed=seed) == pytest.approx(total, rel=1e-12)
    for target in ("numpy", "cpu"):
        f = gx.compile(TOTAL, [FIRST, w], target=target, dtype="float64")
        assert float(f(first, FEEDS[w], seed=seed, step=0)) == pytest.approx(total, rel=1e-12)


def test_one_preparation_serves_many_points() -> None:
    ready = Prepared([TOTAL], FEEDS)
    for scale in (1.0, 2.0):
        feeds = FEEDS | {w: scale * FEEDS[w]}
        np.testing.assert_array_equal(ready(feeds, seed=1)[0], gx.evaluate(TOTAL, feeds, seed=1))
