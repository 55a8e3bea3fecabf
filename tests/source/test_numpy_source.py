"""The NumPy source of every kind of stage gives what the evaluator gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.graph import leaves
from graphc.ops.arithmetic import ELEMENTWISE, declare
from graphc.source.module import numpy_source

i, j, k, u = gx.indices("i j k u")


def _leaf(name: str, shape: Any = ("n", 4), dtype: str = "float") -> Any:
    return gx.tensor(name, shape, dtype=dtype)


def _cases() -> dict[str, Any]:
    x, w, ids, flags = _leaf("x"), _leaf("layer/w", (4, 3)), _leaf("ids", ("n",), "int"), _leaf("lambda", ("n", 4), "bool")
    n = x.shape[0]
    table = {row.name: declare(row)(*[x * (k + 1.5) for k in range(row.arity)]) for row in ELEMENTWISE}
    return table | {
        "product": x @ w,
        "transposed": w.T @ x.T,
        "softmax": gx.softmax(x @ w),
        "sums": gx.sum(x, axis=0) + gx.prod(x, axis=0),
        "least": gx.min(x, axis=0),
        "whole": gx.sum(x) + gx.max(x) * gx.mean(x),
        "argmax": gx.argmax(x, axis=0),
        "both": [gx.max(x, axis=1), gx.argmax(x, axis=1)],
        "slices": x[1:, ::-2] * x[:, 1:3][1:, ::-1],
        "flags": gx.where(flags, x, 0.5) + flags,
        "counted": gx.sum(flags, axis=1) * ids,
        "scatter": gx.diag(x[:, 0]),
        "ids": gx.define("y", (i, k), w[ids[i], k] + 1),
        "window": gx.define("y", (i, j), gx.Sum(x[i + u - 1, j] * 2, u), outside=0, extents={i: n, u: 3}),
        "widest": gx.define("y", (i, j), gx.Max(x[i + u - 1, j] * 2, u), outside=0, extents={i: n, u: 3}),
        "indices": gx.define("y", (i, j), x[i, j] * i - sympy.Piecewise((j, j > 1), (0.5, True))),
        "repeated": gx.define("y", (i,), gx.Sum(x[i, 0] + j, j), extents={j: 3}),
        "reshape": gx.reshape(x, (-1,)) / n,
        "random": gx.random.normal((3, 4)) * x[0],
        "constant": x + gx.constant([np.inf, 1.0, -2.0, 0.0]),
        "running sum": [gx.cumsum(x, axis=0), gx.cumsum(ids)],
        "recurrence": recurrence(x, w),
        "next": gx.assign(gx.state("s", (4,)), x[0] * 3),
    }


def recurrence(x: Any, w: Any) -> list[Any]:
    def step(h: Any, item: Any) -> Any:
        following = gx.tanh(item @ w @ w.T + h) + 0.1 * gx.random.normal((4,))
        return following, (following * 2, h)

    last, (outputs, before) = gx.scan(step, x, w[:, 0], reverse=True)
    return [last, before, gx.grad(gx.sum(outputs * outputs) + gx.sum(last), w)]


CASES = _cases()


def _feeds(outputs: Any, rows: int) -> dict[Any, Any]:
    rng = np.random.default_rng(7)
    made: dict[Any, Any] = {}
    for tensor in leaves(outputs).values():
        shape = [rows if not isinstance(e, int) else e for e in tensor.shape]
        draws = {"float": rng.normal(size=shape), "int": rng.integers(0, 4, size=shape), "bool": rng.random(shape) < 0.5}
        made[tensor] = draws[tensor.dtype]
    return made


def _run(source: str, feeds: dict[Any, Any], name: str = "gradient", **options: Any) -> Any:
    space: dict[str, Any] = {}
    exec(compile(source, "<source>", "exec"), space)
    return space[name](**{t.name: v for t, v in feeds.items()}, **options)


@pytest.mark.parametrize("floats", ["float64", "float32"])
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("case", CASES)
def test_source_agrees_with_the_evaluator(case: str, rows: int, floats: str) -> None:
    outputs = CASES[case]
    if case == "slices" and rows == 1:
        rows = 2
    feeds = _feeds(outputs, rows)
    got = _run(numpy_source(outputs, floats=floats), feeds)
    want = gx.evaluate(outputs, feeds, dtype=floats, stabilise=False)
    tolerance = 1e-12 if floats == "float64" else 2e-5
    for a, b in zip(got, want, strict=True) if isinstance(outputs, list) else [(got, want)]:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_no_rows_at_all() -> None:
    outputs = [CASES["sums"], CASES["widest"], CASES["ids"]]
    feeds = _feeds(outputs, 0)
    for a, b in zip(_run(numpy_source(outputs), feeds), gx.evaluate(outputs, feeds), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ids_outside_their_range_are_refused() -> None:
    outputs = CASES["ids"]
    feeds = _feeds(outputs, 3)
    for bad in (-1, 4):
        broken = {t: np.full_like(v, bad) if t.dtype == "int" else v for t, v in feeds.items()}
        with pytest.raises(IndexError, match=str(bad)):
            _run(numpy_source(outputs), broken)


def test_seed_and_step_reach_the_draws() -> None:
    outputs = CASES["random"]
    feeds = _feeds(outputs, 2)
    got = _run(numpy_source(outputs), feeds, seed=3, step=5)
    np.testing.assert_allclose(got, gx.evaluate(outputs, feeds, seed=3, step=5), rtol=1e-12)


@pytest.mark.parametrize("name", ["np", "math", "values", "lambda", "a b", "'\"\\", "x\ny", "_sigmoid", "Ω", "seed", "v1", "1"])
def test_any_name_is_an_argument(name: str) -> None:
    a, b = gx.tensor(name, (2,)), gx.tensor("v1x", (2,))
    outputs = gx.sigmoid(a) * b
    feeds = {a: np.array([1.0, 2.0]), b: np.array([3.0, 4.0])}
    np.testing.assert_allclose(_run(numpy_source(outputs, name="f"), feeds, "f"), gx.evaluate(outputs, feeds))


def test_an_intermediate_may_be_an_argument() -> None:
    x = gx.tensor("x", (2,))
    h = gx.exp(x).named("h")
    source = numpy_source(h * 2, inputs=[h])
    np.testing.assert_allclose(_run(source, {h: np.array([1.0, 2.0])}), [2.0, 4.0])
    assert "np.exp" not in source


def test_source_is_the_same_every_time() -> None:
    assert numpy_source(_cases()["softmax"]) == numpy_source(_cases()["softmax"])
