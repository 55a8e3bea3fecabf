"""Mistakes in compiled functions, pictures, derivations and typed formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from tests.errors.common import Mistake, W, X, ids, v


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
    ("an abstract function in NumPy", lambda: gx.compile(gx.function("phi")(v()), target="numpy"), gx.CompileError, ("phi", "gx.function")),
    ("an abstract function evaluated", lambda: gx.evaluate(gx.function("phi")(t := v()), {t: np.zeros(5)}), gx.GraphcError, ("phi", "gx.function")),
    ("an abstract function checked", lambda: gx.check_gradients(gx.sum(gx.function("phi")(v()))), gx.GraphcError, ("phi", "gx.function")),
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

MISTAKES: list[Mistake] = [*COMPILED]
