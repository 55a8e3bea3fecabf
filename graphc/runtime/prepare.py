"""From what the user declared to a program: phases, random numbers, stable forms, passes, lowering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import CompileError, DeclarationError
from graphc.expr.carry import carried
from graphc.expr.graph import (
    assigns,
    drop_aliases,
    guards,
    leaves,
    random_numbers,
    rebuild,
    replace_inputs,
    substitute,
    topological,
    training,
    unalias,
)  # fmt: skip
from graphc.expr.operation import Alias, Assign, Leaf
from graphc.expr.stage import Stage
from graphc.expr.tensor import Guard, Node, Tensor, make
from graphc.lower.fuse import root_of
from graphc.lower.program import Program, copy_of, lower
from graphc.rewrite.passes import rewrite
from graphc.rewrite.samples import by_samples
from graphc.runtime.settings import setting
from graphc.stable import stabilise

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A graph ready to be lowered.

    Attributes:
        outputs: after the passes; what was asked for, then the assignments that are carried out beside it.
        named: the same before the passes, with the user's names, in the training reading.
        count: how many outputs were asked for.
        inputs: what a call takes, in order.
        placed: the tensors that stand for inputs in the graph.
        spare: those of them that no value depends on, but what a gradient was taken of.
        numbers: of the random nodes.
        guards: what sizes must fulfil.
    """

    outputs: list[Tensor]
    named: list[Tensor]
    count: int
    inputs: list[Tensor]
    placed: list[Tensor]
    spare: set[Tensor]
    numbers: dict[Node, int]
    guards: list[Guard]

    def program(self, apart: bool = False) -> Program:
        """The kernels of the graph; ``apart``: those in which samples do not meet are brought together."""
        samples = by_samples(self.outputs, self.numbers) if apart else None
        return lower(self.outputs, self.numbers) if samples is None else lower(samples.outputs, samples.numbers, samples=samples)

    def before(self) -> tuple[list[Tensor], list[Tensor]]:
        """The graph without names, before stable forms and with them: what the passes were given."""
        return drop_aliases(_named(self.named)), plain_of(self.named)


def prepare(outputs: Sequence[Tensor], inputs: Any) -> Prepared:
    """The graph of the outputs, ready to be lowered.

    Raises:
        CompileError: for an input that no array can be given for, or one missing from ``inputs``.
        DeclarationError: where ``inputs`` has anything but tensors and names of leaves, or one of them twice.
    """
    read = training(outputs)
    numbers = random_numbers(read)
    used = [t for t in leaves(read).values() if t.kind == "input"]
    given = used if inputs is None else _chosen(inputs, leaves(read))
    placed = [t if t.kind == "input" else make(Leaf("input"), (), t.shape, t.dtype, name=t.name or f"input_{k}") for k, t in enumerate(given)]
    if inputs is not None:
        # Cut before the phase is chosen: that makes other tensors of those downstream of a choice.
        read = training(substitute(outputs, {t: p for t, p in zip(given, placed, strict=True) if t is not p}))
        used = [t for t in leaves(read).values() if t.kind == "input"]
        missing = [t for t in used if t not in placed]
        if missing:
            raise CompileError(f"{missing[0].describe()} is an input of the graph and is not among inputs: add it")
    checks = guards(read)
    wanted, beside = carried(read)
    read = [*wanted, *beside]
    final = rewrite(plain_of(read), numbers, without=["tiles"] if setting("GRAPHC_CONVOLUTIONS", "direct") else [])
    needed = {t for node in topological(final) for t in node.outputs}
    return Prepared(final, read, len(wanted), list(given), placed, {t for t in placed if t not in needed}, numbers, checks)


def plain_of(outputs: Sequence[Tensor]) -> list[Tensor]:
    """A training reading in stable forms and without aliases, whose names pass on to what they name."""
    return _separate(drop_aliases(_named(stabilise(outputs))))


def _named(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph whose results of operations bear the names that aliases give them."""
    wanted: dict[Tensor, str] = {}
    for node in topological(outputs):
        if isinstance(node.op, Alias) and node.outputs[0].name:
            tensor = unalias(node.inputs[0])
            if isinstance(tensor.op, Stage) and not tensor.name:
                wanted.setdefault(tensor, node.outputs[0].name)

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        name = wanted.get(node.outputs[0])
        if name is None:
            return None
        copy = replace_inputs(node, inputs)
        copy.outputs = tuple(Tensor(copy, t.shape, t.dtype, t.name or name * (k == 0), t.call, t.output) for k, t in enumerate(copy.outputs))
        return copy.outputs

    return rebuild(outputs, change)


def _chosen(inputs: Any, known: dict[str, Tensor]) -> list[Tensor]:
    """The tensors that ``inputs`` means: tensors or names of leaves, in a list or one alone."""
    entries = [inputs] if isinstance(inputs, Tensor | str) or not hasattr(inputs, "__iter__") else list(inputs)
    chosen: list[Tensor] = []
    for entry in entries:
        found = known.get(entry) if isinstance(entry, str) else entry
        if not isinstance(found, Tensor):
            raise DeclarationError(f"inputs has {entry!r}: give tensors, or names of leaves: {', '.join(known) or 'the outputs have none'}")
        tensor = unalias(found)
        if tensor in chosen:
            raise DeclarationError(f"inputs has {tensor.describe()} twice: give each tensor once")
        chosen.append(tensor)
    return chosen


def _separate(outputs: list[Tensor]) -> list[Tensor]:
    """Old values of states that this call changes, where they are outputs or another's next value, as copies of their own."""
    changed = {root_of(a.inputs[0]) for a in assigns(outputs)}
    copies: dict[Tensor, Tensor] = {}
    for assigned in assigns(outputs):
        value = assigned.inputs[1]
        if isinstance(root_of(value).op, Leaf):
            copies[assigned] = make(
                assigned.op, (assigned.inputs[0], copy_of(value)), assigned.shape, assigned.dtype, name=assigned.name, call=assigned.call
            )
    outputs = substitute(outputs, copies) if copies else outputs
    return [copy_of(t) if root_of(t) in changed and _of_leaf(t) else t for t in outputs]


def _of_leaf(tensor: Tensor) -> bool:
    while not isinstance(tensor.op, Leaf | Assign) and root_of(tensor) is not tensor:
        tensor = tensor.inputs[0]
    return isinstance(tensor.op, Leaf)
