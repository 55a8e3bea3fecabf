"""The part of a graph in which samples do not meet: the entries of each first index are computed from those of the same one.

Such a part may be run for some samples at a time, so that what lies between its first and its last kernel stays in the cache,
and threads that have samples of their own wait for nobody. Its tensors get a size of their own in place of the number of
samples: the same number where kernels run for all of them, less where they run for some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.expr.dims import Dim, Extent, within
from graphc.expr.graph import replace_inputs, root_of, topological
from graphc.expr.operation import Assign, Leaf, Random, Reshape
from graphc.expr.stage import Stage, index_symbol
from graphc.expr.tensor import Node, Tensor, make

__all__ = ["IN_PARTS", "Samples", "by_samples"]

IN_PARTS = "in parts"  # of a size: as many as kernels run for

_MOST = 4  # sizes, or inputs, that are tried


@dataclass(frozen=True, eq=False)
class Samples:
    """A graph whose part that has samples is computed for any number of them.

    Attributes:
        outputs, numbers: the graph, and the numbers of its random nodes.
        extent: how many samples there are.
        rows: how many of them kernels run for; ``before``: how many come before those; ``again``: whether sums over them are
            added to what is there.
        computed: the tensors of that part; ``apart``: the memory that they use, and that they read by samples.
        sums: what is summed, or reduced in another way, over all samples, and may be put together from sums over some.
        made: what became of each tensor.
    """

    outputs: list[Tensor]
    numbers: dict[Node, int]
    extent: Extent
    rows: Dim
    before: Dim
    again: Dim
    computed: frozenset[Tensor]
    apart: frozenset[Tensor]
    sums: frozenset[Tensor]
    made: dict[Tensor, Tensor]


def by_samples(outputs: Sequence[Tensor], numbers: Mapping[Node, int]) -> Samples | None:
    """The graph with the largest part in which samples do not meet, by the first axis of its inputs; ``None`` where there is none."""
    nodes = topological(outputs)
    inputs = [n.outputs[0] for n in nodes if n.outputs[0].kind == "input" and n.outputs[0].ndim > 0]
    firsts = [(t.shape[0], t) for t in inputs if not isinstance(t.shape[0], int) or t.shape[0] > 1]
    # A number may be another axis's too: then what goes with one input has samples, and what that meets.
    seeds = {(e, None if isinstance(e, Dim) else t): [o for f, o in firsts if f == e] if isinstance(e, Dim) else [t] for e, t in firsts}
    tried = [_Part(nodes, outputs, e, seeds[e, t]) for e, t in list(seeds)[:_MOST]]
    best = max(tried, key=lambda p: p.count, default=None)
    return best.result(outputs, numbers) if best is not None and best.count > 1 else None


class _Part:
    """The graph in the making.

    ``made``: what became of tensors; ``seen``: how the part sees tensors that it takes by samples; ``whole``: the memory that it
    reads anything else of.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Tensor], extent: Extent, inputs: Sequence[Tensor]) -> None:
        self.nodes, self.extent = nodes, extent
        # No names that a user's size can have.
        self.rows, self.before, self.again = (within(extent, what) for what in (IN_PARTS, "before", "again"))
        self.made: dict[Tensor, Tensor] = {}
        self.seen: dict[Tensor, Tensor] = {}
        self.computed: dict[Tensor, None] = {}
        self.apart: dict[Tensor, None] = {}
        self.sums: dict[Tensor, None] = {}
        self.whole: set[Tensor] = set()
        self.randoms: dict[Node, Node] = {}
        self.count = 0
        self.first = set(inputs)
        self.used = {*outputs, *(t for n in nodes for t in n.inputs)}
        self.assigned = {root_of(n.inputs[1]) for n in nodes if isinstance(n.op, Assign)}
        for node in nodes:
            self._take(node)

    def result(self, outputs: Sequence[Tensor], numbers: Mapping[Node, int]) -> Samples:
        """The graph, whose outputs have the shapes that they had."""
        found = [self._plain(t) for t in outputs]
        fresh = {self.randoms.get(n, n): k for n, k in numbers.items()}
        sets = (frozenset(self.computed), frozenset(self.apart), frozenset(self.sums))
        return Samples(found, fresh, self.extent, self.rows, self.before, self.again, *sets, self.made)

    def _plain(self, tensor: Tensor) -> Tensor:
        """What became of a tensor, in the shape that it had."""
        made = self.made[tensor]
        return made if made.shape == tensor.shape else make(Reshape(tensor.shape), [made], tensor.shape, tensor.dtype, name=tensor.name)

    def _take(self, node: Node) -> None:
        if self._joins(node):
            self.count += 1
            return
        if isinstance(node.op, Stage) and self._adds(node, node.op):
            return
        # A stage reads what it is given; all else asks for shapes.
        change = (lambda t: self.made[t]) if isinstance(node.op, Stage) else self._plain
        inputs = tuple(change(t) for t in node.inputs)
        same = node if inputs == node.inputs else replace_inputs(node, inputs)
        if same is not node and node in self.randoms:
            self.randoms[node] = same
        self.made.update(zip(node.outputs, same.outputs, strict=True))

    def _joins(self, node: Node) -> bool:
        """Whether a node is computed sample by sample; then it is made anew."""
        op, out = node.op, node.outputs[0]
        if out.ndim == 0 or out.shape[0] != self.extent:
            return False
        if isinstance(op, Leaf):
            if out in self.first:
                self._see(out, out)
            return False
        if out in self.assigned:
            return False
        shape = (self.rows, *out.shape[1:])
        if isinstance(op, Reshape):
            given = self.seen.get(node.inputs[0])
            if given is None:
                return False
            return self._made(node, make(Reshape(shape), [given], shape, out.dtype, name=out.name, origin=node.origin))
        if isinstance(op, Random):
            if not isinstance(self.extent, Dim):
                return False
            made = make(Random(shape, op.key), [], shape, out.dtype, name=out.name, origin=node.origin)
            self.randoms[node] = made.node
            return self._made(node, made)
        return isinstance(op, Stage) and self._stage(node, op)

    def _stage(self, node: Node, op: Stage) -> bool:
        row = op.write[0].bare
        if row is None or op.extents[row] != self.extent or index_symbol(row) in op.body.free_symbols:
            return False
        if any(v < 0 for p in (*op.write, *(p for r in op.reads for p in r.coords)) for v in p.variables):
            return False  # ids are checked: which bad one an error names would depend on the threads
        if any(row in p.variables for p in op.write[1:]) or not any(t in self.seen for t in node.inputs):
            return False
        owns = self._owned(node, op, row)
        if owns is None:
            return False
        out = node.outputs[0]
        extents = tuple(self.rows if k == row else e for k, e in enumerate(op.extents))
        shape = (self.rows, *op.shape[1:])
        stage = Stage(extents, op.write, shape, op.reads, op.body, op.dims, op.reducer, op.guarded)
        inputs = [self.seen[t] if t in owns else self.made[t] for t in node.inputs]
        return self._made(node, make(stage, inputs, shape, out.dtype, name=out.name, call=out.call, origin=node.origin))

    def _owned(self, node: Node, op: Stage, row: int) -> dict[Tensor, None] | None:
        """What a stage reads by samples, whose index is ``row``; ``None`` where samples meet."""
        owns: dict[Tensor, None] = {}
        wholes: dict[Tensor, None] = {}
        for read in op.reads:
            tensor = node.inputs[read.operand]
            uses = [row in p.variables for p in read.coords]
            if not any(uses):
                wholes[tensor] = None
            elif any(uses[1:]) or read.coords[0].bare != row or tensor.shape[0] != self.extent:
                return None
            elif root_of(tensor).kind in ("parameter", "state", "constant"):
                return None  # such a first axis is no batch
            else:
                owns[tensor] = None
        used = {root_of(self.made[t]) for t in wholes}
        own = {root_of(self.seen.get(t, self.made[t])) for t in owns}
        if not used.isdisjoint(self.apart) or not own.isdisjoint(self.whole | used):
            return None
        self.whole |= used
        for tensor in owns:
            if tensor not in self.seen:
                self._see(tensor, self.made[tensor])
        return owns

    def _adds(self, node: Node, op: Stage) -> bool:
        """Whether a node puts something of all samples together; then it is made anew, for any number of them."""
        out = node.outputs[0]
        if op.reducer is None or op.free is None or out.dtype != "float" or any(t in self.used for t in node.outputs[1:]):
            return False
        if any(v < 0 for r in op.reads for p in r.coords for v in p.variables):
            return False
        reads = [(r.coords[0].bare, node.inputs[r.operand]) for r in op.reads if r.coords]
        rows = [k for k in op.reduced if any(k == place and t in self.seen for place, t in reads)]
        if len(rows) != 1 or op.extents[rows[0]] != self.extent or index_symbol(rows[0]) in op.body.free_symbols:
            return False
        owns = self._owned(node, op, rows[0])
        if owns is None:
            return False
        extents = tuple(self.rows if k == rows[0] else e for k, e in enumerate(op.extents))
        stage = Stage(extents, op.write, op.shape, op.reads, op.body, op.dims, op.reducer, op.guarded)
        inputs = [self.seen[t] if t in owns else self.made[t] for t in node.inputs]
        made = make(stage, inputs, out.shape, out.dtype, name=out.name, call=out.call, origin=node.origin)
        self.sums[made] = None
        self.made.update(zip(node.outputs, made.node.outputs, strict=True))
        return True

    def _see(self, tensor: Tensor, made: Tensor) -> None:
        """A tensor that is computed elsewhere, as the part sees it."""
        shape = (self.rows, *tensor.shape[1:])
        self.seen[tensor] = make(Reshape(shape), [made], shape, tensor.dtype, name=tensor.name)
        self.apart[root_of(made)] = None

    def _made(self, node: Node, made: Tensor) -> bool:
        self.made.update(zip(node.outputs, made.node.outputs, strict=True))
        self.seen.update(zip(node.outputs, made.node.outputs, strict=True))
        self.apart.update(dict.fromkeys([root_of(t) for t in made.node.outputs]))
        self.computed.update(dict.fromkeys(made.node.outputs))
        return True
