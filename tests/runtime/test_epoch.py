"""Whole epochs in compiled code: the same numbers as step by step, and no Python in between."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.runtime import compile, epoch

RNG = np.random.default_rng(3)
MATRIX = gx.tensor("matrix", ("n", 2))
X, Y = RNG.normal(size=(50, 4)), RNG.normal(size=(50, 2))


def step() -> tuple[Any, Any, list[Any], Any]:
    x, y = gx.tensor("x", ("n", 4)), gx.tensor("y", ("n", 2))
    w = gx.parameter("w", (4, 2), init=np.linspace(-1, 1, 8).reshape(4, 2))
    m = gx.state("m", (4, 2), init=0.0)
    error = x @ w - y + 0.1 * gx.random.normal(("n", 2))
    loss = gx.sum(error * error) / x.shape[0]
    gradient = gx.grad(loss, w)
    moved = 0.9 * m + gradient
    return x, y, [loss, gx.assign(m, moved), gx.assign(w, w - 0.01 * moved)], w


@pytest.mark.parametrize(("dtype", "target"), [("float64", "cpu"), ("float32", "cpu"), ("float64", "numpy")])
@pytest.mark.parametrize("size", [1, 7, 16, 50, 64])
def test_an_epoch_is_its_steps(size: int, dtype: str, target: str) -> None:
    order = RNG.permutation(50)
    x, y, outputs, w = step()
    f = compile(outputs, dtype=dtype, target=target)
    means = f.run({x: X, y: Y}, order, size, seed=5, first_step=3)
    trained = w.value
    x, y, outputs, w = step()
    g = compile(outputs, dtype=dtype)
    total = 0.0
    for k, start in enumerate(range(0, 50, size)):
        rows = order[start : start + size]
        total += float(g(X[rows], Y[rows], seed=5, step=3 + k)[0]) * len(rows)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(w.value, trained, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(means[0], total / 50, rtol=tolerance)
    assert np.isnan(means[1])


def count_calls(function: Any) -> int:
    count = 0

    def look(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_python_calls_do_not_grow_with_the_batches() -> None:
    x, y, outputs, _ = step()
    f = compile(outputs)
    few, many = np.arange(50).repeat(4), np.arange(50).repeat(40)
    a, b = X.astype(np.float32), Y.astype(np.float32)
    for order in (few, many):
        f.run({x: a, y: b}, order, 10)
    calls = [count_calls(lambda order=order: f.run({x: a, y: b}, order, 10)) for order in (few, many)]
    assert calls[1] < calls[0] + 100


def test_positions_out_of_range_are_refused() -> None:
    x, y, outputs, w = step()
    before = w.value
    f = compile(outputs)
    for bad in (50, -1):
        with pytest.raises(gx.DataError, match=f"position {bad}"):
            f.run({x: X, y: Y}, np.array([bad, 1, 2]), 3)
        np.testing.assert_array_equal(w.value, before)


def test_a_callback_may_end_the_run_between_batches() -> None:
    x, y, outputs, w = step()
    f = compile(outputs)
    seen: list[int] = []

    def stop(done: int, total: int, means: list[float]) -> None:
        seen.append(done)
        raise KeyboardInterrupt

    before = w.value
    with pytest.raises(KeyboardInterrupt):
        f.run({x: X, y: Y}, np.arange(50), 1, on_slice=stop)
    assert 0 < seen[0] < 50
    assert not np.array_equal(w.value, before)


def test_arrays_of_unequal_length_and_missing_ones() -> None:
    x, y, outputs, _ = step()
    f = compile(outputs)
    with pytest.raises(gx.DataError, match="samples"):
        f.run({x: X, y: Y[:3]}, np.arange(3), 2)
    with pytest.raises(gx.DataError, match="y"):
        f.run({x: X}, np.arange(3), 2)


def test_recurrences_in_an_epoch_with_a_short_batch() -> None:
    x, w = gx.tensor("x", ("n", 4)), gx.parameter("w", (4,), init=0.1)
    _, sums = gx.scan(lambda h, item: (gx.tanh(h + item), h * item), x.T, gx.broadcast_to(w[0], (x.shape[0],)))
    loss = gx.sum(sums) / x.shape[0]
    outputs = [loss, gx.assign(w, w - 0.1 * gx.grad(loss, w))]
    f, order = compile(outputs, dtype="float64"), np.arange(50)[::-1].copy()
    mean = f.run({x: X}, order, 16)[0]
    got, w.value = w.value, 0.1
    want = sum(float(f(X[order[s : s + 16]])[0]) * len(order[s : s + 16]) for s in range(0, 50, 16)) / 50
    np.testing.assert_allclose(mean, want, rtol=1e-12)
    np.testing.assert_allclose(got, w.value, rtol=1e-12)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("rows", [0, 1, 5, 8, 50])
def test_rows_are_mapped(rows: int, target: str) -> None:
    x, scale = gx.tensor("x", ("n", 4)), gx.tensor("scale", ())
    w = gx.parameter("w", (4, 3), init=0.5)
    outputs = [gx.softmax(x @ w) * scale, gx.argmax(x, axis=1)]
    f = compile(outputs, dtype="float64", target=target)
    got = f.map({x: X[:rows]}, batch_size=8, fixed={scale: 2.0})
    for a, b in zip(got, gx.evaluate(outputs, {x: X[:rows], scale: 2.0}), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
        assert a.dtype == b.dtype


def test_only_rows_can_be_mapped() -> None:
    x = gx.tensor("x", ("n", 4))
    with pytest.raises(gx.DataError, match="no row for each sample"):
        compile([gx.sum(x)]).map({x: X})


def weighing() -> tuple[Any, Any]:
    """The mean of weighted rows, which follows any order and any data."""
    x = gx.tensor("x", ("n", 6000))
    return x, compile([gx.mean(gx.sum(x * np.linspace(-1, 1, 6000), axis=1))], dtype="float64")


def mean_of(data: Any) -> float:
    return float((data @ np.linspace(-1, 1, 6000)).mean())


def test_a_run_that_is_met_again_reads_the_arrays_as_they_are_now() -> None:
    x, f = weighing()
    data = RNG.normal(size=(11, 6000))

    def agrees(given: Any, order: Any, size: int = 4) -> None:
        np.testing.assert_allclose(f.run({x: given}, order, size)[0], mean_of(np.asarray(given)[order]), rtol=1e-9)

    for order in (np.arange(11), np.arange(11)[::-1], np.arange(5), np.arange(11)):
        agrees(data, order)
    assert len(f.plans) == 2
    data *= 2
    agrees(data, np.arange(11))
    for _ in range(5):  # other arrays, which may lie where a former one lay
        agrees(RNG.normal(size=(11, 6000)), np.arange(11))
    agrees(RNG.normal(size=(11, 6000)).tolist(), np.arange(11))
    single = data.astype(np.float32)  # is converted for each run
    agrees(single, np.arange(11))
    single += 1
    agrees(single, np.arange(11))
    for size in (1, 11, 4, 3):
        agrees(data, np.arange(11), size)
    assert len(f.plans) <= 4


def test_a_callback_may_run_the_same_program() -> None:
    x, f = weighing()
    data, other = RNG.normal(size=(40, 6000)), RNG.normal(size=(40, 6000))
    seen: list[float] = []

    def inside(done: int, total: int, means: list[float]) -> None:
        if done < total:
            seen.append(f.run({x: data}, np.arange(40), 1)[0])
            seen.append(f.run({x: other}, np.arange(40), 1)[0])
            seen.append(float(f(other)[0]))

    f.pace[1] = 13
    f.run({x: data}, np.arange(40), 1)
    f.pace[1] = 13
    np.testing.assert_allclose(f.run({x: data}, np.arange(40), 1, on_slice=inside)[0], mean_of(data), rtol=1e-9)
    np.testing.assert_allclose(seen, [mean_of(d) for d in (data, other, other)] * (len(seen) // 3), rtol=1e-9)
    assert seen


def test_a_value_that_a_callback_sets_counts_from_then_on() -> None:
    x, w = gx.tensor("x", ("n", 2)), gx.parameter("w", (2,), init=1.0)
    f = compile([gx.sum(x @ w), gx.assign(w, w * 1.0)], dtype="float64")

    def set_to_zero(done: int, total: int, means: list[float]) -> None:
        w.value = np.zeros(2)

    f.pace[1] = 1
    mean = f.run({x: np.ones((4, 2))}, np.arange(4), 1, on_slice=set_to_zero)[0]
    assert mean < 2.0
    np.testing.assert_array_equal(w.value, np.zeros(2))


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_what_has_no_row_for_each_sample_is_not_mapped(target: str) -> None:
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", ("m",))
    for other in (y * 3, x[2:] * 3, gx.concatenate([x, x]), gx.sum(x)):
        f = compile([x * 2, other], target=target)
        fixed = {y: np.ones(2)} if y in f.inputs else {}
        with pytest.raises(gx.DataError, match="has no row for each sample"):
            f.map({x: np.arange(10.0)}, 4, fixed=fixed)


def growing(count: int) -> tuple[Any, Any, Any, list[Any]]:
    """Sums over windows of which there are more when there are fewer samples."""
    i, k = gx.indices("i k")
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", (count,))
    z = gx.define("z", (i,), gx.Sum(x[k] * y[i + k], k))
    sums = gx.cumsum(gx.tanh(z), axis=0)
    return x, y, gx.sum(gx.cumsum(sums * sums, axis=0)), [x * gx.sum(sums)]


def test_a_short_batch_that_needs_more_memory_runs_by_itself() -> None:
    x, y, total, rows = growing(100)
    X, Y = np.linspace(0, 1, 94), np.linspace(-1, 1, 100)
    f = compile(total, dtype="float64")
    seen: list[tuple[int, int, float]] = []
    got = f.run({x: X}, np.arange(94), 90, fixed={y: Y}, on_slice=lambda done, batches, means: seen.append((done, batches, means[0])))
    values = [float(gx.evaluate(total, {x: part, y: Y})) for part in (X[:90], X[90:])]
    want = (values[0] * 90 + values[1] * 4) / 94
    np.testing.assert_allclose(got, [want], rtol=1e-12)
    assert [s[:2] for s in seen] == [(1, 2), (2, 2)]
    np.testing.assert_allclose([s[2] for s in seen], [values[0], want], rtol=1e-12)
    (mapped,) = compile(rows, dtype="float64").map({x: X}, 90, fixed={y: Y})
    parts = [gx.evaluate(rows, {x: part, y: Y})[0] for part in (X[:90], X[90:])]
    np.testing.assert_allclose(mapped, np.concatenate(parts), rtol=1e-12)


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_done_when_ctrl_c_comes_counts(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, outputs, w = step()
    f = compile(outputs, dtype="float64")
    f(X[:8], Y[:8])
    m = next(t for t in gx.leaves(outputs).values() if t.name == "m")
    before = [w.value, m.value]

    def interrupted(run: Any) -> Any:
        def both(*row: Any) -> None:
            run(*row)
            raise KeyboardInterrupt

        return both

    if whole:
        prepare = epoch.Plan.prepare

        def prepared(plan: Any, *arguments: Any) -> None:
            prepare(plan, *arguments)
            plan.run = interrupted(plan.run)

        monkeypatch.setattr(epoch.Plan, "prepare", prepared)
    else:
        monkeypatch.setattr(f, "_execute", interrupted(f._execute))
    with pytest.raises(KeyboardInterrupt):
        _ = f.run({x: X, y: Y}, np.arange(50), 1) if whole else f(X[:8], Y[:8])
    for tensor, old in zip((w, m), before, strict=True):
        assert not np.array_equal(tensor.value, old)
        np.testing.assert_array_equal(tensor.value, f._latest.mirrors[tensor].array)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
def test_sizes_of_batches_that_mean_nothing(size: Any, target: str) -> None:
    x = gx.tensor("x", ("n",))
    with pytest.raises(gx.DeclarationError, match="batch_size"):
        compile(x * 2, target=target).map({x: np.ones(4)}, size)
    with pytest.raises(gx.DeclarationError, match="batch_size"):
        compile(gx.sum(x), target=target).run({x: np.ones(4)}, np.arange(4), size)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_arrays_of_unequal_length_are_told(target: str) -> None:
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", ("m",))
    f = compile([x * 2, y * 2], target=target)
    with pytest.raises(gx.DataError, match="samples"):
        f.map({x: np.ones(4), y: np.ones(3)}, 2)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_rows_that_depend_on_how_many_samples_there_are(target: str) -> None:
    x, y = gx.tensor("x", ("n", 3)), gx.tensor("y", ("m", 3))
    for output, arrays in ((x @ x.T, {x: np.ones((10, 3))}), (x @ y.T, {x: np.ones((10, 3)), y: np.ones((10, 3))})):
        with pytest.raises(gx.DataError, match="depend on how many samples there are"):
            compile(output, target=target).map(arrays, 4)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_arguments_of_runs_that_do_not_fit(target: str) -> None:
    x, u, s = gx.tensor("x", ("n", 3)), gx.tensor("u", ("n",)), gx.scalar("s")
    f, given = compile([gx.sum(x)], target=target), {x: np.ones((10, 3))}
    both = compile([gx.sum(x) * s], target=target)
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: f.run(given, np.arange(10) > 4, 4), "entries of type bool"),
        (lambda: f.run(given, np.array([0.5, 1.7]), 4), "entries of type float64"),
        (lambda: f.run(given, np.arange(10), 4, fixed=given), "another one among fixed"),
        (lambda: both.run({**given, s: 3.0}, np.arange(10), 4), "is given a number, which has no samples"),
        (lambda: f.run({"x": given[x]}, np.arange(10), 4), "has no array"),  # type: ignore[dict-item]
        (lambda: compile([x * 2], target=target).map({u: np.zeros(5), **given}, 4), "have 5, 10 samples"),
    ]
    for call, message in calls:
        with pytest.raises(gx.DataError, match=message):
            call()
    assert f.run(given, [], 4) == [0.0]


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_the_bound_of_an_id_is_that_of_its_batch(target: str) -> None:
    x, i = gx.tensor("x", ("n", 3)), gx.tensor("i", ("m",), dtype="int")
    for rows in (x, gx.tanh(x)):  # the second ones have samples of their own
        f = compile([gx.sum(gx.take(rows, i, axis=0)), gx.sum(gx.tanh(x))], target=target)
        with pytest.raises(gx.DataError, match=r"i holds 3, and axis 0 of .* runs from 0 to 1"):
            f.run({x: np.ones((10, 3))}, np.arange(10), 4, fixed={i: np.array([0, 3])})


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (gx.DeclarationError, {"seed": None}, "seed=None is no whole number"),
        (gx.DeclarationError, {"seed": 1.5}, "seed=1.5 is no whole number"),
        (gx.DeclarationError, {"first_step": "q"}, "first_step='q' is no whole number"),
        (gx.DataError, {"batched": None}, "batched is no dictionary but of type NoneType"),
        (gx.DataError, {"batched": [np.ones(3)]}, "batched is no dictionary but of type list"),
        (gx.DataError, {"fixed": 3}, "fixed is no dictionary but of type int"),
        (gx.DataError, {"batched": {MATRIX: [[1.0, 2.0], [3.0]]}}, "rows of unequal lengths"),
    ],
)
def test_seeds_steps_and_tables_that_mean_nothing(kind: Any, given: dict[str, Any], message: str, target: str) -> None:
    f = gx.compile(gx.sum(MATRIX, axis=1) + gx.random.uniform((MATRIX.shape[0],)), target=target)
    arguments = {"batched": {MATRIX: np.ones((3, 2))}, "seed": 0, "first_step": 0, **given}
    for run in (f.map, functools.partial(f.run, order=[0, 1, 2], batch_size=2)):
        with pytest.raises(kind, match=message):
            run(**arguments)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_steps_beyond_32_bits_begin_anew(target: str) -> None:
    f = gx.compile(gx.random.uniform((MATRIX.shape[0],)), [MATRIX], target=target)
    np.testing.assert_array_equal(*(f.map({MATRIX: np.ones((5, 2))}, 2, first_step=step)[0] for step in (2**64 + 7, 7)))
