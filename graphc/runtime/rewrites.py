"""What the passes did to a program's graph, in formulas: what went and what came."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from graphc.expr.graph import topological
from graphc.expr.operation import Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.lower.text import formula_text
from graphc.rewrite.passes import PURPOSES
from graphc.rewrite.trace import Change, changed, trace
from graphc.runtime.formulas import Formulas, Names
from graphc.runtime.prepare import Prepared

__all__ = ["rewrites_text"]

_SHOWN = 8  # formulas that go, and that come, of each pass
_WIDTH = 100
_STABLE = "formulas that overflow or cancel are written in another way"


def rewrites_text(prepared: Prepared, formulas: Formulas) -> str:
    """Every pass that changed something: its name, what it is for, the formulas before and after."""
    plain, stable = prepared.before()
    final, changes = trace(stable, prepared.numbers)
    names = _Known(formulas.names, formulas.made)
    # The passes give the same graph as when the program was made: its tensors have the names that the kernels' formulas have.
    for mine, theirs in zip(topological(final), topological(prepared.outputs), strict=True):
        names.note(mine, theirs)
    first = Change("stable forms", *changed(plain, stable))
    told = [first, *changes] if first.went or first.came else changes
    if not told:
        return "No pass changed anything."
    lines = ["What the passes changed, in their order: - is what went, + what came in its place."]
    for change in told:
        lines += ["", *_told(change, names)]
    return "\n".join(lines)


class _Known:
    """Names of tensors of several states of a graph: where only an operation's inputs change, its result keeps its name."""

    def __init__(self, names: Names, made: Mapping[Tensor, Tensor]) -> None:
        self._names, self._made = names, made
        self._by_operation: dict[int, tuple[Tensor, ...]] = {}
        self._operations: list[object] = []  # which must live as long as they are known by their ids

    def note(self, node: Node, known: Node) -> None:
        """Let a node's tensors have the names of another's, where it has any."""
        for tensor, other in zip(node.outputs, known.outputs, strict=True):
            kernels = self._made.get(other, other)
            if self._names.known(kernels):
                self._names.share(tensor, kernels)
        self._by_operation.setdefault(id(node.op), node.outputs)
        self._operations.append(node.op)

    def __call__(self, tensor: Tensor) -> str:
        """The name of a tensor."""
        if not self._names.known(tensor) and isinstance(tensor.op, Stage):
            same = self._by_operation.setdefault(id(tensor.op), tensor.node.outputs)[tensor.output]
            self._operations.append(tensor.op)
            if same is not tensor:
                self._names(same)
                self._names.share(tensor, same)
        return self._names(tensor)


def _told(change: Change, names: _Known) -> list[str]:
    """The paragraph of a pass."""
    purpose = PURPOSES.get(change.name, _STABLE)
    where = "" if change.depth == 0 else " (in the body of a recurrence)" if change.depth == 1 else " (in a recurrence of a recurrence's body)"
    lines = textwrap.wrap(f"{change.name}{where}: {purpose}", _WIDTH, subsequent_indent="    ")
    return [*lines, *_formulas(change.went, "-", names), *_formulas(change.came, "+", names)]


def _formulas(nodes: Sequence[Node], sign: str, names: _Known) -> list[str]:
    """So many formulas as are shown, and how many more there are."""
    lines: list[str] = []
    for node in nodes[:_SHOWN]:
        lines += textwrap.wrap(
            _formula(node, names), _WIDTH, initial_indent=f"    {sign} ", subsequent_indent=" " * 10, break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    more = len(nodes) - _SHOWN
    return [*lines, f"    {sign} and {more} more"] if more > 0 else lines


def _formula(node: Node, names: _Known) -> str:
    tensor: Tensor = node.outputs[0]
    if isinstance(node.op, Scan):
        return f"{names(tensor)} = from a recurrence over {node.op.length} items, of {len(node.op.results)} results"
    return formula_text(tensor, names)
