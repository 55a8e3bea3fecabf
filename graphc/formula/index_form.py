r"""A tensor's own formula in index notation: ``Y_{ij} = \sum_k X_{ik} W_{kj} + b_j``."""

from __future__ import annotations

from typing import Any

from graphc.expr.tensor import Tensor
from graphc.formula.atoms import Source, entries
from graphc.formula.definition import Definition
from graphc.formula.display import Show, latex, text
from graphc.formula.forward import Forward
from graphc.formula.matrices import matrix_show
from graphc.formula.spell import IndexSpeller, Vocabulary, symbol

__all__ = ["definition_show", "index_latex", "index_text", "words_of"]


def words_of(forward: Forward) -> Vocabulary:
    """The names of everything defined, with numbers for what has none."""
    words = Vocabulary()
    taken = {d.name for d in forward.definitions.values()}
    count = 0
    for d in forward.definitions.values():
        words.late[d.source] = d.source.order
        if d.operand is not None:
            words.names[d.source] = matrix_show(d.tensor.op.kind, words.names[d.operand])  # type: ignore[union-attr]
            continue
        name = d.name
        while not name:
            count += 1
            name = f"t{count}" if f"t{count}" not in taken else ""
        words.names[d.source] = symbol(name)
    for d in forward.definitions.values():
        for s in [] if d.expr is None else _sources(d.expr):
            words.late[s] = max(words.late[s], d.source.order)
    return words


def _sources(expr: Any) -> list[Source]:
    return [e.source for e in entries(expr)]


def definition_show(definition: Definition, words: Vocabulary) -> tuple[Show, Show]:
    """Both sides of a definition in index notation."""
    speller = IndexSpeller(words).with_letters(definition.letters)
    left = speller.entry(definition.source, definition.letters)
    return left, speller(definition.expr) if definition.expr is not None else left


def _sides(tensor: Tensor) -> tuple[Show, Show]:
    forward = Forward([tensor], automatic=False)
    definition = forward.definitions[forward.outputs[0]]
    words = words_of(forward)
    if not definition.name:
        words.names[definition.source] = symbol("y")
    return definition_show(definition, words)


def index_latex(tensor: Tensor) -> str:
    r"""A tensor's formula in index notation, as LaTeX; unnamed producers are put into it.

    Example:
        >>> import graphc as gx
        >>> X, w = gx.tensor("X", ("n", 3)), gx.tensor("w", (3,))
        >>> print(index_latex((X @ w).named("y")))
        y_{i} = \sum_{j} X_{ij} \, w_{j}
    """
    left, right = _sides(tensor)
    return latex(left) if left == right else f"{latex(left)} = {latex(right)}"


def index_text(tensor: Tensor) -> str:
    """A tensor's formula in index notation, in one line of Unicode.

    Example:
        >>> import graphc as gx
        >>> X, w = gx.tensor("X", ("n", 3)), gx.tensor("w", (3,))
        >>> print(index_text((X @ w).named("y")))
        yᵢ = Σⱼ Xᵢⱼ wⱼ
    """
    left, right = _sides(tensor)
    return text(left) if left == right else f"{text(left)} = {text(right)}"
