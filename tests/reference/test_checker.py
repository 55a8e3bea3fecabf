"""The gradient checker: where it draws its points, what it leaves out, what it says."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx

v = gx.tensor("v", (3,))
w = gx.parameter("w", (2,), init=[0.5, -2.0])


@pytest.mark.parametrize("y", [gx.log(v), gx.sqrt(v), gx.sqrt(1 - v * v), gx.log(v - 1), gx.log(v) * gx.sum(w)], ids=range(5))
def test_points_are_drawn_inside_the_domain(y: gx.Tensor) -> None:
    report = gx.check_gradients(y)
    assert report.ok, report
    assert report.checked == 3 + (2 if "w" in gx.leaves(y) else 0)
    assert not report.skipped


def test_kinks_are_left_out_and_counted() -> None:
    report = gx.check_gradients(gx.sum(gx.relu(v)), at={v: [1.0, 0.0, -1.0]})
    assert report.ok and (report.checked, report.skipped) == (2, 1)
    assert "1 at a kink" in str(report)
    nothing = gx.check_gradients(gx.sum(gx.relu(v)), at={v: np.zeros(3)})
    assert not nothing.ok
    assert "all 3 lie at a kink" in str(nothing)


def test_a_wrong_gradient_is_found_and_named() -> None:
    # A step in the value that the gradient cannot know: floor has slope 0 beside it.
    report = gx.check_gradients(gx.sum(gx.floor(v * 1e10) * 1e-10), at={v: [0.123456, 0.2, 0.3]})
    assert not report.ok
    assert report.worst is not None and report.worst.variable == "v"
    assert "DISAGREE" in str(report)


def test_only_inputs_and_parameters_are_varied() -> None:
    with pytest.raises(gx.DeclarationError, match="leave wrt out"):
        gx.check_gradients(gx.sum(v * v), v * v)
    with pytest.raises(gx.DataError, match="nothing to vary"):
        gx.check_gradients(gx.sum(v), w)


def test_a_kink_beside_the_point_is_left_behind() -> None:
    """A slope that changes a little within the first step, too little to be told from a bend."""
    x = gx.tensor("x", ())
    y = x**2 + 1e-4 * gx.relu(x - 1.00005)
    report = gx.check_gradients(y, at={x: 1.0})
    assert report.ok
    assert report.checked == 1
