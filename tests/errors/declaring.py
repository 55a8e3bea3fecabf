"""Mistakes in declarations: names, sizes, values, and what is no tensor."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.errors.common import Mistake, X, v

i = gx.indices("i")

DECLARED: list[Mistake] = [
    ("an empty name", lambda: gx.tensor("", (3,)), gx.DeclarationError, ("name",)),
    ("a number for a name", lambda: gx.tensor(3, (3,)), gx.DeclarationError, ("name", "3")),
    ("a number for names", lambda: gx.scalars(3), gx.DeclarationError, ("gx.scalars", "3")),
    ("None for a name", lambda: gx.parameter(None, (3,)), gx.DeclarationError, ("name", "None")),
    ("an empty name for a result", lambda: (X() + 1).named(""), gx.DeclarationError, ("name",)),
    ("a negative size", lambda: gx.tensor("X", (-1, 3)), gx.DeclarationError, ("X", "-1")),
    ("a float for a size", lambda: gx.tensor("X", (2.5,)), gx.DeclarationError, ("X", "2.5")),
    ("a bool for a size", lambda: gx.tensor("X", (True,)), gx.DeclarationError, ("X", "True")),
    ("None for a size", lambda: gx.tensor("X", (None, 3)), gx.DeclarationError, ("X", "None")),
    ("an empty name of a size", lambda: gx.tensor("X", ("",)), gx.DeclarationError, ("X", "name")),
    ("a set for a shape", lambda: gx.tensor("X", {3, 4}), gx.DeclarationError, ("X",)),
    ("bits in a dtype", lambda: gx.tensor("X", (3,), dtype="float32"), gx.DeclarationError, ("X", "float32", "'float'")),
    ("an unknown dtype", lambda: gx.tensor("X", (3,), dtype="complex"), gx.DeclarationError, ("X", "complex")),
    ("an unhashable dtype", lambda: gx.tensor("X", (3,), dtype=[]), gx.DeclarationError, ("X",)),
    ("a symmetric rectangle", lambda: gx.tensor("S", (2, 3), symmetric=True), gx.DeclarationError, ("S", "square")),
    ("a symmetric rectangle of names", lambda: gx.tensor("S", ("n", "m"), symmetric=True), gx.DeclarationError, ("S", "square")),
    ("a parameter of a named size", lambda: gx.parameter("W", ("n", 3)), gx.DeclarationError, ("W", "numbers")),
    ("a state of a named size", lambda: gx.state("m", ("n",)), gx.DeclarationError, ("m", "numbers")),
    ("a value of another shape", lambda: gx.parameter("W", (2, 3), init=[[1.0, 2.0]]), gx.DeclarationError, ("W(2, 3)", "(1, 2)")),
    ("text for a value", lambda: setattr(gx.parameter("W", (2,), init=0.0), "value", "abc"), gx.DeclarationError, ("W", "abc")),
    ("a constant that changes", lambda: setattr(gx.constant([1.0], name="c"), "value", [2.0]), gx.DeclarationError, ("c", "gx.parameter")),
    ("the value of an input", lambda: X().value, gx.DeclarationError, ("X", "gx.evaluate")),
    ("a ragged constant", lambda: gx.constant([[1.0], [2.0, 3.0]], name="c"), gx.DeclarationError, ("c", "length")),
    ("bits in a constant's dtype", lambda: gx.constant(1.5, dtype="float64"), gx.DeclarationError, ("1.5", "float64", "'float'")),
    ("a fraction as a whole constant", lambda: gx.constant([0.5], name="c", dtype="int"), gx.DeclarationError, ("c", "int")),
    ("a 2 as a truth value", lambda: gx.constant(2, name="c", dtype="bool"), gx.DeclarationError, ("c", "bool")),
    ("a number for a constant's name", lambda: gx.constant(1.0, name=3), gx.DeclarationError, ("3", "text")),
    ("a fraction for a whole state", lambda: gx.state("s", (), init=0.5, dtype="int"), gx.DeclarationError, ("s", "0.5", "round")),
    ("NaN for a whole state", lambda: setattr(gx.state("s", (1,), init=0, dtype="int"), "value", [np.nan]), gx.DeclarationError, ("s(1,)", "nan")),
    ("a constant of text", lambda: gx.constant(["a"], name="c"), gx.DeclarationError, ("c", "numbers")),
    ("a complex constant", lambda: gx.constant(1j, name="c"), gx.DeclarationError, ("c", "complex")),
    ("an object constant", lambda: gx.constant([object()], name="c"), gx.DeclarationError, ("c",)),
    ("a truth value", lambda: bool(X() > 0), gx.DeclarationError, ("X", "gx.where")),
    ("an if", lambda: 1 if v()[0] else 2, gx.DeclarationError, ("gx.where",)),
    ("equality with a number", lambda: v() == 3, gx.DeclarationError, ("v", "gx.equal")),
    ("inequality with a number", lambda: v() != 3, gx.DeclarationError, ("v", "gx.equal")),
    ("equality with an array", lambda: v() == np.zeros(5), gx.DeclarationError, ("v", "gx.equal")),
    ("equality with a list", lambda: v() == [1, 2], gx.DeclarationError, ("v", "gx.equal")),
    ("an array equal to a tensor", lambda: np.zeros(5) == v(), gx.DeclarationError, ("v", "gx.equal")),
    ("float()", lambda: float(v()), gx.DeclarationError, ("v", "gx.evaluate")),
    ("int()", lambda: int(v()), gx.DeclarationError, ("v", "gx.evaluate")),
    ("NumPy's function", lambda: np.exp(v()), gx.DeclarationError, ("v", "graphc")),
    ("numpy.asarray", lambda: np.asarray(v()), gx.DeclarationError, ("v",)),
    ("NumPy's sum", lambda: np.concatenate([v(), v()]), gx.DeclarationError, ("v",)),
    ("the length of a name", lambda: len(X()), gx.DeclarationError, ("X(n, 3)",)),
    ("iteration over a name", lambda: list(X()), gx.DeclarationError, ("X(n, 3)",)),
    ("text as an operand", lambda: v() + "1", gx.DeclarationError, ("'1'", "tensor")),
    ("a number that is looped over", lambda: list(gx.scalar("a")), gx.DeclarationError, ("a", "one number")),
    ("a layer where a list of layers stands", lambda: gx.Sequential(gx.layers.Dense(1)), gx.DeclarationError, ("list", "gx.Sequential([")),
    ("None as an operand", lambda: v() * None, gx.DeclarationError, ("None",)),
    ("a dict as an operand", lambda: gx.exp({}), gx.DeclarationError, ("{}",)),
    ("an index outside of define", lambda: v() + i, gx.DeclarationError, ("i", "gx.define")),
    ("gx.constant of a tensor", lambda: gx.constant(v()), gx.DeclarationError, ("v",)),
    ("another shape for a tensor", lambda: setattr(v(), "shape", (3,)), gx.DeclarationError, ("v", "immutable")),
    ("another name for a tensor", lambda: setattr(v(), "name", "w"), gx.DeclarationError, ("v", ".named")),
    ("an entry that is assigned to", lambda: v().__setitem__(0, 1.0), gx.DeclarationError, ("v", "gx.where")),
    ("equality with a complex number", lambda: v() == 1j, gx.DeclarationError, ("v", "gx.equal")),
    ("NumPy's mean", lambda: np.mean(X()), gx.DeclarationError, ("X", "gx.mean")),
    ("NumPy's stack", lambda: np.stack([v(), v()]), gx.DeclarationError, ("v", "gx.stack")),
    ("a list with a tensor in it", lambda: gx.exp([v(), 1.0]), gx.DeclarationError, ("v", "graphc")),
]

MISTAKES: list[Mistake] = [*DECLARED]
