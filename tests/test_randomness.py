"""Random nodes: a function of seed, step and place, whatever else is declared; a gradient sees its primal's draws."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.reference.philox import philox


@pytest.mark.parametrize(
    ("counter", "key", "word"),
    [
        ((0, 0, 0, 0), (0, 0), 0x6627E8D5),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, 0x408F276D),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), 0xD16CFE09),
    ],
)
def test_the_generator_gives_the_words_of_its_authors(counter: tuple[int, int, int, int], key: tuple[int, int], word: int) -> None:
    """The known answers of the Random123 distribution for Philox 4x32 with 10 rounds."""
    assert int(philox(counter, key)) == word


def test_moments() -> None:
    u, z, b = gx.random.uniform((20000,), -1.0, 3.0), gx.random.normal((20000,), 2.0, 0.5), gx.random.bernoulli((20000,), p=0.3)
    uniform, normal, bernoulli = gx.evaluate([u, z, b])
    assert uniform.min() >= -1
    assert uniform.max() < 3
    assert (uniform.mean(), uniform.var()) == pytest.approx((1.0, 16 / 12), abs=0.03)
    assert (normal.mean(), normal.std()) == pytest.approx((2.0, 0.5), abs=0.02)
    assert (((normal - 2) / 0.5) ** 4).mean() == pytest.approx(3.0, abs=0.15)
    assert set(np.unique(bernoulli)) == {0.0, 1.0}
    assert bernoulli.mean() == pytest.approx(0.3, abs=0.02)
    assert abs(np.corrcoef(uniform, normal)[0, 1]) < 0.03


def test_it_is_a_function_of_seed_and_step() -> None:
    z = gx.random.normal((8,))
    assert np.array_equal(gx.evaluate(z), gx.evaluate(z))
    assert not np.any(gx.evaluate(z) == gx.evaluate(z, seed=1))
    assert not np.any(gx.evaluate(z) == gx.evaluate(z, step=1))
    assert not np.any(gx.evaluate(z, seed=1) == gx.evaluate(z, step=1))


def test_whatever_else_is_declared() -> None:
    first = gx.evaluate(gx.random.uniform((8,)))
    gx.random.uniform((3,))
    assert np.array_equal(gx.evaluate(gx.random.uniform((8,))), first)
    x = gx.tensor("x", (8,))
    assert np.array_equal(gx.evaluate(gx.random.uniform((8,)) + 0 * x, {x: np.ones(8)}), first)


def test_two_nodes_differ_and_one_is_itself() -> None:
    a, b = gx.random.uniform((64,)), gx.random.uniform((64,))
    both, same = gx.evaluate([a - b, a - a])
    assert np.all(both != 0)
    assert np.all(same == 0)


def test_a_key_pins_the_draw() -> None:
    a, other, b = gx.random.normal((5,), key=7), gx.random.normal((5,)), gx.random.normal((5,), key=7)
    first, _, second = gx.evaluate([a, other, b])
    assert np.array_equal(first, second)
    assert np.array_equal(gx.evaluate(b), first)
    assert not np.any(gx.evaluate(gx.random.normal((5,), key=8)) == first)


def test_the_same_in_both_precisions() -> None:
    u, z = gx.random.uniform((100,)), gx.random.normal((100,))
    double, single = gx.evaluate([u, z]), gx.evaluate([u, z], dtype="float32")
    assert np.array_equal(double[0].astype(np.float32), single[0])
    np.testing.assert_allclose(single[1], double[1], rtol=2e-5, atol=2e-6)


def test_named_sizes_and_none() -> None:
    x = gx.tensor("x", ("n", 2))
    y = x * gx.random.uniform(("n", 2))
    for n in (0, 1, 5):
        assert gx.evaluate(y, {x: np.ones((n, 2))}).shape == (n, 2)
    wide, narrow = (gx.evaluate(y, {x: np.ones((n, 2))}) for n in (5, 3))
    assert np.array_equal(wide[:3], narrow)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_and_scales(rate: float) -> None:
    x = gx.tensor("x", (4000,))
    y = gx.nn.dropout(x, rate)
    values = np.linspace(1, 2, 4000)
    kept = gx.evaluate(y, {x: values})
    mask = kept != 0
    np.testing.assert_allclose(kept[mask], values[mask] / (1 - rate), rtol=1e-12)
    assert mask.mean() == pytest.approx(1 - rate, abs=0.03)
    assert np.array_equal(gx.evaluate(gx.inference(y), {x: values}), values)


def test_a_gradient_sees_the_draws_of_its_primal() -> None:
    x = gx.tensor("x", (50,))
    gx.random.uniform((3,))
    y = gx.nn.dropout(gx.tanh(gx.nn.dropout(x, 0.5)), 0.4)
    loss = gx.sum(y * y)
    gradient = gx.grad(loss, x)
    for step in (0, 3):
        value, slope = gx.evaluate([y, gradient], {x: np.linspace(1, 2, 50)}, step=step)
        assert np.array_equal(slope != 0, value != 0)
        assert np.array_equal(gx.evaluate(gradient, {x: np.linspace(1, 2, 50)}, step=step), slope)
    second = gx.grad(gx.sum(gradient), x)
    first, again = gx.evaluate([gradient, second], {x: np.linspace(1, 2, 50)})
    assert np.array_equal(first != 0, again != 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_within_a_scan_draws_anew_in_every_iteration(reverse: bool) -> None:
    x, start = gx.tensor("x", ("t", "s")), gx.scalar("start")

    def inner(h: gx.Tensor, item: gx.Tensor) -> tuple[gx.Tensor, gx.Tensor]:
        u = gx.random.uniform()
        return h * u + item, u

    last, draws = gx.scan(lambda c, row: gx.scan(inner, row, c, reverse=reverse), x, start)
    gradient = gx.grad(last, start)
    values = np.zeros((3, 4))
    value, u, slope = gx.evaluate([last, draws, gradient], {x: values, start: 1.0}, seed=5)
    assert len(np.unique(u)) == 12
    assert float(value) == pytest.approx(np.prod(u)) == float(slope)  # the gradient sees the draws
    for target in ("numpy", "cpu"):
        again = gx.compile([last, draws, gradient], inputs=[x, start], target=target, dtype="float64")(values, 1.0, seed=5, step=0)
        assert np.array_equal(again[1], u)
        np.testing.assert_allclose(again[2], slope, rtol=1e-12)


def test_parameters_of_a_law_may_be_tensors() -> None:
    mu, s = gx.tensor("mu", ("n",)), gx.scalar("s")
    z, u = gx.random.normal(("n",), mean=mu, std=s, key=1), gx.random.uniform(("n",), -s, mu, key=2)
    plain = gx.random.normal(("n",), key=1), gx.random.uniform(("n",), key=2)
    values = {mu: np.array([1.0, 2.0, 4.0]), s: 0.5}
    given = gx.evaluate([z, u, *gx.grad(gx.sum(z), [mu, s])], values)
    noise, share = gx.evaluate([mu * 0 + p for p in plain], values)
    np.testing.assert_allclose(given[0], values[mu] + 0.5 * noise)
    np.testing.assert_allclose(given[1], -0.5 + share * (values[mu] + 0.5))
    np.testing.assert_allclose(given[2], 1.0)
    np.testing.assert_allclose(given[3], noise.sum())
