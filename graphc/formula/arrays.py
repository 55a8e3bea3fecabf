"""Pieces of matrix form: what stands before an array, diagonals, products of two vectors, terms joined by a common factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor
from graphc.formula.display import Show, add, atom, call, fraction, hadamard, product, scale, transpose
from graphc.formula.spell import Vocabulary, parted, spelled

__all__ = ["ONES", "NoMatrixFormError", "assemble", "collected", "column", "constant_line", "diag", "dot", "row", "turns"]

_SMALL = 12  # entries of a constant that are written out
ONES = atom("𝟏", r"\mathbf{1}")


class NoMatrixFormError(Exception):
    """The formula stays in index notation."""


def _plain(value: Any) -> Show:
    """A number or a dimension."""
    return spelled(value, _plain, Vocabulary())


def turns(shown: Show) -> int:
    """How many transposes a shown formula has."""
    count = 0
    stack = [shown]
    while stack:
        part = stack.pop()
        count += part.kind == "transpose"
        stack.extend(part.parts)
    return count


def constant_line(tensor: Tensor, name: Show) -> list[tuple[str, str]]:
    """A small constant vector or matrix with its entries, as text and as LaTeX; nothing for any other tensor."""
    if not isinstance(tensor.op, Leaf) or tensor.op.kind != "constant" or tensor.ndim not in (1, 2) or not 0 < tensor.value.size <= _SMALL:
        return []
    rows = [[f"{float(v):g}" for v in line] for line in tensor.value.reshape(-1, tensor.value.shape[-1]).tolist()]
    plain = ", ".join(f"[{', '.join(line)}]" for line in rows)
    tex = r" \\ ".join([" & ".join(line) for line in rows] if tensor.ndim == 2 else rows[0])
    return [(f"{name.plain} = {plain if tensor.ndim == 1 else f'[{plain}]'}", rf"{name.tex} = \begin{{pmatrix}} {tex} \end{{pmatrix}}")]


def row(shown: Show) -> Show:
    """A vector that stands in each row of a matrix: a name alone as in ``X W + b``, a product as ``𝟏 (A v)ᵀ``."""
    if shown.kind in ("scale", "negative"):
        inner = row(shown.parts[-1])
        return shown if inner is shown.parts[-1] else Show(shown.kind, (*shown.parts[:-1], inner))
    return product([ONES, transpose(column(shown))]) if shown.kind == "product" else shown


def column(shown: Show) -> Show:
    """A vector that is written as a row, ``𝟏ᵀ A``, as the column that it is in a matrix: ``Aᵀ 𝟏``."""
    if shown.kind == "product" and shown.parts[0] == transpose(ONES):
        return transpose(shown)
    if shown.kind in ("add", "negative", "scale", "hadamard", "fraction"):
        return replace(shown, parts=tuple(map(column, shown.parts)))
    return shown


def diag(vector: Show) -> Show:
    """A vector as a diagonal matrix."""
    return call("diag", r"\operatorname{diag}", [vector])


def _transposes(shown: Show) -> int:
    return sum(p.kind == "transpose" for p in shown.parts) + sum(p.kind not in ("atom", "transpose") for p in shown.parts[:1])


def dot(weights: Sequence[Show]) -> Show:
    """The sum over one letter of a product of vectors."""
    if len(weights) == 2:
        a, b = weights
        if a == b:
            return Show("norm", (a,))
        if a.kind != "atom" and b.kind == "atom":
            a, b = b, a
        return min(product([transpose(a), b]), product([transpose(b), a]), key=_transposes)
    return Show("total", (hadamard(weights),), "Σ", r"\sum")


def assemble(numbers: Sequence[Any], scalars: Sequence[Show], above: Sequence[Show], below: Sequence[Show]) -> Show:
    """Numbers and scalars in front of the array, over a fraction bar where something stands below."""
    over, under = parted(numbers)
    top, bottom = [_plain(v) for v in over], [_plain(v) for v in under]
    if below:
        up = [*top, *scalars, *above]
        return fraction(_line(up), product([*bottom, *below]))
    front = [*top, *scalars]
    if bottom:
        quotient = fraction(product(front) if front else atom("1", "1"), product(bottom))
        return scale([quotient], _line(above)) if above else quotient
    return scale(front, _line(above)) if above and front else _line([*front, *above])


def _line(parts: Sequence[Show]) -> Show:
    return product(parts) if parts else atom("1", "1")


def collected(terms: list[Show]) -> list[Show]:
    """``A w + B w`` as ``(A + B) w``, and ``A u + A v`` as ``A (u + v)``."""
    for end in (-1, 0):
        for k, first in enumerate(terms):
            if first.kind != "product":
                continue
            same = [t for t in terms if t.kind == "product" and t.parts[end] == first.parts[end]]
            if len(same) < 2:
                continue
            rest = [product(t.parts[:-1] if end else t.parts[1:]) for t in same]
            rest.sort(key=lambda t: t.kind == "transpose")
            joined = product([add(rest), first.parts[-1]] if end else [first.parts[0], add(rest)])
            return [joined if n == k else t for n, t in enumerate(terms) if n == k or t not in same]
    return terms
