"""The adjoint of a strided convolution: one scatter that is declared, dense contractions that run, at every order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.places import disjoint, written
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.rewrite.residues import split_residues
from graphc.runtime import compile
from graphc.runtime.explain import explanation
from graphc.runtime.prepare import prepare


def stages(outputs: list[Tensor]) -> list[Stage]:
    return [n.op for n in topological(outputs) if isinstance(n.op, Stage)]


def convolution(stride: int, steps: int, taps: int, ins: int = 2, outs: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``(x, k, g, y)`` of a convolution along one axis whose windows fill it exactly."""
    x, k = gx.tensor("x", (4, stride * (steps - 1) + taps, ins)), gx.tensor("k", (taps, ins, outs))
    y = gx.nn.conv1d(x, k, strides=stride)
    return x, k, gx.tensor("g", y.shape), y


def adjoint(stride: int, steps: int, taps: int) -> Tensor:
    x, _, g, y = convolution(stride, steps, taps)
    return drop_aliases([gx.vjp(y, x, g)])[0]


@pytest.mark.parametrize(("stride", "steps", "taps"), [(2, 14, 3), (2, 14, 5), (3, 9, 7), (3, 9, 2), (4, 5, 4)])
def test_the_iterations_of_the_worked_case(stride: int, steps: int, taps: int) -> None:
    scatter = adjoint(stride, steps, taps)
    others = 4 * 2 * 3  # samples and channels
    assert isinstance(scatter.op, Stage)
    assert math.prod(scatter.op.extents) == others * steps * taps
    parts = [op for op in stages(split_residues([scatter])) if op.free is None]
    # Class c has V = ceil((U - c)/s) taps and O + V - 1 places; the steps beyond O are those that read G as 0 outside.
    each = [-(-(taps - c) // stride) for c in range(stride) if c < taps]
    assert sum(math.prod(op.extents) for op in parts) == others * sum(v * (steps + v - 1) for v in each)
    assert sum(each) == taps
    # Classes with equally many taps are one stage.
    assert len(parts) == len(set(each))
    assert disjoint(parts)
    assert sum(math.prod(op.extents[k] for k in written(op) or ()) for op in parts) == 4 * 2 * (sum(each) + len(each) * (steps - 1))


def test_a_stride_of_one_has_no_classes() -> None:
    (dx,) = stages([adjoint(1, 7, 3)])
    assert dx.free is not None
    assert math.prod(dx.extents) == 4 * 9 * 2 * 3 * 3


@pytest.mark.parametrize("stride", [2, 3])
def test_the_adjoint_of_the_adjoint_is_the_convolution(stride: int) -> None:
    x, k, g, y = convolution(stride, 5, 4)
    dx = gx.vjp(y, x, g)
    again = drop_aliases([gx.vjp(dx, g, gx.tensor("v", x.shape))])[0]
    (first,), (back,) = stages(drop_aliases([y])), stages([again])
    assert (back.shape, back.reducer, sorted(map(str, back.extents))) == (first.shape, first.reducer, sorted(map(str, first.extents)))
    arrays = {t: np.random.default_rng(3).normal(size=t.shape) for t in (x, k)}
    v = next(t for t in gx.leaves(again).values() if t.name == "v")
    np.testing.assert_allclose(gx.evaluate(again, {k: arrays[k], v: arrays[x]}), gx.evaluate(y, arrays), rtol=1e-12)


def test_no_order_has_more_stages_than_the_one_before_it() -> None:
    x, _, g, y = convolution(2, 5, 3)
    counts: list[int] = []
    current, other = y, g
    for _ in range(5):
        wanted = x if current.shape == y.shape else g
        other = gx.tensor(f"w{len(counts)}", current.shape)
        source = next((t for t in gx.leaves(current).values() if t.shape == wanted.shape), x)
        current = gx.vjp(current, source, other)
        counts.append(len(stages(drop_aliases([current]))))
    assert counts == [1] * 5


@pytest.mark.parametrize("rank", [1, 2])
def test_node_counts_do_not_depend_on_sizes(rank: int) -> None:
    counts: set[tuple[int, int]] = set()
    for size in (9, 33, 129):
        x, k = gx.tensor("x", ("n", *[size] * rank, 2)), gx.tensor("k", (*[3] * rank, 2, 3))
        y = (gx.nn.conv1d if rank == 1 else gx.nn.conv2d)(x, k, strides=2, padding="same")
        gradients = gx.grad(gx.sum(y**2), [x, k])
        second = gx.grad(gx.sum(gradients[0] ** 2), [x, k])
        calls = prepare([*gradients, *second], None).program().calls
        counts.add((len(topological(drop_aliases([*gradients, *second]))), len(calls)))
    assert len({nodes for nodes, _ in counts}) == 1
    several = [calls for _, calls in counts]
    assert max(several) - min(several) <= 4  # long sums to few entries have partial results, short ones none


def kinds(outputs: Any) -> list[str]:
    lines = explanation(prepare(outputs, None).program(), "float32", "vector", None).splitlines()[1:]
    return [line.split(": ", 1)[1].split(",")[0] for line in lines if not line.startswith(" ")]


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2},
        {"strides": 2, "padding": "same"},
        {"padding": "same"},
        {"strides": 2, "padding": 1, "dilation": 2},
        {"strides": 3, "groups": 2},
    ],
    ids=str,
)
def test_what_runs_is_contractions(options: dict[str, Any]) -> None:
    x, k = gx.tensor("x", ("n", 16, 16, 8)), gx.tensor("k", (3, 3, 8 // options.get("groups", 1), 8))
    y = gx.nn.conv2d(x, k, **options)
    g = gx.tensor("g", y.shape)
    for outputs in ([y], [gx.vjp(y, x, g)], [gx.vjp(y, k, g)], [gx.vjp(gx.vjp(y, x, g), k, gx.tensor("v", x.shape))]):
        found = kinds(outputs)
        assert any(kind.startswith("contraction") for kind in found)
        assert not any("scatter" in kind or "reduction" in kind for kind in found)


def test_a_transposed_convolution_runs_as_contractions() -> None:
    x, k = gx.tensor("x", ("n", 8, 8, 8)), gx.tensor("k", (4, 4, 4, 8))
    y = gx.nn.conv2d_transpose(x, k, strides=2, padding="same")
    found = kinds([y])
    # The stride divides the window and the result: four classes are one contraction that fills it.
    assert found.count("contraction of a part") + found.count("contraction") <= 9
    assert "scatter" not in found


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(("size", "options"), [(2, {}), (3, {"strides": 2}), (3, {"strides": 2, "padding": "same"}), (2, {"strides": 3})])
def test_pools_scatter_nothing(name: str, size: int, options: dict[str, Any]) -> None:
    x = gx.tensor("x", ("n", 12, 13, 4))
    y = getattr(gx.nn, name)(x, size, **options)
    assert "scatter" not in kinds([gx.vjp(y, x, gx.tensor("g", y.shape))])


# Beside PyTorch ------------------------------------------------------------------------------------------------------

CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 9, 8, 2), (3, 3, 2, 4), {"strides": 2}),
    ((2, 9, 8, 2), (3, 3, 2, 4), {"strides": 2, "padding": 1}),
    ((1, 8, 11, 4), (2, 3, 2, 4), {"strides": (3, 2), "groups": 2, "padding": 2}),
    ((1, 12, 13, 1), (3, 2, 1, 3), {"strides": (2, 3), "dilation": (2, 2)}),
    ((1, 14, 9, 3), (3, 3, 1, 3), {"strides": 2, "dilation": 3, "groups": 3, "padding": 3}),
    ((2, 7, 7, 2), (2, 2, 2, 2), {"strides": 4}),
    ((1, 5, 5, 2), (5, 5, 2, 2), {"strides": 2, "padding": 2}),
]


@pytest.mark.parametrize(
    ("shape", "kernel", "options", "dtype"), [*((*row, "float64") for row in CONVOLUTIONS), (*CONVOLUTIONS[1], "float32")], ids=str
)
def test_first_and_second_order_are_those_of_torch(shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], dtype: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    x, k = gx.tensor("x", shape), gx.tensor("k", kernel)
    arrays = [rng.normal(size=shape), rng.normal(size=kernel)]
    y = gx.nn.conv2d(x, k, **options)
    first = gx.grad(gx.sum(gx.tanh(y)), [x, k])
    second = gx.grad(gx.sum(first[0] ** 2) + gx.sum(first[1] ** 3), [x, k])
    ours = compile([y, *first, *second], inputs=[x, k], dtype=dtype)(*arrays)
    a, w = (torch.tensor(v, requires_grad=True) for v in arrays)
    named = {"stride": options["strides"], **{name: v for name, v in options.items() if name != "strides"}}
    out = torch.nn.functional.conv2d(a.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), **named).permute(0, 2, 3, 1)
    da, dw = torch.autograd.grad(torch.tanh(out).sum(), [a, w], create_graph=True)
    theirs = [out, da, dw, *torch.autograd.grad((da**2).sum() + (dw**3).sum(), [a, w])]
    for mine, want in zip(ours, theirs, strict=True):
        expected = want.detach().numpy()
        tolerance = {"float64": 1e-10, "float32": 3e-5}[dtype] * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(mine, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("size", "taps", "stride"), [(5, 3, 2), (4, 2, 2), (3, 2, 3), (4, 4, 2), (1, 3, 2), (3, 5, 3)])
def test_transposed_convolutions_are_those_of_torch(size: int, taps: int, stride: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    x, k = gx.tensor("x", (2, size, size, 3)), gx.tensor("k", (taps, taps, 2, 3))
    arrays = [rng.normal(size=t.shape) for t in (x, k)]
    y = gx.nn.conv2d_transpose(x, k, strides=stride)
    first = gx.grad(gx.sum(gx.tanh(y)), [x, k])
    ours = compile([y, *first], inputs=[x, k], dtype="float64")(*arrays)
    a, w = (torch.tensor(v, requires_grad=True) for v in arrays)
    out = torch.nn.functional.conv_transpose2d(a.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), stride=stride).permute(0, 2, 3, 1)
    theirs = [out, *torch.autograd.grad(torch.tanh(out).sum(), [a, w])]
    # Ours also has the places between the last window and the next, which are 0.
    reach = out.shape[1]
    np.testing.assert_allclose(ours[0][:, :reach, :reach], theirs[0].detach().numpy(), rtol=1e-10, atol=1e-10)
    assert not ours[0][:, reach:].any()
    for mine, want in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(mine, want.numpy(), rtol=1e-10, atol=1e-10)
