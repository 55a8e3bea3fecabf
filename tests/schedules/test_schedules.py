"""Each schedule against Keras's or PyTorch's formula in Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

import graphc as gx
from graphc import schedules as S
from graphc.errors import DeclarationError


def one_cycle(t, top=0.1, total=40, pct=0.3, div=25, final=1e4):
    first, up, end = top / div, pct * total - 1, total - 1
    a, b, share = (first, top, t / up) if t <= up else (top, first / final, (t - up) / (end - up))
    return b + (a - b) / 2 * (1 + math.cos(math.pi * share))


def warm_cosine(t):
    if t < 5:
        return 0.1 + (0.6 - 0.1) * t / 5
    return 0.6 * (0.9 * 0.5 * (1 + math.cos(math.pi * min(t - 5, 20) / 20)) + 0.1)


def cycled(t):
    length = 10 * max(1, math.ceil(t / 10))
    return (0.1 - 0.01) * (1 - t / length) ** 2 + 0.01


ROWS = {
    "constant": (S.Constant(0.3), lambda t: 0.3),
    "exponential": (S.ExponentialDecay(0.1, 10, 0.96), lambda t: 0.1 * 0.96 ** (t / 10)),
    "exponential staircase": (S.ExponentialDecay(0.1, 10, 0.5, staircase=True), lambda t: 0.1 * 0.5 ** (t // 10)),
    "piecewise": (S.PiecewiseConstantDecay([5, 12], [1.0, 0.5, 0.0]), lambda t: 1.0 if t <= 5 else 0.5 if t <= 12 else 0.0),
    "cosine": (S.CosineDecay(0.1, 30, alpha=0.2), lambda t: 0.1 * (0.8 * 0.5 * (1 + math.cos(math.pi * min(t, 30) / 30)) + 0.2)),
    "cosine warm-up": (S.CosineDecay(0.1, 20, alpha=0.1, warmup_target=0.6, warmup_steps=5), warm_cosine),
    "inverse time": (S.InverseTimeDecay(0.1, 10, 0.5), lambda t: 0.1 / (1 + 0.5 * t / 10)),
    "inverse time staircase": (S.InverseTimeDecay(0.1, 10, 0.5, staircase=True), lambda t: 0.1 / (1 + 0.5 * (t // 10))),
    "polynomial": (S.PolynomialDecay(0.1, 15, 0.01, power=2.0), lambda t: 0.09 * (1 - min(t, 15) / 15) ** 2 + 0.01),
    "polynomial cycle": (S.PolynomialDecay(0.1, 10, 0.01, power=2.0, cycle=True), cycled),
    "one cycle": (S.OneCycle(0.1, 40), one_cycle),
    "one cycle options": (
        S.OneCycle(0.1, 40, pct_start=0.5, div_factor=10, final_div_factor=100),
        lambda t: one_cycle(t, pct=0.5, div=10, final=100),
    ),
    "warm-up": (S.Warmup(0.4, 8), lambda t: 0.4 * min(1, (t + 1) / 8)),
}


@pytest.mark.parametrize("row", ROWS)
def test_values(row):
    schedule, expected = ROWS[row]
    step = gx.tensor("step", (), dtype="int")
    for t in range(40):
        assert schedule(t) == pytest.approx(expected(t), rel=1e-9, abs=1e-15)
    assert gx.evaluate(schedule(step), {step: 7}) == pytest.approx(expected(7), rel=1e-9)


@pytest.mark.parity
def test_one_cycle_is_that_of_torch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=40, cycle_momentum=False)
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step() if len(rates) < 40 else None
    np.testing.assert_allclose([S.OneCycle(0.1, 40)(t) for t in range(40)], rates, rtol=1e-9)


def test_errors():
    with pytest.raises(DeclarationError, match=r"decay_steps=0"):
        S.ExponentialDecay(0.1, 0, 0.5)
    with pytest.raises(DeclarationError, match=r"separate 3 values"):
        S.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(DeclarationError, match=r"must rise"):
        S.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3])
    with pytest.raises(DeclarationError, match=r"pct_start"):
        S.OneCycle(0.1, 10, pct_start=2)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), "fast"])
def test_a_rate_is_a_finite_number_of_0_or_more(rate):
    makers = [
        lambda: S.Constant(rate),
        lambda: S.ExponentialDecay(rate, 10, 0.5),
        lambda: S.InverseTimeDecay(rate, 10, 0.5),
        lambda: S.PiecewiseConstantDecay([1], [0.1, rate]),
        lambda: S.PolynomialDecay(rate, 10),
        lambda: S.PolynomialDecay(0.1, 10, rate),
        lambda: S.CosineDecay(rate, 10),
        lambda: S.CosineDecay(0.1, 10, warmup_target=rate),
        lambda: S.Warmup(rate, 10),
    ]
    for make in makers:
        with pytest.raises(DeclarationError, match=r"rate"):
            make()
