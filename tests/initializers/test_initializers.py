"""Initializers: moments and bounds, determinism, and what ``init`` may be."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import initializers as I
from graphc.errors import DeclarationError

SHAPE = (300, 200)
# name: variance, bound on the absolute value
MOMENTS = {
    "glorot_uniform": (2 / 500, np.sqrt(6 / 500)),
    "glorot_normal": (2 / 500, 2 * np.sqrt(2 / 500) / 0.8796),
    "he_uniform": (2 / 300, np.sqrt(6 / 300)),
    "he_normal": (2 / 300, 2 * np.sqrt(2 / 300) / 0.8796),
    "lecun_uniform": (1 / 300, np.sqrt(3 / 300)),
    "lecun_normal": (1 / 300, 2 * np.sqrt(1 / 300) / 0.8796),
    "random_normal": (0.05**2, np.inf),
    "random_uniform": (0.1**2 / 12, 0.05),
    "truncated_normal": (0.05**2 * 0.7737, 0.1),
    "variance_scaling": (1 / 300, 2 * np.sqrt(1 / 300) / 0.8796),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    variance, bound = MOMENTS[name]
    value = I.get(name)(SHAPE, np.random.default_rng(0))
    assert value.shape == SHAPE
    assert abs(value.mean()) < 5 * np.sqrt(variance / value.size)
    assert value.var() == pytest.approx(variance, rel=0.03)
    assert np.abs(value).max() <= bound * 1.001
    assert np.abs(value).max() > 0.95 * min(bound, 3 * np.sqrt(variance))


def test_fans_of_kernels():
    assert I.fans((5,)) == (5.0, 5.0)
    assert I.fans((3, 4)) == (3.0, 4.0)
    assert I.fans((3, 3, 8, 16)) == (72.0, 144.0)
    assert I.fans(()) == (1.0, 1.0)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4)])
def test_orthogonal(shape):
    q = I.Orthogonal(gain=2.0)(shape).reshape(-1, shape[-1])
    small = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(small, 4 * np.eye(min(q.shape)), atol=1e-12)


def test_plain_values():
    np.testing.assert_array_equal(I.Identity()((2, 3)), np.eye(2, 3))
    np.testing.assert_array_equal(I.zeros()((2,)), [0, 0])
    np.testing.assert_array_equal(I.Ones()((2,)), [1, 1])
    np.testing.assert_array_equal(I.Constant(3)((2,)), [3, 3])


INITS = {
    "a name": ("he_normal", None),
    "a class's name": ("HeNormal", None),
    "an initializer": (I.RandomNormal(stddev=1.0), None),
    "a number": (2.5, np.full((2, 2), 2.5)),
    "an array": ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])),
    "a function of the shape": (lambda shape: np.ones(shape) * 3, np.full((2, 2), 3.0)),
    "a function with options": (lambda shape, dtype=None: np.ones(shape), np.ones((2, 2))),
    "an own initializer": (lambda shape, generator: generator.normal(size=shape), None),
}


@pytest.mark.parametrize("row", INITS)
def test_what_init_may_be(row):
    init, expected = INITS[row]
    value = gx.parameter("W", (2, 2), init=init).value
    assert value.shape == (2, 2)
    if expected is None:
        assert len(np.unique(value)) == 4
    else:
        np.testing.assert_array_equal(value, expected)


def test_values_depend_on_seed_and_name_and_number_alone():
    def made(name, seed=0, number=None):
        p = gx.parameter(name, (4, 4))
        I.initialise(p, seed, number)
        return p.value

    np.testing.assert_array_equal(made("W"), made("W"))
    np.testing.assert_array_equal(made("W", 3, 1), made("V", 3, 1))
    values = [made("W"), made("V"), made("W", 1), made("W", 0, 1), made("W", 0, 2)]
    assert len({v.tobytes() for v in values}) == 5


def test_a_seed_of_its_own_wins():
    a, b = (gx.parameter(n, (3,), init=I.RandomNormal(seed=7)) for n in "ab")
    np.testing.assert_array_equal(a.value, b.value)


def test_errors():
    with pytest.raises(DeclarationError, match=r"'glorrot' is unknown.*glorot_uniform"):
        I.get("glorrot")
    with pytest.raises(DeclarationError, match=r"the parameter w: .*'glorrot' is unknown.*glorot_uniform"):
        gx.parameter("w", (3, 2), init="glorrot")
    with pytest.raises(DeclarationError, match=r"v\(3,\).*needs a matrix"):
        _ = gx.parameter("v", (3,), init="orthogonal").value
    with pytest.raises(DeclarationError, match=r"scale=-1"):
        I.VarianceScaling(scale=-1)
    with pytest.raises(DeclarationError, match=r"shape"):
        _ = gx.parameter("W", (2, 2), init=lambda shape: np.ones(3)).value
