"""What no part of a result is written to is 0, whatever lay there before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.runtime import compile

X = gx.tensor("x", ("n", 6, 7, 2))
K = {size: gx.parameter(f"k{size}", (size, size, 2, 4), init=np.random.default_rng(size).normal(size=(size, size, 2, 4))) for size in (2, 3, 5)}
CASES: dict[str, Any] = {
    **{f"same, {size}": gx.nn.conv2d(X, k, padding="same") for size, k in K.items()},
    **{f"same, {size}, by input": gx.grad(gx.sum(gx.nn.conv2d(X, k, padding="same") ** 2), X) for size, k in K.items()},
    **{f"valid, {size}, by input": gx.grad(gx.sum(gx.nn.conv2d(X, k) ** 2), X) for size, k in K.items()},
    "strides, by input": gx.grad(gx.sum(gx.nn.conv2d(X, K[2], strides=3) ** 2), X),
    "a part of it, by input": gx.grad(gx.sum(X[:, 1:4, 2:] ** 3), X),
    "all sides": gx.nn.conv2d(gx.pad(X, [(1, 2), (3, 0), (0, 1), (0, 0)]), K[3]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lay_there_before_does_not_matter(case: str) -> None:
    f = compile(CASES[case], inputs=[X], dtype="float64")
    given = np.random.default_rng(0).normal(size=(3, 6, 7, 2))
    first = f(given)
    np.testing.assert_allclose(first, gx.evaluate(CASES[case], {X: given}), rtol=1e-12, atol=1e-12)
    for bound, _ in f._bound.values():
        bound.arena.view(np.float64)[:] = np.nan
    np.testing.assert_array_equal(f(given), first)


def test_only_the_border_is_cleared() -> None:
    f = compile(CASES["same, 3"], inputs=[X])
    [clears] = [c for c in f.program.calls if c.clears]
    assert len(clears.kernel.body) == 1
    f(np.zeros((3, 6, 7, 2)))
    [bound] = [b for b, _ in f._bound.values()]
    padded = next(a for t, a in bound.arrays.items() if t is clears.tensors[0])
    assert padded.shape == (3, 8, 9, 2)
    assert len(clears.kernel.body[0].body) == 5  # the value, and a run before and behind the box along both axes


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("same, 3", "where no part is written"),
        ("valid, 3, by input", "where no part is written"),
        ("all sides", "everywhere, before its parts are written"),
    ],
)
def test_what_is_cleared_is_told(case: str, told: str) -> None:
    f = compile(CASES[case], inputs=[X])
    [line] = [line for line in f.explain().splitlines() if " = 0 " in line]
    assert line.endswith(f" = 0 {told}")
    # It is so: what was cleared is 0, and nothing else was touched.
    [clears] = [c for c in f.program.calls if c.clears is not None]
    f(np.zeros((3, 6, 7, 2)))
    [(bound, row)] = f._bound.values()
    target = bound.arrays[clears.tensors[0]]
    target[...] = np.nan
    [number] = [k for k, c in enumerate(f.program.calls) if c is clears]
    words = np.array([f.control.ctypes.data, bound.rows.table[4 * number :].ctypes.data, 1, 1], np.int64)
    f._execute(words.ctypes.data)
    assert row is not None
    assert np.isnan(target).any() == (told == "where no part is written")
    assert np.count_nonzero(target[~np.isnan(target)]) == 0
