"""Recurrences unrolled as lectures draw them: the first iterations, an ellipsis, the last one.

It rewrites the graph: every iteration is a copy of the body, and what is left out is again a recurrence, over the rest of
the items. So the unrolled graph has the same values and gradients, and all that draws a graph draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import DeclarationError, GraphcError
from graphc.expr.dims import Dim, Extent, evaluate_extent
from graphc.expr.graph import random_numbers, rebuild, replace_inputs
from graphc.expr.operation import Alias, Random, Scan
from graphc.expr.tensor import Node, Tensor, make, make_scan
from graphc.ops.joining import concatenate, stack
from graphc.view.reading import Reading, read

__all__ = ["Cells", "Unrolled", "alias", "bases", "checked_unroll", "copied", "sizes_of", "through_time", "times", "unrolled"]

FEW = 4  # parameters of a recurrence that are drawn one by one without a frame
MOST = 24  # iterations drawn one by one
Cells = dict[Tensor, tuple[str, ...]]


@dataclass(slots=True)
class Unrolled:
    """The rewritten targets, and how they are to be read.

    Attributes:
        targets: the graph.
        cells: the frame of each copied step.
        carried: what an iteration hands on; its name stands outside the frame.
        items: what enters an iteration from a sequence that is given.
    """

    targets: list[Tensor]
    cells: Cells = field(default_factory=dict[Tensor, tuple[str, ...]])
    carried: set[Tensor] = field(default_factory=set[Tensor])
    items: set[Tensor] = field(default_factory=set[Tensor])

    def reading(self) -> Reading:
        """The unrolled graph as it is drawn."""
        return read(self.targets, cells=self.cells, carried=self.carried, entering=self.items)


def checked_unroll(unroll: object) -> int | None:
    """How many of the first iterations to draw; ``None`` for none.

    Raises:
        DeclarationError: for what is no number of iterations.
    """
    if unroll is None or unroll is False:
        return None
    if unroll is True:
        return 2
    if not isinstance(unroll, int) or not 1 <= unroll <= MOST:
        raise DeclarationError(
            f"unroll={unroll!r}: give the number of iterations to draw before the ellipsis, from 1 to {MOST}, or leave it out for one frame"
        )
    return unroll


def unrolled(targets: Sequence[Tensor], count: int, sizes: Mapping[str, int] | None = None) -> Unrolled:
    """The graph with every recurrence that the reading shows unrolled for its first ``count`` iterations and its last.

    ``sizes`` gives named lengths their numbers, where values are to be shown.

    Raises:
        GraphcError: for a recurrence that draws random numbers, where values are to be shown: copies would draw others.
    """
    reading = read(targets)
    shown = dict.fromkeys(t.node for t in reading.items if isinstance(t.op, Scan))
    users = reading.users()
    found = Unrolled([])
    frames = len(shown) > 1
    free = [times(node.op) for node in shown]
    named = {node: free[k][k % len(free[k]) if frames else 0] for k, node in enumerate(shown)}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if node not in shown or not isinstance(node.op, Scan):
            return None
        if sizes is not None and random_numbers(node.op.results):
            raise GraphcError(
                f"the recurrence that gives {node.outputs[0].label} draws random numbers in each iteration, and copies of it would draw others: "
                "draw it without values, or without unroll="
            )
        length = node.op.length if sizes is None else _length(node.op, sizes)
        plain = [t.kind == "input" and len(users.get(reading.sources.get(t, t), ())) <= len(node.outputs) for t in node.inputs]
        return _Copies(node.op, inputs, length, count, found, named[node], plain).outputs()

    found.targets = rebuild(targets, change)
    shared = [t for node in shown for t in node.inputs if t.kind == "parameter"]
    if len(shared) > FEW:
        found.cells.update(dict.fromkeys(shared, ("shared by every iteration",)))
    return found


def _length(op: Scan, sizes: Mapping[str, int]) -> Extent:
    known = isinstance(op.length, int) or set(op.length.names) <= set(sizes)
    return evaluate_extent(op.length, sizes) if known else op.length


def times(op: Any) -> str:
    """Letters for the time of a recurrence, which are no names of sizes."""
    sizes = {n for t in op.results for e in (op.length, *t.shape) if isinstance(e, Dim) for n in e.names}
    return "".join(c for c in "tsruvw" if c not in sizes) or "t"


def bases(op: Scan) -> list[str]:
    """What the carries are called, less their numbers: ``h`` of ``h0``."""
    found: list[str] = []
    for result, parameter in zip(op.results[: op.carries], op.parameters, strict=False):
        after, before = result.name.rpartition("/")[2], parameter.name.rpartition("/")[2]
        found.append(after or ("" if before == "carry" else before.rstrip("0").rstrip("_") or before) or "s")
    return found


def alias(tensor: Tensor, name: str) -> Tensor:
    """A tensor under a name, whatever scope is open."""
    return make(Alias(), (tensor,), tensor.shape, tensor.dtype, name=name, call=tensor.call)


def copied(op: Scan, given: Mapping[Tensor, Tensor], place: str, cell: tuple[str, ...], into: Unrolled) -> list[Tensor]:
    """What an iteration computes, of other tensors in the place of the body's own, its names numbered by ``place``."""
    made: dict[Tensor, Tensor] = {}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
        first = node.outputs[0]
        if first in given:
            fresh: Sequence[Tensor] = [given[first]]
        elif isinstance(node.op, Random):
            fresh = [make(Random(node.op.shape, node.op.key), (), first.shape, first.dtype, call=first.call)]
        elif isinstance(node.op, Alias) and first.name:
            fresh = [alias(inputs[0], f"{first.name.rpartition('/')[2]}_{place}")]
        else:
            fresh = replace_inputs(node, inputs, made).outputs if node.inputs else node.outputs
            into.cells.update(dict.fromkeys(fresh, cell))
        made.update(zip(node.outputs, fresh, strict=True))
        return fresh

    results = rebuild(op.results, change)
    for k, base in enumerate(bases(op)):
        if not op.results[k].name and results[k] not in given.values():
            bare, results[k] = results[k], alias(results[k], f"{base}_{place}")
            results[op.carries :] = [results[k] if t is bare else t for t in results[op.carries :]]
    into.carried.update(results)
    return results


class _Copies:
    """One recurrence as copies of its body."""

    def __init__(self, op: Scan, inputs: Sequence[Tensor], length: Extent, count: int, into: Unrolled, letter: str, leaves: Sequence[bool]) -> None:
        self.op, self.into, self.letter, self.leaves = op, into, letter, leaves
        self.carries = list(inputs[: op.carries])
        self.sequences = inputs[op.carries : op.carries + op.sequences]
        self.invariants = inputs[op.carries + op.sequences :]
        self.length = length
        self.whole = isinstance(length, int) and length <= count + 1
        self.first = length if isinstance(length, int) and self.whole else count
        self.bases = bases(op)

    def outputs(self) -> list[Tensor]:
        """The tensors in the place of the recurrence's own."""
        op = self.op
        before: list[list[Tensor]] = [[] for _ in range(op.carries)]
        after: list[list[Tensor]] = [[] for _ in op.results[op.carries :]]
        steps: list[int | None] = [*range(self.first), *([] if self.whole else [None, -1])]
        for step in steps:
            if step is None:
                node = self._between()
                self.carries = list(node.outputs[: op.carries])
                stacked = node.outputs[op.carries :]
                for parts, rest in zip((*after, *before), stacked, strict=True):
                    parts.append(rest)
                self.carries = [alias(t, f"{b}_{self._place(-2)}") for t, b in zip(self.carries, self.bases, strict=True)]
                self.into.carried.update(self.carries)
                continue
            for parts, carry in zip(before, self.carries, strict=True):
                parts.append(carry)
            results = self._step(step)
            self.carries = results[: op.carries]
            for parts, result in zip(after, results[op.carries :], strict=True):
                parts.append(result)
        shapes = [t.shape for t in (*op.results[op.carries :], *op.results[: op.carries])]
        return [*self.carries, *(self._stacked(parts, shape) for parts, shape in zip((*after, *before), shapes, strict=True))]

    def _index(self, step: int) -> int:
        """Where along the sequence the walk is after ``step`` others; negative from the end."""
        if not self.op.reverse:
            return step
        return -1 - step

    def _place(self, step: int) -> str:
        """The same as it is written, counted from 1."""
        index = self._index(step)
        if index >= 0:
            return str(index + 1)
        if isinstance(self.length, int):
            return str(self.length + index + 1)
        return f"{self.length}{index + 1 or ''}"

    def _step(self, step: int) -> list[Tensor]:
        items: list[Tensor] = []
        for k, sequence in enumerate(self.sequences):
            inner = self.op.parameters[self.op.carries + k]
            item = alias(sequence[self._index(step)], f"{inner.name.rpartition('/')[2] or 'x'}_{self._place(step)}")
            if self.leaves[self.op.carries + k]:
                self.into.items.add(item)
            items.append(item)
        given = dict(zip(self.op.parameters, (*self.carries, *items, *self.invariants), strict=True))
        return copied(self.op, given, self._place(step), (f"{self.letter} = {self._place(step)}",), self.into)

    def _between(self) -> Node:
        """What is left out: the recurrence over the items between the first ones and the last."""
        first, op = self.first, self.op
        rest = [s[1:-first] if op.reverse else s[first:-1] for s in self.sequences]
        inner = Scan(op.parameters, op.results, op.carries, op.sequences, rest[0].shape[0], op.reverse)
        node = make_scan(inner, [*self.carries, *rest, *self.invariants])
        for tensor in node.outputs:
            tensor.called("⋯", *self.carries, *self.invariants, latex=r"\cdots")
            self.into.cells[tensor] = (f"{self.letter} = {self._place(self.first)} … {self._place(-2)}",)
        return node

    def _stacked(self, parts: list[Tensor], shape: tuple[Extent, ...]) -> Tensor:
        """All outputs in the order of the items."""
        if not parts:
            return make_scan(self.op, [*self.carries, *self.sequences, *self.invariants]).outputs[self.op.carries]
        ordered = parts[::-1] if self.op.reverse else parts
        if self.whole:
            whole = stack(ordered)
        else:
            gap = self.first if not self.op.reverse else 1
            whole = concatenate([stack(ordered[:gap]), ordered[gap], stack(ordered[gap + 1 :])])
        return whole.called("stack", *parts)


def sizes_of(feeds: Mapping[Tensor, Any]) -> dict[str, int]:
    """The named sizes that the given arrays have; what does not fit is told where values are computed."""
    sizes: dict[str, int] = {}
    for tensor, array in feeds.items():
        for extent, actual in zip(tensor.shape, np.shape(array), strict=False):
            if isinstance(extent, Dim) and extent == Dim.named(extent.names[0]):
                sizes.setdefault(extent.names[0], actual)
    return sizes


def through_time(targets: Sequence[Tensor], feeds: Mapping[Tensor, Any] | None, unroll: int | None) -> Unrolled:
    """The graph whose passes are followed: recurrences unrolled as asked, or wholly where they are short and draw nothing."""
    sizes = None if feeds is None else sizes_of(feeds)
    if unroll is not None:
        return unrolled(targets, unroll, sizes)
    scans = [t.op for t in read(targets).items if isinstance(t.op, Scan)]
    known = [
        op.length if isinstance(op.length, int) else op.length.evaluate(sizes) if sizes and set(op.length.names) <= set(sizes) else None
        for op in scans
    ]
    if not scans or any(n is None or n > MOST for n in known) or any(random_numbers(op.results) for op in scans):
        return Unrolled(list(targets))
    return unrolled(targets, MOST, sizes or {})
