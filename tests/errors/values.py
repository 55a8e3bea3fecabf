"""Mistakes in what is asked of a graph: gradients, and arrays that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from tests.errors.common import Mistake, W, X, ids, v

i, j = gx.indices("i j")

GRADIENTS: list[Mistake] = [
    ("of a vector", lambda: gx.grad(t := v(), t), gx.GraphcError, ("v(5,)", "sum")),
    ("by what does not take part", lambda: gx.grad(gx.sum(v()), W()), gx.DerivationError, ("W", "zero")),
    ("by a number", lambda: gx.grad(gx.sum(v()), 3), gx.GraphcError, ("3",)),
    ("by text", lambda: gx.grad(gx.sum(v()), "v"), gx.GraphcError, ("v",)),
    ("by integers", lambda: gx.grad(gx.sum(gx.exp(t := ids())), t), gx.GraphcError, ("ids", "int")),
    ("points for text", lambda: gx.check_gradients(gx.sum(v() ** 2), at={"v": np.zeros(5)}), gx.DataError, ("at={x: array}",)),
    ("of a number", lambda: gx.grad(3.0, v()), gx.GraphcError, ("3.0",)),
    ("an unknown word for unconnected", lambda: gx.grad(gx.sum(t := v()), t, unconnected="ignore"), gx.GraphcError, ("ignore",)),
    ("a cotangent of another shape", lambda: gx.vjp(2 * (t := v()), t, np.zeros(4)), gx.GraphcError, ("(4,)", "5")),
]


def data(declare: Callable[[], gx.Tensor], value: Any, make: Callable[[gx.Tensor], Any] = lambda t: 2 * t) -> Callable[[], Any]:
    def run() -> Any:
        t = declare()
        return gx.evaluate(make(t), {t: value})

    return run


DATA: list[Mistake] = [
    ("no array", lambda: gx.evaluate(X() + 1), gx.DataError, ("X(n, 3)", "gx.evaluate")),
    ("another rank", data(X, np.zeros(3)), gx.DataError, ("X(n, 3)", "(3,)")),
    ("another width", data(X, np.zeros((5, 4))), gx.DataError, ("X(n, 3)", "3", "(5, 4)")),
    ("another length", data(v, np.zeros(4)), gx.DataError, ("v(5,)", "(4,)")),
    ("text", data(v, "abcde"), gx.DataError, ("v(5,)",)),
    ("a list of text", data(v, ["a", "b", "c", "d", "e"]), gx.DataError, ("v(5,)",)),
    ("None", data(v, None), gx.DataError, ("v(5,)",)),
    ("complex numbers", data(v, np.zeros(5) * 1j), gx.DataError, ("v(5,)", "complex")),
    ("objects", data(v, np.array([None] * 5)), gx.DataError, ("v(5,)",)),
    ("dates", data(v, np.zeros(5, dtype="datetime64[s]")), gx.DataError, ("v(5,)", "datetime")),
    ("ragged rows", data(X, [[1, 2, 3], [1, 2]]), gx.DataError, ("X(n, 3)", "length")),
    ("fractions as integers", data(ids, [0.0, 0.5, 1.0, 2.0]), gx.DataError, ("ids(4,)", "0.5")),
    ("NaN as an integer", data(ids, [0.0, np.nan, 1.0, 2.0]), gx.DataError, ("ids(4,)", "nan")),
    ("a number beyond 64 bits as an integer", data(ids, [0.0, 1e300, 1.0, 2.0]), gx.DataError, ("ids(4,)",)),
    ("an unsigned number beyond 63 bits", data(ids, np.array([0, 2**63, 1, 2], dtype=np.uint64)), gx.DataError, ("ids(4,)",)),
    (
        "numbers as truth values",
        data(lambda: gx.tensor("m", (2,), dtype="bool"), [0, 2], lambda t: gx.where(t, 1.0, 0.0)),
        gx.DataError,
        ("m(2,)", "0 and 1"),
    ),
    ("an id beyond the table", data(ids, [0, 1, 2, 4], lambda t: gx.define("Y", (i, j), W()[t[i], j])), gx.DataError, ("W", "4")),
    (
        "a negative id",
        data(ids, [0, 1, -1, 2], lambda t: gx.define("Y", (i, j), gx.constant(np.zeros((4, 2)), name="E")[t[i], j])),
        gx.DataError,
        ("E", "-1"),
    ),
    ("a feed for text", lambda: gx.evaluate(v(), {"v": np.zeros(5)}), gx.DataError, ("{x: array}",)),
    ("a feed that is no mapping", lambda: gx.evaluate(v(), [1, 2]), gx.GraphcError, ()),
    ("text for a seed", lambda: gx.evaluate(gx.random.uniform((3,)), seed="a"), gx.DataError, ("seed", "'a'")),
    ("a fraction for a step", lambda: gx.evaluate(gx.random.uniform((3,)), step=1.5), gx.DataError, ("step", "1.5")),
    ("an unknown precision", lambda: gx.evaluate(gx.constant(1.0), {}, dtype="float13"), gx.GraphcError, ("float13",)),
    ("integers as a precision", lambda: gx.evaluate(gx.constant(1.0), {}, dtype="int64"), gx.GraphcError, ("int64",)),
    ("a size that nothing tells", lambda: gx.evaluate(gx.random.uniform(("n",))), gx.DataError, ("n",)),
]


def guarded(make: Callable[..., Any], *values: Any) -> Callable[[], Any]:
    def run() -> Any:
        a, b = gx.tensor("A", ("n",)), gx.tensor("B", ("m",))
        return gx.evaluate(make(a, b), dict(zip((a, b), (np.ones(s) for s in values), strict=True)))

    return run


LATER: list[Mistake] = [
    ("one name, two sizes", lambda: gx.evaluate((a := gx.tensor("A", ("n",))) + (b := gx.tensor("B", ("n",))), {a: np.ones(3), b: np.ones(4)}), gx.DataError, ("n", "3", "4", "A", "B")),
    ("a named 1 against 3", guarded(lambda a, b: a + b, 1, 3), gx.ShapeError, ("A(n,)", "B(m,)", "n = 1", "m = 3")),
    ("two names that differ", guarded(lambda a, b: a + b, 2, 3), gx.ShapeError, ("A(n,)", "B(m,)", "n = 2", "m = 3")),
    ("a matrix product", guarded(lambda a, b: a @ b, 2, 3), gx.ShapeError, ("A(n,)", "B(m,)", "matmul")),
    ("a matrix product with 1", guarded(lambda a, b: gx.reshape(a, (1, "n")) @ gx.constant([[2.0, 3.0]]) + gx.sum(b), 3, 1), gx.ShapeError, ("matmul", "n = 3")),
    ("a trace", guarded(lambda a, b: gx.trace(gx.outer(a, b)), 1, 3), gx.ShapeError, ("trace", "n = 1", "m = 3")),
    ("a reshape", guarded(lambda a, b: gx.reshape(a, (2, 2)) + gx.sum(b), 5, 1), gx.ShapeError, ("A(n,)", "reshape")),
    ("a reshape with -1", guarded(lambda a, b: gx.reshape(a, (2, -1)) + gx.sum(b), 5, 1), gx.ShapeError, ("A(n,)", "reshape")),
    ("a position", guarded(lambda a, b: a[3] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "3")),
    ("a slice that starts before the array", guarded(lambda a, b: a[-4:] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "-4:", "n = 3")),
    ("a slice backwards", guarded(lambda a, b: a[4:1:-1] + gx.sum(b), 4, 1), gx.ShapeError, ("A(n,)", "4:1:-1")),
    ("a place by a size", guarded(lambda a, b: a[a.shape[0] - 4] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "n - 4")),
    ("a mirror of a name", guarded(lambda a, b: gx.sum(gx.pad(a, 3, "reflect")) + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)",)),
    ("a slice", guarded(lambda a, b: a[2:6] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "2:6")),
    ("a squeeze", guarded(lambda a, b: gx.squeeze(a, 0) + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "squeeze")),
    ("the largest of nothing that has a name", guarded(lambda a, b: gx.max(a * 2) + gx.sum(b), 0, 1), gx.ShapeError, ("A", "largest", "n = 0")),
    ("the position of nothing that has a name", guarded(lambda a, b: gx.argmin(a) + gx.sum(b), 0, 1), gx.ShapeError, ("A(n,)", "smallest", "n = 0")),
    ("the smallest of nothing in a formula", guarded(lambda a, b: gx.define("Y", (), gx.Min(a[i], i)) + gx.sum(b), 0, 1), gx.ShapeError, ("Y", "smallest")),
    ("a window larger than the array", guarded(lambda a, b: gx.define("Y", (i,), gx.Sum(a[i + j] * b[j], j)), 2, 4), gx.ShapeError, ("A(n,)", "negative", "n = 2")),
    ("an access", guarded(lambda a, b: gx.define("Y", (i,), a[i + 2] * b[i]), 3, 3), gx.ShapeError, ("A(n,)", "i + 2")),
]

MISTAKES: list[Mistake] = [*GRADIENTS, *DATA, *LATER]
