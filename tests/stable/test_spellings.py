"""However a formula is spelled, its value and gradients in float32 are right at huge, tiny and tied arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.stable import stabilise
from tests.stable.spellings import FAMILIES, Family

CASES = [pytest.param(f, s, id=f"{f.name}: {s}") for f in FAMILIES for s in f.spellings]


def _setting(family: Family) -> tuple[Any, Any, Any, Any]:
    z = family.points()
    y = np.arange(z.size) % 2.0 if z.ndim == 1 else np.eye(3)[np.arange(len(z)) % 3]
    return gx.tensor("z", z.shape), gx.tensor("y", z.shape), z.astype(np.float32).astype(float), y


def _near(found: Any, true: Any) -> None:
    assert np.isfinite(found).all()
    np.testing.assert_array_less(np.abs(found.astype(float) - true), np.maximum(1e-6, 1e-5 * np.abs(true)) + 1e-300)


@pytest.mark.parametrize(("family", "spelling"), CASES)
def test_value_and_gradients(family: Family, spelling: str) -> None:
    z, y, at, targets = _setting(family)
    t = family.spellings[spelling](z, y)
    true = family.value(at, targets)
    weight = (np.arange(true.size).reshape(true.shape) % 4 + 1) / 2
    slope = gx.grad(gx.sum(t * gx.constant(weight)), z)
    second = gx.grad(gx.sum(slope * slope), z)
    value, first, again = gx.evaluate([t, slope, second], {z: at, y: targets}, dtype="float32")
    _near(value, true)
    _near(first, family.slope(at, targets, weight))
    assert np.isfinite(again).all()


@pytest.mark.parametrize(("family", "spelling"), CASES)
def test_twice_is_once(family: Family, spelling: str) -> None:
    z, y, _, _ = _setting(family)
    [once] = stabilise([family.spellings[spelling](z, y)])
    assert stabilise([once])[0] is once


@pytest.mark.parametrize(("family", "spelling"), CASES)
def test_agrees_with_the_formula_as_written(family: Family, spelling: str) -> None:
    z, y, at, targets = _setting(family)
    at = np.random.default_rng(1).normal(size=at.shape) * 2
    t = family.spellings[spelling](z, y)
    stable, written = gx.evaluate(t, {z: at, y: targets}), gx.evaluate(t, {z: at, y: targets}, stabilise=False)
    np.testing.assert_allclose(stable, written, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.name != "norm"], ids=lambda f: f.name)
def test_the_formula_as_written_is_not_right(family: Family) -> None:
    z, y, at, targets = _setting(family)
    wrong = 0
    for build in family.spellings.values():
        value = gx.evaluate(build(z, y), {z: at, y: targets}, dtype="float32", stabilise=False)
        wrong += not np.isfinite(value).all()
    assert wrong >= 1
