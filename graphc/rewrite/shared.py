"""Shared subformulas: an exponential, a tangent, a logarithm that stands in several stages is computed once and read.

The derivative of ``tanh`` reads what the forward pass stored, the gradient of a softmax its exponentials. A function that
stands in a sum over more indices than its own is computed before that sum: ``sum over k of tanh(a[k, i]) * b[k, j]``
becomes a product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.graph import rebuild, topological
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import nominal
from graphc.rewrite.weight import HEAVY

__all__ = ["Located", "located", "share_functions"]

_AGAIN = 4  # how often a sum would repeat a function for it to be worth a tensor


class Located(NamedTuple):
    """A function in a stage: its key, the same wherever it stands, the reads that it uses in order, and its indices in order."""

    key: Any
    reads: list[int]
    indices: list[int]


def share_functions(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph in which functions that several stages need, or a sum would repeat, are stages of their own."""
    serial: dict[Tensor, int] = {}
    count: dict[Any, int] = {}
    for node in topological(outputs):
        for tensor in node.outputs:
            serial[tensor] = len(serial)
        for _, found in _functions(node, serial):
            count[found.key] = count.get(found.key, 0) + (_AGAIN if _repeated(node, found) else 1)
    made: dict[Any, Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        shared = {part: found for part, found in _functions(node, serial) if count[found.key] > 1}
        op, out = node.op, node.outputs[0]
        if not shared or not isinstance(op, Stage):
            return None
        if op.elementwise and op.body in shared and op.free == tuple(shared[op.body].indices) and shared[op.body].key not in made:
            fresh = (node if inputs == node.inputs else _again(node, inputs)).outputs
            made[shared[op.body].key] = fresh[0]
            return fresh
        return _reading(op, out, node, inputs, shared, made).node.outputs

    return rebuild(outputs, change)


def _functions(node: Node, serial: dict[Tensor, int]) -> Iterator[tuple[Any, Located]]:
    """The expensive functions of reads in a stage's formula, each once."""
    op = node.op
    if not isinstance(op, Stage) or node.outputs[0].dtype != "float" or not op.body.has(*HEAVY):
        return
    seen: dict[Any, None] = dict.fromkeys(p for p in sympy.preorder_traversal(op.body) if isinstance(p, HEAVY))
    for part in seen:
        found = located(op, node.inputs, part, serial)
        if found is not None:
            yield part, found


def located(op: Stage, inputs: Sequence[Tensor], part: Any, serial: dict[Tensor, int]) -> Located | None:
    """A function's key; ``None`` where it asks for its place, or reads what may not be there."""
    free = part.free_symbols
    reads = [k for k in range(len(op.reads)) if read_symbol(k) in free]
    if not reads or any(index_symbol(k) in free for k in range(len(op.extents))):
        return None
    if any(op.reads[k].outside is not None or any(v < 0 for p in op.reads[k].coords for v in p.variables) for k in reads):
        return None
    if any(inputs[op.reads[k].operand].dtype != "float" for k in reads):
        return None
    reads.sort(key=lambda k: (serial[inputs[op.reads[k].operand]], k))
    number: dict[int, int] = {}
    # The widest read names the indices: in the order of its axes, as the stage that computes the function would have them.
    for k in sorted(reads, key=lambda k: -len(op.reads[k].coords)):
        for place in op.reads[k].coords:
            for v in place.variables:
                number.setdefault(v, len(number))
    places = tuple(tuple(p.renumber(number.__getitem__) for p in op.reads[k].coords) for k in reads)
    body = part.xreplace(op.dim_values()).xreplace({read_symbol(k): sympy.Symbol(f"y{n}", real=True) for n, k in enumerate(reads)})
    sources = tuple(serial[inputs[op.reads[k].operand]] for k in reads)
    return Located((body, sources, places, tuple(op.extents[k] for k in number)), reads, list(number))


def _repeated(node: Node, found: Located) -> bool:
    """Whether a sum would compute a function again and again."""
    op = node.op
    assert isinstance(op, Stage)
    return op.reducer is not None and nominal(op.extents) >= _AGAIN * nominal([op.extents[k] for k in found.indices])


def _again(node: Node, inputs: Sequence[Tensor]) -> Node:
    from graphc.expr.graph import replace_inputs

    return replace_inputs(node, inputs)


def _reading(op: Stage, out: Tensor, node: Node, inputs: Sequence[Tensor], shared: dict[Any, Located], made: dict[Any, Tensor]) -> Tensor:
    """A stage that reads the shared functions of its formula."""
    accesses: list[Access] = [(inputs[r.operand], r.coords, r.outside) for r in op.reads]
    symbols: dict[Any, Any] = {}

    def replaced(part: Any) -> Any:
        if part in shared:
            if part not in symbols:
                found = shared[part]
                if found.key not in made:
                    made[found.key] = _stage(op, part, found, accesses)
                symbols[part] = read_symbol(len(accesses))
                accesses.append((made[found.key], tuple(Affine.variable(k) for k in found.indices)))
            return symbols[part]
        if not part.args or not part.has(*HEAVY):
            return part
        return part.func(*(replaced(a) for a in part.args))

    body = replaced(op.body).xreplace(op.dim_values())
    return stage(
        op.extents, accesses, body, write=op.write, shape=op.shape, reducer=op.reducer, guarded=op.guarded,
        dtype=out.dtype, name=out.name, call=out.call, guards=node.guards, origin=node.origin,
    )  # fmt: skip


def _stage(op: Stage, part: Any, found: Located, accesses: Sequence[Access]) -> Tensor:
    """A function as a tensor over its own indices."""
    number = {k: n for n, k in enumerate(found.indices)}
    reads: list[Access] = [(accesses[k][0], tuple(p.renumber(number.__getitem__) for p in op.reads[k].coords)) for k in found.reads]
    body = part.xreplace(op.dim_values()).xreplace({read_symbol(k): read_symbol(n) for n, k in enumerate(found.reads)})
    return stage([op.extents[k] for k in found.indices], reads, body, dtype="float")
