"""Assignments that a value carries: when they are carried out, whose turn it is, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.carry import carried
from graphc.expr.graph import training
from graphc.expr.operation import Carry, Current
from graphc.expr.stage import Stage
from graphc.expr.verify import verify
from graphc.stable import stabilise

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 3))
W0 = RNG.normal(size=(3, 3))


class Case:
    """Entries of ``x @ W``, centred in training, with a running mean beside."""

    def __init__(self) -> None:
        self.x, self.w = gx.tensor("x", ("n", 3)), gx.parameter("W", (3, 3), init=W0)
        self.m = gx.state("m", (3,), init=[1.0, 2.0, 3.0])
        z = self.x @ self.w
        now = gx.mean(z, axis=0)
        self.y = gx.by_phase(training=z - now, inference=z - self.m, updates=[gx.assign(self.m, 0.5 * self.m + 0.5 * now)])
        self.loss = gx.mean(gx.tanh(self.y) ** 2 * gx.exp(z))
        self.next = 0.5 * np.array([1.0, 2.0, 3.0]) + 0.5 * (X @ W0).mean(0)


PROGRAMS: dict[str, Callable[[Case], Any]] = {
    "the value": lambda c: c.y,
    "a formula of it": lambda c: [gx.sum(c.y)],
    "the loss": lambda c: [c.loss],
    "a step of training": lambda c: [c.loss, *gx.optimizers.SGD(0.1).updates(c.loss, c.w)],
    "the updates alone": lambda c: gx.optimizers.Adam(0.1).updates(c.loss, [c.w]),
    "a gradient": lambda c: gx.grad(c.loss, c.w),
    "a gradient of an intermediate": lambda c: gx.grad(c.loss, c.y),
    "a second derivative": lambda c: gx.grad(gx.sum(gx.grad(c.loss, c.w) ** 2), c.w),
    "a Jacobian": lambda c: gx.jacobian(gx.sum(c.y, axis=0), c.w),
    "a product with the Hessian": lambda c: gx.hvp(c.loss, c.w, gx.constant(W0)),
    "value and loss": lambda c: [c.y, c.loss, c.y.named("h")],
}


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_carried_out_once_wherever_the_value_is_computed_for_training(name: str, target: str) -> None:
    case = Case()
    outputs = PROGRAMS[name](case)
    f = gx.compile(outputs, inputs=[case.x], target=target, dtype="float64")
    results = f(X)
    np.testing.assert_allclose(case.m.value, case.next, rtol=1e-12)
    assert not isinstance(outputs, list) or len(results) == len(outputs)


@pytest.mark.parametrize("name", [n for n in PROGRAMS if "update" not in n and "step" not in n])
def test_values_are_those_of_the_plain_formula(name: str) -> None:
    case = Case()
    outputs = PROGRAMS[name](case)
    plain = Case()
    z = plain.x @ plain.w
    plain.y = z - gx.mean(z, axis=0)
    plain.loss = gx.mean(gx.tanh(plain.y) ** 2 * gx.exp(z))
    wanted = gx.evaluate(PROGRAMS[name](plain), {plain.x: X})
    for got in (gx.evaluate(outputs, {case.x: X}), gx.compile(outputs, inputs=[case.x], dtype="float64")(X)):
        for a, b in zip(*((v if isinstance(v, list) else [v]) for v in (got, wanted)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_evaluating_and_inference_leave_the_state() -> None:
    case = Case()
    gx.evaluate([case.y, case.loss, gx.grad(case.loss, case.w)], {case.x: X})
    np.testing.assert_array_equal(gx.compile(gx.inference(case.y), dtype="float64")(X), X @ W0 - [1.0, 2.0, 3.0])
    gx.compile(gx.inference(gx.grad(case.loss, case.w)))(X)
    gx.compile(gx.inference(gx.grad(gx.sum(case.y**2 * case.x), case.w)))(X)  # the gradient itself reads the value
    np.testing.assert_array_equal(case.m.value, [1.0, 2.0, 3.0])


def test_inference_beside_training_reads_the_old_state() -> None:
    case = Case()
    f = gx.compile([case.loss, gx.inference(case.y)], dtype="float64")
    np.testing.assert_allclose(f(X)[1], X @ W0 - [1.0, 2.0, 3.0])
    np.testing.assert_allclose(case.m.value, case.next)


def test_over_batches_it_is_carried_out_at_each() -> None:
    case = Case()
    gx.compile([case.loss], dtype="float64").run({case.x: X}, np.arange(6), 2)
    m = np.array([1.0, 2.0, 3.0])
    for rows in (X[:2], X[2:4], X[4:]):
        m = 0.5 * m + 0.5 * (rows @ W0).mean(0)
    np.testing.assert_allclose(case.m.value, m)


def test_the_graph_keeps_to_its_specification() -> None:
    case = Case()
    step = [case.loss, *gx.optimizers.SGD(0.1).updates(case.loss, case.w)]
    verify(step)
    outputs, beside = carried(training(step))
    verify([*outputs, *beside])
    assert len(beside) == 1
    again = carried(outputs)
    assert again == (outputs, [])
    assert not any(isinstance(t.op, Carry | Current) for t in outputs)


def test_stable_forms_look_through_it() -> None:
    z, m = gx.tensor("z", ("n",)), gx.state("m", (), init=0.0)
    p = gx.by_phase(training=gx.sigmoid(z), inference=gx.sigmoid(z), updates=[gx.assign(m, gx.mean(z))])
    loss = -gx.mean(gx.log(p))
    both = [loss, gx.grad(loss, z)]
    for value, slope in (gx.evaluate(both, {z: [-800.0]}), gx.compile(both)([-800.0])):
        assert (value, slope[0]) == pytest.approx((800.0, -1.0))
    assert m.value == -800.0
    [logarithm] = stabilise(training([gx.log(p)]))
    assert isinstance(logarithm.op, Stage)
    assert "Softplus" in str(logarithm.op.body)


def test_derivations_and_pictures_show_the_value() -> None:
    case = Case()
    z = case.x @ case.w
    assert gx.derive(gx.sum(case.y**3), case.w).text == gx.derive(gx.sum((z - gx.mean(z, axis=0)) ** 3), case.w).text
    assert gx.derive(gx.sum(case.y**3), case.w).verify().ok
    assert "carry" not in gx.draw(case.loss).svg.lower()
    assert gx.draw(case.loss, backward=True).svg
    assert gx.draw(case.loss, backward=True, at={case.x: X}).svg


# Turns -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_two_values_that_update_one_state_take_turns(target: str) -> None:
    x, m = gx.tensor("x", ("n", 3)), gx.state("m", (3,), init=1.0)

    def centred(t: gx.Tensor) -> gx.Tensor:
        now = gx.mean(t, axis=0)
        return gx.by_phase(training=t - now, inference=t - m, updates=gx.assign(m, 0.9 * m + 0.1 * now))

    # What feeds the second reads the state, and the old one: only the second's own formula has its turn.
    first = centred(x)
    second = centred(gx.exp(first) * m)
    gx.compile([gx.sum(first), gx.sum(second)], target=target, dtype="float64")(X)
    fed = np.exp(X - X.mean(0)) * 1.0
    np.testing.assert_allclose(m.value, 0.9 * (0.9 + 0.1 * X.mean(0)) + 0.1 * fed.mean(0), rtol=1e-12)
    m.value = 1.0
    gx.compile([gx.sum(second), gx.sum(first)], target=target, dtype="float64")(X)
    np.testing.assert_allclose(m.value, 0.9 * (0.9 + 0.1 * X.mean(0)) + 0.1 * fed.mean(0), rtol=1e-12)


class Power(gx.layers.Layer):
    """``x W`` over the largest singular value of ``W``, by one step of the power iteration: in training the value reads the new state."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.used = used

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight((3, 3), W0, name="w")
        self.u = self.add_weight((3,), [1.0, 0.0, 0.0], trainable=False, name="u")
        self.count = self.add_weight((), 0, dtype="int", trainable=False, name="count")

    def call(self, x: Any) -> Any:
        u = self.w @ self.u
        u = u / gx.sqrt(gx.sum(u * u))
        assigned = gx.assign(self.u, u)
        gx.assign(self.count, self.count + 1)
        u = assigned if self.used else u
        return gx.by_phase(training=x @ self.w / gx.sqrt(gx.sum((self.w @ u) ** 2)), inference=x @ self.w)


def powers(times: int) -> list[Any]:
    """The value of each call, the state after the last, and the gradient, which does not flow from call to call."""
    torch = pytest.importorskip("torch")
    w = torch.tensor(W0, requires_grad=True)
    u, values = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), [torch.tensor(X)]
    for _ in range(times):
        u = w @ u.detach()
        u = u / u.norm()
        values.append(values[-1] @ w / (w @ u).norm())
    (values[-1] ** 2).mean().backward()
    return [*(v.detach().numpy() for v in values[1:]), w.grad.numpy(), u.detach().numpy()]


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_layer_used_again_finds_what_the_call_before_left(used: bool, times: int) -> None:
    x = gx.tensor("x", ("n", 3))
    layer = Power(used)
    outputs: list[Any] = [layer(x)]
    for _ in range(times - 1):
        outputs.append(layer(outputs[-1]))
    *wanted, u = powers(times)
    outputs.append(gx.grad(gx.mean(outputs[-1] ** 2), layer.w))
    for values in (gx.evaluate(outputs, {x: X}), gx.compile(outputs, dtype="float64")(X)):
        for value, expected in zip(values, wanted, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.u.value, u, rtol=1e-10)
    assert layer.count.value == times


class Unused(gx.layers.Layer):
    """A layer that calls another and does not use what it gives, or uses it in inference alone."""

    def __init__(self, inner: Any, several: bool = False) -> None:
        super().__init__()
        self.inner, self.several = inner, several

    def call(self, x: Any) -> Any:
        self.inner(x)
        return (x * 2, x * 3) if self.several else x


class Mean(gx.layers.Layer):
    """The identity, which keeps the sum of what passed."""

    def build(self, input_shape: Any) -> None:
        self.total = self.add_weight((3,), 0.0, trainable=False, name="total")

    def call(self, x: Any) -> Any:
        gx.assign(self.total, self.total + gx.sum(x, axis=0))
        return x


NESTED: dict[str, tuple[Callable[[Any], Any], int]] = {
    "a layer that gives its input": (lambda layer: layer, 1),
    "inside another, not used": (lambda layer: Unused(layer), 1),
    "inside two, not used": (lambda layer: Unused(Unused(layer)), 1),
    "under several outputs": (lambda layer: lambda x: sum(Unused(layer, several=True)(x)), 1),
    "under one of several outputs": (lambda layer: lambda x: Unused(layer, several=True)(x)[1], 1),
    "three times": (lambda layer: lambda x: layer(layer(layer(x))), 3),
    "twice by another": (lambda layer: lambda x: Unused(layer)(Unused(layer)(x)), 2),
    "used and not used": (lambda layer: lambda x: Unused(layer)(layer(x)), 2),
}


class Growing(gx.layers.Layer):
    """``exp(u x)``, with 1 added to ``u`` at each use."""

    def build(self, input_shape: Any) -> None:
        self.u = self.add_weight((), 2.0, trainable=False, name="u")

    def call(self, x: Any) -> Any:
        gx.assign(self.u, self.u + 1)
        return gx.exp(self.u * x)


def test_one_state_in_two_turns_is_two_values_for_stable_forms() -> None:
    x, layer = gx.tensor("x", ("n",)), Growing()
    first = layer(x)
    loss = gx.sum(gx.log(layer(x) / first))
    for value, slope in (gx.evaluate([loss, gx.grad(loss, x)], {x: [0.5, 1.0]}), gx.compile([loss, gx.grad(loss, x)])([0.5, 1.0])):
        assert value == pytest.approx(1.5)
        assert slope == pytest.approx([1.0, 1.0])


def test_what_feeds_a_layer_reads_the_old_state() -> None:
    x, layer = gx.tensor("x", ("n", 3)), Mean()
    y = layer(x)
    layer.total.value = 2.0
    last = layer(y * layer.total)
    total = gx.sum(last) + gx.sum(layer.total)
    assert gx.compile(total, dtype="float64")(X) == pytest.approx(2 * X.sum() + 6)
    np.testing.assert_allclose(layer.total.value, 2 + X.sum(0) + 2 * X.sum(0))


@pytest.mark.parametrize("name", NESTED)
def test_assignments_of_layers_within_layers(name: str) -> None:
    layer = Mean()
    around, times = NESTED[name]
    x = gx.tensor("x", ("n", 3))
    y = around(layer)(x)
    gx.compile(gx.sum(y), dtype="float64")(X)
    np.testing.assert_allclose(layer.total.value, times * X.sum(0))
    gx.compile(gx.inference(gx.sum(y)), dtype="float64")(X)
    np.testing.assert_allclose(layer.total.value, times * X.sum(0))


def test_the_layer_decides_nothing_where_its_output_is_not_computed() -> None:
    layer = Mean()
    x = gx.tensor("x", ("n", 3))
    y = layer(x)
    gx.compile(gx.sum(x))(X)
    gx.compile(gx.sum(y * 2), inputs=[y])(X)
    np.testing.assert_array_equal(layer.total.value, [0, 0, 0])


def test_a_state_that_the_caller_gives_is_not_stored() -> None:
    case = Case()
    f = gx.compile([case.loss, gx.inference(case.y)], inputs=[case.x, case.m], dtype="float64")
    np.testing.assert_allclose(f(X, np.zeros(3))[1], X @ W0)
    np.testing.assert_array_equal(case.m.value, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_call_that_raises_changes_nothing(target: str) -> None:
    ids, table, seen = gx.tensor("ids", ("n",), dtype="int"), gx.parameter("E", (3,), init=1.0), gx.state("seen", (), init=0.0)
    y = gx.by_phase(training=gx.take(table, ids), inference=0 * ids, updates=[gx.assign(seen, seen + 1)])
    f = gx.compile(gx.sum(y), target=target)
    with pytest.raises(gx.DataError):
        f([0, 3])
    assert seen.value == 0
    f([0, 2])
    assert seen.value == 1


def test_random_numbers_are_those_of_the_evaluator() -> None:
    x, m = gx.tensor("x", ("n", 3)), gx.state("m", (3,), init=0.0)
    noise = gx.random.normal((3,))
    y = gx.by_phase(training=gx.nn.dropout(x, 0.5), inference=x, updates=[gx.assign(m, m + noise)])
    loss = gx.sum(y**2)
    f = gx.compile([loss, gx.grad(loss, x), noise], dtype="float64")
    for step in range(3):
        wanted = gx.evaluate([loss, gx.grad(loss, x), noise], {x: X}, step=step)
        for got, value in zip(f(X, step=step), wanted, strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-12)
    np.testing.assert_allclose(m.value, sum(gx.evaluate([loss, noise], {x: X}, step=s)[1] for s in range(3)), rtol=1e-12)


# Misuse ----------------------------------------------------------------------------------------------------------------


def twice(plain: int, beside: int) -> None:
    m, x = gx.state("m", ()), gx.scalar("x")
    outputs = [gx.assign(m, x * k) for k in range(plain)]
    outputs += [gx.by_phase(training=x + k, inference=x, updates=[gx.assign(m, m + x)]) for k in range(beside)]
    gx.compile(outputs)(1.0)


class Two(gx.layers.Layer):
    def call(self, x: Any) -> Any:
        m = gx.state("m", ())
        gx.assign(m, m + 1)
        gx.assign(m, m + 2)
        return x


def phase(updates: Any) -> Any:
    return gx.by_phase(training=gx.scalar("x"), inference=0.0, updates=updates)


def within(step: Callable[[Any], Any]) -> Any:
    return gx.scan(lambda c, row: (c, step(row)), S, 0.0)


STATE = gx.state("m", ())
S = gx.tensor("S", ("t", 3))
MISUSE: dict[str, tuple[Callable[[], Any], str]] = {
    "two of the user's own": (lambda: twice(2, 0), r"m gets two next values: at .*range\(plain\).* and at .*range\(plain\)"),
    "one plain and one carried": (lambda: twice(1, 1), r"m gets two next values: at .*range\(plain\).* and at .*range\(beside\)"),
    "two in one list": (lambda: phase([gx.assign(STATE, 1.0), gx.assign(STATE, 2.0)]), "m gets two next values: .* and at "),
    "two in one call": (lambda: Two()(gx.scalar("x")), r"m gets two next values: at .*m \+ 1.* and at .*m \+ 2"),
    "no assignment": (lambda: phase([STATE + 1]), r"updates of gx.by_phase are assignments, not .*m.*: give gx.assign"),
    "a number": (lambda: phase([3]), "are assignments, not 3: give gx.assign"),
    "a layer in a recurrence": (lambda: within(lambda row: Mean()(row[None])), "mean/total .* inside a gx.scan: call the layer outside"),
    "an update in a recurrence": (lambda: within(lambda _: phase(gx.assign(STATE, 1.0))), "m is assigned to .* inside a gx.scan: call"),
    "an assignment in a recurrence": (lambda: within(lambda _: gx.assign(STATE, 1.0)), "m is assigned to inside a gx.scan: carry it"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_named(name: str) -> None:
    call, message = MISUSE[name]
    with pytest.raises(gx.DeclarationError, match=message):
        call()


def test_several_carried_are_none_of_the_users_own() -> None:
    twice(0, 3)
    twice(1, 0)


def test_in_inference_alone_a_layer_may_stand_inside_a_recurrence() -> None:
    layer = Mean()
    _, rows = gx.scan(lambda c, row: (c, layer(row[None], training=False)[0] + layer.total), S, 0.0)
    layer.total.value = 1.0
    np.testing.assert_allclose(gx.compile(rows, dtype="float64")(X), X + 1)
    np.testing.assert_array_equal(layer.total.value, [1, 1, 1])


def test_many_turns_are_settled_in_one_walk() -> None:
    x, layer = gx.tensor("x", ("n", 3)), Mean()
    y = x
    for _ in range(1000):
        y = layer(y)
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), X)
    _, beside = carried(training([gx.sum(y)]))
    assert len(beside) == 1
    [total] = gx.evaluate(beside, {x: X})
    np.testing.assert_allclose(total, 1000 * X.sum(0))


def test_a_layer_outside_a_recurrence_may_feed_it() -> None:
    layer = Mean()
    _, sums = gx.scan(lambda c, row: (c + row, c + row), layer(S), gx.constant(np.zeros(3)))
    np.testing.assert_allclose(gx.compile(sums, dtype="float64")(X), X.cumsum(0))
    np.testing.assert_allclose(layer.total.value, X.sum(0))
