"""Programs on CUDA, in numba-cuda's simulator or on a device, beside the evaluator and the CPU.

`test_cuda.py` runs this file in processes of their own, since the simulator is chosen when Numba is first imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc import models
from graphc.codegen.cuda.available import missing
from graphc.ops.arithmetic import ELEMENTWISE, declare
from tests.operations import ROWS, ROWS_OF_FLOATS
from tests.rows.row import Row
from tests.runtime.test_compile import CASES, SPECIAL, TOLERANCE, feeds
from tests.test_compiled import compare

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"runs in the simulator or on a device: {missing()}")


def agree(got: Any, want: Any, tolerance: float) -> None:
    for a, b in zip(got, want, strict=True) if isinstance(want, list) else [(got, want)]:
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("case", CASES)
def test_a_stage_of_every_kind(case: str, rows: int) -> None:
    if rows == 0 and case in ("extremes", "winners", "moments", "whole numbers"):
        pytest.skip("the extremes of no whole numbers are not defined")
    dtype = "float32" if rows == 7 else "float64"
    given = feeds(CASES[case], rows)
    f = gx.compile(CASES[case], dtype=dtype, target="cuda")
    agree(f(*[given[t] for t in f.inputs]), gx.evaluate(CASES[case], given, dtype=dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("row", {row.name: row for row in ROWS if row not in ROWS_OF_FLOATS}.values(), ids=lambda r: r.id)
def test_a_row_of_the_table_of_operations(row: Row) -> None:
    compare(row, "cuda", "float32", gradients=False)


@pytest.mark.parametrize("row", {row.name: row for row in ROWS_OF_FLOATS}.values(), ids=lambda r: r.id)
def test_a_row_with_its_gradients(row: Row) -> None:
    compare(row, "cuda", "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda r: r.name)
def test_every_scalar_function_at_special_places(row: Any, dtype: str) -> None:
    tensors = [gx.tensor(name, ("n",)) for name in "abc"][: row.arity]
    special = SPECIAL if row.arity == 1 else SPECIAL[[0, 2, 3, 6, 7, 14, 15]]
    given = {t: g.ravel().astype(dtype) for t, g in zip(tensors, np.meshgrid(*[special] * row.arity), strict=True)}
    outputs = declare(row)(*tensors)
    with np.errstate(all="ignore"):
        agree(gx.compile(outputs, tensors, dtype=dtype, target="cuda")(*given.values()), gx.evaluate(outputs, given, dtype=dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_linear_algebra(n: int) -> None:
    rng = np.random.default_rng(n)
    a, h, k = tensors = [gx.tensor(name, ("b", "n", "n")) for name in "ahk"]
    first = gx.grad(gx.sum(gx.linalg.det(a)), a)
    second = gx.grad(gx.sum(first * h), a)
    outputs = [gx.linalg.inv(a), gx.linalg.det(a), gx.linalg.logdet(a), first, second, gx.grad(gx.sum(second * k), a)]
    arrays = [rng.normal(size=(2, n, n)) for _ in tensors]
    f = gx.compile(outputs, tensors, dtype="float64", target="cuda")
    agree(f(*arrays), gx.evaluate(outputs, dict(zip(tensors, arrays, strict=True))), 1e-9)


def test_random_numbers_are_the_same_bits() -> None:
    u = [gx.random.uniform((37,)), gx.random.uniform((5, 3), key=9)]
    options = {"seed": 2**40 + 17, "step": 3}
    for dtype in ("float32", "float64"):
        for a, b in zip(gx.compile(u, dtype=dtype, target="cuda")(**options), gx.compile(u, dtype=dtype)(**options), strict=True):
            np.testing.assert_array_equal(a, b)


def test_ids_are_checked_before_states_change() -> None:
    table, count = gx.parameter("table", (4, 2), init=1.0), gx.state("count", (), init=0.0)
    ids = gx.tensor("ids", ("n",), dtype="int")
    rows = gx.take(table, ids, axis=0)
    outputs = [rows, gx.assign(count, count + 1), gx.assign(table, table - gx.grad(gx.sum(rows * rows), table))]
    f = gx.compile(outputs, target="cuda")
    for bad in (4, -1):
        with pytest.raises(gx.DataError, match=f"ids holds {bad}, and axis 0 of table runs from 0 to 3"):
            f([0, bad, 1])
    assert count.value == 0
    f([3, 3, 0])
    assert count.value == 1
    np.testing.assert_array_equal(table.value, [[-1, -1], [1, 1], [1, 1], [-3, -3]])


def test_a_singular_matrix_is_named() -> None:
    a = gx.tensor("a", (2, 2, 2))
    with pytest.raises(gx.DataError, match="singular"):
        gx.compile(gx.linalg.inv(a), target="cuda")([np.eye(2), np.ones((2, 2))])


def test_states_are_shared_with_programs_for_the_cpu() -> None:
    total, steps, x = gx.state("total", (3,), init=1.0), gx.state("steps", (), init=0, dtype="int"), gx.tensor("x", (3,))
    outputs = [total * 2, gx.assign(total, total + x), gx.assign(steps, steps + 1)]
    here, there = gx.compile(outputs, [x], target="cuda"), gx.compile(outputs, [x])
    for k, f in enumerate([here, there, there, here, here], 1):
        old, new, _ = f([1.0, 2.0, 3.0])
        np.testing.assert_array_equal(old, 2 * (1 + (k - 1) * np.array([1.0, 2.0, 3.0])))
        np.testing.assert_array_equal(new, 1 + k * np.array([1.0, 2.0, 3.0]))
    assert steps.value == 5
    total.value = np.zeros(3)
    np.testing.assert_array_equal(here(np.ones(3))[1], np.ones(3))


def test_states_that_exchange_their_values() -> None:
    a, b = gx.state("a", (2,), init=1.0), gx.state("b", (2,), init=2.0)
    f = gx.compile([gx.assign(a, b), gx.assign(b, a)], target="cuda")
    for _ in range(3):
        f()
    np.testing.assert_array_equal([a.value, b.value], [[2, 2], [1, 1]])


def test_source_has_a_launch_for_each_loop() -> None:
    x = gx.tensor("x", ("n", 30))
    source = gx.compile([gx.sum(x, axis=0), gx.tanh(x)], target="cuda").source
    assert source.count("@cuda.jit") == 4  # the sum is cleared, then adds rows in groups, then those that are left
    assert "math.tanh" in source
    compile(source, "source", "exec")


def mlp() -> Any:
    return models.Sequential([K.Dense(7, activation="tanh"), K.Dropout(0.2), K.Dense(3, activation="softmax")])


def convolutional() -> Any:
    convolution = K.Conv2D(2, 3, padding="same", strides=2, activation="relu")
    return models.Sequential([convolution, K.MaxPooling2D(2), K.BatchNormalization(), K.Flatten(), K.Dense(3, activation="softmax")])


def recurrent() -> Any:
    return models.Sequential([K.Embedding(6, 3), K.LSTM(4), K.Dense(3, activation="softmax")])


MODELS: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "layers": (mlp, (5,), "float"),
    "convolutions": (convolutional, (7, 7, 2), "float"),
    "a recurrence": (recurrent, (4,), "int"),
}


@pytest.mark.parametrize("case", MODELS)
def test_training_steps_are_those_of_the_cpu(case: str) -> None:
    make, shape, kind = MODELS[case]
    rng = np.random.default_rng(5)
    x = rng.normal(size=(9, *shape)) if kind == "float" else rng.integers(0, 6, (9, *shape))
    y = rng.integers(0, 3, 9)
    weights: list[list[Any]] = []
    losses: list[Any] = []
    for target in ("cpu", "cuda"):
        model = make()
        model.compile("adam", "sparse_categorical_crossentropy", target=target, dtype="float64")
        losses.append(model.fit(x, y, epochs=2, batch_size=4, seed=3, verbose=0).history["loss"])
        weights.append([*model.get_weights(), model.predict(x, verbose=0)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9)
    for a, b in zip(weights[1], weights[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
