"""Mistakes in operations: shapes that do not fit, and arguments that mean nothing."""

from __future__ import annotations

import numpy as np
import sympy

import graphc as gx
from tests.errors.common import Mistake, W, X, ids, v

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
    ("the largest of nothing", lambda: gx.max(gx.tensor("z", (0,))), gx.ShapeError, ("z(0,)", "largest")),
    ("the smallest of nothing along an axis", lambda: gx.min(gx.tensor("z", (3, 0)), axis=1), gx.ShapeError, ("z(3, 0)", "axis 1", "smallest")),
    ("the position of the largest of nothing", lambda: gx.argmax(gx.tensor("z", (0, 3)), axis=0), gx.ShapeError, ("z(0, 3)", "argmax")),
    ("the largest norm of nothing", lambda: gx.norm(gx.tensor("z", (0,)), float("inf")), gx.ShapeError, ("z",)),
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

MISTAKES: list[Mistake] = [*SHAPES, *ARGUMENTS]
