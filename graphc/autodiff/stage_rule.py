"""The adjoint of one stage: its body differentiated by SymPy, written back along each access.

For ``Y[w(i)] reduced-by= body(X1[a1(i)], ...)`` and the adjoint G of Y, each access gives

    dX[a(i)]  +=  G[w(i)] * weight * d body / d x        for all indices i

with the reducer's weight: 1 for a sum, a choice of the winner for max and min, the product of the other factors for
prod. That scatter is always right; :mod:`graphc.autodiff.gather` turns it round where the place can be solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sympy

from graphc.autodiff.gather import gather
from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.compose import accesses, producer_body
from graphc.expr.dims import dim_symbol
from graphc.expr.operation import Leaf
from graphc.expr.scalar import Power, Select, derivative
from graphc.expr.stage import Read, Stage, index_symbol, read_symbol, substitute_indices
from graphc.expr.tensor import Node, Tensor

__all__ = ["stage_adjoints", "uniform_value"]

ZERO = sympy.Integer(0)


@lru_cache(maxsize=4096)
def _derivative(body: Any, reads: tuple[int, ...]) -> Any:
    """The sum of the body's derivatives by several of its reads."""
    return sum((derivative(body, read_symbol(k)) for k in reads), sympy.Integer(0))


def stage_adjoints(node: Node, adjoint: Tensor, wanted: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What the stage adds to the adjoints of its inputs: pairs of an input and a contribution of its shape."""
    op = node.op
    assert isinstance(op, Stage)
    result: list[tuple[Tensor, Tensor]] = []
    for read, numbers in _groups(op.reads):
        source = node.inputs[read.operand]
        slope = _derivative(op.body, numbers)
        if source.dtype == "float" and source in wanted and slope != 0:
            result.append((source, _contribution(node, adjoint, read, source, slope)))
    return result


def _groups(reads: tuple[Read, ...]) -> list[tuple[Read, tuple[int, ...]]]:
    """Equal accesses together, so that ``x*x`` has one adjoint, ``2*x*g``."""
    found: dict[Read, list[int]] = {}
    for number, read in enumerate(reads):
        found.setdefault(read, []).append(number)
    return [(read, tuple(numbers)) for read, numbers in found.items()]


def _contribution(node: Node, adjoint: Tensor, read: Read, source: Tensor, slope: Any) -> Tensor:
    op = node.op
    assert isinstance(op, Stage)
    reads: list[Access] = [*accesses(node.outputs[0])]
    slope = slope.xreplace(op.dim_values())
    g = uniform_value(adjoint)
    mask: Any = None
    if g is None and not op.guarded and (op.elementwise or _infinite_somewhere(slope)) and _masked(adjoint):
        # Where the adjoint is masked to 0 an infinite slope must not make NaN of it: the mask goes outside, and on.
        more, masked = producer_body(adjoint, op.write, len(reads))
        reads += more
        mask, g = masked, masked.args[1] + masked.args[2]  # one of the two is 0
    elif g is None:
        g = read_symbol(len(reads))
        # Where the stage itself drops what it writes outside, the adjoint there is 0.
        reads.append((adjoint, op.write, 0.0 if op.guarded else None))
    body = _weighted(node, g, slope, reads)
    if mask is not None:
        body = Select(mask.args[0], *(body if part != 0 else ZERO for part in mask.args[1:]))
    return gather(
        op.extents, reads, body, read.coords, source.shape,
        guarded=read.outside is not None, free=op.free or (), adjoint=g if g.is_Symbol and mask is None else None, origin=node.origin,
    )  # fmt: skip


def _infinite_somewhere(slope: Any) -> bool:
    """Whether a slope may be infinite at a finite place."""
    return bool(slope.has(sympy.log, Power)) or any(part.exp.is_negative for part in slope.atoms(sympy.Pow) if part.exp.is_number)


def _masked(adjoint: Tensor) -> bool:
    """Whether an adjoint is a choice between a formula and 0."""
    op = adjoint.op
    return isinstance(op, Stage) and op.elementwise and isinstance(op.body, Select) and ZERO in op.body.args[1:]


def _times(g: Any, slope: Any) -> Any:
    """``g * slope`` with choices outside, so that a branch not taken never takes part."""
    choice = next((part for part in sympy.Mul.make_args(slope) if isinstance(part, Select)), None)
    if choice is None:
        return g * slope
    rest = slope / choice
    condition, a, b = choice.args
    return Select(condition, *(ZERO if part == 0 else _times(g, rest * part) for part in (a, b)))


def _weighted(node: Node, g: Any, slope: Any, reads: list[Access]) -> Any:
    """``g * weight * slope``; a weight that needs another tensor adds its read."""
    op = node.op
    assert isinstance(op, Stage)
    if op.reducer in ("max", "min"):
        winner = read_symbol(len(reads))
        reads.append((node.outputs[1], op.write))
        return Select(sympy.Eq(_flat(op), winner), _times(g, slope), ZERO)
    if op.reducer == "prod":
        others = read_symbol(len(reads))
        reads.append((_product_of_others(node), tuple(Affine.variable(k) for k in range(len(op.extents)))))
        return _times(g * others, slope)
    return _times(g, slope)


def _flat(op: Stage) -> Any:
    """The position of an index tuple among the reduced ones, as the winner's is counted."""
    flat: Any = sympy.Integer(0)
    for k in op.reduced:
        extent = op.extents[k]
        flat = flat * (extent if isinstance(extent, int) else dim_symbol(extent)) + index_symbol(k)
    return flat


def _product_of_others(node: Node) -> Tensor:
    """For each index tuple the product of the body over all others: right at zeros, and at every order."""
    op = node.op
    assert isinstance(op, Stage)
    count = len(op.extents)
    twins = {k: count + n for n, k in enumerate(op.reduced)}
    moved = {k: Affine.variable(t) for k, t in twins.items()}
    reads: list[Access] = [(t, tuple(p.substitute(moved) for p in coords), outside) for t, coords, outside in accesses(node.outputs[0])]
    body = substitute_indices(op.body.xreplace(op.dim_values()), moved)
    same_places: list[Any] = [sympy.Eq(index_symbol(k), index_symbol(t)) for k, t in twins.items()]
    return stage(
        [*op.extents, *(op.extents[k] for k in op.reduced)], reads, Select(sympy.And(*same_places), sympy.Integer(1), body),
        outputs=count, reducer="prod", origin=node.origin,
    )  # fmt: skip


def uniform_value(tensor: Tensor) -> Any:
    """The number, or formula of dimensions, that every entry of a tensor is; ``None`` where entries may differ."""
    op = tensor.op
    if isinstance(op, Leaf) and op.kind == "constant" and tensor.ndim == 0 and op.cell is not None and op.cell.array is not None:
        value = op.cell.array.item()
        return sympy.sympify(value) if sympy.sympify(value).is_finite else None
    if isinstance(op, Stage) and op.elementwise and not op.reads:
        body = op.body.xreplace(op.dim_values())
        return body if not any(index_symbol(k) in body.free_symbols for k in range(len(op.extents))) else None
    return None
