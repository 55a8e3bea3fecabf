"""Chains: a sum of products whose factors do not all share the summed indices is summed one index after the other.

``sum over j, k of A[i, j] B[j, k] C[k, l]`` takes ``i*j*k*l`` steps as it stands, and two products of matrices as a chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.graph import rebuild
from graphc.expr.stage import Stage, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.products import contraction, nominal

__all__ = ["sum_in_turn"]

_GAIN = 2  # how many times fewer steps pay for an array between
_MOST_FACTORS = 12


def sum_in_turn(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph with its sums of products of many factors taken apart, where that takes fewer steps or gives a contraction."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op, out = node.op, node.outputs[0]
        if not isinstance(op, Stage) or not _candidate(op) or out.dtype != "float":
            return None
        accesses: list[Access] = [(inputs[r.operand], r.coords, r.outside) for r in op.reads]
        left = _Sum(op.extents, accesses, list(sympy.Mul.make_args(op.body.xreplace(op.dim_values()))), op.free or (), set(op.reduced))
        changed = False
        while (apart := _step(left)) is not None:
            left, changed = apart, True
        return left.result(out, node).node.outputs if changed else None

    return rebuild(outputs, change)


def _candidate(op: Stage) -> bool:
    plain = all(v >= 0 for r in op.reads for p in r.coords for v in p.variables)
    factors = len(sympy.Mul.make_args(op.body))
    return op.reducer == "sum" and op.free is not None and plain and 1 < factors <= _MOST_FACTORS and len(op.reduced) > 0


@dataclass
class _Sum:
    """A sum of factors over reads; ``free`` are the axes of the result, ``summed`` what is still to be summed."""

    extents: tuple[Any, ...]
    accesses: list[Access]
    factors: list[Any]
    free: tuple[int, ...]
    summed: set[int]

    def indices(self, factor: Any) -> set[int]:
        """The indices that a factor depends on."""
        symbols = factor.free_symbols
        found = {k for k in range(len(self.extents)) if index_symbol(k) in symbols}
        for number, access in enumerate(self.accesses):
            if read_symbol(number) in symbols:
                found |= {v for p in access[1] for v in p.variables}
        return found

    def cost(self, indices: set[int]) -> float:
        """How many steps a loop over some indices takes."""
        return nominal([self.extents[k] for k in sorted(indices)])

    def result(self, old: Tensor, node: Node) -> Tensor:
        """What is left as one stage."""
        return self._stage(self.factors, self.free, self.summed, call=old.call, name=old.name, guards=node.guards, origin=node.origin)

    def part(self, factors: list[Any], axes: tuple[int, ...], summed: set[int]) -> Tensor:
        """The sum of some of the factors, over some of the indices."""
        return self._stage(factors, axes, summed)

    def _stage(self, factors: list[Any], axes: tuple[int, ...], summed: set[int], **shown: Any) -> Tensor:
        order = [*axes, *sorted(summed)]
        moved = {k: Affine.variable(n) for n, k in enumerate(order)}
        renamed = {index_symbol(k): index_symbol(n) for n, k in enumerate(order)}
        reads: list[Access] = []
        for number, (tensor, places, *outside) in enumerate(self.accesses):
            symbol = read_symbol(number)
            if any(symbol in f.free_symbols for f in factors):
                renamed[symbol] = read_symbol(len(reads))
                reads.append((tensor, tuple(p.substitute(moved) for p in places), outside[0] if outside else None))
        body = sympy.Mul(*factors, evaluate=False).xreplace(renamed) if len(factors) > 1 else factors[0].xreplace(renamed)
        reducer = "sum" if summed else None
        return stage([self.extents[k] for k in order], reads, body, outputs=len(axes), reducer=reducer, dtype="float", **shown)


def _step(total: _Sum) -> _Sum | None:
    """The sum with one index summed over only the factors that it stands in; ``None`` where no step pays."""
    whole = total.summed.union(total.free)
    indices = [total.indices(f) for f in total.factors]
    best: tuple[float, _Sum] | None = None
    for index in sorted(total.summed):
        inner = [f for f, used in zip(total.factors, indices, strict=True) if index in used]
        if not inner or len(inner) == len(total.factors):
            continue
        others = [f for f in total.factors if f not in inner]
        box: set[int] = set().union(*(total.indices(f) for f in inner))
        elsewhere = set(total.free).union(*(total.indices(f) for f in others))
        summed = (box - elsewhere) & total.summed
        axes = tuple(k for k in range(len(total.extents)) if k in box and k in elsewhere)
        rest = whole - summed
        steps = total.cost(box) + total.cost(rest)
        if best is not None and steps >= best[0]:
            continue
        if _GAIN * steps <= total.cost(whole) or (len(inner) == 2 and rest < whole and contraction(total.part(inner, axes, summed)) is not None):
            best = steps, _apart(total, inner, others, axes, summed)
    return best[1] if best is not None else None


def _apart(total: _Sum, inner: list[Any], others: list[Any], axes: tuple[int, ...], summed: set[int]) -> _Sum:
    made = total.part(inner, axes, summed)
    accesses = [*total.accesses, (made, tuple(Affine.variable(k) for k in axes))]
    return _Sum(total.extents, accesses, [*others, read_symbol(len(total.accesses))], total.free, total.summed - summed)
