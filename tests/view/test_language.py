"""Operations of every family: their formulas, what stands below them, their steps, and a backward graph that can be read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.view import draw, paths

SVG = "{http://www.w3.org/2000/svg}"
Make = Callable[[], gx.Tensor]


def titles(picture: Any) -> list[str]:
    return [t.text or "" for t in ET.fromstring(picture.svg).iter(f"{SVG}title")]


def formulas(picture: Any) -> list[str]:
    return re.findall(r"\{\$(.+)\$\}", picture.tex)


def convolution() -> gx.Tensor:
    x, K, b = gx.tensor("x", ("n", 28, 28, 1)), gx.parameter("K", (5, 5, 1, 6)), gx.parameter("b", (6,))
    h = gx.relu(gx.nn.conv2d(x, K, strides=2, padding="same") + b).named("h")
    return gx.mean(gx.nn.max_pool2d(h, 2).named("p") ** 2).named("L")


def attention(mask: bool = False) -> gx.Tensor:
    Q, K, V = (gx.tensor(n, (m, 8)) for n, m in (("Q", "T"), ("K", "S"), ("V", "S")))
    M = gx.tensor("M", ("T", "S"), dtype="bool") if mask else None
    return gx.mean(gx.nn.attention(Q, K, V, mask=M).named("A") ** 2).named("L")


def norm() -> gx.Tensor:
    x, g, b = gx.tensor("x", ("n", 8)), gx.parameter("gamma", (8,)), gx.parameter("beta", (8,))
    return gx.mean(gx.nn.layer_norm(x, g, b).named("y") ** 2).named("L")


def embedding() -> gx.Tensor:
    E, ids = gx.parameter("E", (100, 8)), gx.tensor("ids", ("n", "T"), dtype="int")
    return gx.mean(gx.nn.embedding(E, ids).named("e") ** 2).named("L")


def halves() -> gx.Tensor:
    a, b = gx.tensor("a", (4,)), gx.tensor("b", (4,))
    u, v = gx.split(gx.concatenate([a, b]).named("c"), 2)
    return gx.sum(gx.where(u > v, u, v).named("w") ** 2).named("L")


def pooled() -> gx.Tensor:
    return gx.sum(gx.nn.avg_pool1d(gx.tensor("x", ("n", 9, 2)), 3, strides=2, padding="same").named("p") ** 2).named("L")


def windowed() -> gx.Tensor:
    """Attention to the neighbours alone: each place sees two on either side, and what lies outside reads 0."""
    q, k, v = (gx.tensor(n, ("T", "d")) for n in "qkv")
    t, u, c = gx.indices("t u c")
    s = gx.define("s", (t, u), gx.Sum(q[t, c] * k[t + u - 2, c], c), extents={u: 5}, outside=0)
    return gx.sum(gx.define("o", (t, c), gx.Sum(gx.softmax(s)[t, u] * v[t + u - 2, c], u), outside=0) ** 2).named("L")


def dilated() -> gx.Tensor:
    return gx.sum(gx.nn.conv1d(gx.tensor("x", ("n", 20, 4)), gx.parameter("K", (3, 2, 6)), dilation=2, groups=2).named("y") ** 2).named("L")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (convolution, "conv2d\\n5 × 5, stride 2, padded"),
        (convolution, "max_pool2d\\n2 × 2, stride 2"),
        (dilated, "conv1d\\n3, dilation 2"),
        (pooled, "avg_pool1d\\n3, stride 2, padded"),
        (lambda: gx.sum(gx.tensor("x", (3, 4, 5)), axis=(0, 2)), "Σ\\naxes 0, 2"),
        (lambda: gx.mean(gx.tensor("x", ("n", 4)), axis=1), "mean\\naxis 1"),
        (lambda: gx.max(gx.tensor("x", ("n", 4)), axis=0), "max\\naxis 0"),
    ],
)
def test_what_an_operation_does_stands_below_it(make: Make, words: str) -> None:
    assert words in draw(make()).dot


@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (convolution, [r"z = {{{x} \ast {K}} + {b}}", r"\frac{\partial L}{\partial h} = \frac{\partial L}{\partial p} \;\text{at}\; \arg\max h"]),
        (attention, [r"\frac{\partial L}{\partial V} = {v_{1}}^{\top} \, \frac{\partial L}{\partial A}", r"v_{1} = {\operatorname{softmax}({z})}"]),
        (attention, [r"\frac{\partial L}{\partial Q} = 0.3536 \, \frac{\partial L}{\partial z} \, K"]),
        (norm, [r"\frac{\partial L}{\partial \beta} = \mathbf{1}^{\top} \frac{\partial L}{\partial y}"]),
        (embedding, [r"e = {{E}[{\mathrm{ids}}]}"]),
        (halves, [r"v_{1} = {{c}[0{:}4]}"]),
    ],
)
def test_the_backward_graph_can_be_read(make: Make, lines: list[str]) -> None:
    found = formulas(draw(make(), backward=True))
    for line in lines:
        assert line in found, "\n".join(found)


@pytest.mark.parametrize("make", [convolution, attention, norm, embedding, halves, pooled, dilated, windowed])
def test_no_jacobian_is_left_and_no_long_number(make: Make) -> None:
    found = "\n".join(formulas(draw(make(), backward=True)))
    assert r"\right)^{\!\top}" not in found
    assert not re.search(r"\d\.\d{6}", found)


@pytest.mark.parametrize(
    ("body", "formula"),
    [
        (lambda x, i, j: x[0] * x[i], r"{x}[0] \, x_{i}"),
        (lambda x, i, j: x[1] * x[2] * x[i], r"\left({{x}[1]} \, {{x}[2]}\right) \, x_{i}"),
        (lambda x, i, j: gx.Sum(gx.tanh(x)[i] * x[j], j), r"\left(\sum_{j} x_{j}\right) \, \left[\tanh {x}\right]_{i}"),
        (lambda x, i, j: gx.Sum((gx.exp(2 * gx.tanh(gx.sin(x))))[j] * x[i], j), r"\left(\sum_{j} \cdot_{j}\right) \, x_{i}"),
    ],
)
def test_an_operand_without_a_name_stands_as_it_was_written(body: Callable[..., Any], formula: str) -> None:
    x, (i, j) = gx.tensor("x", ("n",)), gx.indices("i j")
    assert any(formula in found for found in formulas(draw(gx.define("y", (i,), body(x, i, j)))))


def test_the_gradient_of_a_part_is_no_copy_of_the_whole() -> None:
    found = formulas(draw(halves(), backward=True))
    [a] = [f for f in found if f.startswith(r"\frac{\partial L}{\partial a} =")]
    assert a != r"\frac{\partial L}{\partial a} = \frac{\partial L}{\partial c}", "a is half of c"


def test_attention_is_one_node_or_its_steps() -> None:
    loss = attention(mask=True)
    assert "operation attention" in titles(draw(loss))
    assert "M goes into attention" in titles(draw(loss))
    opened = draw(loss, expand="A")
    found = titles(opened)
    assert {"scope attention", "operation softmax", "operation ᵀ", "M goes into softmax", "tensor A, shape T × 8"} <= set(found)
    assert "scope mean" in titles(draw(loss, expand=True)), "everything that is made of steps"
    at = {gx.leaves(loss)[n]: np.ones((3, 8)) for n in "QKV"} | {gx.leaves(loss)["M"]: np.ones((3, 3), bool)}
    assert "value" in draw(loss, expand=True, at=at).description or "value" in draw(loss, expand=True, at=at).dot


@pytest.mark.parametrize(
    ("expand", "words"),
    [("B", "no tensor of this picture"), (3, "give a tensor or its name"), ("L2", "no tensor"), (["Q"], "is one step|nothing in it")],
)
def test_what_cannot_be_expanded_is_told(expand: Any, words: str) -> None:
    with pytest.raises(gx.DeclarationError, match=words):
        draw(attention(), expand=expand)
    with pytest.raises(gx.DeclarationError, match="give one of them"):
        draw(attention(), expand=True, unroll=2)


def test_paths_of_a_long_chain() -> None:
    x = gx.scalar("x")
    y = x
    for _ in range(400):
        y = y * 1.001
    p = paths(y, x, at={x: 2.0})
    assert p.sum == pytest.approx(1.001**400)
    assert p[0].product == pytest.approx(p.sum)
    assert len(p.svg) < 200_000


def test_running_statistics_stand_at_the_side() -> None:
    model = gx.Sequential([gx.layers.Dense(4), gx.layers.BatchNormalization(), gx.layers.Dense(1)])
    model.build((None, 3))
    found = titles(draw(model))
    assert sum(t == "operation ←" for t in found) == 2
    assert "batch_normalization/moving_mean goes into ←" in found
    assert not any(t.startswith("operation ←, the result") for t in found), "an assignment is no result of the picture"
    assert "←" not in "".join(titles(draw(model, view="layer")))
    assert "←" not in draw(gx.inference(model.outputs[0] if isinstance(model.outputs, list | tuple) else model.outputs)).dot


def test_a_recurrence_without_steps_is_drawn() -> None:
    last, every = gx.scan(lambda h, i: (h + i, h), gx.tensor("x", (0, 2)), gx.tensor("h0", (2,)))
    loss = (gx.sum(last**2) + gx.sum(every)).named("L")
    assert draw(loss, backward=True).svg
    assert draw(loss, unroll=2).svg


def test_a_time_has_no_name_of_a_size() -> None:
    x, W = gx.tensor("x", ("t", 3)), gx.parameter("W", (3, 3))
    last, _ = gx.scan(lambda h, item: (gx.tanh(h @ W + item).named("h"),) * 2, x, gx.tensor("h0", (3,)))
    loss = gx.sum(last**2).named("L")
    for picture in (gx.draw(loss), gx.draw(loss, backward=True)):
        assert "repeat for s = 1 … t" in picture.svg


def backward_of(loss: gx.Tensor) -> str:
    return "\n".join(formulas(gx.draw(loss, backward=True)))


def test_a_mean_is_over_a_reduced_size() -> None:
    z = gx.tensor("z", ("n", 40))
    assert r"\frac{1}{20 \, n}" in backward_of(gx.mean(z**2).named("L")).replace(r"20 n", r"20 \, n")


def test_the_product_of_two_vectors_is_a_row_times_a_column() -> None:
    h = gx.tensor("h", (4,))
    text = backward_of((h @ h).named("L"))
    assert r"{h}^{\top} {h}" in text
    assert r"= 2 \, h" in text


def test_masked_attention_and_grouped_padded_convolution_have_formulas() -> None:
    q, k, v = (gx.tensor(name, ("n", 4)) for name in "QKV")
    attended = gx.nn.attention(q, k, v, mask=gx.tensor("M", ("n", "n"), dtype="bool")).named("O")
    convolved = gx.nn.conv1d(gx.tensor("x", ("n", 9, 4)), gx.tensor("K", (3, 2, 6)), padding="same", groups=2).named("Y")
    for result in (attended, convolved):
        text = backward_of(gx.sum(result**2).named("L"))
        assert r"\right)^{\!\top}" not in text
        assert "isfinite" not in text


def test_steps_of_one_form_keep_their_own_arguments() -> None:
    """The local derivatives are made once for a form, and hold for the operands of each step by their places."""
    x, a, b, c = gx.scalars("x a b c")
    y = (x / a).named("u") * (b / x).named("v") - gx.tanh(x / c) * gx.tanh(c / x)
    given = {x: 1.5, a: 2.0, b: 0.7, c: -1.2}
    found = gx.paths(y, x, at=given)
    assert len(found) == 4
    assert abs(sum(float(p.product) for p in found) - float(gx.evaluate(gx.grad(y, x), given))) < 1e-12
    first, second = (next(float(p.product) for p in found if name in p.names) for name in "uv")
    assert abs(first - 0.7 / 1.5 / 2.0) < 1e-12
    assert abs(second + 1.5 / 2.0 * 0.7 / 1.5**2) < 1e-12
