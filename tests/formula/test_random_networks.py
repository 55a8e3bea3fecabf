"""Random formulas: each derivation is right by numbers, or refused; never wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.errors import DerivationError
from graphc.formula.derivation import derive

BENT = (gx.sigmoid, gx.tanh, gx.relu, gx.sin, gx.softplus, lambda t: t**2, lambda t: gx.softmax(t, axis=-1), gx.abs, lambda t: gx.exp(-t * t))
ENDS = (
    lambda t, y: gx.mean((t - y) ** 2),
    lambda t, y: 0.5 * gx.sum((t - y) ** 2),
    lambda t, y: -gx.mean(gx.sum(y * gx.log_softmax(t), axis=-1)),
    lambda t, y: gx.sum(y * t) + gx.mean(t),
    lambda t, y: gx.mean(gx.softplus(t) - y * t),
    lambda t, y: gx.sum(gx.max(t, axis=0)) + gx.norm(y - t),
)  # fmt: skip


@st.composite
def networks(draw: Any) -> tuple[Any, list[Any]]:
    """A loss of a random network, and the tensors that it depends on."""
    width = 3
    leaf = gx.tensor("X", ("n", width))
    t, leaves = leaf, [leaf]
    for k in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["dense", "bent", "bent", "row", "centre", "product", "transposed", "flip"]))
        if kind == "dense":
            W, b = gx.tensor(f"W{k}", (width, 3)), gx.tensor(f"b{k}", (3,))
            t = t @ W + b
            leaves += [W, b]
        elif kind == "bent":
            t = draw(st.sampled_from(BENT))(t)
        elif kind == "row":
            g = gx.tensor(f"g{k}", (3,))
            t = g * t
            leaves.append(g)
        elif kind == "centre":
            t = t - gx.mean(t, axis=draw(st.sampled_from([0, 1])), keepdims=True)
        elif kind == "product":
            t = t * gx.sigmoid(t)
        elif kind == "transposed":
            t = (t.T @ t) @ t.T
            t = t.T
        else:
            t = t[:, ::-1]
        if draw(st.booleans()):
            t = t.named(f"h{k}")
    y = gx.tensor("y", ("n", 3))
    return draw(st.sampled_from(ENDS))(t, y), leaves


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks(), st.data())
def test_right_or_refused(case: tuple[Any, list[Any]], data: Any) -> None:
    loss, leaves = case
    wrt = data.draw(st.sampled_from(leaves))
    try:
        d = derive(loss, wrt)
        assert d.latex and d.index_latex and d.steps
        report = d.verify()
    except DerivationError:
        return
    assert report.ok, f"{d.text}\n{report}\n{d.numpy()}"
