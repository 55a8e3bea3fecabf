"""Mistakes in index notation."""

from __future__ import annotations

import math

import numpy as np
import sympy

import graphc as gx
from tests.errors.common import Mistake, W, ids, v

i, j, k, u = gx.indices("i j k u")

CODE = "__import__('os').abort()"  # what SymPy would carry out, if it were given the text

DEFINED: list[Mistake] = [
    ("no name of an index", lambda: gx.indices(""), gx.DeclarationError, ("gx.indices",)),
    ("a number for indices", lambda: gx.indices(3), gx.DeclarationError, ("gx.indices", "3")),
    ("an output index that stands nowhere", lambda: gx.define("Y", (i, j), v()[i]), gx.DeclarationError, ("j", "extents")),
    ("an index that is free", lambda: gx.define("Y", (i,), W()[i, k]), gx.DeclarationError, ("k", "gx.Sum")),
    ("a symbol that is free", lambda: gx.define("Y", (i,), v()[i] * sympy.Symbol("q")), gx.DeclarationError, ("q",)),
    ("an output index reduced", lambda: gx.define("Y", (i,), gx.Sum(W()[i, j], i, j)), gx.DeclarationError, ("i", "reduced")),
    ("an index twice in a reducer", lambda: gx.Sum(v()[i], i, i), gx.DeclarationError, ("gx.Sum", "twice")),
    ("a reducer without an index", lambda: gx.Sum(v()[i]), gx.DeclarationError, ("gx.Sum", "gx.indices")),
    ("a reducer over text", lambda: gx.Max(v()[i], "i"), gx.DeclarationError, ("gx.Max", "gx.indices")),
    ("output indices twice", lambda: gx.define("Y", (i, i), W()[i, i]), gx.DeclarationError, ("Y",)),
    ("text for an output index", lambda: gx.define("Y", ("i",), v()[i]), gx.DeclarationError, ("Y", "gx.indices")),
    ("a SymPy symbol for an output index", lambda: gx.define("Y", (sympy.Symbol("i"),), v()[i]), gx.DeclarationError, ("Y", "gx.indices")),
    ("too few places", lambda: W()[i], gx.DeclarationError, ("W(4, 2)", "2", "1")),
    ("too many places", lambda: v()[i, j], gx.DeclarationError, ("v(5,)",)),
    ("a slice beside an index", lambda: W()[i, :], gx.DeclarationError, ("W(4, 2)", "slice")),
    ("a negative place", lambda: gx.define("Y", (i,), W()[i, -1]), gx.DeclarationError, ("W(4, 2)", "-1", "shape")),
    ("a place that is not affine", lambda: gx.define("Y", (i,), v()[i**2]), gx.DeclarationError, ("v(5,)", "affine")),
    ("a product of indices", lambda: gx.define("Y", (i, j), v()[i * j]), gx.DeclarationError, ("v(5,)", "affine")),
    ("half an index", lambda: gx.define("Y", (i,), v()[i / 2]), gx.DeclarationError, ("v(5,)", "affine")),
    ("a place through floats", lambda: gx.define("Y", (i,), W()[v()[i], 0]), gx.DeclarationError, ("W(4, 2)", "integer")),
    ("a bare index on unequal axes", lambda: gx.define("Y", (i,), v()[i] + W()[i, 0]), gx.ShapeError, ("i", "5", "4")),
    ("a bare index beside a shifted one", lambda: gx.define("Y", (i,), v()[i] * v()[i + 1]), gx.ShapeError, ("v(5,)", "i + 1")),
    ("an access that leaves", lambda: gx.define("Y", (i,), v()[i - 1], extents={i: 5}), gx.ShapeError, ("v(5,)", "outside=0")),
    ("an extent too large", lambda: gx.define("Y", (i,), v()[i], extents={i: 6}), gx.ShapeError, ("v(5,)",)),
    ("a comparison in Python", lambda: gx.define("Y", (i, j), i == j), gx.DeclarationError, ("i == j", "sympy.Eq(i, j)")),
    ("an inequality in Python", lambda: gx.define("Y", (i,), sympy.Piecewise((1, v()[i] != 3), (0, True))), gx.DeclarationError, ("v[i] != 3", "sympy.Ne(v[i], 3)")),
    ("a comparison with an id", lambda: gx.Sum(sympy.Piecewise((1, ids()[i] == k), (0, True)), k), gx.DeclarationError, ("sympy.Eq(ids[i], k)",)),
    ("a truth value for a body", lambda: gx.define("Y", (i,), True), gx.DeclarationError, ("True", "sympy.Eq")),
    ("None for the output indices", lambda: gx.define("Y", None, v()[i]), gx.DeclarationError, ("Y", "gx.indices")),
    ("the formula before the indices", lambda: gx.define("Y", v()[i], (i,)), gx.DeclarationError, ("Y", "gx.indices")),
    ("an extent of an index that stands nowhere", lambda: gx.define("Y", (i,), v()[i], extents={j: 5}), gx.DeclarationError, ("j", "Y")),
    ("gx.sum of an access", lambda: gx.sum(W()[i, j], j), gx.DeclarationError, ("W[i, j]", "gx.Sum")),
    ("the largest of nothing in a formula", lambda: gx.define("Y", (i,), gx.Max(gx.tensor("z", (3, 0))[i, k], k)), gx.ShapeError, ("Y", "k", "largest")),
    ("a negative id in a place", lambda: gx.define("Y", (i,), W()[i, -1], outside=0), gx.DeclarationError, ("W(4, 2)", "-1")),
    ("a place beyond the end", lambda: gx.define("Y", (i,), W()[i, 2]), gx.ShapeError, ("W(4, 2)", "2")),
    ("a 1 beside a 4", lambda: gx.define("Y", (i,), W()[i, 0] + gx.tensor("z", (1,))[i]), gx.ShapeError, ("z(1,)", "4")),
    ("windows without an extent", lambda: gx.define("Y", (i,), gx.Sum(v()[i + u], u), outside=0), gx.DeclarationError, ("i, u", "extents")),
    ("half a place", lambda: gx.define("Y", (i,), v()[i // 2]), gx.DeclarationError, ("v(5,)", "affine")),
    ("a text in a reducer", lambda: gx.Sum("x[k]", k), gx.DeclarationError, ("x[k]",)),
    ("a tensor in a reducer", lambda: gx.Sum(v(), k), gx.DeclarationError, ("v(5,)", "v[i")),
    ("a reducer's arguments in the other order", lambda: gx.Sum(k, v()[k]), gx.DeclarationError, ("gx.Sum",)),
    ("a fraction for an extent", lambda: gx.define("Y", (i,), v()[i - 1], extents={i: 2.5}, outside=0), gx.DeclarationError, ("2.5",)),
    ("another outside", lambda: gx.define("Y", (i,), v()[i - 1], outside=1), gx.DeclarationError, ("outside",)),
    ("text for a body", lambda: gx.define("Y", (i,), "X[i]"), gx.DeclarationError, ("Y", "X[i]")),
    ("None for a body", lambda: gx.define("Y", (i,), None), gx.DeclarationError, ("Y", "None")),
    ("a tensor without indices", lambda: gx.define("Y", (i,), v()), gx.DeclarationError, ("v(5,)", "v[i")),
    ("a tensor without indices in a sum", lambda: gx.define("Y", (i,), v()[i] + W()), gx.DeclarationError, ("W(4, 2)", "W[i")),
    ("a negative extent", lambda: gx.define("Y", (i,), v()[i - 1], extents={i: -2}, outside=0), gx.DeclarationError, ("-2",)),
    ("text for the extents' index", lambda: gx.define("Y", (i,), v()[i - 1], extents={"i": 5}, outside=0), gx.DeclarationError, ("'i'",)),
    ("an empty name of a definition", lambda: gx.define("", (i,), v()[i]), gx.DeclarationError, ("name",)),
    ("a number for the name of a definition", lambda: gx.define(3, (i,), v()[i]), gx.DeclarationError, ("name", "3")),
    ("an unknown SymPy function", lambda: gx.define("Y", (i,), sympy.gamma(v()[i])), gx.DeclarationError, ("gamma",)),
    ("a complex body", lambda: gx.define("Y", (i,), v()[i] * sympy.I), gx.DeclarationError, ("I",)),
    ("SymPy's derivative", lambda: gx.define("Y", (i,), sympy.Derivative(sympy.Function("f")(v()[i]), v()[i])), gx.DeclarationError, ()),
    ("SymPy's own sum", lambda: gx.define("Y", (i,), sympy.Sum(v()[k], (k, 0, 4))), gx.DeclarationError, ("gx.Sum",)),
    ("an infinite body", lambda: gx.define("Y", (i,), v()[i] + sympy.zoo), gx.DeclarationError, ("ComplexInfinity",)),
    ("the index of another tensor's axis", lambda: gx.define("Y", (), gx.Sum(W()[k, k], k)), gx.ShapeError, ("k", "4", "2")),
]

# What Python wants at once: truth values and numbers.
ASKED: list[Mistake] = [
    ("an index in an if", lambda: gx.define("Y", (i,), v()[i] if i > 0 else 0), gx.DeclarationError, ("i > 0", "gx.where")),
    ("an access in an if", lambda: gx.define("Y", (i,), v()[i] if v()[i] > 1 else 0), gx.DeclarationError, ("v[i] > 1", "gx.where")),
    ("a formula in an if", lambda: gx.define("Y", (i,), v()[i] if 2 * v()[i] + 1 > 0 else 0), gx.DeclarationError, ("2*v[i] + 1 > 0", "gx.where")),
    ("two conditions in an if", lambda: 1 if (i > 0) & (i < 3) else 0, gx.DeclarationError, ("(i > 0) & (i < 3)", "gx.where")),
    ("a chain of comparisons", lambda: gx.define("Y", (i,), 0 < v()[i] < 5), gx.DeclarationError, ("v[i] > 0", "&")),
    ("a condition with not", lambda: gx.where(not i > 0, v()[i], 0), gx.DeclarationError, ("i > 0", "~")),
    ("Python's max", lambda: gx.define("Y", (i,), max(v()[i], 0)), gx.DeclarationError, ("v[i]", "gx.maximum")),
    ("math's exp", lambda: gx.define("Y", (i,), math.exp(v()[i])), gx.DeclarationError, ("v[i]", "gx.exp")),
    ("math's exp of a formula", lambda: gx.define("Y", (i,), math.exp(2 * v()[i])), gx.DeclarationError, ("2*v[i]", "gx.exp")),
    ("a float of an access", lambda: gx.define("Y", (i,), float(v()[i])), gx.DeclarationError, ("v[i]", "float")),
    ("an int of an index", lambda: gx.define("Y", (i,), v()[int(i)]), gx.DeclarationError, ("i is no number", "int")),
    ("a rounded access", lambda: gx.define("Y", (i,), round(v()[i])), gx.DeclarationError, ("v[i]", "gx.floor")),
    ("a floor of math", lambda: gx.define("Y", (i,), math.floor(v()[i])), gx.DeclarationError, ("v[i]", "gx.floor")),
    ("a float of a reducer", lambda: float(gx.Sum(v()[k], k)), gx.DeclarationError, ("Sum(v[k], k)",)),
    ("NumPy's exp", lambda: gx.define("Y", (i,), np.exp(v()[i])), gx.DeclarationError, ("v[i]", "gx.exp")),
    ("NumPy's maximum", lambda: gx.define("Y", (i,), np.maximum(v()[i], 0)), gx.DeclarationError, ("v[i]", "gx.maximum")),
    ("text in a function", lambda: gx.define("Y", (i,), gx.maximum(v()[i], CODE)), gx.DeclarationError, ("gx.maximum", CODE)),
    ("a list in a function", lambda: gx.define("Y", (i,), gx.maximum(v()[i], [1, 2])), gx.DeclarationError, ("gx.maximum", "[1, 2]")),
    ("None in a function", lambda: gx.define("Y", (i,), gx.where(v()[i] > 0, None, 0)), gx.DeclarationError, ("gx.where", "None")),
    ("text in a dictionary for a body", lambda: gx.define("Y", (i,), {"a": CODE}), gx.DeclarationError, ("Y", CODE)),
    ("text in an array for a body", lambda: gx.define("Y", (i,), np.array([CODE])), gx.DeclarationError, ("Y", CODE)),
    ("text in a tuple in a reducer", lambda: gx.Sum((CODE, 1), i), gx.DeclarationError, (CODE,)),
    ("text in a list of a function", lambda: gx.function("f", lambda x: [CODE]), gx.DeclarationError, ("f", CODE)),
]

MISTAKES: list[Mistake] = [*DEFINED, *ASKED]
