"""The adjoint of a scan: a scan in the other direction, over the saved carries, of the body's vector-Jacobian product.

It is an ordinary scan, so its own adjoint is this rule once more; no node count depends on the length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.dims import Extent
from graphc.expr.operation import Leaf, Scan
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Node, Tensor, make, make_scan

__all__ = ["scan_adjoints"]

Sweep = Callable[[Sequence[tuple[Tensor, Tensor]], Sequence[Tensor]], Mapping[Tensor, Tensor]]


def scan_adjoints(node: Node, adjoints: Mapping[Tensor, Tensor], wanted: set[Tensor], sweep: Sweep) -> list[tuple[Tensor, Tensor]]:
    """What the scan adds to the adjoints of its inputs.

    Args:
        adjoints: those of the scan's outputs that have one.
        sweep: the reverse sweep, for the body.
    """
    op = node.op
    assert isinstance(op, Scan)
    parts = _Parts(node, op, adjoints, wanted)
    found = sweep(parts.seeds(), parts.variables())
    return parts.close(found)


class _Parts:
    """The inputs and outputs of a scan and of its adjoint, by role."""

    def __init__(self, node: Node, op: Scan, adjoints: Mapping[Tensor, Tensor], wanted: set[Tensor]) -> None:
        self.node, self.op, self.wanted = node, op, wanted
        first, second = op.carries, op.carries + op.sequences
        self.carries, self.items, self.invariants = op.parameters[:first], op.parameters[first:second], op.parameters[second:]
        self.following, self.outputs = op.results[:first], op.results[first:]
        last, stacked, saved = node.outputs[:first], node.outputs[first : len(op.results)], node.outputs[len(op.results) :]
        self.saved = saved
        floats = [k for k, c in enumerate(self.carries) if c.dtype == "float"]
        # The adjoint's carries: of each carry of floats, and of each invariant that is wanted.
        self.carried = {k: _leaf(self.carries[k]) for k in floats}
        self.starts = [_plus(adjoints.get(last[k]), None, last[k]) for k in floats]
        self.summed = {m: _leaf(t) for m, t in enumerate(self.invariants) if t.dtype == "float" and node.inputs[second + m] in wanted}
        # Its items, besides those of the scan: the adjoints of stacked outputs and of saved carries, where there are any.
        self.out_items = {k: _leaf(self.outputs[k]) for k, t in enumerate(stacked) if t in adjoints}
        self.saved_items = {k: _leaf(self.carries[k]) for k, t in enumerate(saved) if t in adjoints}
        self.given = [adjoints[stacked[k]] for k in self.out_items] + [adjoints[saved[k]] for k in self.saved_items]
        self.item_places = [k for k, t in enumerate(self.items) if t.dtype == "float" and node.inputs[first + k] in wanted]

    def seeds(self) -> list[tuple[Tensor, Tensor]]:
        """What the body's results get from behind."""
        return [(self.following[k], t) for k, t in self.carried.items()] + [(self.outputs[k], t) for k, t in self.out_items.items()]

    def variables(self) -> list[Tensor]:
        return [*(self.carries[k] for k in self.carried), *(self.items[k] for k in self.item_places), *(self.invariants[m] for m in self.summed)]

    def close(self, found: Mapping[Tensor, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """The adjoint's scan, and its outputs by the input of the scan that they belong to."""
        carried = [_plus(found.get(self.carries[k]), self.saved_items.get(k), self.carries[k]) for k in self.carried]
        summed = [_plus(found.get(self.invariants[m]), t, t) for m, t in self.summed.items()]
        items = [_plus(found.get(self.items[k]), None, self.items[k]) for k in self.item_places]
        parameters = [
            *self.carried.values(), *self.summed.values(), *self.carries, *self.items, *self.out_items.values(), *self.saved_items.values(),
            *self.invariants,
        ]  # fmt: skip
        first, second = self.op.carries, self.op.carries + self.op.sequences
        zeros = [_zeros(self.invariants[m].shape) for m in self.summed]
        sequences = [*self.saved, *self.node.inputs[first:second], *self.given]
        op = Scan(tuple(parameters), (*carried, *summed, *items), len(carried) + len(summed), len(sequences), self.op.length, not self.op.reverse)
        inputs = [*self.starts, *zeros, *sequences, *self.node.inputs[second:]]
        made = make_scan(op, inputs, (), self.node.origin).outputs
        sources = [self.node.inputs[k] for k in self.carried]
        sources += [self.node.inputs[second + m] for m in self.summed]
        sources += [self.node.inputs[first + k] for k in self.item_places]
        return [(source, adjoint) for source, adjoint in zip(sources, made, strict=False) if source in self.wanted]


def _leaf(like: Tensor) -> Tensor:
    return make(Leaf("input"), (), like.shape, "float", name=f"∂{like.name}" if like.name else "")


def _zeros(shape: tuple[Extent, ...]) -> Tensor:
    return stage(shape, (), sympy.Integer(0), dtype="float")


def _plus(a: Tensor | None, b: Tensor | None, like: Tensor) -> Tensor:
    """The sum of those that are there; zeros where none is."""
    if a is None or b is None:
        one = b if a is None else a
        return _zeros(like.shape) if one is None else one
    here = tuple(Affine.variable(k) for k in range(a.ndim))
    return stage(a.shape, [(a, here), (b, here)], read_symbol(0) + read_symbol(1))
