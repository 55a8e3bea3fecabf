"""Mistakes and what is said about them: each error is graphc's own, names the tensor, and says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx

i, j, k, u = gx.indices("i j k u")


def X() -> gx.Tensor:
    return gx.tensor("X", ("n", 3))


def W() -> gx.Tensor:
    return gx.tensor("W", (4, 2))


def v() -> gx.Tensor:
    return gx.tensor("v", (5,))


def ids() -> gx.Tensor:
    return gx.tensor("ids", (4,), dtype="int")


Mistake = tuple[str, Callable[[], Any], type[gx.GraphcError], tuple[str, ...]]

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
    ("a list with a tensor in it", lambda: gx.exp([v(), 1.0]), gx.DeclarationError, ("v", "graphc")),
]

SHAPES: list[Mistake] = [
    ("matmul", lambda: X() @ W(), gx.ShapeError, ("X(n, 3)", "W(4, 2)", "3", "4")),
    ("matmul with a scalar", lambda: gx.scalar("a") @ W(), gx.ShapeError, ("a (scalar)", "W(4, 2)", "*")),
    ("broadcasting", lambda: v() + W(), gx.ShapeError, ("v(5,)", "W(4, 2)")),
    ("a named intermediate", lambda: (v() * 2).named("h") + W(), gx.ShapeError, ("h(5,)", "W(4, 2)")),
    ("where", lambda: gx.where(v() > 0, W(), 0.0), gx.ShapeError, ("W(4, 2)",)),
    ("reshape", lambda: gx.reshape(W(), (3, 3)), gx.ShapeError, ("W(4, 2)", "8", "9")),
    ("reshape with -1", lambda: gx.reshape(W(), (3, -1)), gx.ShapeError, ("W(4, 2)", "8", "3")),
    ("reshape with two -1", lambda: gx.reshape(W(), (-1, -1)), gx.ShapeError, ("W(4, 2)", "-1")),
    ("broadcast_to", lambda: gx.broadcast_to(W(), (3, 2)), gx.ShapeError, ("W(4, 2)", "3")),
    ("broadcast_to fewer axes", lambda: gx.broadcast_to(W(), (2,)), gx.ShapeError, ("W(4, 2)",)),
    ("squeeze of what is not 1", lambda: gx.squeeze(W(), axis=0), gx.ShapeError, ("W(4, 2)", "squeeze")),
    ("a position beyond the end", lambda: W()[4], gx.ShapeError, ("W(4, 2)", "4")),
    ("a position before the start", lambda: W()[-5], gx.ShapeError, ("W(4, 2)", "-5")),
    ("too many positions", lambda: W()[0, 0, 0], gx.ShapeError, ("W(4, 2)", "3")),
    ("diag of rank 3", lambda: gx.diag(gx.tensor("T", (2, 2, 2))), gx.ShapeError, ("T(2, 2, 2)",)),
    ("dot", lambda: gx.dot(v(), W()), gx.ShapeError, ("v(5,)", "W(4, 2)")),
    ("einsum", lambda: gx.einsum("ij,jk->ik", X(), W()), gx.ShapeError, ("X(n, 3)", "W(4, 2)", "einsum")),
    ("trace of a vector", lambda: gx.trace(v()), gx.GraphcError, ("v(5,)",)),
]

ARGUMENTS: list[Mistake] = [
    ("an axis too far", lambda: gx.sum(W(), axis=2), gx.DeclarationError, ("W(4, 2)", "2")),
    ("an axis twice", lambda: gx.sum(W(), axis=(0, -2)), gx.DeclarationError, ("W(4, 2)", "twice")),
    ("a float axis", lambda: gx.sum(W(), axis=0.5), gx.DeclarationError, ("W(4, 2)", "0.5")),
    ("a bool axis", lambda: gx.max(W(), axis=True), gx.DeclarationError, ("W(4, 2)", "True")),
    ("text for an axis", lambda: gx.softmax(W(), axis="rows"), gx.DeclarationError, ("W(4, 2)", "rows")),
    ("an axis of a scalar", lambda: gx.sum(gx.scalar("a"), axis=0), gx.DeclarationError, ("a (scalar)",)),
    ("axes that are no order", lambda: gx.transpose(W(), (0, 0)), gx.DeclarationError, ("W(4, 2)", "axes")),
    ("too few axes", lambda: gx.transpose(W(), (0,)), gx.DeclarationError, ("W(4, 2)", "axes")),
    ("expand_dims twice", lambda: gx.expand_dims(W(), (0, 0)), gx.DeclarationError, ("twice",)),
    ("expand_dims too far", lambda: gx.expand_dims(W(), 5), gx.DeclarationError, ("W(4, 2)", "5")),
    ("a step of 0", lambda: W()[::0], gx.DeclarationError, ("W(4, 2)", "step")),
    ("a float for a position", lambda: W()[0.5], gx.DeclarationError, ("W(4, 2)", "0.5")),
    ("a bool for a position", lambda: W()[True], gx.DeclarationError, ("W(4, 2)", "True")),
    ("a list for a position", lambda: W()[[0, 1]], gx.DeclarationError, ("W(4, 2)", "gx.take")),
    ("an array for a position", lambda: W()[np.array([0, 1])], gx.DeclarationError, ("W(4, 2)", "gx.take")),
    ("a float in a slice", lambda: W()[0.5:2], gx.DeclarationError, ("W(4, 2)", "0.5")),
    ("text in a slice", lambda: X()["a":], gx.DeclarationError, ("X(n, 3)", "'a'")),
    ("a tensor for a position", lambda: W()[ids()], gx.DeclarationError, ("W(4, 2)", "gx.take", "ids")),
    ("dots twice", lambda: W()[..., ...], gx.DeclarationError, ("W(4, 2)", "...")),
    ("einsum of too few", lambda: gx.einsum("ij,jk->ik", W()), gx.DeclarationError, ("einsum", "2", "1")),
    ("einsum of another rank", lambda: gx.einsum("ijk->i", W()), gx.DeclarationError, ("W(4, 2)", "ijk")),
    ("einsum of an unknown letter", lambda: gx.einsum("ij->iz", W()), gx.DeclarationError, ("iz",)),
    ("einsum of signs", lambda: gx.einsum("i?->i", W()), gx.DeclarationError, ("i?->i",)),
    ("einsum of no text", lambda: gx.einsum(W(), W()), gx.DeclarationError, ("einsum",)),
    ("a number of values for one function", lambda: gx.function("f", lambda x: x)(v(), v()), gx.DeclarationError, ("f", "1", "2")),
    ("a function of no formula", lambda: gx.function("f", 3), gx.DeclarationError, ("f", "3")),
    ("a function of any number", lambda: gx.function("f", lambda *x: x[0]), gx.DeclarationError, ("f", "lambda")),
    ("a function of another symbol", lambda: gx.function("f", lambda x: x + sympy.Symbol("q")), gx.DeclarationError, ("f", "q")),
    ("a function that compares in Python", lambda: gx.function("f", lambda x: max(0, x)), gx.DeclarationError, ("f",)),
    ("a function that calls NumPy", lambda: gx.function("f", lambda x: np.exp(x)), gx.DeclarationError, ("f", "sympy")),
    ("a function of a complex number", lambda: gx.function("f", lambda x: x * sympy.I), gx.DeclarationError, ("f",)),
    ("a function without a name", lambda: gx.function("", lambda x: x), gx.DeclarationError, ("name",)),
    ("a rate of 1", lambda: gx.nn.dropout(v(), 1.0), gx.DeclarationError, ("v(5,)", "1.0")),
    ("a negative rate", lambda: gx.nn.dropout(v(), -0.1), gx.DeclarationError, ("v(5,)", "-0.1")),
    ("text for a rate", lambda: gx.nn.dropout(v(), "half"), gx.DeclarationError, ("v(5,)", "half")),
    ("a probability above 1", lambda: gx.random.bernoulli((3,), p=1.5), gx.DeclarationError, ("1.5", "probability")),
    ("a negative key", lambda: gx.random.uniform((3,), key=-1), gx.DeclarationError, ("key", "-1")),
    ("an assignment to an input", lambda: gx.assign(X(), X()), gx.DeclarationError, ("X", "state")),
    ("an assignment to a number", lambda: gx.assign(3, X()), gx.DeclarationError, ("3", "state")),
    ("an assignment of another shape", lambda: gx.assign(gx.state("m", (3,)), v()), gx.DeclarationError, ("m(3,)", "v(5,)")),
    ("floats for a state of whole numbers", lambda: gx.assign(gx.state("m", (5,), dtype="int"), v()), gx.DeclarationError, ("m(5,)", "v(5,)", "int")),
    ("two phases of different rank", lambda: gx.by_phase(training=v(), inference=W()), gx.DeclarationError, ("v(5,)", "W(4, 2)")),
    ("two phases of different size", lambda: gx.by_phase(training=v(), inference=gx.tensor("z", (4,))), gx.ShapeError, ("v(5,)", "z(4,)")),
    ("two leaves of one name", lambda: gx.leaves(gx.tensor("x", (3,)) + gx.tensor("x", (3,))), gx.DeclarationError, ("x", "gx.scope")),
]


def image() -> gx.Tensor:
    return gx.tensor("image", ("n", 6, 6, 4))


def taps() -> gx.Tensor:
    return gx.tensor("taps", (3, 3, 4, 2))


NEURAL: list[Mistake] = [
    (
        "channels that differ",
        lambda: gx.nn.conv2d(image(), gx.tensor("taps", (3, 3, 5, 2))),
        gx.ShapeError,
        ("image(n, 6, 6, 4)", "taps(3, 3, 5, 2)"),
    ),
    ("an image of rank 3", lambda: gx.nn.conv2d(gx.tensor("image", (6, 6, 4)), taps()), gx.ShapeError, ("image(6, 6, 4)",)),
    ("a kernel of rank 2", lambda: gx.nn.conv2d(image(), W()), gx.ShapeError, ("W(4, 2)",)),
    ("a kernel larger than the image", lambda: gx.nn.conv2d(image(), gx.tensor("taps", (7, 3, 4, 2))), gx.GraphcError, ("image(n, 6, 6, 4)",)),
    ("groups that do not divide", lambda: gx.nn.conv2d(image(), taps(), groups=3), gx.GraphcError, ("groups", "3")),
    ("no groups", lambda: gx.nn.conv2d(image(), taps(), groups=0), gx.GraphcError, ("groups", "0")),
    ("a stride of 0", lambda: gx.nn.conv2d(image(), taps(), strides=0), gx.GraphcError, ("strides", "0")),
    ("three strides", lambda: gx.nn.conv2d(image(), taps(), strides=(1, 1, 1)), gx.GraphcError, ("strides", "(1, 1, 1)")),
    ("a dilation of 0", lambda: gx.nn.conv2d(image(), taps(), dilation=0), gx.GraphcError, ("dilation", "0")),
    ("an unknown padding", lambda: gx.nn.conv2d(image(), taps(), padding="full"), gx.GraphcError, ("padding", "full")),
    ("a negative padding", lambda: gx.nn.conv2d(image(), taps(), padding=-1), gx.GraphcError, ("padding", "-1")),
    ("text for a stride", lambda: gx.nn.conv2d(image(), taps(), strides="two"), gx.GraphcError, ("strides", "two")),
    ("a pool of size 0", lambda: gx.nn.max_pool2d(image(), 0), gx.GraphcError, ("0",)),
    ("a pool of a vector", lambda: gx.nn.max_pool2d(v(), 2), gx.GraphcError, ("v(5,)",)),
    ("a pool larger than its input", lambda: gx.nn.avg_pool2d(image(), 7), gx.GraphcError, ("image(n, 6, 6, 4)",)),
    (
        "a transposed convolution of channels that differ",
        lambda: gx.nn.conv2d_transpose(image(), gx.tensor("taps", (3, 3, 2, 5))),
        gx.ShapeError,
        ("image(n, 6, 6, 4)", "taps(3, 3, 2, 5)"),
    ),
    ("ids of floats", lambda: gx.nn.embedding(W(), v()), gx.GraphcError, ("v(5,)", "int")),
    ("a table of rank 0", lambda: gx.nn.embedding(gx.scalar("a"), ids()), gx.GraphcError, ("a (scalar)",)),
    ("attention of another width", lambda: gx.nn.attention(W(), gx.tensor("K", (3, 5)), W()), gx.ShapeError, ("W(4, 2)", "K(3, 5)")),
    ("a gamma of another size", lambda: gx.nn.batch_norm(W(), v(), v()), gx.ShapeError, ("v(5,)",)),
    ("a beta of another size", lambda: gx.nn.layer_norm(W(), gx.tensor("gamma", (2,)), v()), gx.ShapeError, ("v(5,)",)),
    ("joined widths that differ", lambda: gx.concatenate([W(), gx.tensor("Z", (2, 3))]), gx.ShapeError, ("W(4, 2)", "Z(2, 3)")),
    ("joined ranks that differ", lambda: gx.concatenate([W(), v()]), gx.GraphcError, ("W(4, 2)", "v(5,)")),
    ("nothing joined", lambda: gx.concatenate([]), gx.GraphcError, ("concatenate",)),
    ("nothing stacked", lambda: gx.stack([]), gx.GraphcError, ("stack",)),
    ("stacked shapes that differ", lambda: gx.stack([W(), v()]), gx.GraphcError, ("v(5,)",)),
    ("a split that does not divide", lambda: gx.split(W(), 3), gx.GraphcError, ("W(4, 2)", "3")),
    ("a split of nothing", lambda: gx.split(W(), 0), gx.GraphcError, ("0",)),
    ("a negative pad", lambda: gx.pad(W(), -1), gx.GraphcError, ("-1",)),
    ("a pad of too many axes", lambda: gx.pad(W(), ((1, 1), (1, 1), (1, 1))), gx.GraphcError, ("W(4, 2)",)),
    ("a pick by floats", lambda: gx.take(W(), v()), gx.GraphcError, ("v(5,)", "int")),
    ("a pick along no axis", lambda: gx.take(W(), ids(), axis=2), gx.GraphcError, ("W(4, 2)", "2")),
    ("one_hot of floats", lambda: gx.one_hot(v(), 4), gx.GraphcError, ("v(5,)", "int")),
    ("one_hot of a negative depth", lambda: gx.one_hot(ids(), -1), gx.GraphcError, ("-1",)),
]

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
    ("a comparison in Python", lambda: gx.define("Y", (i, j), i == j), gx.DeclarationError, ("False", "sympy.Eq")),
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

GRADIENTS: list[Mistake] = [
    ("of a vector", lambda: gx.grad(t := v(), t), gx.GraphcError, ("v(5,)", "sum")),
    ("by what does not take part", lambda: gx.grad(gx.sum(v()), W()), gx.DerivationError, ("W", "zero")),
    ("by a number", lambda: gx.grad(gx.sum(v()), 3), gx.GraphcError, ("3",)),
    ("by text", lambda: gx.grad(gx.sum(v()), "v"), gx.GraphcError, ("v",)),
    ("by integers", lambda: gx.grad(gx.sum(gx.exp(t := ids())), t), gx.GraphcError, ("ids", "int")),
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
    ("a reshape", guarded(lambda a, b: gx.reshape(a, (2, 2)) + gx.sum(b), 5, 1), gx.ShapeError, ("A(n,)", "reshape")),
    ("a reshape with -1", guarded(lambda a, b: gx.reshape(a, (2, -1)) + gx.sum(b), 5, 1), gx.ShapeError, ("A(n,)", "reshape")),
    ("a position", guarded(lambda a, b: a[3] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "3")),
    ("a slice", guarded(lambda a, b: a[2:6] + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "2:6")),
    ("a squeeze", guarded(lambda a, b: gx.squeeze(a, 0) + gx.sum(b), 3, 1), gx.ShapeError, ("A(n,)", "squeeze")),
    ("an access", guarded(lambda a, b: gx.define("Y", (i,), a[i + 2] * b[i]), 3, 3), gx.ShapeError, ("A(n,)", "i + 2")),
]  # fmt: skip



def call(*arrays: Any, **options: Any) -> Callable[[], Any]:
    def run() -> Any:
        return gx.compile(gx.tanh(X() @ gx.parameter("W", (3, 2), init=1.0)), **options)(*arrays)

    return run


COMPILED: list[Mistake] = [
    ("an unknown target", call(target="abacus"), gx.CompileError, ("abacus", "cpu")),
    ("an unknown precision of a program", call(dtype="float13"), gx.CompileError, ("float13", "float32")),
    ("no array for a program", call(), gx.GraphcError, ("X",)),
    ("too many arrays", call(np.zeros((1, 3)), np.zeros(3)), gx.GraphcError, ("X",)),
    ("another width in a program", call(np.zeros((2, 4))), gx.DataError, ("X(n, 3)", "(2, 4)")),
    ("another rank in a program", call(np.zeros(3)), gx.DataError, ("X(n, 3)", "(3,)")),
    ("text in a program", call("abc"), gx.DataError, ("X(n, 3)",)),
    ("an unknown name in a program", lambda: gx.compile(2 * v())(q=np.zeros(5)), gx.GraphcError, ("q", "v")),
    ("an input that is left out", lambda: gx.compile(v() + X(), inputs=[v()]), gx.GraphcError, ("v",)),
    ("an id beyond the table in a program", lambda: gx.compile(gx.take(gx.constant(np.zeros((4, 2)), name="E"), ids()))([0, 1, 2, 4]), gx.DataError, ("4",)),
    ("a negative id in a program", lambda: gx.compile(gx.take(gx.constant(np.zeros((4, 2)), name="E"), ids()))([0, 1, -2, 3]), gx.DataError, ("-2",)),
    ("an abstract function", lambda: gx.compile(gx.function("phi")(v())), gx.CompileError, ("phi",)),
    ("two next values for one state", lambda: gx.compile([gx.assign(m := gx.state("m", ()), 1.0), gx.assign(m, 2.0)]), gx.GraphcError, ("m",)),
    ("an unknown view", lambda: gx.draw(v(), view="bird"), gx.DeclarationError, ("bird", "op")),
    ("an unknown style", lambda: gx.draw(v(), style="baroque"), gx.DeclarationError, ("baroque",)),
    ("text drawn", lambda: gx.draw("v"), gx.DeclarationError, ("v",)),
    ("a derivation by what does not take part", lambda: gx.derive(gx.sum(v()), W()), gx.DerivationError, ("W",)),
    ("a derivation by an unknown name", lambda: gx.derive(gx.sum(v()), "q"), gx.GraphcError, ("q", "v")),
    ("an unknown layout", lambda: gx.derive(gx.sum(t := v()), t, layout="spiral"), gx.GraphcError, ("spiral",)),
    ("a formula of code", lambda: gx.parse("__import__('os')", {}), gx.GraphcError, ()),
    ("a formula that ends too early", lambda: gx.parse("sum((x", {"x": ("n",)}), gx.GraphcError, ("x",)),
    ("a formula of an unknown name", lambda: gx.parse("x + q", {"x": ("n",)}), gx.GraphcError, ("q",)),
]

ALL = [*DECLARED, *SHAPES, *ARGUMENTS, *NEURAL, *DEFINED, *GRADIENTS, *DATA, *LATER, *COMPILED]


@pytest.mark.parametrize(("wrong", "error", "texts"), [m[1:] for m in ALL], ids=[m[0] for m in ALL])
def test_a_mistake_is_named(wrong: Callable[[], Any], error: type[gx.GraphcError], texts: tuple[str, ...]) -> None:
    with pytest.raises(gx.GraphcError) as caught:
        wrong()
    assert isinstance(caught.value, error), repr(caught.value)
    message = str(caught.value)
    assert [t for t in texts if t not in message] == [], message
    assert not caught.value.__cause__ or isinstance(caught.value.__cause__, gx.GraphcError)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(message) > 20
    assert not re.search(r"#\d|0x[0-9a-f]{6}", message), message  # numbers and addresses of our own


def test_an_error_of_a_size_quotes_the_line_that_declared_it() -> None:
    a, b = gx.tensor("A", ("n",)), gx.tensor("B", ("m",))
    total = a + b  # this line
    with pytest.raises(gx.ShapeError, match=r"test_errors\.py") as caught:
        gx.evaluate(total, {a: np.ones(2), b: np.ones(3)})
    line = int(re.search(r"test_errors\.py:(\d+)", str(caught.value))[1])  # type: ignore[index]
    with open(__file__, encoding="utf-8") as source:
        assert "# this line" in source.readlines()[line - 1]


def test_every_error_is_caught_by_the_root() -> None:
    for name in ("CompileError", "DataError", "DeclarationError", "DerivationError", "FileFormatError", "ShapeError"):
        assert issubclass(getattr(gx, name), gx.GraphcError)
