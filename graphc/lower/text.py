"""A stage as one line of text, for comments in generated code and for explanations."""

from __future__ import annotations

from collections.abc import Callable

import sympy

from graphc.expr.affine import Affine
from graphc.expr.operation import Linalg, Random
from graphc.expr.places import written
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["formula_text"]

_LETTERS = "ijklmnopqrstuvwabcdefgh"


def formula_text(tensor: Tensor, name: Callable[[Tensor], str]) -> str:
    """``h[i, j] = sum over k: x[i, k]*W[k, j]``."""
    op = tensor.op
    if isinstance(op, Random):
        return f"{name(tensor)} = uniform random numbers"
    if isinstance(op, Linalg):
        x, *along = (name(t) for t in tensor.inputs)
        return f"{name(tensor)} = {op.kind} of {x}" + (f", differentiated along {', '.join(along)}" if along else "")
    if not isinstance(op, Stage):
        return f"{name(tensor)} = {', '.join(name(t) for t in tensor.inputs)}"
    letters = [_LETTERS[k] if k < len(_LETTERS) else f"i{k}" for k in range(len(op.extents))]
    reads: list[str] = []
    for read in op.reads:
        places = ", ".join(_place(p, letters, reads) for p in read.coords)
        reads.append(f"{name(tensor.inputs[read.operand])}[{places}]" if read.coords else name(tensor.inputs[read.operand]))
    symbols = {read_symbol(k): sympy.Symbol(r) for k, r in enumerate(reads)} | {index_symbol(k): sympy.Symbol(c) for k, c in enumerate(letters)}
    body = str(op.body.xreplace(symbols | op.dim_values()))
    left = ", ".join(_place(p, letters, reads) for p in op.write)
    head = f"{name(tensor)}[{left}]" if op.write else name(tensor)
    own = written(op) or ()
    reduced = ", ".join(letters[k] for k in range(len(op.extents)) if k not in own)
    return f"{head} = {op.reducer} over {reduced}: {body}" if op.reducer and reduced else f"{head} = {body}"


def _place(place: Affine, letters: list[str], reads: list[str]) -> str:
    parts = [(letters[v] if v >= 0 else reads[-v - 1], c) for v, c in place.terms]
    terms = [t if c == 1 else f"-{t}" if c == -1 else f"{c}*{t}" for t, c in parts]
    if place.offset != 0 or not terms:
        terms.append(str(place.offset))
    return " + ".join(terms).replace("+ -", "- ")
