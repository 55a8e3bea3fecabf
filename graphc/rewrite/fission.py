"""Recurrences: what needs no carry is computed for all iterations at once, before the loop or after it.

Products of items, such as the input projections of a recurrent network, become one contraction over time before the loop.
A carry that only adds up, such as the gradient of a weight, becomes one sum over time after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from graphc.autodiff.batch import stacked_along
from graphc.autodiff.stage_rule import uniform_value
from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.compose import accesses
from graphc.expr.graph import rebuild, substitute, topological
from graphc.expr.operation import Leaf, Reshape, Scan
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor, make, make_scan
from graphc.rewrite.common import merge_common
from graphc.rewrite.moves import fold_moves
from graphc.rewrite.products import nominal, reads_whole

__all__ = ["split_recurrences"]


def split_recurrences(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with its scans taken apart, as far as their bodies do not need the carries."""
    used = {t for node in topological(outputs) for t in node.inputs} | set(outputs)

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        return _Recurrence(node, node.op, inputs, used).outputs() if isinstance(node.op, Scan) else None

    return rebuild(outputs, change)


@dataclass
class _Total:
    """A carry that only adds up: its number, and the terms that each iteration adds."""

    carry: int
    terms: list[Tensor]
    sources: list[list[Tensor]] = field(default_factory=list[list[Tensor]])


class _Recurrence:
    """A scan on its way: its carries, items and invariants with what they are outside."""

    def __init__(self, node: Node, op: Scan, inputs: Sequence[Tensor], used: set[Tensor]) -> None:
        self.node, self.op, self.inputs, self.used = node, op, inputs, used
        first, second = op.carries, op.carries + op.sequences
        self.carries, items, invariants = op.parameters[:first], op.parameters[first:second], op.parameters[second:]
        self.items = dict(zip(items, inputs[first:second], strict=True))
        self.invariants = dict(zip(invariants, inputs[second:], strict=True))
        body = merge_common(fold_moves(op.results))
        self.following, self.results = body[:first], body[first:]
        self.body = topological(body)
        self._uses: dict[Tensor, int] = {}
        for t in (t for n in self.body for t in n.inputs):
            self._uses[t] = self._uses.get(t, 0) + 1
        self.bound, self.varying = self._dependence()

    def _dependence(self) -> tuple[set[Tensor], set[Tensor]]:
        """What depends on a carry, or cannot be computed outside; and what differs from iteration to iteration."""
        bound, varying = set(self.carries), {*self.carries, *self.items}
        for node in self.body:
            plain = isinstance(node.op, Stage | Reshape | Leaf)
            if not plain or any(t in bound for t in node.inputs):
                bound.update(node.outputs)
            if not plain or any(t in varying for t in node.inputs):
                varying.update(node.outputs)
        return bound, varying

    def outputs(self) -> Sequence[Tensor] | None:
        """What takes the place of the scan's outputs; ``None`` where it stays as it is."""
        totals = [t for k in range(len(self.carries)) if (t := self._total(k)) is not None]
        gone = {t.carry for t in totals}
        stacked = list(dict.fromkeys(u for t in totals for u in self._sources(t) if self._computed(u)))
        kept = [k for k in range(len(self.carries)) if k not in gone]
        later = dict.fromkeys(r for r in self.results if self._may_wait(r, stacked))
        now = list(dict.fromkeys(r for r in [*self.results, *stacked] if r not in later))
        wanted = [*(self.following[k] for k in kept), *now]
        before = self._before(wanted)
        if not totals and not before:
            return None
        made = self._loop(kept, wanted, before)
        outside = dict(zip(now, made[len(kept) :], strict=False))
        outside |= {self.carries[k]: made[len(wanted) + n] for n, k in enumerate(kept)}
        last = dict(zip(kept, made, strict=False)) | {t.carry: self._sum(t, outside) for t in totals}
        outside |= {r: self._afterwards(r, outside) for r in later}
        order = range(len(self.carries))
        # Nothing reads the values of a sum on its way: any tensor may stand there.
        saved = [outside[self.carries[k]] if k in kept else last[k] for k in order]
        return [*(last[k] for k in order), *(outside[r] for r in self.results), *saved]

    def _may_wait(self, result: Tensor, stacked: Sequence[Tensor]) -> bool:
        """Whether an output is a sum of products that only the outside needs, of what is known there anyway."""
        alone = self._uses.get(result, 0) == 0 and result not in self.following and result not in stacked and result in self.bound
        return alone and _heavy(result) and all(not self._computed(t) or t in stacked for t in result.inputs)

    # Before the loop -------------------------------------------------------------------------------------------------

    def _before(self, wanted: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        """Sums of products that need no carry, and what they are for all iterations."""
        found: dict[Tensor, None] = {}
        stack, seen = list(reversed(wanted)), set[Tensor]()
        while stack:
            tensor = stack.pop()
            if tensor in seen or tensor not in self.varying:
                continue
            seen.add(tensor)
            if tensor not in self.bound and _heavy(tensor):
                found[tensor] = None
            else:
                stack.extend(reversed(tensor.inputs))
        if not found:
            return {}
        outside = substitute(list(found), dict(self.invariants))
        return dict(zip(found, stacked_along(outside, self.items, self.op.length), strict=True))

    def _loop(self, kept: Sequence[int], wanted: Sequence[Tensor], before: dict[Tensor, Tensor]) -> tuple[Tensor, ...]:
        """The scan of what is left; items and invariants that nothing uses any more are gone."""
        items = {t: make(Leaf("input"), (), t.shape, t.dtype, name=t.name) for t in before}
        results = substitute(wanted, items) if items else list(wanted)
        reached = {t for n in topological(results) for t in n.outputs}
        sequences = {p: s for p, s in self.items.items() if p in reached} | {items[t]: s for t, s in before.items() if items[t] in reached}
        sequences = sequences or dict(list(self.items.items())[:1])
        invariants = {p: t for p, t in self.invariants.items() if p in reached}
        parameters = (*(self.carries[k] for k in kept), *sequences, *invariants)
        op = Scan(parameters, tuple(results), len(kept), len(sequences), self.op.length, self.op.reverse)
        inputs = [*(self.inputs[k] for k in kept), *sequences.values(), *invariants.values()]
        return make_scan(op, inputs, self.node.guards, self.node.origin).outputs

    # After the loop --------------------------------------------------------------------------------------------------

    def _total(self, number: int) -> _Total | None:
        """A carry as a sum over the iterations; ``None`` where anything else reads it."""
        carry, following = self.carries[number], self.following[number]
        on_the_way = self.node.outputs[len(self.op.results) + number]
        results = [*self.following, *self.results]
        if carry.dtype != "float" or on_the_way in self.used or carry in results or self._uses.get(carry, 0) != 1:
            return None
        if results.count(following) != 1 or following in self._uses:
            return None
        terms: list[Tensor] = []
        at = following
        while at is not carry:  # down the sums that the carry stands in, each used once
            parts = _added(at)
            below = next((p for p in parts if p is carry or self._leads(p, carry)), None)
            if below is None or parts.count(below) != 1 or (below is not carry and (self._uses[below] != 1 or below in results)):
                return None
            terms += [t for p in parts if p is not below for t in self._terms(p)]
            at = below
        return _Total(number, terms) if terms else None

    def _terms(self, tensor: Tensor) -> list[Tensor]:
        """What a tensor is the sum of, as far down as nothing else uses the sums on the way."""
        found: list[Tensor] = []
        stack = [tensor]
        while stack:
            term = stack.pop()
            parts = _added(term) if self._uses[term] == 1 and term not in self.results else []
            stack.extend(reversed(parts))
            found += [] if parts else [term]
        return found

    def _leads(self, tensor: Tensor, carry: Tensor) -> bool:
        """Whether a sum has the carry among its terms, or among those of its terms that are sums."""
        stack = [tensor]
        while stack:
            parts = _added(stack.pop())
            if carry in parts:
                return True
            stack.extend(parts)
        return False

    def _sources(self, total: _Total) -> list[Tensor]:
        """What the terms of a sum are computed from after the loop."""
        total.sources = [self._operands(t) for t in total.terms]
        return [u for sources in total.sources for u in sources]

    def _operands(self, term: Tensor) -> list[Tensor]:
        """The operands of a term, where these are smaller than what it adds; else the term itself."""
        op = term.op
        if isinstance(op, Stage) and op.reducer in (None, "sum") and term in self.varying and term.node.inputs:
            size = nominal(term.shape)
            if op.reducer == "sum" or all(nominal(t.shape) < size for t in term.inputs):
                return list(term.inputs)
        return [term]

    def _computed(self, tensor: Tensor) -> bool:
        """Whether only the loop knows a tensor's values."""
        return tensor in self.varying and tensor not in self.items and tensor not in self.carries

    def _sum(self, total: _Total, outside: dict[Tensor, Tensor]) -> Tensor:
        """The last value of a sum."""
        start = self.inputs[total.carry]
        parts = [self._over_time(t, s, outside) for t, s in zip(total.terms, total.sources, strict=True)]
        if uniform_value(start) != 0:
            parts.insert(0, start)
        if len(parts) == 1:
            return parts[0]
        here = tuple(Affine.variable(k) for k in range(start.ndim))
        return stage(start.shape, [(p, here) for p in parts], sympy.Add(*(read_symbol(k) for k in range(len(parts)))), dtype="float")

    def _over_time(self, term: Tensor, sources: Sequence[Tensor], outside: dict[Tensor, Tensor]) -> Tensor:
        """The sum of a term over all iterations: the same stage with the iteration as one more summed index."""
        if sources == [term]:
            here = tuple(Affine.variable(k) for k in range(term.ndim))
            extents, time = (*term.shape, self.op.length), Affine.variable(term.ndim)
            return stage(extents, self._moved([(term, here)], time, outside), read_symbol(0), outputs=term.ndim, reducer="sum", dtype="float")
        op = term.op
        assert isinstance(op, Stage)
        extents, reads = (*op.extents, self.op.length), self._moved(accesses(term), Affine.variable(len(op.extents)), outside)
        body = op.body.xreplace(op.dim_values())
        return stage(extents, reads, body, write=op.write, shape=op.shape, guarded=op.guarded, reducer="sum", dtype="float")

    def _afterwards(self, result: Tensor, outside: dict[Tensor, Tensor]) -> Tensor:
        """A sum of products for all iterations, after the loop."""
        op = result.op
        assert isinstance(op, Stage)
        time = Affine.variable(len(op.extents))
        extents, shape = (*op.extents, self.op.length), (self.op.length, *op.shape)
        body, reads = op.body.xreplace(op.dim_values()), self._moved(accesses(result), time, outside)
        return stage(extents, reads, body, write=(time, *op.write), shape=shape, guarded=op.guarded, reducer="sum", dtype="float")

    def _moved(self, reads: Sequence[Access], time: Affine, outside: Mapping[Tensor, Tensor]) -> list[Access]:
        """Accesses of the body as accesses of what is known for all iterations."""
        known = {**self.items, **outside}
        moved: list[Access] = []
        for tensor, places, *rest in reads:
            if tensor in known:
                tensor, places = known[tensor], (time, *places)
            else:  # the same in every iteration
                [tensor] = substitute([tensor], dict(self.invariants))
            moved.append((tensor, places, rest[0] if rest else None))
        return moved


def _heavy(tensor: Tensor) -> bool:
    """Whether a tensor is a sum of products."""
    return isinstance(tensor.op, Stage) and tensor.op.reducer == "sum" and len(tensor.op.reads) > 1


def _added(tensor: Tensor) -> list[Tensor]:
    """The terms of a sum of tensors of one shape; nothing for anything else."""
    op = tensor.op
    if not isinstance(op, Stage) or not op.elementwise or not isinstance(op.body, sympy.Add) or op.free is None:
        return []
    if set(op.body.args) != {read_symbol(k) for k in range(len(op.reads))}:
        return []
    return [tensor.inputs[r.operand] for r in op.reads] if all(reads_whole(tensor, r) for r in op.reads) else []
