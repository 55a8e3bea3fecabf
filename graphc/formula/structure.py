"""Which unnamed tensors of a network deserve a name of their own, read off the stages alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from graphc.expr.graph import unalias
from graphc.expr.operation import Alias, Leaf, Random
from graphc.expr.scalar import Select, is_condition
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor

__all__ = ["automatic_names", "is_contraction", "nonlinear_reads", "random_only"]


@lru_cache(maxsize=4096)
def nonlinear_reads(op: Stage) -> frozenset[int]:
    """The operands that a stage does not take affinely."""
    if is_condition(op.body):
        return frozenset(r.operand for r in op.reads)
    if op.reducer not in (None, "sum"):
        return frozenset(r.operand for r in op.reads)
    symbols = [read_symbol(k) for k in range(len(op.reads))]
    found: set[int] = set()
    for k, read in enumerate(op.reads):
        slope = op.body.diff(symbols[k])
        same = [symbols[n] for n, r in enumerate(op.reads) if r.operand == read.operand]
        if slope.has(*same):
            found.add(read.operand)
    return frozenset(found)


def is_contraction(op: Any) -> bool:
    """Whether a stage sums products of entries at different indices, as a matrix product does."""
    if not isinstance(op, Stage) or op.reducer != "sum" or not op.shape or len(op.reads) < 2:
        return False
    touched = {frozenset(v for p in r.coords for v in p.variables) for r in op.reads}
    return len(touched) > 1 and any(s & set(op.reduced) for s in touched)


def _sources(node: Node) -> list[Tensor]:
    return [unalias(t) for t in node.inputs]


def automatic_names(order: Sequence[Node], names: Mapping[Tensor, str], recurrent: bool = False) -> dict[Tensor, str]:
    """Names for unnamed tensors: ``z`` before an activation and ``h`` after it, within a network of several layers;
    ``r`` for random numbers; ``c`` for constant arrays; ``p`` for what is divided by a sum of its own parts. In the body of a
    recurrence every layer has layers after it.
    """
    nodes = [n for n in order if not isinstance(n.op, Alias)]
    users: dict[Tensor, list[Node]] = {}
    for node in nodes:
        for t in dict.fromkeys(_sources(node)):
            users.setdefault(t, []).append(node)
    random = random_only(nodes)
    products, below = _product_flags(nodes, users)
    if recurrent:
        below = {t for node in nodes for t in node.outputs}
    layers = _layers(nodes, products)
    letters: dict[Tensor, str] = {t: name for t, name in _standardised(nodes, names).items() if t not in names}
    for node in nodes:
        out = node.outputs[0]
        if out in names or out in letters:
            continue
        letter = _letter(node, users, random, layers, products, below)
        if letter:
            letters[out] = letter
    for tensor in [t for t, name in letters.items() if name == "A"]:
        masked = _scores(tensor)
        scores = _seen(masked)
        if letters.get(scores, "z") == "z" and scores in layers and scores not in names:
            letters[scores] = "S"
            if scores is not masked:
                letters.pop(masked, None)
    return _numbered(letters, set(names.values()))


def random_only(nodes: Sequence[Node]) -> set[Tensor]:
    """Tensors that depend on random nodes and constants alone."""
    found: set[Tensor] = set()
    plain: set[Tensor] = set()
    for node in nodes:
        inputs = _sources(node)
        if isinstance(node.op, Random) or (inputs and all(t in found or t in plain for t in inputs) and any(t in found for t in inputs)):
            found.update(node.outputs)
        elif (isinstance(node.op, Leaf) and node.op.kind == "constant") or (isinstance(node.op, Stage) and not inputs):
            plain.update(node.outputs)
    return found


def _product_flags(nodes: Sequence[Node], users: Mapping[Tensor, list[Node]]) -> tuple[set[Tensor], set[Tensor]]:
    """The tensors that have a contraction before them, and those that have one after them."""
    before: set[Tensor] = set()
    for node in nodes:
        if is_contraction(node.op) or any(t in before for t in _sources(node)):
            before.update(node.outputs)
    after: set[Tensor] = set()
    for node in reversed(nodes):
        for out in node.outputs:
            if any(is_contraction(u.op) or any(t in after for t in u.outputs) for u in users.get(out, [])):
                after.add(out)
    return before, after


def _layers(nodes: Sequence[Node], before: set[Tensor]) -> set[Tensor]:
    """What is a contraction plus affine additions: nothing bent has come in since."""
    found: set[Tensor] = set()
    for node in nodes:
        inputs = [t for t in _sources(node) if t in before]
        if is_contraction(node.op) or (isinstance(node.op, Stage) and inputs and all(t in found for t in inputs) and not nonlinear_reads(node.op)):
            found.update(node.outputs)
    return found


def _letter(node: Node, users: Mapping[Tensor, list[Node]], random: set[Tensor], layers: set[Tensor], before: set[Tensor], after: set[Tensor]) -> str:
    out, op = node.outputs[0], node.op
    if out in random:
        return "" if any(t in random for u in users.get(out, []) for t in u.outputs) else "r"
    if isinstance(op, Leaf):
        varied = op.kind == "constant" and op.cell is not None and op.cell.array is not None and (op.cell.array != op.cell.array.flat[0]).any() \
            if op.kind == "constant" and out.ndim else False  # fmt: skip
        return "c" if varied else ""
    if not isinstance(op, Stage) or not out.ndim:
        return ""
    if _normalised(node):
        return "A" if any(is_contraction(u.op) for u in users.get(out, [])) else "p"
    if out not in before:
        return ""
    if out in layers and len(users.get(out, [])) > 1:
        return "z"
    if out not in after:
        return ""
    bent = bool(nonlinear_reads(op))
    if out in layers and any(_source_index(u, out) in nonlinear_reads(u.op) for u in users.get(out, []) if isinstance(u.op, Stage)):
        return "z"
    if bent and any(is_contraction(u.op) for u in users.get(out, [])):
        return "h"
    return ""


def _copied(tensor: Tensor) -> Tensor:
    """The tensor behind names and axes of size 1."""
    tensor = unalias(tensor)
    while isinstance(tensor.op, Stage) and tensor.op.elementwise and len(tensor.inputs) == 1 and tensor.op.body == read_symbol(0):
        tensor = unalias(tensor.inputs[0])
    return tensor


def _mean_of(tensor: Tensor) -> Tensor | None:
    """What a tensor is the mean of, where it is one: a sum over axes divided by a number."""
    op = tensor.op
    if not isinstance(op, Stage) or not op.elementwise or len(tensor.inputs) != 1 or read_symbol(0) in (op.body / read_symbol(0)).free_symbols:
        return None
    total = _copied(tensor.inputs[0])
    over = total.op
    return unalias(total.inputs[0]) if isinstance(over, Stage) and over.reducer == "sum" and over.body == read_symbol(0) else None


def _standardised(nodes: Sequence[Node], names: Mapping[Tensor, str]) -> dict[Tensor, str]:
    """``μ``, ``s`` and ``x`` with a hat, where ``(x - μ)/s`` is formed of a tensor and its mean."""
    found: dict[Tensor, str] = {}
    for node in nodes:
        op = node.op
        if not isinstance(op, Stage) or not op.elementwise or len(op.reads) != 2 or op.body != read_symbol(0) / read_symbol(1):
            continue
        above, below = (unalias(node.inputs[r.operand]) for r in op.reads)
        inner = above.op
        if not isinstance(inner, Stage) or not inner.elementwise or inner.body != read_symbol(0) - read_symbol(1):
            continue
        x, mean = (unalias(above.inputs[r.operand]) for r in inner.reads)
        if _mean_of(mean) is x:
            name = names.get(x, "")
            found |= {mean: "mu", below: "s", node.outputs[0]: f"{name if len(name) == 1 else 'x'}\u0302"}
    return found


def _normalised(node: Node) -> bool:
    """Whether a stage divides a tensor by a sum of its own entries."""
    op = node.op
    if not isinstance(op, Stage) or not op.elementwise or len(node.inputs) != 2 or op.body != read_symbol(0) / read_symbol(1):
        return False
    part, whole = _sources(node)[op.reads[0].operand], _sources(node)[op.reads[1].operand]
    whole = _copied(_unguarded(_copied(whole)))
    over = whole.op
    return isinstance(over, Stage) and over.reducer == "sum" and over.body == read_symbol(0) and unalias(whole.inputs[0]) is part


def _unguarded(tensor: Tensor) -> Tensor:
    """The tensor behind ``1 if it is 0 else it``."""
    op = tensor.op
    if not isinstance(op, Stage) or not op.elementwise or not isinstance(op.body, Select):
        return tensor
    behind = _read(tensor, op.body.args[2])
    return tensor if behind is None else unalias(behind)


def _read(tensor: Tensor, symbol: Any) -> Tensor | None:
    """The operand that a symbol of a stage's body reads."""
    op = tensor.op
    return next((tensor.inputs[r.operand] for k, r in enumerate(op.reads) if read_symbol(k) == symbol), None) if isinstance(op, Stage) else None


def _seen(tensor: Tensor) -> Tensor:
    """The tensor behind a mask, ``it if c else a number``."""
    op = tensor.op
    if not isinstance(op, Stage) or not op.elementwise or not isinstance(op.body, Select):
        return tensor
    behind, other = (_read(tensor, a) for a in op.body.args[1:])
    return tensor if behind is None or (other is not None and other.kind != "constant") else unalias(behind)


def _scores(shares: Tensor) -> Tensor:
    """What the exponentials are taken of, whose shares a tensor is."""
    power = _seen(unalias(shares.inputs[0]))
    scores = unalias(power.inputs[0]) if len(power.inputs) == 1 else power
    shifted = scores.op
    return unalias(scores.inputs[0]) if isinstance(shifted, Stage) and shifted.body == read_symbol(0) - read_symbol(1) else scores


def _source_index(node: Node, tensor: Tensor) -> int:
    return _sources(node).index(tensor)


def _numbered(letters: Mapping[Tensor, str], taken: set[str]) -> dict[Tensor, str]:
    """``z1, z2, ...`` where a letter stands for several tensors, the letter alone where it stands for one."""
    counts: dict[str, int] = {}
    for text in letters.values():
        counts[text] = counts.get(text, 0) + 1
    numbers = dict.fromkeys(counts, 0)
    result: dict[Tensor, str] = {}
    for tensor, text in letters.items():
        if counts[text] == 1 and text not in taken:
            result[tensor] = text
            continue
        numbers[text] += 1
        while f"{text}{numbers[text]}" in taken:
            numbers[text] += 1
        result[tensor] = f"{text}{numbers[text]}"
    return result
