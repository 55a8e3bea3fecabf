"""Compiled functions give what the evaluator gives: every operation, in both precisions, at awkward sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.graph import leaves
from graphc.lower.verify import verify_kernel
from graphc.ops.arithmetic import ELEMENTWISE, declare
from graphc.runtime import compile

i, j, k, u, v = gx.indices("i j k u v")
TOLERANCE = {"float64": 1e-10, "float32": 2e-5}


def leaf(name: str, shape: Any = ("n", 4), dtype: str = "float") -> Any:
    return gx.tensor(name, shape, dtype=dtype)


def table() -> dict[str, Any]:
    x, y, w, ids, flags = leaf("x"), leaf("y"), leaf("w", (4, 3)), leaf("ids", ("n",), "int"), leaf("flags", ("n", 4), "bool")
    q, s = leaf("q", (2, "n", 5)), leaf("s", ("m", 3))
    n = x.shape[0]
    return {
        "matmul": x @ w,
        "left transposed": x.T @ y,
        "right transposed": x @ y.T,
        "both transposed": w.T @ x.T,
        "batched": q @ gx.swapaxes(q, 1, 2),
        "self": x.T @ x,
        "vector": x @ w[:, 0],
        "einsum": gx.einsum("nk,nj,kl->jl", x, y, w @ w.T),
        "outer": gx.outer(x[:, 0], y[:, 1]),
        "scaled product": gx.einsum("nk,kj->nj", x, w) / n,
        "one column": x @ w[:, :1],
        "softmax": gx.softmax(x @ w),
        "log softmax": gx.log_softmax(x),
        "sums": [gx.sum(x), gx.sum(x, axis=0), gx.sum(x, axis=1), gx.sum(q, axis=1), gx.sum(q, axis=(0, 2))],
        "products": [gx.prod(x), gx.prod(x, axis=0), gx.prod(x, axis=1)],
        "extremes": [gx.max(x), gx.min(x, axis=0), gx.max(x, axis=1), gx.min(q, axis=1)],
        "winners": [gx.argmax(x, axis=0), gx.argmin(x, axis=1), gx.argmax(x), gx.argmin(q, axis=1)],
        "moments": [gx.mean(x, axis=0), gx.var(x, axis=1), gx.std(x + x.T[:1].T, axis=0)],
        "norm": gx.norm(x, axis=1),
        "slices": [x[:, ::-2], x[:, 1:3] * y[:, ::-1][:, :2], q[1], q[:, :, 3], x[:, None, 1:]],
        "flip": x[::-1, ::-1] + y,
        "broadcast": (x[:, :, None] * w[None, :, :])[:, 1] - w[0],
        "broadcast to": gx.broadcast_to(w[0], (5, 3)),
        "reshape": gx.reshape(x * 2, (-1,)) + 1,
        "reshape then product": gx.reshape(x @ w, (-1, 3)) @ w.T,
        "window": gx.define("z", (i, j), gx.Sum(x[i + u - 1, j] * w[j, u], u), outside=0, extents={i: n, u: 3}),
        "widest": gx.define("z", (i, j), gx.Max(x[i + u - 1, j], u), outside=0, extents={i: n, u: 3}),
        "convolution": gx.define("z", (i, j), gx.Sum(q[u, i, j + v] * w[u, v], u, v), extents={u: 2, v: 3}),
        "channels": gx.define("z", (i, j, k), gx.Sum(gx_image()[i, j + u, v] * w[v, k] * 1, u, v), extents={u: 2}),
        "by channels": gx.define("z", (i, j, k), gx.Sum(gx_image()[i, j + u, k] * w[u, k], u), extents={j: 4, u: 2, k: 3}),
        "columns alike": gx.define("z", (i, j), gx.Sum(x[i, k] * w[k, 0], k), extents={j: 5}),
        "along the columns": [
            gx.einsum("ivk,jvk->ijk", q, gx.tanh(q)),
            gx.einsum("vik,vjk->jik", q, q + 1),
            gx.einsum("vik,vjk->ijk", x[:, :, None] * w[0], gx.exp(x)[:, :, None] * w[1]),
        ],
        "diagonal": gx.diagonal(w[:3]),
        "trace": gx.trace(w[:3]),
        "scatter": gx.diag(x[:, 0] * 2),
        "gather": gx.define("z", (i, k), w[ids[i], k] * 2),
        "picked": gx.define("z", (i,), gx.Sum(w[ids[i], k] * x[i, k], k), extents={k: 3}),
        "ids in numbers": x * ids[:, None] + ids[:, None],
        "whole numbers": [ids * ids - 3, gx.sum(ids), gx.max(ids), ids > 1, gx.abs(-ids), gx.minimum(ids, 2)],
        "division of whole numbers": ids / 4,
        "truth": [gx.where(flags, x, y), flags, gx.sum(flags, axis=1), flags * x, gx.logical_not(flags), gx.logical_and(flags, x > 0)],
        "indices": gx.define("z", (i, j), x[i, j] * i - sympy.Piecewise((j, j > 1), (0.5, True)) + sympy.Piecewise((1, sympy.Eq(i, j)), (0, True))),
        "dimension": [x / n, gx.define("z", (i,), gx.Sum(x[i, 0] + j, j), extents={j: 3})],
        "powers": [x**2, x**3, x**-1, x**-2, gx.sqrt(gx.abs(x)) ** -1, gx.abs(x) ** 1.7, gx.abs(x) ** y, (x * y) ** 5, 1 / (x * y)],
        "two sizes": gx.sum(s, axis=0) + gx.sum(x[:, :3], axis=0),
        "random": [gx.random.uniform((3, 4)), gx.random.normal((4,)) * w[:, 0], gx.where(gx.random.uniform((4,)) < 0.5, w[:, 0], 0.0)],
        "pinned": gx.random.uniform((7,), key=3) + gx.random.uniform((7,), key=3),
        "constant": [x + gx.constant([np.inf, 1.0, -2.0, np.nan]), gx.constant(2.0) * 3, gx.constant([1, 2])],
        "chain": gx.tanh(gx.sigmoid(gx.exp(-x) + 1) * gx.log1p(gx.exp(-gx.abs(x)))),
        "shared": shared(x, w),
        "running sum": [gx.cumsum(x, axis=0), gx.cumsum(x, axis=1), gx.cumsum(ids)],
        "recurrence": recurrence(x, w, False),
        "recurrence backwards": recurrence(x, w, True),
        "carries change places": list(gx.scan(lambda c, t: ((c[1], c[0] + t), c[0]), x, (gx.constant(np.zeros(4)), w[:, 0]))[0]),
        "recurrence in a recurrence": nested(x),
        "input itself": [x, x.T, gx.reshape(x, (-1,))],
    }


def gx_image() -> Any:
    return leaf("image", ("n", 5, 4))


def shared(x: Any, w: Any) -> Any:
    h = gx.tanh(x @ w)
    return [h, h * h, gx.sum(h * h), gx.exp(h) + h, gx.exp(h) @ w.T]


def recurrence(x: Any, w: Any, reverse: bool) -> list[Any]:
    noise = 0.1

    def step(h: Any, item: Any) -> Any:
        following = gx.tanh(item @ w @ w.T + h) + noise * gx.random.normal((4,))
        return following, (following * 2, h)

    last, (outputs, before) = gx.scan(step, x, w[:, 0], reverse=reverse)
    loss = gx.sum(outputs * outputs) + gx.sum(last)
    return [last, outputs, before, gx.grad(loss, w), gx.grad(loss, x)]


def nested(x: Any) -> Any:
    def step(total: Any, row: Any) -> Any:
        last, sums = gx.scan(lambda s, v: (s + v * gx.random.uniform(()), s), row, total)
        return last, sums

    return gx.scan(step, x, gx.constant(0.5))[1]


CASES = table()


def feeds(outputs: Any, rows: int, seed: int = 7) -> dict[Any, Any]:
    rng = np.random.default_rng(seed)
    sizes = {"n": rows, "m": rows + 2}
    made: dict[Any, Any] = {}
    for tensor in leaves(outputs).values():
        if tensor.kind == "input":
            shape = [sizes[str(e)] if not isinstance(e, int) else e for e in tensor.shape]
            draws = {"float": rng.normal(size=shape), "int": rng.integers(0, 4, size=shape), "bool": rng.random(shape) < 0.5}
            made[tensor] = draws[tensor.dtype]
    return made


def check(outputs: Any, given: dict[Any, Any], dtype: str, scale: float = 1.0) -> None:
    f = compile(outputs, dtype=dtype)
    assert [problem for c in f.program.calls for problem in verify_kernel(c.kernel)] == []
    got, want = f(*[given[t] for t in f.inputs]), gx.evaluate(outputs, given, dtype=dtype)
    for a, b in zip(got, want, strict=True) if isinstance(outputs, list) else [(got, want)]:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype] * scale, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 33])
@pytest.mark.parametrize("case", CASES)
def test_compiled_agrees_with_the_evaluator(case: str, rows: int, dtype: str) -> None:
    if rows == 0 and case in ("extremes", "winners", "moments", "whole numbers"):
        pytest.skip("the extremes of no whole numbers are not defined")
    check(CASES[case], feeds(CASES[case], rows), dtype)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 1e-30, -1e-8, 0.3, -0.7, 3.7, -20.0, 88.0, -88.0, 100.0, -110.0, np.inf, -np.inf, np.nan, 1e-42])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda r: r.name)
def test_every_scalar_function_everywhere(row: Any, dtype: str) -> None:
    a, b, c = (gx.tensor(name, ("n",)) for name in "abc")
    outputs = declare(row)(*(a, b, c)[: row.arity])
    rng = np.random.default_rng(0)
    if row.arity == 1:
        values = [np.concatenate([SPECIAL, rng.normal(size=200), rng.normal(size=200) * 30])]
    else:
        grid = np.meshgrid(*[np.concatenate([SPECIAL[:-1], rng.normal(size=5)])] * row.arity)
        values = [g.ravel() for g in grid]
    with np.errstate(all="ignore"):
        given = {t: x.astype(dtype) for t, x in zip((a, b, c), values, strict=False)}
        check(outputs, given, dtype)
