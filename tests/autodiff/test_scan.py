"""Recurrences: values against loops, first and second order, any length, random draws by iteration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.operation import Scan
from graphc.expr.verify import verify

RNG = np.random.default_rng(5)
X = gx.tensor("X", ("t", 3))
W = gx.parameter("W", (2, 2), init=RNG.normal(size=(2, 2)))
U = gx.parameter("U", (3, 2), init=RNG.normal(size=(3, 2)))
ZERO = gx.constant(np.zeros(2))


def elman(h: Any, x: Any) -> Any:
    h = gx.tanh(h @ W + x @ U)
    return h, h * h


def lstm(state: Any, x: Any) -> Any:
    h, c = state
    gates = gx.concatenate([x @ U, h @ W, (x @ U) * (h @ W), h - c])
    i, f, o, g = (gates[2 * k : 2 * k + 2] for k in range(4))
    c = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g)
    h = gx.sigmoid(o) * gx.tanh(c)
    return (h, c), h


RECURRENCES = {
    "elman": lambda **o: gx.scan(elman, X, ZERO, **o),
    "lstm": lambda **o: gx.scan(lstm, X, (ZERO, ZERO + 0.1), **o),
    "two sequences, two outputs": lambda **o: gx.scan(lambda c, xy: (c * xy[0] + xy[1], (c, gx.sum(xy[1] * c))), (X, X[::-1] + 1), X[0], **o),
    "an initial carry that is learned": lambda **o: gx.scan(lambda c, x: (gx.tanh(c + x), c), X, gx.sum(U, 1), **o),
    "a carry that never changes": lambda **o: gx.scan(lambda c, x: (c, c * x), X, X[0], **o),
    "nested": lambda **o: gx.scan(lambda c, x: (c + gx.scan(lambda d, y: (d * y + gx.sum(c), d), x, 1.0)[0], c), X, 0.5, **o),
}


def total(parts: Any) -> gx.Tensor:
    flat = [t for part in parts for t in (part if isinstance(part, tuple) else (part,))]
    return sum((gx.sum(gx.sin(t) * (k + 1.0)) for k, t in enumerate(flat)), gx.constant(0.0))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", RECURRENCES)
def test_first_and_second_order(name: str, reverse: bool) -> None:
    y = total(RECURRENCES[name](reverse=reverse))
    verify([y])
    assert (report := gx.check_gradients(y, at={X: RNG.normal(size=(3, 3))})).ok, report
    variables = list(gx.leaves(y).values())
    gradients = gx.grad(y, variables)
    verify(gradients)
    length = sum((gx.sum(g * gx.cos(g)) for g in gradients), gx.constant(0.0))
    assert (report := gx.check_gradients(length, at={X: RNG.normal(size=(2, 3))})).ok, report


@pytest.mark.parametrize("reverse", [False, True])
def test_outputs_belong_to_their_items(reverse: bool) -> None:
    last, outputs = gx.scan(lambda c, x: (c * 2 + x, c), X, X[0] * 0, reverse=reverse)
    x = RNG.normal(size=(5, 3))
    carry, rows = np.zeros(3), np.zeros((5, 3))
    for t in reversed(range(5)) if reverse else range(5):
        rows[t] = carry
        carry = carry * 2 + x[t]
    values = gx.evaluate([last, outputs], {X: x})
    np.testing.assert_allclose(values[0], carry)
    np.testing.assert_allclose(values[1], rows)


@pytest.mark.parametrize("length", [0, 1])
def test_short_sequences(length: int) -> None:
    last, outputs = gx.scan(elman, X, ZERO + 0.5)
    y = gx.sum(last) + gx.sum(outputs)
    x = np.ones((length, 3))
    values = gx.evaluate([last, outputs, gx.grad(y, U), gx.grad(y, X)], {X: x})
    assert [v.shape for v in values] == [(2,), (length, 2), (3, 2), (length, 3)]
    if not length:
        assert values[0].tolist() == [0.5, 0.5]
        assert not values[2].any()


def test_the_adjoint_has_as_many_nodes_whatever_the_length() -> None:
    def nodes(t: int) -> int:
        x = gx.tensor("x", (t, 3))
        y = gx.sum(gx.scan(elman, x, ZERO)[1])
        graph = topological(drop_aliases(gx.grad(y, [x, W, U])))
        return len(graph) + sum(len(topological(n.op.results)) for n in graph if isinstance(n.op, Scan))

    assert nodes(2) == nodes(2000)


def test_what_does_not_change_is_computed_outside() -> None:
    _, outputs = gx.scan(lambda c, x: (c + x @ (U @ gx.transpose(U)), gx.exp(W)), X, X[0] * 0)
    scan = outputs.op
    assert isinstance(scan, Scan)
    assert len(topological(scan.results)) == 6  # carry, item, two invariants, the product, the sum


def test_random_nodes_draw_anew_and_alike_in_the_adjoint() -> None:
    def masked(total: gx.Tensor, x: gx.Tensor) -> tuple[gx.Tensor, gx.Tensor]:
        mask = gx.random.bernoulli((3,), 0.5)
        return total + x * mask, mask

    last, masks = gx.scan(masked, X, X[0] * 0)
    values = {X: np.ones((20, 3))}
    drawn, gradient, again = gx.evaluate([masks, gx.grad(gx.sum(last), X), masks], values)
    assert len({row.tobytes() for row in drawn}) > 3
    np.testing.assert_array_equal(gradient, drawn)
    np.testing.assert_array_equal(drawn, again)


def test_phases_and_stable_forms_reach_into_the_body() -> None:
    _, outputs = gx.scan(lambda c, x: (c, gx.nn.dropout(x, 0.5) + gx.by_phase(training=1.0, inference=2.0)), X, 0.0)
    x = np.ones((4, 3))
    assert set(np.unique(gx.evaluate(outputs, {X: x}))) == {1.0, 3.0}
    assert set(np.unique(gx.evaluate(gx.inference(outputs), {X: x}))) == {3.0}


MISUSE = [
    (lambda: gx.scan(lambda c, x: c, X, 0.0), "returns a pair"),
    (lambda: gx.scan(lambda c, x: ((c, c), x), X, 0.0), "returns 2 carries"),
    (lambda: gx.scan(lambda c, x: (c + x, x), X, 0.0), "give the initial one that shape"),
    (lambda: gx.scan(lambda c, x: (c, x), gx.scalar("s"), 0.0), "has none"),
    (lambda: gx.scan(lambda c, x: (c, x), (gx.tensor("a", (3,)), gx.tensor("b", (4,))), 0.0), "differ in length"),
    (lambda: gx.scan(lambda c, x: (c + gx.assign(gx.state("s", (3,)), x), x), X, X[0]), "carry it instead"),
]


@pytest.mark.parametrize(("call", "message"), MISUSE, ids=[m for _, m in MISUSE])
def test_misuse_is_named(call: Any, message: str) -> None:
    with pytest.raises(gx.DeclarationError, match=message):
        call()
