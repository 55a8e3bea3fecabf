"""A stage's own formula, under the labels that its reader chooses."""

from __future__ import annotations

import pytest

import graphc as gx
from graphc.formula.stage_form import body_latex, plain_latex, stage_latex

X, W, x = gx.tensor("X", ("n", 3)), gx.tensor("W", (3, 4)), gx.tensor("x", ("n", 3))
ids = gx.tensor("ids", (5,), dtype="int")
i, j, k = gx.indices("i j k")

ROWS = [
    (X @ W, r"\sum_{k} X_{ik} \, W_{kj}", ""),
    (gx.define("Y", (i, j), gx.Sum(X[i, k] * W[k, j], k) + W[0, j]), r"\sum_{k} X_{ik} \, W_{kj} + W_{0j}", ""),
    (gx.take(W, ids), r"W_{\mathrm{ids}_{i}, j}", ""),
    (gx.relu(x), r"\max\left(0, x_{ij}\right)", r"\max\left(0, x\right)"),
    (gx.tanh(x) ** 2, r"T_{ij}^{2}", "T^{2}"),
    (x * X.shape[0], r"n \, x_{ij}", r"n \, x"),
    (gx.grad(gx.sum(gx.take(W, ids)), W), r"\sum_{k:\, \mathrm{ids}_{k} = i} 1", ""),
]


def label(tensor: gx.Tensor) -> str:
    return rf"\mathrm{{{tensor.name}}}" if len(tensor.name) > 1 else tensor.name or "T"


@pytest.mark.parametrize(("tensor", "indexed", "plain"), ROWS, ids=[row[1] for row in ROWS])
def test_formula_of_a_stage(tensor: gx.Tensor, indexed: str, plain: str) -> None:
    while not hasattr(tensor.op, "reads"):
        tensor = tensor.inputs[0]
    assert stage_latex(tensor, label) == indexed
    assert plain_latex(tensor, label) == (plain or indexed)


def test_a_body_under_names() -> None:
    import sympy

    a, b = sympy.symbols("a b", real=True)
    assert body_latex(1 - sympy.tanh(a) ** 2 + b / 3, {a: "z", b: "u"}) == r"\frac{1}{3} \, u + 1 - \tanh^{2}\left(z\right)"
