"""Order, names, phases, assignments, random numbers of a graph."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import assigns, drop_aliases, random_numbers, rebuild, topological
from graphc.expr.operation import Random
from graphc.expr.verify import GraphDefectError, verify


def test_inputs_come_before_their_users() -> None:
    x = gx.tensor("x", ("n", 3))
    nodes = topological([gx.softmax(x @ gx.parameter("W", (3, 2))) + 1])
    place = {node: k for k, node in enumerate(nodes)}
    assert all(place[t.node] < place[node] for node in nodes for t in node.inputs)


def test_a_deep_graph_needs_no_recursion() -> None:
    x = y = gx.scalar("x")
    for _ in range(5000):
        y = y + 1
    assert float(gx.evaluate(y, {x: 1.0})) == 5001
    assert float(gx.evaluate(gx.grad(y, x), {x: 1.0})) == 1


def test_an_unchanged_graph_is_returned_as_it_is() -> None:
    y = gx.exp(gx.scalar("x")) * 2
    assert rebuild([y], lambda node, inputs: None) == [y]


def test_two_leaves_of_one_name_show_both_places() -> None:
    first, second = gx.scalar("a"), gx.tensor("a", ("n",))
    with pytest.raises(gx.DeclarationError, match=r"two different tensors are called a.*test_graph\.py:\d+.*test_graph\.py:\d+"):
        gx.leaves(first * second)


def test_scopes_prefix_names() -> None:
    with gx.scope("encoder"), gx.scope("block"):
        h = gx.scalar("x").named("h")
    assert h.name == "encoder/block/h"


def test_each_phase_has_its_reading() -> None:
    x = gx.scalar("x")
    y = gx.by_phase(training=2 * x, inference=3 * x) + 1
    assert float(gx.evaluate(y, {x: 1.0})) == 3
    assert float(gx.evaluate(gx.inference(y), {x: 1.0})) == 4
    assert float(gx.evaluate(gx.grad(y, x), {x: 1.0})) == 2


def test_two_values_for_one_state_are_an_error() -> None:
    s = gx.state("count", (), init=0.0)
    with pytest.raises(gx.DeclarationError, match="count gets two next values"):
        assigns([gx.assign(s, s + 1), gx.assign(s, s + 2)])


class TestRandomNumbers:
    def test_what_else_was_declared_does_not_matter(self) -> None:
        first = gx.random.uniform((3,))
        gx.random.uniform((5,))
        assert np.array_equal(gx.evaluate(first), gx.evaluate(gx.random.uniform((3,))))

    def test_two_nodes_differ_and_a_key_pins(self) -> None:
        a, b = gx.evaluate([gx.random.uniform((50,)), gx.random.uniform((50,))])
        assert not np.array_equal(a, b)
        c, d = gx.evaluate([gx.random.uniform((50,), key=3), gx.random.uniform((50,), key=3)])
        assert np.array_equal(c, d)

    def test_a_gradient_sees_the_draws_of_its_primal(self) -> None:
        x = gx.tensor("x", (50,))
        unused = gx.random.uniform((50,))
        mask = gx.random.bernoulli((50,), 0.5)
        y = gx.sum(x * mask + unused)
        feed = {x: np.zeros(50)}
        # The gradient's own graph does not contain the first node; its numbers must not move up.
        assert np.array_equal(gx.evaluate(gx.grad(y, x), feed), gx.evaluate([y, mask], feed)[1])

    def test_seed_and_step_change_the_draws(self) -> None:
        u = gx.random.normal((20,))
        values = [gx.evaluate(u, seed=s, step=t) for s, t in ((0, 0), (1, 0), (0, 1), (2**40, 0))]
        assert len({v.tobytes() for v in values}) == 4
        assert np.array_equal(gx.evaluate(u, seed=1, step=2), gx.evaluate(u, seed=1, step=2))

    def test_moments(self) -> None:
        u, z = gx.evaluate([gx.random.uniform((20000,), -1, 3), gx.random.normal((20000,), 2, 0.5)])
        assert u.min() >= -1 and u.max() < 3
        assert u.mean() == pytest.approx(1, abs=0.03)
        assert z.mean() == pytest.approx(2, abs=0.02)
        assert z.std() == pytest.approx(0.5, abs=0.02)

    def test_ranks_follow_the_order_of_creation(self) -> None:
        a, b = gx.random.uniform((2,)), gx.random.uniform((2,))
        numbers = random_numbers([b + a])
        assert [numbers[t.node] for t in (a, b)] == [0, 1]
        assert all(isinstance(node.op, Random) for node in numbers)


def test_aliases_are_dropped_before_anything_is_computed() -> None:
    x, y = gx.scalars("x y")
    gradient = gx.grad((x * 2 + y).named("L"), x)
    assert not gx.leaves(drop_aliases([gradient])[0])
    assert float(gx.evaluate(gradient, {})) == 2


def test_the_verifier_finds_a_broken_graph() -> None:
    y = gx.exp(gx.tensor("x", ("n",)))
    verify([y])
    y.node.inputs = ()
    with pytest.raises(GraphDefectError, match="no operand"):
        verify([y])


def test_tensors_of_rank_0_stand_in_formulas_on_either_side() -> None:
    i, k = gx.indices("i k")
    a, X = gx.scalar("a"), gx.tensor("X", ("n", 3))
    total = gx.Sum(X[i, k], k)
    for formula in (a[()] * total + 1, total * a + 1, 1 + a * total, a * total - (-1), total / (1 / a) + 1):
        y = gx.define("y", i, formula)
        assert gx.evaluate(y, {a: 2.0, X: [[1.0, 2.0, 3.0]]}).tolist() == [13.0]
    assert gx.evaluate(gx.define("y", i, a**i * X[i, 0]), {a: 3.0, X: [[1.0] * 3] * 3}).tolist() == [1, 3, 9]


def test_a_copy_of_a_tensor_can_be_made_and_a_tensor_cannot_change() -> None:
    x = gx.tensor("x", ("n", 3))
    again = copy.copy(x)
    assert (again.name, again.shape) == ("x", x.shape)
    with pytest.raises(gx.DeclarationError, match="immutable"):
        x.shape = (3,)


def test_a_tensor_without_a_value_has_no_such_attribute() -> None:
    x, w = gx.tensor("x", ("n",)), gx.parameter("w", (2,), init=0.0)
    assert not hasattr(x, "value") and hasattr(w, "value")
    assert "shape" in dict(inspect.getmembers(x))
    with pytest.raises(gx.DeclarationError, match=r"x has no value of its own: evaluate it with gx\.evaluate"):
        _ = x.value
