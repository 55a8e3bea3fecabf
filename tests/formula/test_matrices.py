"""Derivations through inverses and determinants: the textbook's forms, proved by numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx


def leaves() -> dict[str, gx.Tensor]:
    square = {name: gx.tensor(name, ("n", "n")) for name in ("X", "A")}
    vectors = {name: gx.tensor(name, ("n",)) for name in ("a", "b", "x", "m")}
    return {**square, **vectors, "S": gx.tensor("S", ("n", "n"), symmetric=True), "Z": gx.tensor("Z", ("k", "n")), "y": gx.tensor("y", ("k",))}


def gaussian(t: dict[str, gx.Tensor]) -> gx.Tensor:
    r = t["x"] - t["m"]
    return -r @ gx.linalg.inv(t["S"]) @ r / 2 - gx.linalg.logdet(t["S"]) / 2


ROWS: list[tuple[str, Callable[[dict[str, gx.Tensor]], Any], str, str, int]] = [
    ("logdet", lambda t: gx.linalg.logdet(t["X"]), "X", "X⁻ᵀ", 1),
    ("log of det", lambda t: gx.log(gx.linalg.det(t["X"])), "X", "X⁻ᵀ", 1),
    ("det", lambda t: gx.linalg.det(t["X"]), "X", "det(X) X⁻ᵀ", 3),
    ("a quadratic form", lambda t: t["a"] @ gx.linalg.inv(t["X"]) @ t["b"], "X", "−X⁻ᵀ a bᵀ X⁻ᵀ", 5),
    ("a quadratic form, by the vector", lambda t: t["a"] @ gx.linalg.inv(t["S"]) @ t["a"], "a", "2 S⁻¹ a", 3),
    ("trace", lambda t: gx.trace(gx.linalg.inv(t["X"]) @ t["A"]), "X", "−X⁻ᵀ Aᵀ X⁻ᵀ", 4),
    ("trace, by the other", lambda t: gx.trace(gx.linalg.inv(t["X"]) @ t["A"]), "A", "X⁻ᵀ", 1),
    ("a symmetric matrix", lambda t: gx.linalg.logdet(t["S"]), "S", "S⁻¹", 1),
    ("Gauss, by the mean", gaussian, "m", "S⁻¹ (x − m)", 3),
    ("Gauss, by the covariance", gaussian, "S", "½ S⁻¹ (x − m) (x − m)ᵀ S⁻¹ − ½ S⁻¹", 7),
    ("a product with itself", lambda t: gx.linalg.logdet(t["Z"].T @ t["Z"]), "Z", "2 Z (Zᵀ Z)⁻¹", 4),
    ("the inverse of a transpose", lambda t: gx.sum(gx.linalg.inv(t["X"].T) @ t["a"]), "a", "X⁻¹ 𝟏", 2),
    ("a sum with an inverse", lambda t: gx.linalg.logdet(gx.linalg.inv(t["X"]) + t["A"]), "X", "−X⁻ᵀ (X⁻¹ + A)⁻ᵀ X⁻ᵀ", 6),
    ("a named inverse", lambda t: t["a"] @ gx.linalg.inv(t["X"]).named("P") @ t["b"], "X", "−X⁻ᵀ a bᵀ X⁻ᵀ", 5),
]


@pytest.mark.parametrize(("make", "wrt", "wanted", "operations"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_textbook_forms(make: Callable[[dict[str, gx.Tensor]], Any], wrt: str, wanted: str, operations: int) -> None:
    d = gx.derive(make(leaves()).named("L"), wrt)
    assert d.text == f"∂L/∂{wrt} = {wanted}"
    assert d.operations <= operations
    report = d.verify()
    assert report.ok, str(report)


def test_an_inverse_is_one_operation_in_numpy_and_is_shared() -> None:
    d = gx.derive(gaussian(leaves()), "S")
    source = d.numpy()
    assert source.count("np.linalg.inv(") == 1
    space: dict[str, Any] = {}
    exec(source, space)
    rng = np.random.default_rng(0)
    x, m, root = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(3, 3))
    s = root @ root.T + np.eye(3)
    b = np.linalg.inv(s)
    np.testing.assert_allclose(space["gradient"](x=x, m=m, S=s), (b @ np.outer(x - m, x - m) @ b - b) / 2, rtol=1e-9, atol=1e-12)


def test_every_step_has_its_reason() -> None:
    t = leaves()
    reasons = {d: gx.derive(y, "X").steps[-1].reason for d, y in {
        "inverse": gx.sum(gx.linalg.inv(t["X"])), "logdet": gx.linalg.logdet(t["X"]), "det": gx.linalg.det(t["X"]),
    }.items()}  # fmt: skip
    assert "−X⁻¹ dX X⁻¹" in reasons["inverse"]
    assert "tr(X⁻¹ dX)" in reasons["logdet"]
    assert "Jacobi" in reasons["det"]
    assert "cofactors" in reasons["det"]


def test_latex() -> None:
    t = leaves()
    assert gx.derive(gx.linalg.logdet(t["X"]).named("L"), "X").latex == r"\frac{\partial L}{\partial X} = X^{-\top}"
    assert r"\det \left(X\right) \, X^{-\top}" in gx.derive(gx.linalg.det(t["X"]).named("L"), "X").latex
    steps = gx.derive(gx.linalg.logdet(t["Z"].T @ t["Z"]).named("L"), "Z").steps
    assert steps[0].latex == r"L = \log\left\lvert\det \left(Z^{\top} \, Z\right)\right\rvert"


@pytest.mark.parametrize("layout", ["denominator", "numerator"])
def test_jacobians_and_products_with_a_cotangent(layout: str) -> None:
    t = leaves()
    y = gx.linalg.inv(t["X"])
    assert gx.derive(y, "X", layout=layout).verify().ok
    d = gx.derive(y, "X", layout=layout, cotangent="Ybar")
    assert d.text.endswith("= −X⁻ᵀ Ybar X⁻ᵀ")
    assert d.verify().ok


def test_stacks_of_matrices_are_derived_in_index_notation() -> None:
    x = gx.tensor("X", ("b", "n", "n"))
    for y in (gx.sum(gx.linalg.inv(x) ** 2), gx.sum(gx.linalg.logdet(x)), gx.sum(gx.sin(gx.linalg.det(x)))):
        report = gx.derive(y, x).verify()
        assert report.ok, str(report)


def test_a_matrix_with_a_long_formula_gets_a_name() -> None:
    t = leaves()
    inner = t["X"] @ t["A"] @ t["X"].T + gx.exp(t["X"]) @ t["S"] @ t["A"].T + gx.outer(t["a"], t["b"]) + gx.outer(t["m"], t["x"])
    d = gx.derive(gx.linalg.logdet(inner), "S")
    report = d.verify()
    assert report.ok, str(report)
    assert any(n.name.startswith("M") for n in d.where)


def test_the_derivative_of_cofactors_says_what_stopped_it() -> None:
    x = gx.tensor("X", (3, 3))
    with pytest.raises(gx.DerivationError, match="cof"):
        gx.derive(gx.sum(gx.grad(gx.linalg.det(x), x) ** 2), x)


def test_a_sum_over_rows_within_a_matrix_is_a_column() -> None:
    t = leaves()
    assert gx.derive(gx.sum(t["A"] @ t["X"]).named("L"), "X").text == "∂L/∂X = Aᵀ 𝟏 𝟏ᵀ"
    assert gx.derive(gx.sum(t["X"] @ t["X"]).named("L"), "X").text == "∂L/∂X = Xᵀ 𝟏 𝟏ᵀ + 𝟏 𝟏ᵀ Xᵀ"
    assert gx.derive(gx.sum(t["A"] @ t["X"] + t["a"]).named("L"), "X").verify().ok


def test_the_identity_is_written_as_itself() -> None:
    z, t, weight = gx.tensor("Z", ("n", 3)), gx.tensor("t", ("n",)), gx.scalar("lambda")
    w = (gx.linalg.inv(z.T @ z + weight * np.eye(3)) @ z.T @ t).named("w")
    d = gx.derive(gx.sum((z @ w - t) ** 2).named("J"), t)
    assert d.text == "∂J/∂t = Z (Zᵀ Z + λ I)⁻¹ δ + 2 t − 2 Z w"
    assert "w = (Zᵀ Z + λ I)⁻¹ Zᵀ t" in [n.text for n in d.where]
    assert d.verify().ok
    x = gx.tensor("X", ("n", "n"))
    squared = gx.derive((gx.trace(x) ** 2).named("L"), x)
    assert [s.text for s in squared.steps] == ["L = tr(X)²", "∂L/∂X = 2 tr(X) I"]


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (gx.softmax, "diag(p) (I − 𝟏 pᵀ)"),
        (gx.log_softmax, "I − p 𝟏ᵀ"),
        (lambda m: m - gx.mean(m), "I − (1/d) 𝟏 𝟏ᵀ"),
    ],
)
def test_beside_the_identity_a_vector_or_a_number_becomes_a_matrix(declare: Callable[[gx.Tensor], gx.Tensor], text: str) -> None:
    m = gx.tensor("m", ("d",))
    d = gx.derive(declare(m).named("p" if declare is gx.softmax else "y"), m)
    assert d.text.partition(" = ")[2] == text
    assert d.verify().ok
