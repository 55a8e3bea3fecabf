"""A tensor's own formula in index notation."""

from __future__ import annotations

import pytest

import graphc as gx
from graphc.formula.index_form import index_latex, index_text

X, W, b = gx.tensor("X", ("n", 3)), gx.tensor("W", (3, 4)), gx.tensor("b", (4,))
z = (X @ W + b).named("z")
i, j, k = gx.indices("i j k")

ROWS = [
    (z, "zᵢⱼ = Σₖ Xᵢₖ Wₖⱼ + bⱼ", r"z_{ij} = \sum_{k} X_{ik} \, W_{kj} + b_{j}"),
    (gx.define("Y", (j, i), gx.Sum(X[j, k] * W[k, i], k) + b[i]), "Yᵢⱼ = Σₖ Xᵢₖ Wₖⱼ + bⱼ", r"Y_{ij} = \sum_{k} X_{ik} \, W_{kj} + b_{j}"),
    (gx.sigmoid(z).named("h"), "hᵢⱼ = σ(zᵢⱼ)", r"h_{ij} = \sigma\left(z_{ij}\right)"),
    (gx.softmax(z).named("p"), "pᵢⱼ = exp(zᵢⱼ)/(Σₖ exp(zᵢₖ))", r"p_{ij} = \frac{e^{z_{ij}}}{\sum_{k} e^{z_{ik}}}"),
    (gx.logsumexp(z, axis=1).named("s"), "sᵢ = log(Σⱼ exp(zᵢⱼ))", r"s_{i} = \log\left(\sum_{j} e^{z_{ij}}\right)"),
    (X[:, 1:].named("s"), "s[i, j] = X[i, j + 1]".replace("s[i, j]", "sᵢⱼ"), r"s_{ij} = X_{i, j + 1}"),
    (gx.max(z, axis=1).named("m"), "mᵢ = maxⱼ zᵢⱼ", r"m_{i} = \max_{j} z_{ij}"),
    (gx.relu(b).named("h"), "hᵢ = max(0, bᵢ)", r"h_{i} = \max\left(0, b_{i}\right)"),
    (X, "Xᵢⱼ", "X_{ij}"),
]


@pytest.mark.parametrize(("tensor", "text", "latex"), ROWS, ids=[row[1] for row in ROWS])
def test_formula_in_index_notation(tensor: gx.define, text: str, latex: str) -> None:
    assert index_text(tensor) == text
    assert index_latex(tensor) == latex
