"""Recurrences whose rows do not meet: the samples of a batch, each of which walks through the sequence by itself.

Where the first axis of all carries, items and outputs is carried along by every stage of a body, the whole loop can run for some
rows in one thread and for others in another: nobody waits for anybody between two iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.expr.dims import Dim, Extent, within
from graphc.expr.graph import topological
from graphc.expr.operation import Leaf, Scan
from graphc.expr.stage import Read, Stage, index_symbol
from graphc.expr.tensor import Node, Tensor, make
from graphc.rewrite.samples import IN_PARTS

__all__ = ["ByRows", "by_rows"]


@dataclass(frozen=True)
class ByRows:
    """A scan whose body works on any number of rows, a size of its own called ``name``; in the whole there are ``extent``.

    ``apart``: for each parameter whether it has rows; what has none is the same for all.
    """

    scan: Scan
    name: str
    extent: Extent
    apart: tuple[bool, ...]


def by_rows(op: Scan) -> ByRows | None:
    """A scan by rows; ``None`` where one row looks at another, or at its own number."""
    moving = op.parameters[: op.carries + op.sequences]
    if any(t.ndim == 0 for t in (*moving, *op.results)):
        return None
    extent = moving[0].shape[0]
    if any(t.shape[0] != extent for t in (*moving, *op.results)) or (isinstance(extent, int) and extent < 2):
        return None
    found = _Rows(op, extent)
    for node in topological(op.results):
        if not found.take(node):
            return None
    if not all(t in found.made for t in op.results):
        return None
    parameters = tuple(found.made.get(p, p) for p in op.parameters)
    scan = replace(op, parameters=parameters, results=tuple(found.made[t] for t in op.results))
    return ByRows(scan, found.name, extent, tuple(p in found.made for p in op.parameters))


class _Rows:
    """The body in the making: ``made`` holds what has rows, on as many as there may be; ``whole`` what is the same for all."""

    def __init__(self, op: Scan, extent: Extent) -> None:
        self.extent, self.name = extent, str(within(extent, IN_PARTS))
        self.rows = Dim.named(self.name)
        self.invariants = op.parameters[op.carries + op.sequences :]
        self.made: dict[Tensor, Tensor] = {}
        self.whole: set[Tensor] = set()
        for t in op.parameters[: op.carries + op.sequences]:
            self._leaf(t)

    def _leaf(self, tensor: Tensor) -> None:
        self.made[tensor] = make(Leaf("input"), (), (self.rows, *tensor.shape[1:]), tensor.dtype, name=tensor.name)

    def take(self, node: Node) -> bool:
        """Take a node over; whether that can be done."""
        op = node.op
        if isinstance(op, Leaf):
            return True
        if not isinstance(op, Stage):
            return False
        if not any(t in self.made for t in node.inputs):
            self.whole.update(node.outputs)
            return not any(t in self.invariants and self._could(t) for t in node.inputs)
        row = op.write[0].bare if op.write else None
        if any(v < 0 for p in (*op.write, *(p for r in op.reads for p in r.coords)) for v in p.variables):
            return False  # ids are checked: which bad one an error names would depend on the threads
        if row is None or op.shape[0] != self.extent or op.extents[row] != self.extent or index_symbol(row) in op.body.free_symbols:
            return False
        if any(row in p.variables for p in op.write[1:]) or not all(self._reads(node.inputs[r.operand], r, row) for r in op.reads):
            return False
        extents: Sequence[Extent] = [self.rows if k == row else e for k, e in enumerate(op.extents)]
        stage = Stage(tuple(extents), op.write, (self.rows, *op.shape[1:]), op.reads, op.body, op.dims, op.reducer, op.guarded)
        out = node.outputs[0]
        inputs = [self.made.get(t, t) for t in node.inputs]
        fresh = make(stage, inputs, (self.rows, *out.shape[1:]), out.dtype, name=out.name, origin=node.origin).node.outputs
        self.made.update(zip(node.outputs, fresh, strict=True))
        return True

    def _could(self, tensor: Tensor) -> bool:
        return tensor.ndim > 0 and tensor.shape[0] == self.extent

    def _reads(self, tensor: Tensor, read: Read, row: int) -> bool:
        """Whether a stage reads its own row of a tensor, or of one without rows whatever the row."""
        uses = [row in p.variables for p in read.coords]
        if tensor in self.made or (any(uses) and tensor in self.invariants and self._could(tensor)):
            if tensor not in self.made and tensor in self.whole:
                return False
            own = bool(uses) and read.coords[0].bare == row and not any(uses[1:])
            if own and tensor not in self.made:
                self._leaf(tensor)
            return own
        self.whole.add(tensor)
        return not any(uses)
