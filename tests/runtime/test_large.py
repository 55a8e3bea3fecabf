"""Networks at awkward sizes, large enough for every threshold: values and gradients as the evaluator has them, whatever lay in memory before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.runtime import compile

RNG = np.random.default_rng(0)
Made = tuple[Any, dict[Any, Any]]  # outputs, and the arrays of inputs


def par(name: str, *shape: int) -> Any:
    return gx.parameter(name, shape, init=RNG.normal(size=shape) / np.sqrt(max(1, int(np.prod(shape[:-1])))))


def fed(name: str, batch: int, *shape: int, ties: bool = False) -> tuple[Any, Any]:
    values = RNG.normal(size=(batch, *shape))
    return gx.tensor(name, ("n", *shape)), np.round(values) if ties else values


def ids(name: str, batch: int, length: int, size: int) -> tuple[Any, Any]:
    return gx.tensor(name, ("n", length), dtype="int"), RNG.integers(0, size, size=(batch, length))


def with_gradients(y: Any, x: Any, *others: Any) -> list[Any]:
    weight = gx.constant(np.cos(np.arange(int(y.shape[-1]))))
    loss = gx.mean(y * y * weight) + gx.sum(gx.sin(y)) * 0.01
    return [y, loss, *gx.grad(loss, [x, *others])]


def conv(n: int, size: int, c: int, f: int, k: int, **options: Any) -> Made:
    x, a = fed("x", n, size, size, c)
    kernel, b = par("k", k, k, c // options.get("groups", 1), f), par("b", f)
    y = gx.relu(gx.nn.conv2d(x, kernel, **options) + b)
    return with_gradients(y, x, kernel, b), {x: a}


def two_convs(n: int, size: int, c: int) -> Made:
    x, a = fed("x", n, size, size, c)
    k1, b1, k2, g, e, w = par("k1", 3, 3, c, 6), par("b1", 6), par("k2", 3, 3, 6, 17), par("g", 17), par("e", 17), par("w", 17, 3)
    h = gx.nn.max_pool2d(gx.relu(gx.nn.conv2d(x, k1, padding="same") + b1), 2)
    h = gx.relu(gx.nn.batch_norm(gx.nn.conv2d(h, k2, padding="same"), g, e))
    return with_gradients(gx.mean(h, axis=(1, 2)) @ w, x, k1, b1, k2, g, e, w), {x: a}


def pool(kind: str, n: int, size: int, c: int, window: Any, **options: Any) -> Made:
    x, a = fed("x", n, size, size, c, ties=True)
    return with_gradients(getattr(gx.nn, kind)(x, window, **options), x), {x: a}


def pool_of_nan(n: int, size: int, c: int, window: Any, **options: Any) -> Made:
    x, a = fed("x", n, size, size, c, ties=True)
    a[0, 1, 2], a[-1, -1, -1], a[0, 0, 0] = np.nan, np.inf, -np.inf
    return [gx.nn.max_pool2d(x, window, **options), gx.max(x, axis=(1, 2)), gx.argmax(x, axis=-1), gx.min(x, axis=-1)], {x: a}


def norms(n: int, size: int, c: int) -> Made:
    x, a = fed("x", n, size, c)
    g, e, h, d = par("g", c), par("e", c), par("h", c), par("d", c)
    y = gx.nn.layer_norm(gx.nn.batch_norm(x, g, e) + x, h, d)
    return with_gradients(y, x, g, e, h, d), {x: a}


def mlp(n: int, *widths: int) -> Made:
    x, a = fed("x", n, widths[0])
    h, parameters = x, list[Any]()
    for k, (i, o) in enumerate(itertools.pairwise(widths)):
        w, b = par(f"w{k}", i, o), par(f"b{k}", o)
        h = gx.tanh(h @ w + b)
        parameters += [w, b]
    return with_gradients(h, x, *parameters), {x: a}


def residual(n: int, width: int) -> Made:
    """Sums of several products, each of which may start from the others."""
    x, a = fed("x", n, width)
    u, v, w, b = (par(s, width, width) for s in "uvwb")
    h = x @ u + gx.tanh(x) @ v + x
    y = h @ w + x @ w + h + gx.relu(h) @ b.T + x
    return [h, *with_gradients(y, x, u, v, w, b)], {x: a}


def attend(n: int, length: int, width: int, heads: int, masked: bool) -> Made:
    x, a = fed("x", n, length, width)
    q, k, v, o = (par(s, width, heads, width // heads) for s in "qkvo")
    i, d, h, b, e = gx.indices("i d h b e")
    parts = [gx.define(f"p{m}", (b, h, i, e), gx.Sum(x[b, i, d] * t[d, h, e], d)) for m, t in enumerate((q, k, v))]
    mask = gx.constant(np.tril(np.ones((length, length)))) if masked else None
    y = gx.nn.attention(*parts, mask=mask)
    out = gx.define("out", (b, i, d), x[b, i, d] + gx.Sum(y[b, h, i, e] * o[d, h, e], h, e))
    return with_gradients(out, x, q, k, v, o), {x: a}


def classify(n: int, width: int, classes: int) -> Made:
    x, a = fed("x", n, width)
    t, labels = gx.tensor("t", ("n",), dtype="int"), RNG.integers(0, classes, size=n)
    w, b = par("w", width, classes), par("b", classes)
    p = gx.nn.log_softmax(x @ w + b)
    i = gx.indices("i")
    loss = -gx.mean(gx.define("picked", (i,), p[i, t[i]]))
    return [p, loss, gx.nn.softmax(x @ w + b), *gx.grad(loss, [x, w, b])], {x: a, t: labels}


def masked_loss(n: int, length: int, width: int) -> Made:
    x, a = fed("x", n, length, width)
    m, mask = gx.tensor("m", ("n", length)), (RNG.random((n, length)) < 0.7).astype(float)
    w, b = par("w", width, 3), par("b", 3)
    e = gx.sum(gx.softplus(x @ w + b), axis=-1)
    loss = gx.sum(gx.where(m > 0.5, e, 0.0)) / gx.maximum(gx.sum(m), 1.0)
    return [loss, *gx.grad(loss, [x, w, b])], {x: a, m: mask}


def embedded(n: int, length: int, size: int, width: int) -> Made:
    t, a = ids("t", n, length, size)
    table, w = par("table", size, width), par("w", width, 5)
    y = gx.tanh(gx.mean(gx.nn.embedding(table, t), axis=1)) @ w
    return with_gradients(y, table, w), {t: a}


def recurrent(n: int, length: int, width: int, units: int, reverse: bool = False, gates: bool = False, masked: bool = False) -> Made:
    x, a = fed("x", n, length, width)
    m, mask = gx.tensor("m", ("n", length)), (RNG.random((n, length)) < 0.7).astype(float)
    w, r, b = par("w", width, 4 * units), par("r", units, 4 * units), par("b", 4 * units)
    zero = gx.broadcast_to(gx.constant(0.0), (x.shape[0], units))

    def cell(carry: Any, item: Any) -> Any:
        h, c = carry
        item, keep = item
        z = item @ w + h @ r + b
        i, f, g, o = (z[:, k * units : (k + 1) * units] for k in range(4))
        c2 = gx.sigmoid(f) * c + gx.sigmoid(i) * gx.tanh(g) if gates else gx.tanh(i + g) + 0.5 * c * gx.cos(f)
        h2 = gx.sigmoid(o) * gx.tanh(c2)
        if masked:
            c2, h2 = gx.where(keep[:, None] > 0.5, c2, c), gx.where(keep[:, None] > 0.5, h2, h)
        return (h2, c2), h2

    m, mask = (m, mask) if masked else (gx.sum(x, axis=-1), None)
    (h, c), outs = gx.scan(cell, (gx.swapaxes(x, 0, 1), gx.transpose(m)), (zero, zero), reverse=reverse)
    y = gx.mean(outs, axis=0) + h * c
    return [outs, *with_gradients(y, x, w, r, b)], {x: a, m: mask} if masked else {x: a}


def second_order(n: int, width: int) -> Made:
    x, a = fed("x", n, width)
    w, v, b = par("w", width, 17), par("v", 17, 1), par("b", 17)
    y = gx.sum(gx.tanh(x @ w + b) @ v)
    g = gx.grad(y, x)
    loss = gx.mean((gx.sqrt(gx.sum(g * g, axis=-1) + 1e-3) - 1) ** 2)
    return [loss, *gx.grad(loss, [x, w, v, b], unconnected="zero")], {x: a}


CASES: dict[str, Callable[[int], Made]] = {
    "conv same 3, 3 to 17": lambda n: conv(n, 13, 3, 17, 3, padding="same"),
    "conv valid 5, 1 to 6": lambda n: conv(n, 29, 1, 6, 5),
    "conv same stride 2, 6 to 33": lambda n: conv(n, 13, 6, 33, 3, padding="same", strides=2),
    "conv valid stride 3": lambda n: conv(n, 29, 3, 6, 5, strides=3),
    "conv dilated": lambda n: conv(n, 13, 3, 6, 3, padding="same", dilation=2),
    "conv dilated valid": lambda n: conv(n, 13, 6, 1, 3, dilation=3),
    "conv in groups": lambda n: conv(n, 13, 6, 18, 3, padding="same", groups=3),
    "conv by channel": lambda n: conv(n, 29, 6, 6, 3, padding="same", groups=6),
    "conv 2 by 2": lambda n: conv(n, 5, 17, 33, 2, padding="same"),
    "two convs": lambda n: two_convs(n, 13, 3),
    "two convs of 5": lambda n: two_convs(n, 5, 17),
    "max pool": lambda n: pool("max_pool2d", n, 13, 17, 2),
    "max pool overlapping": lambda n: pool("max_pool2d", n, 29, 3, 3, strides=2),
    "max pool same": lambda n: pool("max_pool2d", n, 13, 6, 3, strides=2, padding="same"),
    "max pool of 5, wide steps": lambda n: pool("max_pool2d", n, 29, 6, 2, strides=3),
    "max pool large": lambda n: pool("max_pool2d", n, 13, 1, 5, strides=1),
    "avg pool": lambda n: pool("avg_pool2d", n, 29, 6, 2),
    "avg pool same": lambda n: pool("avg_pool2d", n, 13, 17, 3, strides=2, padding="same"),
    "avg pool overlapping": lambda n: pool("avg_pool2d", n, 13, 3, 4, strides=3),
    "pool of nan": lambda n: pool_of_nan(n, 13, 6, 3, strides=2),
    "pool of nan, same": lambda n: pool_of_nan(n, 29, 3, 2, padding="same"),
    "norms": lambda n: norms(n, 29, 33),
    "norms of few": lambda n: norms(n, 65, 3),
    "mlp": lambda n: mlp(n, 129, 65, 33, 1),
    "mlp narrow": lambda n: mlp(n, 3, 257, 2),
    "residual": lambda n: residual(n, 33),
    "residual wide": lambda n: residual(n, 130),
    "attention": lambda n: attend(n, 31, 24, 3, False),
    "attention masked": lambda n: attend(n, 65, 16, 2, True),
    "attention of one": lambda n: attend(n, 1, 6, 1, False),
    "attention of three": lambda n: attend(n, 3, 34, 2, True),
    "classes": lambda n: classify(n, 65, 31),
    "classes, three": lambda n: classify(n, 17, 3),
    "masked loss": lambda n: masked_loss(n, 31, 17),
    "embedding": lambda n: embedded(n, 31, 11, 33),
    "embedding of many": lambda n: embedded(n, 7, 300, 17),
    "recurrent": lambda n: recurrent(n, 7, 5, 17),
    "recurrent reversed": lambda n: recurrent(n, 5, 3, 33, reverse=True),
    "gates": lambda n: recurrent(n, 9, 17, 33, gates=True),
    "gates masked": lambda n: recurrent(n, 6, 3, 16, gates=True, masked=True, reverse=True),
    "second order": lambda n: second_order(n, 65),
}


def agree(got: Any, want: Any) -> None:
    assert got.shape == want.shape
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=1e-3))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11 * scale)


def forget(f: Any) -> None:
    """Whatever a call left in memory becomes NaN, in the bodies of recurrences too."""
    for bound, _ in f._bound.values():
        for b in [bound, *(body for loop in bound.loops.values() for body in loop.bodies)]:
            b.arena[: len(b.arena) // 8 * 8].view(np.float64)[:] = np.nan


@pytest.mark.parametrize("case", CASES)
def test_one_program_for_batches_of_all_sizes(case: str) -> None:
    outputs, feeds = CASES[case](7)
    inputs = list(feeds)
    f = compile(outputs, inputs=inputs, dtype="float64")
    for n in (7, 33, 1, 0, 65, 7):
        given = list(CASES[case](n)[1].values()) if n else [a[:0] for a in feeds.values()]
        first = f(*given)
        want = gx.evaluate(outputs, dict(zip(inputs, given, strict=True)))
        for got, wanted in zip(first, want, strict=True):
            agree(got, wanted)
        forget(f)
        for again, got in zip(f(*given), first, strict=True):
            np.testing.assert_array_equal(again, got)


@pytest.mark.parametrize("case", ["residual", "two convs", "gates masked", "embedding", "attention of three"])
@pytest.mark.parametrize("optimizer", ["Adam", "Nadam"])
def test_steps_that_change_parameters(case: str, optimizer: str) -> None:
    outputs, feeds = CASES[case](33)
    inputs, given = list(feeds), list(feeds.values())
    loss = next(t for t in outputs if t.ndim == 0)
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    step = [loss, outputs[0], *getattr(gx.optimizers, optimizer)(0.01).updates(loss, parameters)]
    f = compile(step, inputs=inputs, dtype="float64")
    for _ in range(3):
        want = gx.evaluate(step, feeds)  # from the values that the call before has left
        for got, wanted in zip(f(*given), want, strict=True):
            agree(got, wanted)
        forget(f)


@pytest.mark.parametrize("case", ["residual", "mlp", "two convs", "max pool overlapping", "gates", "attention", "norms"])
def test_threads_do_not_change_a_bit(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, feeds = CASES[case](129)
    results: list[list[Any]] = []
    for threads in ("1", "3"):
        monkeypatch.setenv("GRAPHC_NUM_THREADS", threads)
        results.append(compile(outputs, inputs=list(feeds))(*feeds.values()))
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)
