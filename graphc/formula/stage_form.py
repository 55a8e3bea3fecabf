r"""One stage's own formula in index notation, over the tensors that it reads: ``\sum_{k} X_{ik} W_{kj}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.expr.operation import Leaf
from graphc.expr.stage import Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Tensor, make
from graphc.formula.atoms import Entry, Source, extent_formula
from graphc.formula.definition import axes, exact, stage_formula
from graphc.formula.display import atom, latex
from graphc.formula.spell import IndexSpeller, Vocabulary

__all__ = ["body_latex", "is_part", "plain_latex", "stage_latex"]

Labels = Callable[[Tensor], str]


def is_part(tensor: Tensor) -> bool:
    """Whether a tensor is an inner reducer of a formula in index notation, printed inside it."""
    return tensor.call is not None and tensor.call.symbol == "" and not tensor.name and isinstance(tensor.op, Stage)


class _Reader:
    """What a stage reads, by labels; inner reducers are put in."""

    def __init__(self, label: Labels) -> None:
        self.label = label
        self.words = Vocabulary()
        self._sources: dict[Tensor, Source] = {}

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """An entry of a tensor, or the formula of an inner reducer there."""
        if is_part(tensor) and isinstance(tensor.op, Stage):
            inner = stage_formula(self, tensor.node, tensor.op, tensor)
            return inner.xreplace(dict(zip(axes(tensor), places, strict=True)))
        if tensor not in self._sources:
            source = self._sources[tensor] = Source.of(tensor, order=len(self._sources))
            name = self.label(tensor)
            self.words.names[source] = atom(name, name)
        return Entry(self._sources[tensor], *places)


def stage_latex(tensor: Tensor, label: Labels) -> str:
    r"""The formula of a stage's entry; output indices are i, j, ... in order.

    Args:
        tensor: what a stage computes.
        label: the LaTeX of a tensor that it reads.
    """
    assert isinstance(tensor.op, Stage)
    reader = _Reader(label)
    expr = exact(stage_formula(reader, tensor.node, tensor.op, tensor))
    return latex(IndexSpeller(reader.words).with_letters(axes(tensor))(expr))


def plain_latex(tensor: Tensor, label: Labels) -> str:
    """An element-wise stage over whole tensors, ``2 z``, and anything else as :func:`stage_latex` has it."""
    op = tensor.op
    assert isinstance(op, Stage)
    own = list(op.free or ())
    reads = [[p.bare for p in r.coords] for r in op.reads]
    whole = all(r == own[len(own) - len(r) :] for r in reads)
    if not op.elementwise or not whole or op.body.free_symbols & {index_symbol(k) for k in range(len(op.extents))}:
        return stage_latex(tensor, label)
    names: dict[Any, str] = {read_symbol(k): label(tensor.inputs[r.operand]) for k, r in enumerate(op.reads)}
    return body_latex(op.body.xreplace({dimension_symbol(k): extent_formula(d) for k, d in enumerate(op.dims)}), names)


def body_latex(body: Any, names: Mapping[Any, str]) -> str:
    """A scalar formula as LaTeX, its symbols under the names given."""
    words, values = Vocabulary(), dict[Any, Any]()
    for k, (symbol, name) in enumerate(names.items()):
        source = Source.of(make(Leaf("input"), (), (), "float"), order=k)
        words.names[source] = atom(name, name)
        values[symbol] = Entry(source)
    return latex(IndexSpeller(words)(exact(body.xreplace(values))))
