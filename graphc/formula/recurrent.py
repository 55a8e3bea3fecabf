"""A scan as definitions over time: its carries and what its body names become tensors with a leading axis of time.

A carry has one row more than there are items: walking forward, row 0 is the initial carry and row ``t + 1`` what item ``t``
makes of row ``t``; walking backward, the last row is the initial one and row ``t`` is made of row ``t + 1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from graphc.errors import DerivationError
from graphc.expr.graph import topological, unalias
from graphc.expr.operation import Alias, Leaf, Reshape, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor, make
from graphc.formula.algebra import size_of
from graphc.formula.atoms import Entry, Letter, Source, extent_formula, fresh_letters, letter
from graphc.formula.definition import LONGEST, Definition, Recurrence, axes, exact, number_of, stage_formula
from graphc.formula.radix import reshaped_places
from graphc.formula.ranges import decided
from graphc.formula.structure import automatic_names

__all__ = ["unfold"]


class Outer(Protocol):
    """The forward pass around a scan."""

    positions: dict[Node, int]
    taken: set[str]

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The entry of a tensor at places."""
        ...

    def called(self, order: Sequence[Node]) -> Mapping[Tensor, str]:
        """The names that users gave to the tensors of a graph."""
        ...


def unfold(outer: Outer, node: Node, stacked: Mapping[Tensor, str]) -> tuple[list[Definition], dict[Tensor, Any]]:
    """The definitions of what a scan computes over time, and the formulas of its outputs.

    Args:
        outer: the forward pass around it.
        node: the scan.
        stacked: names that users gave to its outputs.

    Raises:
        DerivationError: for a recurrence within a recurrence, and for random numbers drawn in the body.
    """
    body = _Body(outer, node, stacked)
    body.define()
    return body.recurrence.body, body.outputs()


class _Body:
    """The body of a scan, read time by time."""

    def __init__(self, outer: Outer, node: Node, stacked: Mapping[Tensor, str]) -> None:
        assert isinstance(node.op, Scan)
        self.outer, self.node, self.op = outer, node, node.op
        op = node.op
        first, second = op.carries, op.carries + op.sequences
        self.roles = {p: k for k, p in enumerate(op.parameters)}
        self.first, self.second = first, second
        self.results = [unalias(t) for t in op.results]
        self.order = topological(op.results)
        self.recurrence = Recurrence(op.length, op.reverse, [], {}, {})
        (self.now,) = fresh_letters([op.length])
        self.kept: dict[Tensor, Definition] = {}
        self.formulas: dict[Tensor, Any] = {}
        self.inlined: dict[Tensor, Any] = {}
        self.sources: list[Source] = []
        self.names = self._names(stacked)
        self.carried = [self._source(self.names[key], op.parameters[k], carry=True) for k, key in enumerate(self._carry_keys())]

    def _carry_keys(self) -> list[tuple[str, int]]:
        return [("carry", k) for k in range(self.op.carries)]

    def _names(self, stacked: Mapping[Tensor, str]) -> dict[Any, str]:
        """The names of the carries and of the tensors of the body."""
        own = dict(self.outer.called([n for n in self.order if not isinstance(n.op, Leaf)]))
        found: dict[Any, str] = {}
        for k, key in enumerate(self._carry_keys()):
            result = self.results[k]
            rows = next((n for n, t in enumerate(self.results[self.first :]) if t is result), None)
            outside = stacked.get(self.node.outputs[self.first + rows], "") if rows is not None else ""
            given = _carry_name(self.op.parameters[k].name, self.outer.taken)
            name = own.pop(result, "") if result not in self.roles else ""
            if outside and name in ("", outside):
                found[key] = outside  # the user's name for the rows
            else:
                found[key] = self._free(name or given, name)
        made = automatic_names(self.order, own, recurrent=True)
        for t in [*own, *made]:
            if t not in self.roles:
                found[t] = self._free(own.get(t) or made[t], own.get(t, ""))
        return found

    def _free(self, name: str, given: str) -> str:
        """A name that nothing else has; one that the user gave is numbered."""
        base, count = name, 1
        while name in self.outer.taken:
            count += 1
            name = f"{base}_{count}" if given else f"{base}{count}"
        self.outer.taken.add(name)
        return name

    def _source(self, name: str, like: Tensor, carry: bool = False) -> Source:
        length = self.op.length + 1 if carry else self.op.length
        tensor = make(Leaf("input"), (), (length, *like.shape), like.dtype, name=name)
        source = Source.of(tensor, order=self.outer.positions[self.node], start=int(not carry or self.op.reverse))
        self.sources.append(source)
        return source

    def _after(self, time: Any) -> Any:
        return time if self.op.reverse else time + 1

    def _before(self, time: Any) -> Any:
        return time + 1 if self.op.reverse else time

    # Reading

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The entry of a tensor of the body now."""
        tensor = unalias(tensor)
        if tensor in self.roles:
            k = self.roles[tensor]
            if k < self.first:
                return Entry(self.carried[k], self._before(self.now), *places)
            outside = self.node.inputs[k]
            return self.outer.read(outside, (self.now, *places) if k < self.second else places)
        known = self.kept.get(tensor)
        if known is not None:
            return Entry(known.source, known.places[0].xreplace({known.letters[0]: self.now}), *places)
        return decided(self.inlined[tensor].xreplace(dict(zip(axes(tensor), places, strict=True))))

    def define(self) -> None:
        """All definitions, in the order in which one iteration makes them."""
        for node in self.order:
            if not isinstance(node.op, Alias) and node.outputs[0] not in self.roles:
                self._add(node)
        for k, result in enumerate(self.results[: self.first]):
            if self.carried[k] not in self.recurrence.initial:
                self._keep(result, k, self.read(result, axes(result)))

    def _add(self, node: Node) -> None:
        out = node.outputs[0]
        number = number_of(out)
        if number is not None:
            self.inlined[out] = number
            return
        if isinstance(node.op, Leaf):
            self.inlined[out] = self.outer.read(out, axes(out))
            return
        for output in node.outputs:
            expr = self._formula(node, output)
            carry = next((k for k, t in enumerate(self.results[: self.first]) if t is output), None)
            twin = next((d for t, d in self.kept.items() if carry is None and d.row is not None and self.formulas[t] == expr), None)
            if twin is not None:
                self.kept[output] = twin  # written twice, as the next carry and as an output
                continue
            if carry is not None or self.names.get(output) or output in self.results or size_of(expr) > LONGEST:
                self._keep(output, carry, expr)
            else:
                self.inlined[output] = expr

    def _formula(self, node: Node, output: Tensor) -> Any:
        if isinstance(node.op, Stage):
            return exact(stage_formula(self, node, node.op, output))
        if isinstance(node.op, Reshape):
            return exact(self.read(node.inputs[0], reshaped_places(node.inputs[0], output)))
        kind = type(node.op).__name__.lower()
        what = {"scan": "a recurrence", "random": "random numbers"}.get(kind, kind)
        raise DerivationError(f"{output.describe()} is {what} within a gx.scan, for which no closed form is known: derive up to it")

    def _keep(self, tensor: Tensor, carry: int | None, expr: Any) -> None:
        """A definition over time, for ``expr`` over the tensor's own axes now."""
        name = self.names.get(tensor, "")
        source = self.carried[carry] if carry is not None else self._source(name or self._free("u", ""), tensor)
        shift = {x: letter(k + 1, x.extent) for k, x in enumerate(axes(tensor))} | {self.now: letter(0, self.op.length)}
        after = self._after(letter(0, self.op.length)) if carry is not None else None
        definition = Definition(source.tensor, source, source.tensor.name, expr.xreplace(shift), recurrence=self.recurrence, row=after)
        self.recurrence.body.append(definition)
        if carry is not None:
            first = self.outer.read(self.node.inputs[carry], axes(tensor))
            self.recurrence.initial[source] = first.xreplace({x: letter(k + 1, x.extent) for k, x in enumerate(axes(tensor))})
            self.recurrence.carries[source] = definition
        self.kept.setdefault(tensor, definition)
        self.formulas.setdefault(tensor, expr)

    def outputs(self) -> dict[Tensor, Any]:
        """The scan's outputs over their own axes: last carries, stacked outputs, the carries before each iteration."""
        found: dict[Tensor, Any] = {}
        count = len(self.results)
        for k, output in enumerate(self.node.outputs):
            own = axes(output)
            if k < self.first:
                found[output] = Entry(self.carried[k], self._last(), *own)
            elif k < count:
                found[output] = self._stacked(self.results[k], own)
            else:
                found[output] = Entry(self.carried[k - count], self._before(own[0]), *own[1:])
        return found

    def _last(self) -> Any:
        return extent_formula(0 if self.op.reverse else self.op.length)

    def _stacked(self, result: Tensor, own: Sequence[Letter]) -> Any:
        return decided(self.read(result, own[1:]).xreplace({self.now: own[0]}))


def _carry_name(initial: str, taken: set[str]) -> str:
    """A carry's name after that of its first value: ``h`` after ``h0``, ``h`` with a bar after ``∂h``, which an adjoint is."""
    if initial.startswith("∂"):
        head = initial[1:] or "g"
        return f"{head[0]}\u0304{head[1:]}"
    name = re.sub(r"_?(0|init|initial|start)$", "", initial)
    return "h" if name in ("", "carry") or name in taken else name
