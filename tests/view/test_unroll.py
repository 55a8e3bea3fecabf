"""Recurrences unrolled and rolled, forward and backward, in every picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.view import draw, frames, paths
from graphc.view.unroll import unrolled
from tests.view.examples import lstm, recurrence

SVG = "{http://www.w3.org/2000/svg}"


def titles(picture: Any) -> list[str]:
    return [t.text or "" for t in ET.fromstring(picture.svg).iter(f"{SVG}title")]


def formulas(picture: Any) -> list[str]:
    return re.findall(r"\{\$(.+)\$\}", picture.tex)


def linear(reverse: bool = False) -> tuple[gx.Tensor, gx.Tensor, gx.Tensor, gx.Tensor]:
    """h = w h + x over time: the square of the last, all of them, and the leaves."""
    h0, w, x = gx.scalar("h0"), gx.parameter("w", (), init=0.5), gx.tensor("x", ("T",))
    last, every = gx.scan(lambda h, i: ((w * h + i).named("h"),) * 2, x, h0, reverse=reverse)
    return (last**2).named("S"), every, h0, x


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("length", [5, 6, 9])
def test_an_unrolled_recurrence_has_the_same_values_and_gradients(count: int, length: int, reverse: bool) -> None:
    last, every, h0, x = linear(reverse)
    at = {h0: 1.0, x: np.linspace(-1, 1, length)}
    loss = last + gx.sum(every * every)
    [copy] = unrolled([loss], count).targets
    [known] = unrolled([loss], count, {"T": length}).targets
    for leaf in (h0, x):
        wanted = gx.evaluate([loss, gx.grad(loss, leaf)], at)
        for other in (copy, known):
            for a, b in zip(wanted, gx.evaluate([other, gx.grad(other, leaf)], at), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12)


def test_the_first_iterations_an_ellipsis_and_the_last_are_drawn() -> None:
    loss, _ = recurrence()
    found = titles(draw(loss, unroll=3))
    assert {f"scope t = {t}" for t in ("1", "2", "3", "4 … T-1", "T")} == {t for t in found if t.startswith("scope")}
    assert {"input x_1, shape n × 2", "input x_T, shape n × 2", "tensor h_3, shape 2 × 3", "tensor h_T-1, shape 2 × 3"} <= set(found)
    assert "h_3 goes into ⋯" in found
    assert "h_T-1 goes into @" in found
    assert sum(t.startswith("parameter W") for t in found) == 1
    assert draw(loss, unroll=3).svg == draw(loss, unroll=3).svg
    whole = titles(draw(loss, unroll=3, at={gx.leaves(loss)["x"]: np.ones((3, 2, 2))}))
    assert not any("⋯" in t for t in whole), "all of a short sequence is there"
    assert "scope t = 3" in whole


def test_gradients_flow_back_through_time() -> None:
    loss, _ = recurrence()
    found = formulas(draw(loss, unroll=1, backward=True))
    dW = next(f for f in found if f.startswith(r"\frac{\partial L}{\partial W} ="))
    assert r"\frac{\partial L}{\partial z_{1}}" in dW
    assert r"\frac{\partial h_{T-1}}{\partial W}" in dW
    assert r"\frac{\partial L}{\partial z_{2}}" in dW
    assert any(f.startswith(r"\frac{\partial L}{\partial h_{1}} =") for f in found)


def test_rolled_the_backward_pass_is_a_frame_of_its_own() -> None:
    loss, _ = recurrence()
    picture = draw(loss, backward=True)
    found = titles(picture)
    assert {"scope repeat for t = 1 … T", "scope repeat for t = T … 1"} <= set(found)
    assert sum(t.endswith("goes to the next iteration") for t in found) == 2, "h forward, its adjoint backward"
    lines = formulas(picture)
    assert any(r"\delta_{t} + \mathbf{1}[t=T]" in f for f in lines)
    assert any(f.startswith(r"\delta_{t-1} = \frac{\partial L}{\partial h_{t-1}} =") for f in lines)
    assert any(f.startswith(r"\frac{\partial L}{\partial W} = \sum_{t}") for f in lines)


def test_each_carry_of_an_lstm_has_an_adjoint_of_its_own() -> None:
    loss, _ = lstm()
    lines = formulas(draw(loss, backward=True))
    assert any(f.startswith(r"\delta^{h}_{t-1} =") for f in lines)
    assert any(f.startswith(r"\delta^{c}_{t-1} =") for f in lines)
    assert any(r"\delta^{c}_{t} +" in f for f in lines)
    folded = titles(draw(loss, unroll=2))
    assert "scope shared by every iteration, 128 parameters" in folded
    assert {"tensor c_1, shape n × 4", "tensor h_T, shape n × 4"} <= set(folded)
    layers = titles(draw(loss, unroll=2, view="layer"))
    assert "t = 1 feeds t = 2" in layers
    assert not any(t.startswith(("t = 2 feeds t = 1", "t = T feeds t")) for t in layers), "nothing flows against time"


def test_gradients_that_a_recurrence_has_only_through_itself() -> None:
    x, w = gx.tensor("x", ("T",)), gx.parameter("w", (), init=0.5)
    (_, s), _ = gx.scan(lambda c, i: ((w * i, c[0] + c[1]), i), x, (gx.scalar("r0"), gx.scalar("s0")))
    lines = formulas(draw((s**2).named("L"), backward=True))
    assert any(r"\delta^{r}_{t}" in f and f.startswith(r"\frac{\partial L}{\partial r_{t}}") for f in lines)
    assert any(f.startswith(r"\frac{\partial L}{\partial w} = \sum_{t}") for f in lines)


def test_frames_go_through_time() -> None:
    last, _, h0, x = linear()
    at = {h0: 1.0, x: [1.0, 2.0, 3.0]}
    f = frames(last, at=at)
    assert len(f) == 1 + 12 + 12
    notes = [p.tex for p in f]
    assert any("h_{2} =" in n for n in notes)
    loss, _ = recurrence()
    with pytest.raises(gx.GraphcError, match="give unroll=1"):
        frames(loss, at={gx.leaves(loss)["x"]: np.ones((24, 2, 2))})
    assert len(frames(loss, at={gx.leaves(loss)["x"]: np.ones((24, 2, 2))}, unroll=1)) > 20


def test_paths_go_through_time() -> None:
    last, _, h0, x = linear()
    w = gx.leaves(last)["w"]
    at = {h0: 1.0, x: [1.0, 2.0, 3.0]}
    p = paths(last, w, at=at)
    assert len(p) == 3, "one for each iteration that reads w"
    assert sum(q.product for q in p) == pytest.approx(p.sum)
    assert p.sum == pytest.approx(float(gx.evaluate(gx.grad(last, w), at)))
    assert len(paths(last, x, at=at)) == 3
    assert len(paths(last, w)) == 1, "the length is not known: the recurrence is one step"
    assert len(paths(last, w, unroll=2)) == 4, "iterations 1 and 2, what is left out, the last"


def test_dropout_in_a_recurrence_is_unrolled_without_values() -> None:
    x = gx.tensor("x", ("T", 3))
    last, _ = gx.scan(lambda h, i: (gx.nn.dropout(h + i, 0.5).named("h"),) * 2, x, gx.constant(np.zeros(3), name="h0"))
    loss = gx.sum(last).named("L")
    assert "h_2" in draw(loss, unroll=2).dot
    at = {x: np.ones((3, 3))}
    with pytest.raises(gx.GraphcError, match="random numbers in each iteration"):
        draw(loss, unroll=2, at=at)
    assert len(frames(loss, at=at)) > 2, "without unroll= it is one step"


@pytest.mark.parametrize("unroll", [0, -1, 1.5, "all", 25])
def test_an_unroll_that_is_none_is_refused(unroll: Any) -> None:
    loss, _ = recurrence()
    with pytest.raises(gx.DeclarationError, match=r"give the number of iterations to draw before the ellipsis, from 1 to 24"):
        draw(loss, unroll=unroll)


def test_recurrences_of_every_kind_are_unrolled() -> None:
    x, y = gx.tensor("x", ("T",)), gx.tensor("y", ("T",))
    (a, b), out = gx.scan(lambda c, i: ((c[0] + i[0], c[1] * i[1]), c[0]), (x, y), (0.0, 1.0), reverse=True)
    dot = draw([a, b, out], unroll=1).dot
    assert {"t = T", "t = T-1 … 2", "t = 1"} <= set(re.findall(r"t = [^\"]+", dot))
    _, nested = gx.scan(lambda c, i: (c + i, gx.cumsum(x * i)), y, 0.0)
    assert "t = 2" in draw(gx.sum(nested), unroll=2).dot
    assert draw(gx.sum(nested), backward=True).svg
    e = gx.scan(lambda c, i: (c + i, c), gx.sin(x), 0.0)[0]
    assert "goes into [ ]" in draw(e, unroll=1).dot, "items of what is computed are taken from it"
    assert draw(gx.scalar("a") * 2, unroll=2).svg == draw(gx.scalar("a") * 2).svg
