"""Functions of whole numbers and of truth values give floats, on every target."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx

NAMES = "exp log1p expm1 sqrt sin cos tan tanh sinh cosh arctan erf sigmoid softplus reciprocal softmax log_softmax logsumexp mean var norm".split()


@pytest.mark.parametrize(("target", "dtype"), [("numpy", "float64"), ("numpy", "float32"), ("cpu", "float64")])
def test_functions_of_whole_numbers(target: str, dtype: str) -> None:
    x = gx.tensor("x", (3,), dtype="int")
    made = [getattr(gx, name)(x) for name in NAMES]
    array = np.array([1, 2, 3])
    values = gx.compile(made, target=target, dtype=dtype)(array)
    for name, value, want in zip(NAMES, values, gx.evaluate(made, {x: array}), strict=True):
        assert value.dtype == np.dtype(dtype), name
        np.testing.assert_allclose(value, want, rtol=1e-12 if dtype == "float64" else 1e-5, err_msg=name)


def test_extremes_of_whole_numbers_stay_whole() -> None:
    x = gx.tensor("x", (3,), dtype="int")
    values = gx.compile([gx.max(x), gx.min(x), gx.argmax(x)], target="numpy")(np.array([1, 3, 2]))
    assert [v.dtype.kind for v in values] == ["i", "i", "i"]
    np.testing.assert_array_equal(values, [3, 1, 1])
