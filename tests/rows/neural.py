"""Rows of the neural operations; NumPy's side walks over every window, so that it shares no idea with ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

import graphc as gx
from tests.rows.elementwise import sigmoid, softplus
from tests.rows.reductions import logsumexp, softmax
from tests.rows.row import Arg, Row

Array = np.ndarray[Any, Any]
nn = gx.nn


def op(name: str) -> Callable[..., Any]:
    return lambda *tensors: getattr(nn, name)(*tensors)


def each(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def paddings(sizes: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...], padding: Any) -> list[tuple[int, int]]:
    """How much each axis is padded before and after; "same" as in Keras: the result has ceil(size / stride) places."""
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        total = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in zip(sizes, kernel, strides, dilation, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    return [p if isinstance(p, tuple) else (p, p) for p in each(padding, len(sizes))]


def windows(x: Array, kernel: tuple[int, ...], strides: Any, padding: Any, dilation: Any, fill: float, entry: Callable[[Array, tuple[int, ...]], Array]) -> Array:
    """``entry(window, place)`` at every place; a window has the axes (n, *kernel, channels)."""
    rank = len(kernel)
    strides, dilation = each(strides, rank), each(dilation, rank)
    pads = paddings(x.shape[1:-1], kernel, strides, dilation, padding)
    wide = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(wide.shape[1:-1], kernel, strides, dilation, strict=True)]
    places: dict[tuple[int, ...], Array] = {}
    for place in np.ndindex(*counts):
        cut = tuple(slice(p * s, p * s + (k - 1) * d + 1, d) for p, s, k, d in zip(place, strides, kernel, dilation, strict=True))
        places[place] = entry(wide[(slice(None), *cut)], place)
    some = next(iter(places.values()))
    result = np.zeros((some.shape[0], *counts, some.shape[1]))
    for place, value in places.items():
        result[(slice(None), *place)] = value
    return result


def conv(x: Array, w: Array, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: int = 1) -> Array:
    parts = []
    for g in range(groups):
        inputs = np.split(x, groups, axis=-1)[g]
        taps = np.split(w, groups, axis=-1)[g]
        axes = tuple(range(1, w.ndim))
        parts.append(windows(inputs, w.shape[:-2], strides, padding, dilation, 0.0, lambda cut, _, t=taps, a=axes: np.tensordot(cut, t, axes=(a, tuple(range(t.ndim - 1))))))
    return np.concatenate(parts, axis=-1)


def pool(x: Array, size: Any, strides: Any, padding: Any, kind: str) -> Array:
    rank = x.ndim - 2
    size = each(size, rank)
    strides = size if strides is None else strides
    axes = tuple(range(1, rank + 1))
    if kind == "max":
        return windows(x, size, strides, padding, 1, -np.inf, lambda cut, _: cut.max(axis=axes))
    return windows(x, size, strides, padding, 1, np.nan, lambda cut, _: np.nanmean(cut, axis=axes))


CONVOLUTIONS = [
    *(
        Row("nn.conv1d", f"{shape} by {kernel} {options}", (Arg(shape), Arg(kernel)), lambda x, w, o=options: nn.conv1d(x, w, **o), lambda x, w, o=options: conv(x, w, **o))
        for shape, kernel, options in (
            (("n", 7, 2), (3, 2, 2), {}),
            ((2, 7, 2), (3, 2, 1), {"strides": 2}),
            ((2, 8, 1), (3, 1, 2), {"strides": 3, "padding": "same"}),
            ((1, 9, 1), (3, 1, 2), {"dilation": 2, "padding": "same"}),
            ((1, 9, 4), (3, 2, 2), {"groups": 2}),
            ((1, 5, 2), (2, 2, 2), {"padding": 1}),
            ((2, 5, 3), (1, 3, 2), {}),
            ((2, 5, 2), (2, 2, 1), {"padding": ((2, 0),)}),
            ((2, 7, 2), (3, 2, 1), {"strides": 5}),
            ((1, 9, 2), (4, 2, 1), {"strides": 2, "padding": "same"}),
            ((1, 8, 3), (3, 1, 3), {"groups": 3, "dilation": 3, "padding": "same"}),
            ((1, 3, 2), (5, 2, 1), {"padding": "same"}),
            ((1, 1, 1), (1, 1, 1), {"strides": np.int64(3)}),
            ((0, 5, 2), (3, 2, 2), {"padding": "same"}),
            ((2, 8, 1), (2, 1, 2), {"strides": 3}),
            ((1, 8, 2), (3, 2, 1), {"strides": 2}),
            ((1, 11, 1), (3, 1, 1), {"strides": 2, "dilation": 2}),
            ((1, 13, 1), (3, 1, 2), {"strides": 3, "dilation": 2, "padding": 2}),
            ((1, 14, 1), (2, 1, 1), {"strides": 4, "dilation": 6, "padding": ((3, 0),)}),
            ((1, 1, 1), (3, 1, 2), {"padding": "same"}),
            ((1, 1, 2), (1, 2, 1), {"strides": 2}),
            ((1, 2, 1), (3, 1, 1), {"padding": 1, "strides": 2}),
            ((1, 3, 1), (2, 1, 2), {"padding": 3}),
            (("n", "m", 2), (3, 2, 1), {"strides": 2, "padding": 1}),
            (("n", "m", 1), (3, 1, 2), {"padding": "same"}),
            ((1, 7, 4), (3, 2, 4), {"groups": 2, "strides": 2, "padding": "same"}),
        )
    ),
    *(
        Row("nn.conv2d", f"{shape} by {kernel} {options}", (Arg(shape), Arg(kernel)), lambda x, w, o=options: nn.conv2d(x, w, **o), lambda x, w, o=options: conv(x, w, **o))
        for shape, kernel, options in (
            (("n", 4, 5, 2), (3, 2, 2, 2), {}),
            ((2, 5, 5, 1), (3, 3, 1, 2), {"padding": "same"}),
            ((1, 5, 7, 1), (3, 3, 1, 2), {"strides": 2}),
            ((1, 6, 5, 1), (3, 3, 1, 1), {"strides": 2, "padding": "same"}),
            ((1, 5, 6, 1), (2, 3, 1, 1), {"strides": (2, 1), "padding": "same"}),
            ((1, 6, 6, 1), (2, 2, 1, 2), {"dilation": 2}),
            ((1, 7, 6, 1), (3, 2, 1, 1), {"dilation": (2, 3), "padding": "same"}),
            ((1, 4, 4, 4), (2, 2, 2, 2), {"groups": 2}),
            ((1, 3, 3, 3), (2, 2, 1, 3), {"groups": 3, "padding": "same"}),
            ((1, 4, 4, 1), (3, 3, 1, 1), {"padding": 1, "strides": 3}),
            ((1, 4, 5, 1), (3, 3, 1, 1), {"padding": (1, 0)}),
            ((2, 3, 3, 2), (1, 1, 2, 3), {}),
            ((1, 7, 7, 1), (2, 2, 1, 2), {"strides": 3, "padding": "same"}),
            ((1, 6, 5, 1), (4, 2, 1, 1), {"strides": 2, "padding": "same"}),
            ((1, 7, 5, 4), (3, 3, 1, 8), {"groups": 4, "padding": "same"}),
            ((1, 4, 4, 1), (3, 3, 1, 1), {"padding": ((0, 2), (1, 0))}),
            ((1, 8, 7, 1), (3, 2, 1, 1), {"dilation": (3, 2), "padding": (2, 1)}),
            ((1, 1, 9, 1), (1, 3, 1, 1), {"strides": (1, 2), "padding": "same"}),
            ((1, 3, 3, 1), (3, 3, 1, 1), {}),
            ((0, 3, 3, 1), (2, 2, 1, 1), {}),
            ((1, 7, 5, 1), (2, 3, 1, 2), {"strides": (3, 2)}),
            ((1, 8, 7, 1), (2, 3, 1, 1), {"strides": (3, 2), "dilation": (2, 3), "padding": (2, 3)}),
            ((1, 1, 1, 1), (3, 3, 1, 2), {"padding": "same"}),
            ((1, 2, 1, 2), (3, 3, 2, 1), {"padding": "same", "strides": 2}),
            ((1, 5, 4, 2), (3, 2, 1, 4), {"groups": 2, "strides": 2, "padding": 1}),
            (("n", 5, 6, 1), (3, 3, 1, 2), {"padding": ((0, 2), (1, 0)), "strides": (1, 2)}),
        )
    ),
]



def conv2d_transpose(x: Array, w: Array, strides: Any = 1, padding: str = "valid") -> Array:
    """Every entry of ``x`` stamps the kernel, without a flip; "same" crops to size * stride."""
    (sh, sw), (kh, kw, out, _), (n, height, width, _) = each(strides, 2), w.shape, x.shape
    canvas = np.zeros((n, max(height * sh, (height - 1) * sh + kh), max(width * sw, (width - 1) * sw + kw), out))
    for p, q in np.ndindex(height, width):
        canvas[:, p * sh : p * sh + kh, q * sw : q * sw + kw] += np.einsum("nc,uvoc->nuvo", x[:, p, q], w)
    if padding == "valid":
        return canvas
    top, left = max(kh - sh, 0) // 2, max(kw - sw, 0) // 2
    return canvas[:, top : top + height * sh, left : left + width * sw]


TRANSPOSED = [
    Row("nn.conv2d_transpose", f"{shape} by {kernel} {options}", (Arg(shape), Arg(kernel)), lambda x, w, o=options: nn.conv2d_transpose(x, w, **o), lambda x, w, o=options: conv2d_transpose(x, w, **o))
    for shape, kernel, options in (
        (("n", 3, 2, 2), (3, 2, 1, 2), {}),
        ((1, 3, 3, 1), (3, 3, 2, 1), {"strides": 2}),
        ((1, 3, 2, 1), (3, 3, 1, 1), {"strides": 2, "padding": "same"}),
        ((1, 3, 2, 2), (2, 2, 1, 2), {"strides": (2, 3)}),
        ((1, 2, 3, 1), (4, 4, 1, 1), {"strides": (2, 1), "padding": "same"}),
        ((2, 2, 2, 1), (1, 1, 3, 1), {"strides": 2}),
        ((0, 2, 2, 1), (2, 2, 1, 1), {}),
        ((1, 3, 2, 1), (2, 1, 1, 1), {"strides": 3}),
        ((1, 2, 3, 1), (2, 1, 2, 1), {"strides": (3, 2), "padding": "same"}),
        ((1, 1, 1, 2), (3, 2, 1, 2), {"strides": 2}),
        ((1, 4, 1, 1), (5, 5, 1, 1), {"strides": 2, "padding": "same"}),
    )
]

POOLS = [
    *(
        Row(f"nn.{kind}_pool{rank}d", f"{shape} by {size} {options}", (Arg(shape, apart=0.004),), lambda x, k=kind, r=rank, s=size, o=options: getattr(nn, f"{k}_pool{r}d")(x, s, **o),
            lambda x, k=kind, s=size, o=options: pool(x, s, o.get("strides"), o.get("padding", "valid"), k))
        for kind in ("max", "avg")
        for rank, shape, size, options in (
            (1, ("n", 6, 2), 2, {}),
            (1, (2, 7, 1), 3, {"strides": 1}),
            (1, (2, 7, 1), 3, {"strides": 2, "padding": "same"}),
            (2, (2, 4, 4, 2), 2, {}),
            (2, (1, 5, 7, 1), (2, 3), {}),
            (2, (1, 5, 5, 1), 3, {"strides": 2, "padding": "same"}),
            (2, (1, 4, 5, 2), 2, {"strides": 1, "padding": "same"}),
            (2, (1, 5, 4, 1), 2, {"strides": (2, 1)}),
            (2, (0, 4, 4, 1), 2, {}),
            (1, (2, 7, 1), 2, {"strides": 3}),
            (1, (1, 8, 1), 4, {"strides": 3, "padding": "same"}),
            (1, (2, 7, 1), 3, {"strides": 5, "padding": "same"}),
            (2, (1, 7, 5, 1), 2, {"strides": 3}),
            (2, (1, 4, 4, 1), 4, {"strides": 1, "padding": "same"}),
            (2, (1, 3, 3, 1), 3, {"strides": 1, "padding": 1}),
            (2, (1, 1, 1, 2), 2, {"strides": 2, "padding": "same"}),
            (1, (2, 8, 1), 2, {"strides": 3}),
            (1, (1, 1, 2), 1, {}),
            (1, ("n", 5, 1), 3, {"strides": 1, "padding": 1}),
            (2, (1, 5, 6, 1), (3, 2), {"strides": (1, 3), "padding": "same"}),
            (2, (1, 7, 6, 1), 3, {"strides": 2}),
        )
    ),
    Row("nn.max_pool2d", "a tie", (Arg((1, 2, 2, 1), values=[[[[1.0], [3.0]], [[3.0], [3.0]]]]),), lambda x: nn.max_pool2d(x, 2), lambda x: x.max(axis=(1, 2), keepdims=True), False,
        lambda x, w: [w * np.array([[[[0.0], [1.0]], [[0.0], [0.0]]]])]),
    Row("nn.max_pool2d", "padding never wins", (Arg((1, 3, 3, 1), -2, -1, apart=0.01),), lambda x: nn.max_pool2d(x, 2, padding="same"), lambda x: pool(x, 2, None, "same", "max")),
]  # fmt: skip


def batch_norm(x: Array, gamma: Array, beta: Array, epsilon: float = 1e-5) -> Array:
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon) + beta


def layer_norm(x: Array, gamma: Array, beta: Array, axis: Any = -1, epsilon: float = 1e-5) -> Array:
    return gamma * (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon) + beta


def attention(q: Array, k: Array, v: Array, mask: Any = None, scale: float | None = None) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores + mask if mask.dtype.kind == "f" else np.where(mask, scores, -np.inf)
    unseen = np.isinf(scores).all(axis=-1, keepdims=True)
    return np.where(unseen, 0.0, softmax(np.where(unseen, 0.0, scores))) @ v


NORMS = [
    *(
        Row("nn.batch_norm", f"{shape}", (Arg(shape), Arg((2,)), Arg((2,))), op("batch_norm"), batch_norm, tolerance=10)
        for shape in ((5, 2), ("n", 2), (2, 3, 2), (2, 2, 3, 2))
    ),
    Row("nn.batch_norm", "another epsilon", (Arg((5, 2)), Arg((2,)), Arg((2,))), lambda x, g, b: nn.batch_norm(x, g, b, epsilon=0.1), lambda x, g, b: batch_norm(x, g, b, 0.1)),
    Row("nn.batch_norm", "equal entries", (Arg((3, 1), values=[[2.0], [2.0], [2.0]]), Arg((1,)), Arg((1,))), lambda x, g, b: nn.batch_norm(x, g, b), batch_norm, False),
    *(Row("nn.layer_norm", f"{shape}", (Arg(shape), Arg((4,)), Arg((4,))), op("layer_norm"), layer_norm, tolerance=10) for shape in ((3, 4), ("n", 2, 4), (4,))),
    Row("nn.layer_norm", "another epsilon", (Arg((3, 4)), Arg((4,)), Arg((4,))), lambda x, g, b: nn.layer_norm(x, g, b, epsilon=0.1), lambda x, g, b: layer_norm(x, g, b, -1, 0.1)),
]



def attention_gradient(q: Array, k: Array, v: Array, mask: Array, w: Array) -> list[Array]:
    """By hand: the mask's own gradient is that of the scores, 0 where it is minus infinity."""
    scores = q @ k.T / math.sqrt(q.shape[-1]) + mask
    unseen = np.isinf(scores).all(axis=-1, keepdims=True)
    p = np.where(unseen, 0.0, softmax(np.where(unseen, 0.0, scores)))
    slope = p * (w @ v.T - np.sum(p * (w @ v.T), axis=-1, keepdims=True))
    return [slope @ k / math.sqrt(q.shape[-1]), slope.T @ q / math.sqrt(q.shape[-1]), p.T @ w, slope]


MASK = np.array([[True, False, True], [True, True, False]])

ATTENTION = [
    *(Row("nn.attention", f"{q} {k} {v}", (Arg(q), Arg(k), Arg(v)), op("attention"), attention) for q, k, v in (((2, 4), (3, 4), (3, 2)), (("n", 2, 4), ("n", 3, 4), ("n", 3, 2)), ((2, 2, 2, 3), (2, 2, 3, 3), (2, 2, 3, 2)))),
    Row("nn.attention", "a scale", (Arg((2, 4)), Arg((3, 4)), Arg((3, 2))), lambda q, k, v: nn.attention(q, k, v, scale=0.3), lambda q, k, v: attention(q, k, v, scale=0.3)),
    Row("nn.attention", "a mask", (Arg((2, 4)), Arg((3, 4)), Arg((3, 2)), Arg((2, 3), kind="bool", values=MASK)), op("attention"), attention),
    *(
        Row("nn.attention", f"a mask, {case}", (Arg(q), Arg(k), Arg(v), Arg(mask.shape, kind={"b": "bool", "i": "int", "f": "float"}[mask.dtype.kind], values=mask)), op("attention"), attention, not np.isinf(mask * 1.0).any(),
            None if not np.isinf(mask * 1.0).any() else lambda q, k, v, m, w: attention_gradient(q, k, v, m, w))
        for case, q, k, v, mask in (
            ("causal", (4, 2), (4, 2), (4, 3), np.tri(4, dtype=bool)),
            ("causal, of whole numbers", (4, 2), (4, 2), (4, 3), np.tri(4, dtype=int)),
            ("of keys alone", (2, 3, 2), (2, 4, 2), (2, 4, 1), np.array([True, False, True, True])),
            ("one a stack", (2, 3, 2), (2, 4, 2), (2, 4, 1), np.array([[[True, False, True, True]], [[False] * 4]])),
            ("of everything", (2, 2), (3, 2), (3, 2), np.zeros((2, 3), dtype=bool)),
            ("added", (2, 2), (3, 2), (3, 2), np.array([[0.5, -1.0, 0.0], [2.0, 0.0, 0.25]])),
            ("added, causal", (3, 2), (3, 2), (3, 2), np.where(np.tri(3) > 0, 0.0, -np.inf)),
            ("added, a row of it", (2, 2), (3, 2), (3, 2), np.array([[0.0, 0.5, 0.0], [-np.inf] * 3])),
        )
    ),
    Row("nn.attention", "a constant of 0.0 and 1.0", (Arg((3, 2)),), lambda x: nn.attention(x, x, x, mask=np.tri(3)), lambda x: attention(x, x, x, np.tri(3, dtype=bool))),
    Row("nn.attention", "no keys", (Arg((2, 2)), Arg(("none", 2)), Arg(("none", 3))), op("attention"), lambda q, k, v: np.zeros((2, 3))),
    Row("nn.attention", "a query that sees nothing", (Arg((2, 2)), Arg((3, 2)), Arg((3, 2))), lambda q, k, v: nn.attention(q, k, v, mask=np.array([[True, True, False], [False, False, False]])),
        lambda q, k, v: np.concatenate([attention(q[:1], k[:2], v[:2]), np.zeros((1, 2))])),
    Row("nn.attention", "of itself", (Arg((3, 2)),), lambda x: nn.attention(x, x, x), lambda x: attention(x, x, x)),
]  # fmt: skip

PICKS = [
    Row("nn.embedding", "a list", (Arg((5, 2)), Arg((4,), 0, 4, "int")), op("embedding"), lambda t, ids: t[ids]),
    Row("nn.embedding", "a table", (Arg((5, 2)), Arg(("n", 3), 0, 4, "int")), lambda t, ids: nn.embedding(t, ids) ** 2, lambda t, ids: t[ids] ** 2),
    Row("nn.embedding", "one id again and again", (Arg((3, 2)), Arg((4,), kind="int", values=[1, 1, 0, 1])), lambda t, ids: nn.embedding(t, ids) ** 2, lambda t, ids: t[ids] ** 2),
    Row("nn.embedding", "no ids", (Arg((3, 2)), Arg((0,), 0, 2, "int")), op("embedding"), lambda t, ids: t[ids]),
    Row("nn.dropout", "at rate 0", (Arg((3, 2)),), lambda x: nn.dropout(x, 0.0), lambda x: x),
    Row("nn.dropout", "in inference", (Arg((3, 2)),), lambda x: gx.inference(nn.dropout(x, 0.5)), lambda x: x),
]

SAME_FUNCTIONS = [
    Row("nn.relu", "as above", (Arg((3, 2), apart=0.02),), op("relu"), lambda x: np.maximum(0, x)),
    Row("nn.tanh", "as above", (Arg((3, 2)),), op("tanh"), np.tanh),
    Row("nn.sigmoid", "as above", (Arg((3, 2)),), op("sigmoid"), sigmoid),
    Row("nn.softplus", "as above", (Arg((3, 2)),), op("softplus"), softplus),
    Row("nn.softmax", "as above", (Arg((3, 2)),), op("softmax"), softmax),
    Row("nn.log_softmax", "as above", (Arg((3, 2)),), op("log_softmax"), lambda x: np.log(softmax(x))),
    Row("nn.logsumexp", "as above", (Arg((3, 2)),), op("logsumexp"), logsumexp),
]

STRUCTURE = [
    Row("by_phase", "training", (Arg((3,)),), lambda x: gx.by_phase(training=2 * x, inference=x), lambda x: 2 * x),
    Row("by_phase", "a number", (Arg(("n", 2)),), lambda x: gx.by_phase(training=0.5, inference=x) * x, lambda x: 0.5 * x),
    Row("assign", "under another name", (Arg((3,)),), lambda x: gx.assign(gx.state("m", (3,)).named("mean"), x) * 2, lambda x: 2 * x),
    Row("function", "with an argument by its name", (Arg((3,)), Arg((), 0.5, 2)), lambda x, b: gx.function("swish", lambda t, beta: t / (1 + sympy.exp(-beta * t)))(x, beta=b), lambda x, b: x * sigmoid(b * x)),
    Row("inference", "of by_phase", (Arg((3,)),), lambda x: gx.inference(gx.by_phase(training=2 * x, inference=x)), lambda x: x),
    Row("inference", "of two, nested", (Arg((3,)),), lambda x: gx.inference(gx.by_phase(training=x, inference=gx.by_phase(training=x, inference=3 * x))), lambda x: 3 * x),
    Row("assign", "its value is the new value", (Arg((3,)),), lambda x: 2 * gx.assign(gx.state("m", (3,)), x * x), lambda x: 2 * x * x),
    Row("function", "swish", (Arg((3, 2)),), lambda x: gx.function("swish", lambda t: t / (1 + sympy.exp(-t)))(x), lambda x: x * sigmoid(x)),
    Row("function", "of two", (Arg((3, 2)), Arg((2,), 0.5, 2)), lambda x, b: gx.function("swish", lambda t, beta: t / (1 + sympy.exp(-beta * t)))(x, b), lambda x, b: x * sigmoid(b * x)),
    Row("function", "with a number", (Arg((3,)),), lambda x: gx.function("power", lambda t, p: t**p)(x, 3), lambda x: x**3),
    Row("grad", "as an operation", (Arg((3,)),), lambda x: gx.grad(gx.sum(gx.tanh(x) ** 2), x), lambda x: 2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    Row("vjp", "of a matrix product", (Arg((2, 3)), Arg((3, 2)), Arg((2, 2))), lambda a, b, c: gx.vjp(a @ b, a, c), lambda a, b, c: c @ b.T),
    Row("hessian", "of a cubic", (Arg((3,)),), lambda x: gx.hessian(gx.sum(x**3), x), lambda x: np.diag(6 * x)),
    Row("jacobian", "of a product", (Arg((3,)), Arg((2, 3))), lambda x, a: gx.jacobian(a @ x**2, x), lambda x, a: a * 2 * x),
    Row("hvp", "of a cubic", (Arg((3,)), Arg((3,))), lambda x, v: gx.hvp(gx.sum(x**3), x, v), lambda x, v: 6 * x * v),
]


def recurrence(x: Array, s: Array) -> tuple[Array, Array]:
    carry, outputs = s, []
    for item in x:
        carry = np.tanh(carry + item)
        outputs.append(carry * item)
    return carry, np.array(outputs).reshape(len(x), *s.shape)


def scanned(x: Any, s: Any, reverse: bool = False) -> Any:
    return gx.scan(lambda c, item: (h := gx.tanh(c + item), h * item), x, s, reverse=reverse)


SCANS = [
    Row("scan", "the last carry", (Arg((5, 2)), Arg((2,))), lambda x, s: scanned(x, s)[0], lambda x, s: recurrence(x, s)[0]),
    Row("scan", "the outputs", (Arg((5, 2)), Arg((2,))), lambda x, s: scanned(x, s)[1], lambda x, s: recurrence(x, s)[1]),
    Row("scan", "over a name", (Arg(("m", 2)), Arg((2,))), lambda x, s: scanned(x, s)[1], lambda x, s: recurrence(x, s)[1]),
    Row("scan", "one step", (Arg((1, 2)), Arg((2,))), lambda x, s: scanned(x, s)[1], lambda x, s: recurrence(x, s)[1]),
    Row("scan", "no step", (Arg((0, 2)), Arg((2,))), lambda x, s: scanned(x, s)[0], lambda x, s: s),
    Row("scan", "reversed, the carry", (Arg((5, 2)), Arg((2,))), lambda x, s: scanned(x, s, reverse=True)[0], lambda x, s: recurrence(x[::-1], s)[0]),
    Row("scan", "reversed, the outputs", (Arg((5, 2)), Arg((2,))), lambda x, s: scanned(x, s, reverse=True)[1], lambda x, s: recurrence(x[::-1], s)[1][::-1]),
]

ROWS: list[Row] = [*CONVOLUTIONS, *TRANSPOSED, *POOLS, *NORMS, *ATTENTION, *PICKS, *SAME_FUNCTIONS, *STRUCTURE, *SCANS]
