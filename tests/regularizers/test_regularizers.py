"""Penalties and their gradients against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import regularizers as R
from graphc.errors import DeclarationError

W = np.array([[1.0, -2.0], [0.5, 0.0]])
ROWS = {
    "l1": (R.L1(0.1), 0.1 * np.abs(W).sum(), 0.1 * np.sign(W)),
    "l2": (R.L2(0.1), 0.1 * (W**2).sum(), 0.2 * W),
    "both": (R.L1L2(0.1, 0.3), 0.1 * np.abs(W).sum() + 0.3 * (W**2).sum(), 0.1 * np.sign(W) + 0.6 * W),
    "name l2": (R.get("l2"), 0.01 * (W**2).sum(), 0.02 * W),
    "name l1_l2": (R.get("l1_l2"), 0.01 * np.abs(W).sum() + 0.01 * (W**2).sum(), 0.01 * np.sign(W) + 0.02 * W),
}


@pytest.mark.parametrize("row", ROWS)
def test_penalty(row):
    penalty, value, slope = ROWS[row]
    w = gx.parameter("w", (2, 2), init=W)
    found = penalty(w)
    np.testing.assert_allclose(gx.evaluate([found, gx.grad(found, w)], {})[0], value)
    np.testing.assert_allclose(gx.evaluate(gx.grad(found, w), {}), slope)


def test_nothing_and_errors():
    assert R.get(None) is None
    assert gx.evaluate(R.L1L2()(gx.constant(W)), {}) == 0.0
    with pytest.raises(DeclarationError, match=r"'l3' is unknown"):
        R.get("l3")
    with pytest.raises(DeclarationError, match=r"l2=-1"):
        R.L2(-1)
