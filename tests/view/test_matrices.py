"""Pictures of linear algebra: forward, backward, pass by pass."""

from __future__ import annotations

import numpy as np

import graphc as gx
from graphc.view.adjoint import contribution


def likelihood() -> tuple[gx.Tensor, dict[gx.Tensor, np.ndarray]]:
    x, a = gx.tensor("X", ("n", "n")), gx.tensor("a", ("n",))
    loss = (a @ gx.linalg.inv(x) @ a + gx.linalg.logdet(x) + gx.linalg.det(x)).named("L")
    return loss, {x: np.array([[2.0, 0.5], [0.1, 3.0]]), a: np.ones(2)}


def test_each_operation_is_drawn_with_its_sign() -> None:
    loss, at = likelihood()
    svg = gx.draw(loss, at=at, backward=True).svg
    for name in ("inv", "logdet", "det"):
        assert f"operation {name}" in svg
    assert "∂L/∂X" in svg
    assert gx.draw(loss).svg == gx.draw(loss).svg


def test_the_pass_step_by_step_and_path_by_path() -> None:
    loss, at = likelihood()
    assert len(gx.frames(loss, at=at)) > 10
    assert len(gx.paths(loss, next(iter(at)))) == 3


def test_the_backward_graph_says_what_each_adjoint_is() -> None:
    x = gx.tensor("X", (3, 3))
    for make, wanted in (
        (gx.linalg.inv, r"-{X}^{-\top} \, {G} \, {X}^{-\top}"),
        (gx.linalg.logdet, r"{X}^{-\top}"),
        (gx.linalg.det, r"\det \left({X}\right) \, {X}^{-\top}"),
    ):
        y = make(x)
        found = contribution(y, (x,), x, "G" if y.ndim else None, {x: "X", y: "Y"})
        assert found is not None
        assert found[0].replace(" ", "") == wanted.replace(" ", "")
        assert x in found[1]
