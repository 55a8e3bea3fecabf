"""Random programs of the language: each evaluated and replayed in NumPy, differentiated and compared with differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx

Array = np.ndarray[Any, Any]
Draw = Callable[..., Any]

# Smooth and bounded, so that a few in a row stay where finite differences hold.
UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (gx.tanh, np.tanh),
    "sin": (gx.sin, np.sin),
    "cos": (gx.cos, np.cos),
    "arctan": (gx.arctan, np.arctan),
    "sigmoid": (gx.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (gx.softplus, lambda x: np.logaddexp(0, x)),
    "log1p of the square": (lambda x: gx.log1p(x * x), lambda x: np.log1p(x * x)),
    "sqrt of 1 + square": (lambda x: gx.sqrt(1 + x**2), lambda x: np.sqrt(1 + x**2)),
    "negative": (lambda x: -x, np.negative),
    "exp of tanh": (lambda x: gx.exp(gx.tanh(x)), lambda x: np.exp(np.tanh(x))),
    "reciprocal of 2 + sin": (lambda x: 1 / (2 + gx.sin(x)), lambda x: 1 / (2 + np.sin(x))),
}
BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "+": (lambda a, b: a + b, np.add),
    "-": (lambda a, b: a - b, np.subtract),
    "*": (lambda a, b: a * b, np.multiply),
    "/": (lambda a, b: a / (b * b + 1), lambda a, b: a / (b * b + 1)),
    "**": (lambda a, b: (1 + a * a) ** gx.tanh(b), lambda a, b: (1 + a * a) ** np.tanh(b)),
    "where": (lambda a, b: gx.where(gx.constant(True), a * b, b), lambda a, b: np.broadcast_to(a * b, np.broadcast_shapes(a.shape, b.shape))),
}
# Kinked: only where no gradient is compared.
KINKED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "maximum": (gx.maximum, np.maximum),
    "minimum": (gx.minimum, np.minimum),
    "choice": (lambda a, b: gx.where(a > b, a, b * 2), lambda a, b: np.where(a > b, a, b * 2)),
}
REDUCERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (gx.sum, np.sum),
    "mean": (gx.mean, np.mean),
    "var": (gx.var, np.var),
    "logsumexp": (gx.logsumexp, lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))),
}
KINKED_REDUCERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {"max": (gx.max, np.max), "min": (gx.min, np.min)}


@dataclass
class Program:
    """Tensors made so far, each with the NumPy function of the inputs that replays it, and what was done as text."""

    inputs: list[gx.Tensor] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    tensors: list[gx.Tensor] = field(default_factory=list)
    replays: list[Callable[[list[Array]], Array]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def add(self, text: str, tensor: gx.Tensor, replay: Callable[..., Any], *sources: int) -> None:
        earlier = [self.replays[s] for s in sources]

        def run(values: list[Array]) -> Array:
            return np.asarray(replay(*(e(values) for e in earlier)))

        self.tensors.append(tensor)
        self.replays.append(run)
        self.text.append(f"t{len(self.text)} = {text} of {', '.join(f't{s}' for s in sources)}  {tensor.shape}")

    def shape(self, k: int) -> tuple[int, ...]:
        return tuple(int(e) for e in self.tensors[k].shape)


def leaf(draw: Draw, program: Program) -> None:
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 3), (3, 1), (3, 2), (2, 2, 3), (5,), (3, 3)]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    position = len(program.inputs)
    tensor = gx.tensor(f"a{position}", shape)
    program.inputs.append(tensor)
    program.arrays.append(rng.uniform(-1.5, 1.5, shape))
    program.tensors.append(tensor)
    program.replays.append(lambda values: values[position])
    program.text.append(f"t{len(program.text)} = input {shape}")


def element(draw: Draw, program: Program, kinked: bool) -> None:
    pick = st.integers(0, len(program.tensors) - 1)
    a = draw(pick)
    name = draw(st.sampled_from([*UNARY, *BINARY, *(KINKED if kinked else ())]))
    if name in UNARY:
        ours, theirs = UNARY[name]
        program.add(name, ours(program.tensors[a]), theirs, a)
        return
    ours, theirs = (BINARY | KINKED)[name]
    fitting = [k for k in range(len(program.tensors)) if fits(program.shape(a), program.shape(k))]
    b = draw(st.sampled_from(fitting))
    program.add(name, ours(program.tensors[a], program.tensors[b]), theirs, a, b)


def fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(a, b))) <= 40
    except ValueError:
        return False


def reduce(draw: Draw, program: Program, kinked: bool) -> None:
    a = draw(st.integers(0, len(program.tensors) - 1))
    rank = len(program.shape(a))
    axis = draw(st.sampled_from([None, *range(-rank, rank), *([(0, rank - 1)] if rank > 1 else [])]))
    keepdims = draw(st.booleans())
    name = draw(st.sampled_from([*REDUCERS, *(KINKED_REDUCERS if kinked else ())]))
    ours, theirs = (REDUCERS | KINKED_REDUCERS)[name]
    program.add(
        f"{name} axis={axis} keepdims={keepdims}",
        ours(program.tensors[a], axis=axis, keepdims=keepdims),
        lambda x: theirs(x, axis=axis, keepdims=keepdims),
        a,
    )


def cut(draw: Draw, program: Program, kinked: bool) -> None:
    a = draw(st.integers(0, len(program.tensors) - 1))
    key: list[Any] = []
    for size in program.shape(a):
        step = draw(st.sampled_from([1, 1, 2, -1, -2]))
        start = draw(st.sampled_from([None, 0, 1, -1])) if size > 1 else None
        key.append(
            draw(
                st.sampled_from(
                    [slice(None, None, step), slice(start, None), slice(None, size - 1 if size > 1 else None), draw(st.integers(-size, size - 1))]
                )
            )
        )
    if draw(st.booleans()):
        key.insert(draw(st.integers(0, len(key))), None)
    where = tuple(key)
    program.add(f"[{where}]", program.tensors[a][where], lambda x: x[where], a)


def move(draw: Draw, program: Program, kinked: bool) -> None:
    a = draw(st.integers(0, len(program.tensors) - 1))
    shape = program.shape(a)
    kind = draw(st.sampled_from(["transpose", "flat", "reshape", "softmax", "named"]))
    x = program.tensors[a]
    if kind == "transpose":
        axes = tuple(draw(st.permutations(range(len(shape)))))
        program.add(f"transpose {axes}", gx.transpose(x, axes), lambda v: np.transpose(v, axes), a)
    elif kind == "flat":
        program.add("flat", gx.reshape(x, (-1,)), lambda v: v.reshape(-1), a)
    elif kind == "reshape":
        count = int(np.prod(shape))
        rows = draw(st.sampled_from([r for r in range(1, count + 1) if count % r == 0]))
        program.add(f"reshape {rows}", gx.reshape(x, (rows, -1)), lambda v: v.reshape(rows, -1), a)
    elif kind == "softmax" and shape:
        program.add("softmax", gx.softmax(x), lambda v: np.exp(v) / np.exp(v).sum(axis=-1, keepdims=True), a)
    else:
        program.add("named", x.named(draw(st.sampled_from(["h", "z", "h 1"]))), lambda v: v, a)


def multiply(draw: Draw, program: Program, kinked: bool) -> None:
    pairs = [
        (a, b)
        for a in range(len(program.tensors))
        for b in range(len(program.tensors))
        if 0 < len(program.shape(a)) < 3 and 0 < len(program.shape(b)) < 3 and program.shape(a)[-1] == program.shape(b)[0]
    ]
    if pairs:
        a, b = draw(st.sampled_from(pairs))
        program.add("@", program.tensors[a] @ program.tensors[b], np.matmul, a, b)


def formula(draw: Draw, program: Program, kinked: bool) -> None:
    """Index notation: accesses that flip, stride, repeat or leave, under a reducer."""
    ranked = [k for k in range(len(program.tensors)) if len(program.shape(k)) in (1, 2)]
    if not ranked:
        return
    a = draw(st.sampled_from(ranked))
    x, shape = program.tensors[a], program.shape(a)
    i, k, u = gx.indices("i k u")
    if len(shape) == 1:
        n = shape[0]
        kind = draw(st.sampled_from(["flip", "outer", "window", "padded", "product", "extreme" if kinked else "window"]))
        if kind == "flip":
            program.add("define flip", gx.define("F", (i,), x[n - 1 - i] * x[i]), lambda v: v[::-1] * v, a)
        elif kind == "outer":
            program.add("define outer", gx.define("O", (i, k), x[i] * x[k] / (1 + x[k] ** 2)), lambda v: np.outer(v, v / (1 + v * v)), a)
        elif kind == "window":
            program.add(
                "define window", gx.define("V", (i,), gx.Sum(x[i + u] * (u + 1), u), extents={u: min(2, n)}), lambda v: window(v, min(2, n)), a
            )
        elif kind == "padded":
            program.add("define padded", gx.define("P", (i,), gx.Sum(x[2 * i + u - 1], u), extents={i: n, u: 3}, outside=0), padded, a)
        elif kind == "product":
            program.add("define product", gx.define("R", (), gx.Prod(x[k] / 2 + 1, k)), lambda v: np.prod(v / 2 + 1), a)
        else:
            program.add("define maximum", gx.define("M", (i,), gx.Max(x[k] * x[i], k)), lambda v: np.max(np.outer(v, v), axis=1), a)
        return
    square = shape[0] == shape[1]
    if square and draw(st.booleans()):
        program.add("define diagonal", gx.define("D", (i, k), x[i, i] * x[k, i]), lambda v: np.diag(v)[:, None] * v.T, a)
    else:
        program.add(
            "define gram", gx.define("G", (i, k), gx.Sum(x[i, u] * x[k, u], u) / (1 + i)), lambda v: v @ v.T / (1 + np.arange(len(v)))[:, None], a
        )


def window(v: Array, size: int) -> Array:
    return sum(((t + 1) * v[t : len(v) - size + 1 + t] for t in range(size)), start=np.zeros(len(v) - size + 1))


def padded(v: Array) -> Array:
    n = len(v)
    return np.array([sum(v[p] for p in range(2 * q - 1, 2 * q + 2) if 0 <= p < n) for q in range(n)])


MOVES = (element, element, element, reduce, cut, move, multiply, formula)


@st.composite
def programs(draw: Draw, kinked: bool = False) -> Program:
    program = Program()
    for _ in range(draw(st.integers(1, 3))):
        leaf(draw, program)
    for _ in range(draw(st.integers(1, 7))):
        draw(st.sampled_from(MOVES))(draw, program, kinked)
    return program


def loss_of(program: Program) -> tuple[gx.Tensor, Callable[[list[Array]], float]]:
    """A scalar to which every tensor of the program contributes, bounded so that differences stay exact."""
    total = gx.constant(0.0)
    weights = [np.cos(np.arange(int(np.prod(program.shape(k)))) + k).reshape(program.shape(k)) for k in range(len(program.tensors))]
    for w, t in zip(weights, program.tensors, strict=True):
        total = total + gx.sum(gx.tanh(t) * gx.constant(w))

    def replay(values: list[Array]) -> float:
        return float(sum(np.sum(np.tanh(r(values)) * w) for r, w in zip(program.replays, weights, strict=True)))

    return total, replay


@given(programs(kinked=True))
def test_a_program_has_the_value_of_its_replay(program: Program) -> None:
    feeds = dict(zip(program.inputs, program.arrays, strict=True))
    with np.errstate(all="ignore"):
        expected = [r(program.arrays) for r in program.replays]
    values = gx.evaluate(program.tensors, feeds)
    for text, value, want in zip(program.text, values, expected, strict=True):
        assert value.shape == want.shape, text
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-11, err_msg="\n".join(program.text))
    written = gx.evaluate(program.tensors, feeds, stabilise=False)
    for value, want in zip(written, expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-11, err_msg="\n".join(program.text))


@given(programs())
def test_its_gradient_is_that_of_finite_differences(program: Program) -> None:
    loss, replay = loss_of(program)
    feeds = dict(zip(program.inputs, program.arrays, strict=True))
    gradients = gx.evaluate(gx.grad(loss, program.inputs), feeds)
    rng = np.random.default_rng(0)
    for _ in range(2):
        way = [rng.uniform(-1, 1, a.shape) for a in program.arrays]
        ends = [replay([a + s * 1e-4 * u for a, u in zip(program.arrays, way, strict=True)]) for s in (1, -1, 2, -2)]
        numeric = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / 12e-4
        along = sum(float(np.sum(g * u)) for g, u in zip(gradients, way, strict=True))
        scale = 1 + sum(float(np.sum(np.abs(g * u))) for g, u in zip(gradients, way, strict=True))
        assert along == pytest.approx(numeric, rel=1e-6, abs=1e-6 * scale), "\n".join(program.text)


@given(programs())
def test_its_second_derivative_is_that_of_its_first(program: Program) -> None:
    loss, _ = loss_of(program)
    feeds = dict(zip(program.inputs, program.arrays, strict=True))
    slope = gx.constant(0.0)
    for k, g in enumerate(gx.grad(loss, program.inputs)):
        slope = slope + gx.sum(g * gx.constant(np.sin(np.arange(g_size(g)) + k).reshape(tuple(int(e) for e in g.shape))))
    second = gx.evaluate(gx.grad(slope, program.inputs, unconnected="zero"), feeds)
    rng = np.random.default_rng(1)
    way = [rng.uniform(-1, 1, a.shape) for a in program.arrays]
    ends = [
        float(gx.evaluate(slope, {t: a + s * 1e-4 * u for t, a, u in zip(program.inputs, program.arrays, way, strict=True)})) for s in (1, -1, 2, -2)
    ]
    numeric = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / 12e-4
    along = sum(float(np.sum(g * u)) for g, u in zip(second, way, strict=True))
    scale = 1 + sum(float(np.sum(np.abs(g * u))) for g, u in zip(second, way, strict=True))
    assert along == pytest.approx(numeric, rel=1e-5, abs=1e-5 * scale), "\n".join(program.text)


def g_size(tensor: gx.Tensor) -> int:
    return int(np.prod([int(e) for e in tensor.shape]))
