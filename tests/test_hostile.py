"""Any text may name a tensor, and any layout of the same numbers may be its value."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx

NAMES = (
    "'", '"', '"""', "\\", "\\n", "a\nb", "{", "}", "{0}", "{x}", "%s", "$x$", "</svg>", "<b>&amp;", "a b", " ",
    "-", "1", "1x", "x0", "i0", "d0", "_x0", "#0",
    "x#3",
    "lambda", "def", "None", "class", "import os", "__import__('os')", "I", "E", "S", "N", "O", "Q", "pi", "zoo", "nan", "oo", "exp", "Sum", "np",
    "self", "ä", "θ", "∂L", "W₁", "日本", "🙂", "a/b", "a//b", "../x", "a.b", "a:b", "A;drop", "\t", "\x00",
    "x" * 300, "outputs", "dtype", "target", "seed", "step",
)  # fmt: skip

names = pytest.mark.parametrize("name", NAMES, ids=lambda n: ascii(n[:20]))


@names
def test_any_text_names_a_tensor(name: str) -> None:
    x, w = gx.tensor(name, ("n", 2)), gx.parameter(name + "'", (2, 2), init=[[1.0, 2.0], [3.0, 4.0]])
    i, j, k = gx.indices("i j k")
    y = gx.define(name + '"', (i, j), gx.Sum(sympy.tanh(x[i, k]) * w[k, j], k)).named("y of " + name)
    loss = gx.sum(gx.softmax(y) ** 2)
    value = np.array([[0.5, -1.0], [2.0, 0.0], [0.1, 0.2]])
    plain_x, plain_w = gx.tensor("x", ("n", 2)), gx.parameter("w", (2, 2), init=[[1.0, 2.0], [3.0, 4.0]])
    plain = gx.sum(gx.softmax(gx.tanh(plain_x) @ plain_w) ** 2)
    assert gx.evaluate(loss, {x: value}) == pytest.approx(float(gx.evaluate(plain, {plain_x: value})), rel=1e-14)
    np.testing.assert_allclose(gx.evaluate(gx.grad(loss, w), {x: value}), gx.evaluate(gx.grad(plain, plain_w), {plain_x: value}), rtol=1e-12)
    assert set(gx.leaves(loss)) == {name, name + "'"}
    assert name in repr(x)
    assert name in x.describe()


@names
def test_any_text_names_a_dimension(name: str) -> None:
    x = gx.tensor("x", (name, 2))
    i, j = gx.indices("i j")
    mean = gx.define("mean", (j,), gx.Sum(x[i, j], i) / x.shape[0])
    np.testing.assert_allclose(gx.evaluate(mean, {x: np.arange(6.0).reshape(3, 2)}), [2.0, 3.0])


def test_a_repeated_name_of_an_intermediate_is_no_clash() -> None:
    x = gx.tensor("x", (3,))
    y = (x * 2).named("h")
    z = gx.exp(y).named("h")
    np.testing.assert_allclose(gx.evaluate(y + z, {x: np.zeros(3)}), 1.0)


def strided() -> Any:
    return np.arange(48.0).reshape(8, 6)[::2, ::2]


GRID = strided().copy()
LAYOUTS: dict[str, Callable[[], Any]] = {
    "row-major": GRID.copy,
    "Fortran order": lambda: np.asfortranarray(GRID),
    "strided": strided,
    "flipped": lambda: GRID[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda: GRID.T.copy().T,
    "byte-swapped": lambda: GRID.astype(GRID.dtype.newbyteorder()),
    "big-endian single": lambda: GRID.astype(">f4"),
    "float16": lambda: GRID.astype(np.float16),
    "float32": lambda: GRID.astype(np.float32),
    "long double": lambda: GRID.astype(np.longdouble),
    "int8": lambda: GRID.astype(np.int8),
    "uint64": lambda: GRID.astype(np.uint64),
    "byte-swapped int16": lambda: GRID.astype(">i2"),
    "nested lists": lambda: GRID.tolist(),
    "lists of ints": lambda: [[int(v) for v in r] for r in GRID],
    "a tuple of arrays": lambda: tuple(GRID),
    "read-only": lambda: _read_only(GRID.copy()),
    "unaligned": lambda: _unaligned(GRID),
    "a masked view's data": lambda: np.ma.array(GRID).data,
    "a memory view": lambda: memoryview(GRID.copy()),
    "a matrix class": lambda: GRID.view(_Derived),
}


class _Derived(np.ndarray[Any, Any]):
    """A class of its own, such as units and frames have."""


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _unaligned(array: Any) -> Any:
    packed = np.zeros(array.shape, dtype=np.dtype([("pad", "i1"), ("value", "f8")]))
    packed["value"] = array
    return packed["value"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_numbers_in_any_layout(layout: str, dtype: str) -> None:
    x = gx.tensor("x", ("n", 3))
    given = LAYOUTS[layout]()
    before = np.array(given, copy=True)
    y, again = gx.evaluate([x @ x.T, x], {x: given}, dtype=dtype)
    np.testing.assert_allclose(y, GRID @ GRID.T)
    np.testing.assert_array_equal(again, GRID)
    assert type(y) is type(again) is np.ndarray
    assert y.dtype == again.dtype == dtype
    again[:] = -1.0  # outputs belong to the caller, and the caller's array is as it was
    np.testing.assert_array_equal(np.array(given), before)


def test_truth_values_in_any_form() -> None:
    m = gx.tensor("m", (3,), dtype="bool")
    for given in ([True, False, True], [1, 0, 1], np.array([1.0, 0.0, 1.0]), np.array([1, 0, 1], dtype=np.int8)):
        np.testing.assert_array_equal(gx.evaluate(gx.where(m, 2.0, 3.0), {m: given}), [2.0, 3.0, 2.0])
    x = gx.tensor("x", (3,))
    np.testing.assert_array_equal(gx.evaluate(2 * x, {x: [True, False, True]}), [2.0, 0.0, 2.0])


def test_whole_numbers_in_any_form() -> None:
    ids = gx.tensor("ids", (3,), dtype="int")
    for given in ([2, 0, 1], np.array([2.0, 0.0, 1.0]), np.array([2, 0, 1], dtype=">u2"), np.array([2, 0, 1], dtype=np.int64)[::1]):
        value = gx.evaluate(ids * 2, {ids: given})
        np.testing.assert_array_equal(value, [4, 0, 2])
        assert value.dtype == np.int64


def test_a_constant_keeps_the_value_it_was_given() -> None:
    given = np.ones(3)
    c = gx.constant(given)
    given[:] = 5.0
    np.testing.assert_array_equal(gx.evaluate(c), np.ones(3))
    c.value[:] = 7.0
    np.testing.assert_array_equal(gx.evaluate(c), np.ones(3))


def test_a_parameter_belongs_to_itself() -> None:
    given = np.ones((2, 2))
    w = gx.parameter("w", (2, 2), init=given)
    given[:] = 5.0
    w.value[:] = 7.0
    np.testing.assert_array_equal(w.value, np.ones((2, 2)))
    result = gx.evaluate(w)
    result[:] = 3.0
    np.testing.assert_array_equal(w.value, np.ones((2, 2)))
    w.value = np.asfortranarray([[1, 2], [3, 4]])
    np.testing.assert_array_equal(gx.evaluate(w @ [1.0, 1.0]), [3.0, 7.0])


def test_a_number_may_stand_wherever_a_tensor_may() -> None:
    x = gx.tensor("x", (2,))
    for two in (2, 2.0, np.float32(2), np.int8(2), np.array(2.0), gx.constant(2), np.longdouble(2), True + 1):
        values = gx.evaluate([x * two, two * x, x**two, two - x, gx.maximum(x, two), gx.where(x > two, x, two)], {x: [1.0, 3.0]})
        for value, expected in zip(values, ([2, 6], [2, 6], [1, 9], [1, -1], [2, 3], [2, 3]), strict=True):
            np.testing.assert_array_equal(value, expected)


def test_size_0_and_1_everywhere() -> None:
    for n in (0, 1):
        x, w = gx.tensor("x", ("n", 3)), gx.parameter("w", (3, 2), init=1.0)
        h = gx.relu(x @ w)
        loss = gx.sum(gx.log_softmax(h) ** 2)
        value, gradient = gx.evaluate([loss, gx.grad(loss, w)], {x: np.ones((n, 3))})
        assert np.isfinite(value)
        assert gradient.shape == (3, 2)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@names
def test_any_text_names_an_input_of_a_compiled_function(name: str, target: str) -> None:
    x = gx.tensor(name, ("n", 2))
    f = gx.compile(gx.sum(gx.tanh(x) * 2), target=target, dtype="float64")
    value = np.array([[0.5, -1.0], [2.0, 0.0]])
    assert float(f(**{name: value})) == pytest.approx(float(np.sum(np.tanh(value) * 2)), rel=1e-12)
    assert f.source


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_compiled_function_takes_the_same_numbers_in_any_layout(target: str) -> None:
    x = gx.tensor("x", ("n", 3))
    f = gx.compile([x @ x.T, x + 0 * x], target=target, dtype="float64")
    for layout, make in LAYOUTS.items():
        given = make()
        before = np.array(given, copy=True)
        y, again = f(given)
        np.testing.assert_allclose(y, GRID @ GRID.T, err_msg=layout)
        np.testing.assert_array_equal(again, GRID, err_msg=layout)
        again[:] = -1.0  # outputs belong to the caller
        np.testing.assert_array_equal(np.array(given), before, err_msg=layout)
        np.testing.assert_allclose(f(given)[1], GRID, err_msg=layout)


@names
def test_any_text_is_drawn_and_derived(name: str) -> None:
    x, w = gx.tensor(name, ("n", 2)), gx.parameter(name + "'", (2,), init=1.0)
    y = gx.sum(gx.tanh(x @ w).named("y of " + name) ** 2)
    ET.fromstring(gx.draw(y, at={x: np.ones((2, 2))}).svg)
    derivation = gx.derive(y, w)
    assert derivation.verify().ok
    assert derivation.latex
