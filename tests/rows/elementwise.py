"""Rows of the operations entry by entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from tests.rows.row import Arg, Row

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))


def softplus(x: Any) -> Any:
    return np.logaddexp(0, x)


def unary(name: str, value: Callable[..., Any], low: float = -2, high: float = 2, apart: float = 0.0) -> list[Row]:
    make = getattr(gx, name)
    return [
        Row(name, "n by 5", (Arg(("n", 5), low, high, apart=apart),), make, value),
        Row(name, "rank 0", (Arg((), low, high, apart=apart),), make, value),
        Row(name, "nothing", (Arg((0, 3), low, high),), make, value),
        Row(name, "of a product", (Arg(("n", "m"), low, high, apart=apart), Arg((1,), values=[1.0])), lambda a, b: make(a * b), lambda a, b: value(a * b)),
    ]


def extreme(name: str, values: list[float], value: Callable[..., Any]) -> Row:
    return Row(name, "at its ends", (Arg((len(values),), values=values),), getattr(gx, name), value, smooth=False)


def binary(name: str, value: Callable[..., Any], low: float = -2, high: float = 2, smooth: bool = True, dtype: str = "float") -> list[Row]:
    make = getattr(gx, name)
    pairs = {
        "alike": (("n", 5), ("n", 5)),
        "a row": (("n", 5), (5,)),
        "a column": (("n", 5), ("n", 1)),
        "an outer pair": (("n", 1), (1, 5)),
        "ranks 0 and 2": ((), ("n", "m")),
        "nothing": ((0, 3), (3,)),
        "nothing that broadcasts": ((0, 1), (1, 7)),
        "a 1 of a name": (("one", 5), ("one", 5)),
    }
    rows = [
        Row(name, case, (Arg(a, low, high, apart=0.02), Arg(b, low, high, apart=0.013)), make, value, smooth, dtype=dtype)
        for case, (a, b) in pairs.items()
    ]
    rows.append(Row(name, "with itself", (Arg(("n", 5), low, high),), lambda a: make(a, a), lambda a: value(a, a), smooth and name != "maximum" and name != "minimum", dtype=dtype))
    if dtype == "float":
        rows.append(Row(name, "with a number", (Arg(("n", 5), low, high, apart=0.02),), lambda a: make(a, 0.7), lambda a: value(a, 0.7), smooth))
        rows.append(Row(name, "of a number", (Arg(("n", 5), low, high, apart=0.02),), lambda a: make(1.3, a), lambda a: value(1.3, a), smooth))
    return rows


UNARY = [
    *unary("negative", np.negative),
    *unary("exp", np.exp),
    *unary("log", np.log, 0.2, 3),
    *unary("log1p", np.log1p, -0.8, 3),
    *unary("expm1", np.expm1),
    *unary("sqrt", np.sqrt, 0.2, 4),
    *unary("square", np.square),
    *unary("reciprocal", lambda x: 1 / x, 0.3, 3),
    *unary("abs", np.abs, apart=0.02),
    *unary("sign", np.sign, apart=0.02),
    *unary("floor", np.floor, apart=0.02),
    *unary("sin", np.sin, -7, 7),
    *unary("cos", np.cos, -7, 7),
    *unary("tan", np.tan, -1.4, 1.4),
    *unary("tanh", np.tanh, -4, 4),
    *unary("sinh", np.sinh),
    *unary("cosh", np.cosh),
    *unary("arctan", np.arctan, -9, 9),
    *unary("erf", erf),
    *unary("sigmoid", sigmoid, -9, 9),
    *unary("softplus", softplus, -9, 9),
    *unary("relu", lambda x: np.maximum(0, x), apart=0.02),
]

ENDS = [
    extreme("exp", [-800.0, 0.0, 800.0, math.inf, -math.inf, math.nan], np.exp),
    extreme("log", [0.0, -1.0, 1e-300, 1e300, math.inf], np.log),
    extreme("log1p", [-1.0, -2.0, 1e-15, -1e-15, 1e-300], np.log1p),
    extreme("expm1", [1e-15, -1e-15, 1e-300, 800.0, -800.0], np.expm1),
    extreme("sqrt", [0.0, -1.0, 1e-300, math.inf], np.sqrt),
    extreme("reciprocal", [0.0, 1e-300, math.inf, -math.inf], lambda x: 1 / x),
    extreme("abs", [-0.0, -math.inf, math.nan], np.abs),
    extreme("sign", [-0.0, 0.0, -math.inf, math.nan, 1e-300], np.sign),
    extreme("floor", [-0.5, 0.5, 1.0, -1.0, 1e15], np.floor),
    extreme("tanh", [-800.0, 800.0, 1e-15, math.inf], np.tanh),
    extreme("erf", [-30.0, 30.0, 0.0, 1e-15], erf),
    extreme("sigmoid", [-800.0, 800.0, 0.0, math.inf, -math.inf], lambda x: np.where(x < 0, 0.0, 1.0) * (x != 0) + 0.5 * (x == 0)),
    extreme("softplus", [-800.0, 800.0, 0.0, -40.0, 40.0], softplus),
    extreme("relu", [-math.inf, math.inf, math.nan, -0.0], lambda x: np.maximum(0, x)),
    Row("isfinite", "at its ends", (Arg((4,), values=[1.0, math.inf, -math.inf, math.nan]),), gx.isfinite, np.isfinite, False, dtype="bool"),
    Row("isfinite", "plain", (Arg(("n", 5)),), gx.isfinite, np.isfinite, False, dtype="bool"),
]

KINKS = [
    Row("relu", "at 0", (Arg((3,), values=[-1.0, 0.0, 2.0]),), gx.relu, lambda x: np.maximum(0, x), False, lambda x, w: [w * [0, 0, 1]]),
    Row("abs", "at 0", (Arg((3,), values=[-1.0, 0.0, 2.0]),), gx.abs, np.abs, False, lambda x, w: [w * [-1, 0, 1]]),
    Row("sign", "at 0", (Arg((3,), values=[-1.0, 0.0, 2.0]),), gx.sign, np.sign, False, lambda x, w: [w * 0]),
    Row("floor", "at a step", (Arg((2,), values=[1.0, 1.5]),), gx.floor, np.floor, False, lambda x, w: [w * 0]),
    Row("maximum", "tied", (Arg((3,), values=[1.0, 2.0, 3.0]), Arg((3,), values=[2.0, 2.0, 2.0])), gx.maximum, np.maximum, False, lambda a, b, w: [w * [0, 1, 1], w * [1, 0, 0]]),
    Row("minimum", "tied", (Arg((3,), values=[1.0, 2.0, 3.0]), Arg((3,), values=[2.0, 2.0, 2.0])), gx.minimum, np.minimum, False, lambda a, b, w: [w * [1, 1, 0], w * [0, 0, 1]]),
    Row("maximum", "with itself, tied", (Arg((3,)),), lambda a: gx.maximum(a, a), lambda a: a, True),
    Row("maximum", "with NaN", (Arg((3,), values=[math.nan, 1.0, 2.0]), Arg((3,), values=[0.0, math.nan, 1.0])), gx.maximum, np.maximum, False),
    Row("minimum", "with NaN", (Arg((3,), values=[math.nan, 1.0, 2.0]), Arg((3,), values=[0.0, math.nan, 1.0])), gx.minimum, np.minimum, False),
    Row("power", "at 0", (Arg((3,), values=[0.0, 0.0, 2.0]), Arg((3,), values=[2.0, 3.0, 3.0])), gx.power, np.power, False, lambda a, b, w: [w * [0, 0, 12], w * [0, 0, 8 * math.log(2)]]),
    Row("power", "a negative base, a whole exponent", (Arg((4,), values=[-2.0, -1.0, 0.5, 3.0]),), lambda a: gx.power(a, 3), lambda a: a**3),
    Row("power", "exponent 1/2 at 4", (Arg((2,), values=[4.0, 9.0]),), lambda a: a**0.5, np.sqrt),
    Row("power", "exponent 0", (Arg((3,), values=[0.0, -1.0, 2.0]),), lambda a: a**0, lambda a: a**0, False, lambda a, w: [w * 0]),
    Row("power", "whole numbers to variable ones", (Arg((4,), values=[2, 3, -2, 1], kind="int"), Arg((4,), values=[3, -1, -2, 0], kind="int")), gx.power, lambda a, b: a.astype(float) ** b, False),
    Row("power", "whole numbers to fixed ones", (Arg((3,), values=[2, 3, -2], kind="int"),), lambda a: a**2 * a ** gx.constant([0, 1, 3]), lambda a: a**2 * a ** np.array([0, 1, 3]), False, dtype="int"),
    Row("power", "a whole number to -1", (Arg((2,), values=[2, -4], kind="int"),), lambda a: a**-1, lambda a: 1 / a, False),
    Row("power", "of 0 to a variable", (Arg((3,), values=[0.0, 1.0, 2.0]),), lambda a: 0**a, lambda a: 0.0**a, False, lambda a, w: [w * 0]),
    Row("power", "exponent -1", (Arg((3,), 0.5, 2),), lambda a: a**-1, lambda a: 1 / a),
    Row("power", "a number to a tensor", (Arg((3,)),), lambda a: 2**a, lambda a: 2.0**a),
]

BINARY = [
    *binary("add", np.add),
    *binary("subtract", np.subtract),
    *binary("multiply", np.multiply),
    *binary("divide", np.divide, 0.3, 3),
    *binary("power", np.power, 0.3, 2.5),
    *binary("maximum", np.maximum),
    *binary("minimum", np.minimum),
    *(row for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal") for row in binary(name, getattr(np, name), smooth=False, dtype="bool")),
    *(
        Row(name, "ties", (Arg((4,), values=[1.0, 2.0, 2.0, math.nan]), Arg((4,), values=[2.0, 2.0, 1.0, math.nan])), getattr(gx, name), getattr(np, name), False, dtype="bool")
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    ),
]

TRUTH = [
    *(Row(name, "bools", (Arg(("n", 5), kind="bool"), Arg((5,), kind="bool")), getattr(gx, name), getattr(np, name), False, dtype="bool") for name in ("logical_and", "logical_or")),
    Row("logical_not", "bools", (Arg(("n", 5), kind="bool"),), gx.logical_not, np.logical_not, False, dtype="bool"),
    Row("logical_not", "of a comparison", (Arg(("n", 5)),), lambda a: ~(a > 0), lambda a: ~(a > 0), False, dtype="bool"),
]

CHOICES = [
    Row("where", "a mask", (Arg(("n", 5), kind="bool"), Arg(("n", 5)), Arg((5,))), gx.where, np.where),
    Row("where", "a comparison", (Arg(("n", 5), apart=0.02),), lambda a: gx.where(a > 0, a * a, 3.0), lambda a: np.where(a > 0, a * a, 3.0)),
    Row("where", "rank 0", (Arg((), kind="bool"), Arg((3,)), Arg(())), gx.where, np.where),
    Row("where", "a branch of infinities", (Arg((3,), values=[0.0, 1.0, 2.0]),), lambda a: gx.where(a > 0, gx.log(a), a), lambda a: np.where(a > 0, np.log(a), a), False),
    Row("where", "integers", (Arg((4,), kind="bool"), Arg((4,), -3, 3, "int"), Arg((4,), -3, 3, "int")), gx.where, np.where, False, dtype="int"),
    Row("clip", "both sides", (Arg(("n", 5), apart=0.02),), lambda a: gx.clip(a, -1.01, 1.015), lambda a: np.clip(a, -1.01, 1.015)),
    Row("clip", "rank 0", (Arg((), values=0.5),), lambda a: gx.clip(a, 0, 1), lambda a: np.clip(a, 0, 1)),
    Row("clip", "nothing", (Arg((0,)),), lambda a: gx.clip(a, 0, 1), lambda a: np.clip(a, 0, 1)),
    Row("clip", "by tensors", (Arg(("n", 5), apart=0.02), Arg((5,), -1, -0.5), Arg((), values=0.777)), gx.clip, np.clip),
]  # fmt: skip

OPERATORS = [
    Row("add", "operators together", (Arg(("n", 5), 0.5, 2), Arg((5,), 0.5, 2)), lambda a, b: 2 * a - b / a + (-a) ** 2 - 1 / b + b**a, lambda a, b: 2 * a - b / a + a**2 - 1 / b + b**a),
    Row("subtract", "from itself", (Arg((3,)),), lambda a: a - a, lambda a: a - a),
    Row("divide", "by itself at 0", (Arg((2,), values=[0.0, 2.0]),), lambda a: a / a, lambda a: a / a, False),
    Row("divide", "integers", (Arg((4,), values=[1, 2, -3, 7], kind="int"), Arg((4,), values=[2, 3, 2, 4], kind="int")), gx.divide, np.divide, False),
    Row("multiply", "0 times infinity", (Arg((2,), values=[math.inf, 1.0]),), lambda a: 0 * a, lambda a: 0 * a, False),
    Row("add", "integers", (Arg((4,), -9, 9, "int"), Arg((4,), -9, 9, "int")), lambda a, b: a + b * 2 - 1, lambda a, b: a + b * 2 - 1, False, dtype="int"),
    Row("add", "an integer and a float", (Arg((4,), -9, 9, "int"), Arg((4,))), gx.add, np.add),
    Row("add", "a NumPy array on the left", (Arg((3,)),), lambda a: np.array([1.0, 2.0, 3.0]) + a, lambda a: np.array([1.0, 2.0, 3.0]) + a),
]

ROWS: list[Row] = [*UNARY, *ENDS, *KINKS, *BINARY, *TRUTH, *CHOICES, *OPERATORS]
