"""A program: the kernels of a graph in their order, and what each works on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy

from graphc.errors import CompileError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.dims import Dim, Extent, evaluate_extent, product, within
from graphc.expr.entry import entries
from graphc.expr.graph import assigns, topological
from graphc.expr.operation import Assign, Leaf, Linalg, Random, Reshape, Scan
from graphc.expr.origin import Origin
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Node, Tensor, make
from graphc.lower import ir
from graphc.lower.clearing import Cleared, clear_kernel
from graphc.lower.contract import contraction, contraction_kernel
from graphc.lower.emit import Emitter
from graphc.lower.fuse import Fusion, Group, Started, root_of
from graphc.lower.groups import FEWEST, Grouped, adds, arrange, computed_apart
from graphc.lower.kernels import elementwise_kernel, scatter_kernel
from graphc.lower.matrices import matrix_kernel
from graphc.lower.order import ordered
from graphc.lower.parts import Parts, part_kernel, placed, placing_kernel
from graphc.lower.reductions import Reduced, reduction_kernel
from graphc.lower.spelled import spelled_kernel
from graphc.rewrite.rows import ByRows, by_rows
from graphc.rewrite.samples import Samples

__all__ = ["Call", "Check", "Grouped", "Program", "Regular", "Repeated", "copy_of", "lower"]


# What the executors see of a loop: parts that may run beside each other, as many as its only parameter says.
_PARTS = ir.Kernel((), (), 1, (ir.Loop(0, ir.Param(0), (ir.Loop(1, 1, ()),), parallel=True),))


@dataclass(frozen=True)
class Check:
    """What a range check is about: the tensor that is read, the axis, its size, and where the ids come from."""

    tensor: Tensor
    axis: int
    size: Extent
    ids: Tensor | None = None


@dataclass(frozen=True)
class Regular:
    """What a check for singular matrices is about: what the user calls them, how many there are, and the line that inverts them."""

    label: str
    count: Extent
    origin: Origin


@dataclass
class Call:
    """A kernel and what it works on: memory by its tensor, whole numbers as extents, numbers of random nodes or codes of checks.

    ``clears``: what of its tensor it sets to 0; ``whole``: what its tensor is a part of. ``loop``, ``group``: a recurrence, or calls that
    may be run for some samples at a time.
    """

    kernel: ir.Kernel
    buffers: list[Any]
    params: list[Any]
    tensors: list[Tensor]
    last: bool = False
    loop: Repeated | None = None
    clears: Cleared | None = None
    whole: Tensor | None = None
    group: Grouped | None = None

    @property
    def inside(self) -> Program | None:
        """The calls that this one consists of."""
        return self.loop.body if self.loop is not None else self.group.body if self.group is not None else None


@dataclass
class Repeated:
    """The body of a scan as a program, and how it is wired; ``Call.buffers`` are then what the scan reads and gives.

    Attributes:
        scan: what is repeated.
        body: the program of its results: next carries, outputs.
        inputs: the memory of the initial carries, sequences and invariants.
        outputs: the scan's own outputs; those that nothing uses are ``None``.
        rows: how the loop may be run for some rows at a time.
    """

    scan: Scan
    body: Program
    inputs: list[Tensor]
    outputs: list[Tensor | None]
    rows: ByRows | None = None


@dataclass
class Program:
    """Kernels in order, and the roles of memory.

    Attributes:
        calls: those that are ``last`` write states, and run once nothing can fail any more.
        outputs: whose memory holds each output.
        copies: at the end, from the tensor's memory to the state's.
        in_place: tensors that are written straight into a state's memory.
        checks: what each code of the error word means, from 1 on.
        samples: the part of the graph in which samples do not meet.
        order: of the calls, by their ``id``, before those of groups were brought together.
    """

    outputs: list[Tensor]
    calls: list[Call] = field(default_factory=list)
    copies: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    in_place: dict[Tensor, Tensor] = field(default_factory=dict)
    checks: list[Check | Regular] = field(default_factory=list)
    samples: Samples | None = None
    order: dict[int, int] = field(default_factory=dict)

    @property
    def states(self) -> list[Tensor]:
        """The states and parameters that get a next value."""
        return list(dict.fromkeys([*self.in_place.values(), *(s for _, s in self.copies)]))

    @property
    def flat(self) -> Program:
        """The program without groups: the calls in the order in which they came."""
        calls = [c for call in self.calls for c in ([call] if call.group is None else call.group.body.calls)]
        return replace(self, calls=sorted(calls, key=self.place))

    def place(self, call: Call) -> int:
        """Where a call came before others were brought together; what came later stays behind."""
        return self.order.get(id(call), len(self.order))

    def sizes(self, given: Mapping[str, int]) -> dict[str, int]:
        """Named sizes, and those that loops by rows and samples have of their own: all rows."""
        rows = [c.loop.rows for c in self.calls if c.loop is not None and c.loop.rows is not None]
        found = {**given, **{r.name: evaluate_extent(r.extent, given) for r in rows}}
        if self.samples is not None and set(self.samples.extent.names if isinstance(self.samples.extent, Dim) else ()) <= set(given):
            named = (self.samples.rows, self.samples.before, self.samples.again)
            found |= dict(zip(map(str, named), (evaluate_extent(self.samples.extent, given), 0, 0), strict=True))
        return found


def lower(
    outputs: Sequence[Tensor], numbers: Mapping[Node, int], checks: list[Check | Regular] | None = None, samples: Samples | None = None
) -> Program:  # fmt: skip
    """The program of a graph without names and phases; ``checks`` are those of the program around it, ``samples`` what it has of them."""
    return _Lowering(list(outputs), dict(numbers), [] if checks is None else checks, samples).program


def copy_of(tensor: Tensor) -> Tensor:
    """The same entries in memory of their own."""
    extents: list[Extent] = list(tensor.shape)
    places = tuple(Affine.variable(k) for k in range(tensor.ndim))
    return stage(extents, [(tensor, places)], read_symbol(0), dtype=tensor.dtype, name=tensor.name)


class _Lowering:
    def __init__(self, outputs: list[Tensor], numbers: dict[Node, int], checks: list[Check | Regular], samples: Samples | None) -> None:
        self.outputs, self.numbers, self.samples = outputs, numbers, samples
        self.nodes = topological(outputs)
        for node in self.nodes:
            if not isinstance(node.op, Stage | Leaf | Reshape | Random | Assign | Scan | Linalg):
                raise CompileError(f"{node.outputs[0].describe()} is a {type(node.op).__name__.lower()}, which has no kernel: use gx.evaluate for it")
        self.fusion = Fusion(self.nodes, outputs)
        self.program = Program(list(outputs), checks=checks, samples=samples)
        self._plan_assigns()
        for group in self.fusion.groups:
            parts = self.fusion.parts.get(group.members[0])
            self.program.calls += [self._call(group)] if parts is None else self._part_calls(group.members[0], parts)
        early, late = ([c for c in self.program.calls if c.last is last] for last in (False, True))
        kept = {self.memory(t) for t in self.outputs} | {b for c in late for b in c.buffers}
        self.program.calls = [*ordered(early, kept), *late]
        if samples is not None:
            self.program.order = {id(c): k for k, c in enumerate(self.program.calls)}
            self.program.calls = self._bring_together(samples)
        self._copy_states()

    def _bring_together(self, samples: Samples) -> list[Call]:
        """The calls, of which those that may be run for some samples at a time are one call."""
        early = [c for c in self.program.calls if not c.last]
        late = [c for c in self.program.calls if c.last]
        apart = {k for k, c in enumerate(early) if computed_apart(c, samples, self.fusion.stored)}
        runs = arrange(early, apart, {k for k in apart if adds(early[k], samples)})
        uses = Counter(b for c in self.program.calls for b in dict.fromkeys(c.buffers))
        kept = {self.memory(t) for t in self.outputs} | {root_of(s) for pair in self.program.copies for s in pair}
        calls: list[Call] = []
        for number, run in enumerate(runs):
            if number % 2 == 0 or len(run) < FEWEST:
                calls += run
                continue
            own = Counter(b for c in run for b in dict.fromkeys(c.buffers) if isinstance(b, Tensor))
            shared = [b for b in own if isinstance(b.op, Leaf) or b in kept or own[b] < uses[b]]
            body = Program([], run, checks=self.program.checks)
            lanes, pieces = (within(samples.extent, f"{what} {number}") for what in ("lanes", "pieces"))
            sums = [t for c in run if adds(c, samples) for t in c.tensors]
            many = {t: self._several(t, pieces if contraction(t) is None else lanes) for t in sums}
            gathers = [self._gather(t, many[t]) for t in many]
            # A sum may have as many entries as there are samples, and be read by samples later: here each piece has all of it.
            reads = frozenset(b for b in shared if b in samples.apart and b not in many)
            group = Grouped(body, samples.rows, samples.before, samples.again, lanes, pieces, reads, many, gathers)
            calls.append(Call(_PARTS, [many.get(b, b) for b in shared], [], [run[0].tensors[0]], group=group))
        return [*(calls if any(c.group is not None for c in calls) else early), *late]

    def _several(self, tensor: Tensor, count: Dim) -> Tensor:
        """Memory for several sums over some samples each."""
        shape = (count, *tensor.shape)
        places = tuple(Affine.variable(k) for k in range(len(shape)))
        return make(Stage(shape, places, shape, (), sympy.Integer(0)), (), shape, tensor.dtype, name=f"{tensor.name} in parts" * bool(tensor.name))

    def _gather(self, tensor: Tensor, several: Tensor) -> Call:
        """The sum of such sums."""
        assert isinstance(tensor.op, Stage)
        places = tuple(Affine.variable(k) for k in range(several.ndim))
        op = Stage(several.shape, places[1:], tensor.shape, (Read(0, places),), read_symbol(0), reducer=tensor.op.reducer)
        added = make(op, [several], tensor.shape, tensor.dtype, name=tensor.name)
        emitter = Emitter(op.extents, self.memory, lambda _: True, {}, self._check)
        kernel = reduction_kernel(emitter, [Reduced(added, True, False, tensor)])
        return Call(kernel, list(emitter.buffers), emitter.params, [added])

    def _plan_assigns(self) -> None:
        """Which next values may be written straight over the old ones."""
        late = [g for g in self.fusion.groups if g.last]
        makers = {m: g for g in reversed(late) for m in g.members}
        readers: dict[Tensor, list[Group]] = {}
        for reader in late:
            for tensor in reader.reads:
                readers.setdefault(tensor, []).append(reader)
        roots = {root_of(t) for t in self.outputs}
        for assigned in assigns(self.outputs):
            state, value = root_of(assigned.inputs[0]), root_of(assigned.inputs[1])
            group = makers.get(value)
            alone = group is not None and all(r is group for r in readers.get(state, [])) and value not in self.program.in_place
            wanted = state in roots
            plain = group is not None and all(self.fusion.same_place(m, state) for m in group.members)
            if alone and plain and not wanted and value.dtype == state.dtype:
                self.program.in_place[value] = state
            else:
                self.program.copies.append((value, state))
        # A group that writes states, but one of whose values is only copied later, still runs last.

    def memory(self, tensor: Tensor) -> Tensor:
        """The tensor whose memory holds a tensor's value."""
        root = root_of(tensor)
        return self.program.in_place.get(root, root)

    def _emitter(self, extents: Sequence[Extent]) -> Emitter:
        return Emitter(extents, self.memory, self.fusion.stored, self.numbers, self._check, self.samples)

    def _check(self, tensor: Tensor, axis: int, size: Extent, ids: Tensor | None) -> int:
        return self._code(Check(tensor, axis, size, ids))

    def _singular(self, tensor: Tensor) -> int:
        op = tensor.op
        assert isinstance(op, Linalg)
        return self._code(Regular(op.label, product(tensor.shape[:-2]), tensor.origin))

    def _code(self, check: Check | Regular) -> int:
        """What the error word is where a check fails."""
        if check not in self.program.checks:
            self.program.checks.append(check)
        return self.program.checks.index(check) + 1

    def _call(self, group: Group) -> Call:
        tensor = group.members[0]
        op = tensor.op
        if tensor in self.fusion.started:
            return self._started(tensor, self.fusion.started[tensor], group.last)
        if isinstance(op, Random) or (isinstance(op, Stage) and op.elementwise):
            emitter = self._emitter(tensor.shape)
            kernel = elementwise_kernel(emitter, [(m, m) for m in group.members])
            return Call(kernel, list(emitter.buffers), emitter.params, group.members, group.last)
        if isinstance(op, Scan):
            return self._repeated(tensor.node, op)
        if isinstance(op, Linalg):
            emitter = self._emitter(tensor.shape)
            kernel = matrix_kernel(emitter, tensor, self._singular)
            return Call(kernel, list(emitter.buffers), emitter.params, [tensor], False)
        assert isinstance(op, Stage)
        emitter = self._emitter(op.extents)
        found = contraction(tensor)
        if found is not None and self.samples is not None and tensor in self.samples.sums:
            kernel = contraction_kernel(emitter, tensor, found, None, (tensor, op.write), self.samples.again)
        elif found is not None:
            kernel = contraction_kernel(emitter, tensor, found)
        elif entries(op):
            kernel = spelled_kernel(emitter, tensor, tensor)
        elif op.free is None:
            kernel = scatter_kernel(emitter, tensor)
        elif op.reducer is None:
            raise AssertionError(op)
        else:
            kernel = reduction_kernel(emitter, [self._reduced(m) for m in group.members])
            return Call(kernel, list(emitter.buffers), emitter.params, group.members, False)
        return Call(kernel, list(emitter.buffers), emitter.params, [tensor], False)

    def _started(self, tensor: Tensor, started: Started, last: bool) -> Call:
        """A sum of products that starts from another tensor, or is cut off at its end, written where the result lies."""
        product, added = started.product, started.added
        found = contraction(product)
        assert isinstance(product.op, Stage)
        assert product.op.free is not None
        assert found is not None
        emitter, start = self._emitter(product.op.extents), None
        if added is not None and started.start is not None and started.read is not None:
            assert isinstance(added.op, Stage)
            assert added.op.free is not None
            # The sum's index of an axis, as the product's index of the same axis.
            places = {index: Affine.variable(k) for index, k in zip(added.op.free, product.op.free, strict=True)}
            start = started.start, tuple(p.substitute(places) for p in started.read.coords)
        kernel = contraction_kernel(emitter, product, found, tensor, start, ends=started.ends)
        tensors = [product, *([added] if added is not None and added is not tensor else []), tensor]
        return Call(kernel, list(emitter.buffers), emitter.params, tensors, last)

    def _reduced(self, tensor: Tensor) -> Reduced:
        outputs = tensor.node.outputs
        return Reduced(tensor, outputs[0] in self.fusion.kept, len(outputs) == 2 and self._winner_used(outputs[1]))

    def _part_calls(self, tensor: Tensor, parts: Parts) -> list[Call]:
        """A result that is put together: cleared where that is needed, then each part written to its places."""
        calls: list[Call] = []
        if parts.cleared:
            emitter = self._emitter(tensor.shape)
            kernel, cleared = clear_kernel(emitter, tensor, parts.stages)
            calls.append(Call(kernel, list(emitter.buffers), emitter.params, [tensor], clears=cleared))
        for key, several in itertools.groupby(parts.stages, placed):
            for some in [list(several)] if key is not None else [[p] for p in several]:
                op = some[0].op
                assert isinstance(op, Stage)
                emitter = self._emitter(op.extents)
                kernel = part_kernel(emitter, some[0], tensor) if len(some) == 1 else placing_kernel(emitter, some, tensor)
                calls.append(Call(kernel, list(emitter.buffers), emitter.params, some, whole=tensor))
        return calls

    def _repeated(self, node: Node, op: Scan) -> Call:
        """A scan: its body is a program of its own, which shares our checks."""
        # A result that is a leaf of the body is copied, so that carries may change places.
        op = replace(op, results=tuple(copy_of(t) if isinstance(root_of(t).op, Leaf) else t for t in op.results))
        rows = by_rows(op)
        op = op if rows is None else rows.scan
        used = {root_of(t) for t in self.outputs} | {root_of(t) for n in self.nodes for t in n.inputs}
        inputs = [self.memory(t) for t in node.inputs]
        outputs = [t if t in used else None for t in node.outputs]
        loop = Repeated(op, lower(op.results, self.numbers, self.program.checks), inputs, outputs, rows)
        buffers = list(dict.fromkeys([*inputs, *(t for t in outputs if t is not None)]))
        return Call(_PARTS, buffers, [], [node.outputs[0]], False, loop)

    def _winner_used(self, winner: Tensor) -> bool:
        return winner in {root_of(t) for t in self.outputs} or any(root_of(t) is winner for n in self.nodes for t in n.inputs)

    def _copy_states(self) -> None:
        """Copies of next values into the memory of their states, after everything else."""
        for value, state in self.program.copies:
            source = self.memory(value)
            emitter = Emitter((product(state.shape),), lambda t: t, lambda _: True, {}, self._check)
            at = ir.Place(((0, 1),))
            number = emitter.fresh()
            load = ir.Load(number, emitter.buffer(source), at, source.dtype)
            made = emitter.scalars.convert((number, "int" if source.dtype == "bool" else source.dtype), state.dtype)
            store = ir.Store(emitter.buffer(state, True), at, made)
            loop = ir.Loop(0, emitter.param(product(state.shape)), (load, *emitter.statements, store), parallel=True)
            kernel = ir.Kernel((source.dtype, state.dtype), (False, True), len(emitter.params), (loop,))
            self.program.calls.append(Call(kernel, list(emitter.buffers), emitter.params, [state], True))
