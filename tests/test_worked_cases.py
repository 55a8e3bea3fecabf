"""The five cases of docs/design/ir.md, section 9, in numbers."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import evaluate_extent
from graphc.expr.graph import assigns, drop_aliases, topological
from graphc.expr.operation import Random, Scan
from graphc.expr.stage import Stage

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)

# --- the adjoint of a strided convolution ---------------------------------------------------------------------------

# n, size, channels, filters, kernel, strides, padding, dilation, groups
CONVOLUTIONS = [
    (1, 1, 1, 1, 1, 1, 0, 1, 1),
    (2, 7, 3, 2, 3, 2, 0, 1, 1),
    (1, 11, 2, 4, 2, 3, 0, 1, 1),  # a stride larger than the filter: some entries are never read
    (2, 13, 4, 6, 3, 2, 1, 2, 2),
    (1, 8, 1, 3, 5, 4, 2, 1, 1),
    (3, 5, 2, 2, 3, 1, 2, 2, 2),
    (1, 9, 3, 3, 4, 5, 3, 3, 3),
    (0, 6, 2, 2, 3, 2, 1, 1, 1),
]  # fmt: skip


def convolution(case: tuple[int, ...]) -> tuple[gx.Tensor, gx.Tensor, gx.Tensor, dict[str, Any]]:
    n, size, channels, filters, kernel, strides, padding, dilation, groups = case
    x = gx.tensor("x", (n, size, size + 1, channels))
    k = gx.tensor("k", (kernel, kernel, channels // groups, filters))
    options = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    return x, k, gx.nn.conv2d(x, k, **options), options


def filled(*tensors: gx.Tensor) -> dict[gx.Tensor, Array]:
    return {t: RNG.normal(size=tuple(int(e) for e in t.shape)) for t in tensors}


@pytest.mark.parity
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_the_adjoints_of_a_convolution_are_pytorchs(case: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x, k, y, options = convolution(case)
    g = gx.tensor("g", y.shape)
    values = filled(x, k, g)
    ours = gx.evaluate([y, *gx.vjp(y, [x, k], g)], values)
    a, b = (torch.tensor(values[t], requires_grad=True) for t in (x, k))
    moved = {"strides": "stride"}
    made = torch.conv2d(a.permute(0, 3, 1, 2), b.permute(3, 2, 0, 1), **{moved.get(o, o): v for o, v in options.items()}).permute(0, 2, 3, 1)
    theirs = [made, *torch.autograd.grad(made, [a, b], torch.tensor(values[g]))]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-10, atol=1e-12)
    compiled = gx.compile(gx.vjp(y, [x, k], g), dtype="float64")(**{t.name: v for t, v in values.items()})
    for mine, other in zip(compiled, ours[1:], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_the_derivative_of_the_adjoint_is_the_convolution_again(case: tuple[int, ...]) -> None:
    x, k, y, options = convolution(case)
    g, v = gx.tensor("g", y.shape), gx.tensor("v", x.shape)
    back = gx.vjp(gx.vjp(y, x, g), g, v)
    values = filled(k, v)
    np.testing.assert_allclose(gx.evaluate(back, values), gx.evaluate(gx.nn.conv2d(v, k, **options), values), rtol=1e-12, atol=1e-12)


def iterations(*outputs: gx.Tensor) -> int:
    """How many times the stages' bodies are evaluated in all."""
    stages = [n.op for n in topological(drop_aliases(outputs)) if isinstance(n.op, Stage)]
    return sum(math.prod(evaluate_extent(e, {}) for e in op.extents) for op in stages)


@pytest.mark.parametrize("strides", [2, 3])
def test_no_adjoint_of_a_strided_convolution_costs_more_than_twice_the_convolution(strides: int) -> None:
    x, k = gx.tensor("x", (4, 28, 28, 3)), gx.tensor("k", (3, 3, 3, 8))
    y = gx.nn.conv2d(x, k, strides=strides)
    forward = iterations(y)
    for t in (x, k):
        assert iterations(*gx.vjp(y, [t], gx.tensor("g", y.shape))) <= 2 * forward


# --- the second derivative of an LSTM -------------------------------------------------------------------------------


def lstm(length: int) -> tuple[gx.Tensor, gx.Tensor, list[gx.Tensor]]:
    n, d, h = 3, 2, 4
    x = gx.tensor("x", (length, n, d))
    weights = [gx.parameter("wx", (d, 4 * h)), gx.parameter("wh", (h, 4 * h)), gx.parameter("b", (4 * h,))]

    def step(carry: Any, item: gx.Tensor) -> Any:
        state, cell = carry
        i, f, g, o = gx.split(item @ weights[0] + state @ weights[1] + weights[2], 4, axis=1)
        cell = gx.sigmoid(f) * cell + gx.sigmoid(i) * gx.tanh(g)
        state = gx.sigmoid(o) * gx.tanh(cell)
        return (state, cell), state

    (_, last), states = gx.scan(step, x, (np.zeros((n, h)), np.zeros((n, h))))
    return gx.sum(states**2) + gx.sum(gx.sin(last)), x, weights


def torch_lstm(torch: Any, x: Any, wx: Any, wh: Any, b: Any) -> Any:
    state = cell = torch.zeros(x.shape[1], wh.shape[0], dtype=x.dtype)
    total = 0.0
    for item in x:
        i, f, g, o = (item @ wx + state @ wh + b).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        state = torch.sigmoid(o) * torch.tanh(cell)
        total = total + (state**2).sum()
    return total + torch.sin(cell).sum()


@pytest.mark.parity
@pytest.mark.parametrize("length", [1, 5])
def test_a_hessian_vector_product_of_an_lstm_is_pytorchs(length: int) -> None:
    torch = pytest.importorskip("torch")
    loss, x, weights = lstm(length)
    starts = [RNG.normal(0, 0.5, w.shape) for w in weights]
    vectors = [RNG.normal(size=w.shape) for w in weights]
    sequence = RNG.normal(size=x.shape)
    a, *ws = (torch.tensor(v, requires_grad=True) for v in (sequence, *starts))
    first = torch.autograd.grad(torch_lstm(torch, a, *ws), [a, *ws], create_graph=True)
    slope = sum((g * torch.tensor(v)).sum() for g, v in zip(first[1:], vectors, strict=True))
    theirs = torch.autograd.grad(slope, [a, *ws])
    values = {x: sequence, **dict(zip(weights, starts, strict=True))}
    inner = sum(gx.sum(g * v) for g, v in zip(gx.grad(loss, weights), vectors, strict=True))
    by_sequence = gx.grad(inner, x)
    ours = gx.evaluate([*gx.hvp(loss, weights, vectors), by_sequence], values)
    for mine, other in zip(ours, [*theirs[1:], theirs[0]], strict=True):
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-8, atol=1e-8 * float(other.abs().max()))
    for w, value in zip(weights, starts, strict=True):
        w.value = value
    compiled = gx.compile(gx.hvp(loss, weights, vectors), dtype="float64")(x=sequence)
    for mine, other in zip(compiled, ours, strict=False):
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-8 * float(np.abs(other).max()))


def nodes(outputs: Any) -> int:
    """All nodes, those of bodies included."""
    found = topological(drop_aliases(outputs))
    return len(found) + sum(nodes(n.op.results) for n in found if isinstance(n.op, Scan))


def test_neither_nodes_nor_source_depend_on_the_length() -> None:
    counts: list[int] = []
    sources: dict[int, list[str]] = {}
    for length in (2, 2000, 16, 16000):
        loss, x, weights = lstm(length)
        vectors = [gx.tensor(f"v{k}", w.shape) for k, w in enumerate(weights)]
        product = gx.hvp(loss, weights, vectors)
        counts.append(nodes(product))
        texts = [gx.compile(product, inputs=[x, *vectors], target=target).source for target in ("cpu", "numpy")]
        sources[length] = [re.sub(r"\b(\d+)000\b", r"\1", text) for text in texts]
    assert len(set(counts)) == 1
    # A sum over fewer items than it takes at once, which is 8 at most, takes fewer: such a kernel is shorter.
    assert sources[16] == sources[16000]
    assert sources[2][1] == sources[2000][1]
    assert sources[2][0].count("@compiled") == sources[2000][0].count("@compiled")


# --- batch norm with its assignments --------------------------------------------------------------------------------


def batch_norm() -> tuple[gx.Tensor, gx.Tensor, list[gx.Tensor], list[gx.Tensor]]:
    x = gx.tensor("x", ("n", 3))
    gamma, beta = gx.parameter("gamma", (3,), init=[0.5, 1.0, 2.0]), gx.parameter("beta", (3,), init=0.3)
    mean, var = gx.state("M", (3,), init=0.0), gx.state("V", (3,), init=1.0)
    m, v = gx.mean(x, axis=0), gx.var(x, axis=0)
    y = gx.by_phase(
        training=gamma * (x - m) / gx.sqrt(v + 1e-5) + beta,
        inference=gamma * (x - mean) / gx.sqrt(var + 1e-5) + beta,
    )
    updates = [gx.assign(mean, 0.99 * mean + 0.01 * m), gx.assign(var, 0.99 * var + 0.01 * v)]
    return x, y, updates, [mean, var, gamma, beta]


def closed_form(x: Array, g: Array, gamma: Array) -> list[Array]:
    """The gradients by x, gamma and beta as the literature has them."""
    centred = x - x.mean(0)
    scale = 1 / np.sqrt(x.var(0) + 1e-5)
    normal = centred * scale
    return [gamma * scale * (g - g.mean(0) - normal * (g * normal).mean(0)), (g * normal).sum(0), g.sum(0)]


def test_the_gradient_of_batch_norm_is_the_closed_form() -> None:
    x, y, _, (_, _, gamma, beta) = batch_norm()
    layer = gx.nn.batch_norm(x, gamma, beta)
    g = gx.tensor("g", ("n", 3))
    values = {x: RNG.normal(2, 3, (7, 3)), g: RNG.normal(size=(7, 3))}
    expected = closed_form(values[x], values[g], gamma.value)
    for form in (y, layer):
        slopes = gx.vjp(form, [x, gamma, beta], g)
        for mine, other in zip(gx.evaluate(slopes, values), expected, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)
        for mine, other in zip(gx.compile(slopes, dtype="float64")(x=values[x], g=values[g]), expected, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_running_statistics_are_numpys_and_inference_reads_them(target: str) -> None:
    _, y, updates, (mean, var, gamma, beta) = batch_norm()
    step = gx.compile([gx.sum(y), *updates], dtype="float64", target=target)
    running = [np.zeros(3), np.ones(3)]
    for _ in range(5):
        batch = RNG.normal(2, 3, (6, 3))
        step(batch)
        running = [0.99 * r + 0.01 * s for r, s in zip(running, (batch.mean(0), batch.var(0)), strict=True)]
    np.testing.assert_allclose(mean.value, running[0], rtol=1e-12)
    np.testing.assert_allclose(var.value, running[1], rtol=1e-12)
    quiet = gx.inference(y)
    assert not assigns([quiet])
    batch = RNG.normal(size=(4, 3))
    expected = gamma.value * (batch - running[0]) / np.sqrt(running[1] + 1e-5) + beta.value
    np.testing.assert_allclose(gx.compile(quiet, dtype="float64", target=target)(batch), expected, rtol=1e-10)
    np.testing.assert_allclose(mean.value, running[0], rtol=1e-12)


def test_no_gradient_flows_into_running_statistics() -> None:
    x, y, _, (mean, var, *_) = batch_norm()
    slopes = gx.evaluate(gx.grad(gx.sum(y**2), [mean, var], unconnected="zero"), {x: RNG.normal(size=(5, 3))})
    assert not any(s.any() for s in slopes)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_layer_used_twice_takes_turns(target: str) -> None:
    """The second call finds the statistics as the first left them, and the last ones are stored."""
    norm = gx.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    a, b = gx.tensor("a", ("n", 3)), gx.tensor("b", ("m", 3))
    both = gx.sum(norm(a) ** 2) + gx.sum(norm(b) ** 3)
    step = gx.compile([both, gx.grad(both, norm.gamma)], dtype="float64", target=target)
    running = [np.zeros(3), np.ones(3)]
    for _ in range(3):
        batches = [RNG.normal(2, 3, (6, 3)), RNG.normal(-1, 2, (4, 3))]
        value, _ = step(*batches)
        normal = [(x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) for x in batches]
        np.testing.assert_allclose(value, (normal[0] ** 2).sum() + (normal[1] ** 3).sum(), rtol=1e-10)
        for batch in batches:
            running = [0.9 * r + 0.1 * s for r, s in zip(running, (batch.mean(0), batch.var(0)), strict=True)]
    np.testing.assert_allclose(norm.moving_mean.value, running[0], rtol=1e-12)
    np.testing.assert_allclose(norm.moving_variance.value, running[1], rtol=1e-12)


# --- an embedding's gradient ----------------------------------------------------------------------------------------


def test_repeated_ids_add_and_the_scatters_derivative_is_the_gather() -> None:
    table, ids = gx.tensor("E", (5, 3)), gx.tensor("ids", ("n", "t"), dtype="int")
    y = gx.nn.embedding(table, ids)
    g, v = gx.tensor("g", ("n", "t", 3)), gx.tensor("v", (5, 3))
    places = np.array([[0, 4, 4, 0], [4, 1, 1, 4]])
    values = {table: RNG.normal(size=(5, 3)), ids: places, g: RNG.normal(size=(2, 4, 3)), v: RNG.normal(size=(5, 3))}
    slope = gx.vjp(y, table, g)
    expected = np.zeros((5, 3))
    np.add.at(expected, places, values[g])
    np.testing.assert_allclose(gx.evaluate(slope, values), expected, rtol=1e-14)
    back = gx.vjp(slope, g, v)
    np.testing.assert_array_equal(gx.evaluate(back, values), values[v][places])
    f = gx.compile([slope, back], dtype="float64")
    ours = f(**{t.name: v for t, v in values.items()})
    np.testing.assert_allclose(ours[0], expected, rtol=1e-14)
    np.testing.assert_array_equal(ours[1], values[v][places])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("bad", [-1, 5, 2**31])
def test_ids_out_of_range_are_told_before_anything_is_assigned(bad: int, target: str) -> None:
    ids = gx.tensor("ids", ("n",), dtype="int")
    table = gx.parameter("E", (5, 3), init=RNG.normal(size=(5, 3)))
    steps = gx.state("steps", (), init=0, dtype="int")
    loss = gx.sum(gx.nn.embedding(table, ids) ** 2)
    step = gx.compile([loss, *gx.optimizers.SGD(0.1).updates(loss, [table]), gx.assign(steps, steps + 1)], target=target)
    before = table.value
    message = f"ids holds {bad}, and .* runs from 0 to 4: an id is out of range"
    with pytest.raises(gx.DataError, match=message):
        gx.evaluate(loss, {ids: [0, bad]})
    with pytest.raises(gx.DataError, match=message):
        step([0, bad])
    np.testing.assert_array_equal(table.value, before)
    assert steps.value == 0
    step([0, 4])
    assert steps.value == 1
    assert not np.array_equal(table.value, before)


# --- dropout inside a scan ------------------------------------------------------------------------------------------


def dropped(length: int, rate: float = 0.5) -> tuple[gx.Tensor, gx.Tensor, gx.Tensor, gx.Tensor]:
    x = gx.tensor("x", (length, 2, 16))
    w = gx.parameter("w", (16,), init=np.linspace(0.5, 1.5, 16))

    def step(h: gx.Tensor, item: gx.Tensor) -> Any:
        kept = gx.nn.dropout(item, rate)
        h = gx.tanh(0.5 * h + kept * w)
        return h, (h, kept)

    _, (states, kept) = gx.scan(step, x, np.zeros((2, 16)))
    return x, w, gx.sum(states**2), kept


def test_masks_differ_from_iteration_to_iteration() -> None:
    x, _, _, kept = dropped(6)
    masks = gx.evaluate(kept, {x: np.ones((6, 2, 16))}, seed=3, step=1) != 0
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(masks, 2))
    other = gx.evaluate(kept, {x: np.ones((6, 2, 16))}, seed=3, step=2) != 0
    assert not np.array_equal(masks, other)


def test_forward_and_backward_draw_the_same_masks() -> None:
    x, w, loss, kept = dropped(5)
    values = {x: RNG.normal(size=(5, 2, 16))}
    slope, drawn = gx.evaluate([gx.grad(loss, x), kept], values, seed=7, step=2)
    assert np.array_equal(slope == 0, drawn == 0)
    step = 1e-6
    slope = gx.evaluate(gx.grad(loss, w), values, seed=7, step=2)
    for k in range(16):
        moved = [gx.evaluate(loss, {**values, w: w.value + sign * step * np.eye(16)[k]}, seed=7, step=2) for sign in (1, -1)]
        assert np.isclose((moved[0] - moved[1]) / (2 * step), slope[k], rtol=1e-6, atol=1e-7)


def test_masks_are_the_same_bits_on_every_target() -> None:
    x, w, loss, kept = dropped(4)
    slope = gx.grad(loss, w)
    values = RNG.normal(size=(4, 2, 16))
    reference, expected = gx.evaluate([kept, slope], {x: values}, seed=11, step=5)
    for target in ("cpu", "numpy"):
        for dtype in ("float32", "float64"):
            drawn, found = gx.compile([kept, slope], target=target, dtype=dtype)(values, seed=11, step=5)
            assert np.array_equal(drawn != 0, reference != 0)
            np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == "float32" else 1e-10, atol=1e-5 if dtype == "float32" else 0)


def test_no_mask_is_stored() -> None:
    """Masks are drawn again: what grows with the length is the operand that the gradient of the weight multiplies after the loop."""

    def growth(rate: float) -> int:
        sizes: list[int] = []
        for length in (10, 110):
            x, w, loss, _ = dropped(length, rate)
            f = gx.compile([loss, gx.grad(loss, w)])
            sizes.append(f.bind((x.shape,))[0].arena.nbytes)
        return sizes[1] - sizes[0]

    operand = 100 * 2 * 16 * 4  # of 100 more iterations: the items after dropout, in place of the items themselves
    assert growth(0.5) == growth(0.0) + operand
    _, w, loss, _ = dropped(10)
    bodies = [n.op for n in topological(drop_aliases([gx.grad(loss, w)])) if isinstance(n.op, Scan)]
    drawing = [{n for n in topological(b.results) if isinstance(n.op, Random)} for b in bodies]
    assert len(drawing) == 2
    assert drawing[0] == drawing[1]
