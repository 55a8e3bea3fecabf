"""How a compiled function is called, and what it says when it is called wrongly."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.codegen import cache
from graphc.runtime import Compiled, compile

HOSTILE = ["np", "row", "i0", "b0", "lambda", "a b", "'\"\\", "x\ny", "Ω", "seed", "self", "control", "1", "__import__('os')", "{x}"]


def pair() -> tuple[Any, Any, Compiled]:
    x, y = gx.tensor("x", ("n",)), gx.tensor("y", ("n",))
    return x, y, compile(x - y, dtype="float64")


def test_by_position_and_by_name() -> None:
    _, _, f = pair()
    assert [t.name for t in f.inputs] == ["x", "y"]
    for got in (f([3, 4], [1, 1]), f(x=[3, 4], y=[1, 1]), f([3, 4], y=[1, 1]), f(y=[1, 1], x=[3, 4])):
        np.testing.assert_array_equal(got, [2, 3])


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_any_text_names_an_input(name: str, target: str) -> None:
    x, w = gx.tensor(name, (2,)), gx.parameter("w " + name, (2,), init=[2.0, 3.0])
    f = compile(gx.sigmoid(x * w).named("h" + name), dtype="float64", target=target)
    given = {name: np.array([1.0, -1.0])}
    if name not in ("seed", "self"):
        np.testing.assert_allclose(f(**given), gx.evaluate(gx.sigmoid(x * w), {x: given[name]}))
    np.testing.assert_allclose(f(given[name]), gx.evaluate(gx.sigmoid(x * w), {x: given[name]}))
    assert isinstance(f.source, str)
    assert isinstance(f.explain(), str)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda f: f([1.0]), gx.DataError, "y"),
        (lambda f: f([1.0], [1.0], [1.0]), gx.DataError, "3 arrays"),
        (lambda f: f([1.0], z=[1.0]), gx.DataError, "no input called z"),
        (lambda f: f([1.0], x=[1.0]), gx.DataError, "twice"),
        (lambda f: f([1.0], [1.0, 2.0]), gx.DataError, "one name is one size"),
        (lambda f: f([[1.0]], [1.0]), gx.DataError, "axes"),
        (lambda f: f(["a"], [1.0]), gx.DataError, "no real numbers"),
        (lambda f: f([1.0], [1.0], seed=0.5), gx.DeclarationError, "whole number"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call: Any, error: type[Exception], text: str) -> None:
    _, _, f = pair()
    with pytest.raises(error, match=text):
        call(f)


LAYOUTS: dict[str, Any] = {
    "strided": lambda a: np.repeat(a, 2, 0)[::2],
    "fortran": np.asfortranarray,
    "swapped": lambda a: a.astype(">f8"),
    "half": lambda a: a.astype(np.float16),
    "list": lambda a: a.tolist(),
    "negative strides": lambda a: a[::-1].copy()[::-1],
    "read only": lambda a: (a.setflags(write=False), a)[1],
    "whole": lambda a: a.astype(np.int8),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_means_the_same_numbers(layout: str) -> None:
    x = gx.tensor("x", ("n", 3))
    values = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(compile(x * 2)(LAYOUTS[layout](values.copy())), values * 2)


def test_another_size_compiles_nothing() -> None:
    x, w = gx.tensor("x", ("n", 6)), gx.parameter("w", (6, 5), init=1.0)
    f = compile(gx.softmax(gx.tanh(x @ w)))
    f(np.ones((3, 6)))
    before = dict(cache._loaded)
    for rows in (1, 17, 40):
        assert f(np.ones((rows, 6))).shape == (rows, 5)
    assert cache._loaded == before


def test_an_equal_program_compiles_nothing() -> None:
    def build(n: int) -> Any:
        x, w = gx.tensor(f"x{n}", ("n", 6 + n)), gx.parameter("w", (6 + n, 5 + n), init=1.0)
        return compile(gx.sum(gx.tanh(x @ w)))

    build(0)
    before = dict(cache._loaded)
    build(3)
    assert cache._loaded == before


def test_guards_are_checked_and_quoted() -> None:
    x, y = gx.tensor("x", ("n", 2)), gx.tensor("y", (3, 2))
    f = compile(x + y)
    assert f(np.ones((3, 2)), np.ones((3, 2))).shape == (3, 2)
    with pytest.raises(gx.ShapeError, match="do not fit"):
        f(np.ones((4, 2)), np.ones((3, 2)))


def test_a_size_that_no_array_has() -> None:
    with pytest.raises(gx.DataError, match="m"):
        compile(gx.random.uniform(("m",)))()


def test_inputs_may_be_chosen_and_ordered() -> None:
    x, w = gx.tensor("x", (2,)), gx.parameter("w", (2,), init=1.0)
    h = x * 3
    f = compile(gx.sum(h * w), inputs=[w, x])
    assert f([2.0, 2.0], [1.0, 1.0]) == 12
    assert compile(gx.sum(h * w), inputs=[h])([1.0, 1.0]) == 2
    with pytest.raises(gx.CompileError, match="not among inputs"):
        compile(gx.sum(h * w), inputs=[w])


def test_inputs_may_be_names_or_one_tensor() -> None:
    x, w = gx.tensor("x", (2,)), gx.parameter("w", (2,), init=1.0)
    y = gx.sum(x * w)
    for target in ("cpu", "numpy"):
        assert compile(y, inputs=["w", x], target=target)([2.0, 3.0], [1.0, 10.0]) == 32
        assert compile(y, inputs=x, target=target)([1.0, 10.0]) == 11
        assert compile(y, inputs="x", target=target)([1.0, 10.0]) == 11


@pytest.mark.parametrize(("chosen", "text"), [(["q"], "'q'.*: x, w$"), ([3], "3.*: x, w$"), (["x", "x"], r"x\(2,\) twice")])
def test_inputs_that_are_none_are_named(chosen: Any, text: str) -> None:
    x, w = gx.tensor("x", (2,)), gx.parameter("w", (2,), init=1.0)
    with pytest.raises(gx.DeclarationError, match=text):
        compile(gx.sum(x * w), inputs=chosen)


def test_an_input_twice_is_named() -> None:
    x = gx.tensor("x", (2,))
    with pytest.raises(gx.DeclarationError, match="twice"):
        compile(2 * x, inputs=[x, x.named("again")])


def test_an_unused_input_is_taken() -> None:
    x, y = gx.tensor("x", (2,)), gx.tensor("y", ("n",))
    assert compile(gx.sum(x), inputs=[x, y])([1.0, 2.0], [1.0, 2.0, 3.0]) == 3


@pytest.mark.parametrize("options", [{"target": "tpu"}, {"dtype": "float16"}])
def test_what_cannot_be_compiled_says_so(options: dict[str, str]) -> None:
    with pytest.raises(gx.CompileError, match=r"target|dtype"):
        compile(gx.tensor("x", (2,)) * 2, **options)


def test_draws_are_those_of_the_evaluator_and_calls_are_counted() -> None:
    x = gx.tensor("x", (5,))
    y = x * gx.random.normal((5,)) + gx.random.uniform((5,))
    f = compile(y, dtype="float64")
    ones = np.ones(5)
    for step in range(3):
        np.testing.assert_allclose(f(ones, seed=2**33 + 5), gx.evaluate(y, {x: ones}, seed=2**33 + 5, step=step), rtol=1e-12)
    np.testing.assert_allclose(f(ones, step=1), gx.evaluate(y, {x: ones}, step=1), rtol=1e-12)


def test_uniform_bits_are_equal_in_single_precision() -> None:
    u = gx.random.uniform((1000,))
    np.testing.assert_array_equal(compile(u)().astype(np.float64), gx.evaluate(u, {}))


def test_source_and_explanation_show_formulas() -> None:
    x, w = gx.tensor("x", ("n", 3)), gx.parameter("w", (3, 2), init=1.0)
    f = compile(gx.tanh(x @ w).named("h"))
    f(np.ones((4, 3)))
    assert "sum over k: w[k, j]*x[i, k]" in f.source
    assert "tanh(" in f.source
    assert "contraction" in f.explain()
    assert "bytes" in f.explain()
    assert f.source == compile(gx.tanh(x @ w).named("h")).source


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_what_only_the_primal_of_a_gradient_needs_may_be_left_out(target: str) -> None:
    a, b = gx.tensor("a", ("n",)), gx.tensor("b", ("n",))
    f = gx.compile(gx.grad(gx.sum(a * b), a), target=target, dtype="float64")
    assert [t.name for t in f.inputs] == ["a", "b"]
    for given in ({"b": [3.0, 4.0]}, {"a": [1.0, 2.0], "b": [3.0, 4.0]}):
        np.testing.assert_array_equal(f(**given), [3.0, 4.0])
    with pytest.raises(gx.DataError, match="b\\(n,\\) has no array"):
        f(a=[1.0, 2.0])
    with pytest.raises(gx.DataError, match="the dimension n is 3"):
        f(a=[1.0, 2.0, 3.0], b=[3.0, 4.0])


@pytest.mark.parametrize("floats", [np.float32, np.dtype("float64"), "float64"])
def test_a_precision_is_said_in_any_of_numpys_ways(floats: Any) -> None:
    x = gx.tensor("x", (2,))
    assert gx.evaluate(x * 2, {x: [1, 2]}, dtype=floats).dtype == np.dtype(floats)
    assert gx.compile(x * 2, dtype=floats)([1, 2]).dtype == np.dtype(floats)


def test_the_old_value_of_a_parameter_is_nobodys_after_a_step() -> None:
    x, w = gx.tensor("x", ("n",)), gx.parameter("w", (1000,), init=lambda shape, _: np.ones(shape))
    f = compile([gx.sum(x), gx.assign(w, w * 2)])
    np.testing.assert_array_equal(w.value, np.ones(1000))
    old = weakref.ref(w.op.cell.array)  # type: ignore[union-attr]
    f([1.0, 2.0])
    gc.collect()
    assert old() is None
    np.testing.assert_array_equal(w.value, np.full(1000, 2.0))
    w.value = np.full(1000, 5.0)
    f([1.0, 2.0])
    np.testing.assert_array_equal(w.value, np.full(1000, 10.0))


@pytest.mark.parametrize(("first", "dtype"), [(0.0, "float"), (-0.0, "float"), (0, "int"), (False, "bool"), (3, "int")])
def test_a_number_fills_a_state(first: Any, dtype: str) -> None:
    s = gx.state("s", (2, 3), init=first, dtype=dtype)
    np.testing.assert_array_equal(s.value, np.full((2, 3), first))
    assert np.signbit(s.value.astype(float)).all() == np.signbit(float(first))
    s.value = 1
    np.testing.assert_array_equal(s.value, np.ones((2, 3)))


@pytest.mark.parametrize("value", [np.array([[1.5, 2.0]], object), np.array([[1, 2]], object), [[1, 2.5]]])
def test_objects_that_are_numbers(value: Any) -> None:
    x = gx.tensor("x", ("n", 2))
    np.testing.assert_array_equal(compile(x * 2, dtype="float64")(value), np.array(value, float) * 2)
    np.testing.assert_array_equal(gx.evaluate(x * 2, {x: value}), np.array(value, float) * 2)


@pytest.mark.parametrize("value", [np.array([[1.5, None]], object), np.array([["a", 2]], object), np.array([[[1], 2]], object)])
def test_objects_that_are_none(value: Any) -> None:
    x = gx.tensor("x", ("n", 2))
    with pytest.raises(gx.DataError):
        compile(x * 2)(value)


def test_whole_numbers_as_objects_keep_all_digits() -> None:
    i = gx.tensor("i", ("n",), dtype="int")
    assert int(compile(i + 1)(np.array([2**60], object))[0]) == 2**60 + 1
