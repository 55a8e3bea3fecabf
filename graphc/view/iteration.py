"""A recurrence as one iteration at a general time, for the backward graph: what enters, what is carried on, what is taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from graphc.expr.graph import rebuild
from graphc.expr.operation import Reshape, Scan
from graphc.expr.tensor import Node, Tensor, make
from graphc.ops.layout import broadcast_to
from graphc.view.names import Text, name_text
from graphc.view.reading import Reading, read
from graphc.view.unroll import Cells, Unrolled, alias, bases, copied, times

__all__ = ["Iterations", "opened"]


@dataclass(slots=True)
class Iterations:
    """The graph with one iteration in the place of each recurrence.

    Attributes:
        reading: the graph; steps of an iteration stand in its frame.
        labels: what is written in place of a formula.
        links: of a step that enters or leaves an iteration, the adjoint that it hands on, ``{}`` for the incoming one.
        loops: of what is carried on, the carries that it becomes in the next iteration, and their adjoints' symbol.
        frames: the frame of each step, and what the backward pass calls it.
        sums: the letter of the sum over iterations, by frame.
        roots, cells: what the reading is made from.
        opened: operations that it shows as their steps.
    """

    reading: Reading
    labels: dict[Tensor, Text] = field(default_factory=dict[Tensor, Text])
    links: dict[Tensor, str] = field(default_factory=dict[Tensor, str])
    loops: dict[Tensor, list[tuple[Tensor, str]]] = field(default_factory=dict[Tensor, list[tuple[Tensor, str]]])
    frames: dict[str, str] = field(default_factory=dict[str, str])
    sums: dict[str, str] = field(default_factory=dict[str, str])
    roots: list[Tensor] = field(default_factory=list[Tensor])
    cells: Cells = field(default_factory=Cells)
    opened: frozenset[Tensor] = frozenset()

    def again(self, opened: Collection[Tensor]) -> Reading:
        """The reading with some operations as the steps that they are made of."""
        again = read(self.roots, cells=self.cells, opened=opened)
        return replace(again, targets=again.targets[: len(self.reading.targets)])

    def frame(self, tensor: Tensor) -> str:
        """The frame that a step stands in; empty for none."""
        group = self.reading.items[tensor].group
        return group[0] if group and group[0] in self.frames else ""


def opened(reading: Reading) -> Iterations:
    """The reading with every recurrence that it shows as one iteration."""
    scans = [t for t in reading.items if isinstance(t.op, Scan) and t.op.length != 0 and not (t.call and t.call.symbol == "⋯")]
    shown = dict.fromkeys(t.node for t in scans)
    named = [alias(t, reading.items[t].name) if reading.items[t].name and t.kind == "computed" else t for t in reading.targets]
    if not shown:
        return Iterations(reading, roots=named)
    found, into = Iterations(reading), Unrolled([])

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        return _one(node.op, inputs, found, into, len(found.frames)) if node in shown and isinstance(node.op, Scan) else None

    targets = rebuild(named, change)
    found.reading = _whole(targets, found, into)
    source = found.reading.sources
    found.labels = {source[t]: text for t, text in found.labels.items() if t in source}
    found.links = {source[t]: text for t, text in found.links.items() if t in source}
    found.loops = {source[t]: [(source[c], s) for c, s in pairs if c in source] for t, pairs in found.loops.items() if t in source}
    return found


def _whole(targets: Sequence[Tensor], found: Iterations, into: Unrolled) -> Reading:
    """The reading of the targets and of what is carried on to them, though no target of the same iteration reads it."""
    more: dict[Tensor, None] = {}
    while True:
        reading = read([*targets, *more], cells=into.cells)
        fresh = [r for r, pairs in found.loops.items() if r not in more and any(reading.sources.get(c) in reading.items for c, _ in pairs)]
        if not fresh:
            found.roots, found.cells = [*targets, *more], into.cells
            return replace(reading, targets=reading.targets[: len(dict.fromkeys(reading.sources[t] for t in targets))])
        more.update(dict.fromkeys(fresh))


def _one(op: Scan, inputs: Sequence[Tensor], found: Iterations, into: Unrolled, number: int) -> list[Tensor]:
    letters = times(op)
    t = letters[number % len(letters)]
    end, start = ("1", str(op.length)) if op.reverse else (str(op.length), "1")
    frame = f"repeat for {t} = {start} … {end}"
    frame += f" ({number + 1})" if frame in found.frames else ""
    found.frames[frame] = f"repeat for {t} = {end} … {start}"
    found.sums[frame] = t
    before = f"{t}+1" if op.reverse else f"{t}-1"
    entering: list[Tensor] = []
    names = bases(op)
    for tensor, name in zip(inputs[: op.carries], names, strict=True):
        made = _step(tensor, f"{name}_{before}", "starts", frame, into)
        found.labels[made] = name_text(f"{name}_{before}")
        found.links[made] = rf"\left[ {{}} \right]_{{{t}={start}}}"
        entering.append(made)
    for k, tensor in enumerate(inputs[op.carries : op.carries + op.sequences]):
        name = f"{op.parameters[op.carries + k].name.rpartition('/')[2] or 'x'}_{t}"
        made = _step(tensor[0], name, "item", frame, into, tensor)
        found.labels[made] = name_text(name)
        found.links[made] = rf"\left[ {{}} \right]_{{{t}=1,\ldots,{op.length}}}"
        entering.append(made)
    given = dict(zip(op.parameters, (*entering, *inputs[op.carries + op.sequences :]), strict=True))
    results = copied(op, given, t, (frame,), into)
    for k, (carry, result) in enumerate(zip(entering, results[: op.carries], strict=False)):
        symbol = rf"\delta^{{{name_text(names[k]).latex or k}}}" if op.carries > 1 else r"\delta"
        found.loops.setdefault(result, []).append((carry, symbol))
    last = [_taken(r, f"{names[k]}_{end}", rf"\mathbf{{1}}[{t}={end}] \, {{}}", found) for k, r in enumerate(results[: op.carries])]
    stacked: list[Tensor] = []
    for result in (*results[op.carries :], *entering[: op.carries]):
        whole = broadcast_to(result, (op.length, *result.shape)).called("all", result, latex=rf"\left[ {{0}} \right]_{{{t}=1,\ldots,{op.length}}}")
        found.links[whole] = rf"\left[ {{}} \right]_{{{t}}}"
        stacked.append(whole)
    return [*last, *stacked]


def _step(tensor: Tensor, name: str, symbol: str, frame: str, into: Unrolled, shown: Tensor | None = None) -> Tensor:
    made = make(Reshape(tensor.shape), (tensor,), tensor.shape, tensor.dtype).called(symbol, shown if shown is not None else tensor, latex="{0}")
    into.cells[made] = (frame,)
    return alias(made, name)


def _taken(result: Tensor, name: str, link: str, found: Iterations) -> Tensor:
    """The last of what is carried."""
    made = make(Reshape(result.shape), (result,), result.shape, result.dtype).called("last", result, latex=name_text(name).latex or "{0}")
    found.links[made] = link
    return made
