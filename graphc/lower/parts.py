"""Results that are put together: each part is written straight to its places by a kernel of its own.

A scatter whose write map never meets a place twice is one part; a sum, entry by entry, of such scatters that do not touch
is several. Where the parts do not certainly fill the result, it is cleared first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.expr.entry import entries
from graphc.expr.places import cover, disjoint, written
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.contract import contraction, contraction_kernel
from graphc.lower.emit import Emitter
from graphc.lower.kernels import finish
from graphc.lower.loops import collapse, divisible, nest, resolve
from graphc.lower.reductions import Reduced, reduction_kernel
from graphc.lower.spelled import spelled_kernel
from graphc.rewrite.products import reads_whole

__all__ = ["Parts", "part_kernel", "parts_of", "placed", "placing_kernel"]


@dataclass(frozen=True)
class Parts:
    """The stages whose results are a tensor's parts, and whether it must be cleared before they are written."""

    stages: tuple[Tensor, ...]
    cleared: bool


def parts_of(tensor: Tensor, alone: Callable[[Tensor], bool]) -> Parts | None:
    """A tensor as what it is put together from; ``None`` where it is not.

    Args:
        alone: whether nothing else uses a tensor.
    """
    op = tensor.op
    if not isinstance(op, Stage) or tensor.dtype == "bool":
        return None
    found = (tensor,) if op.free is None else _terms(tensor, op)
    stages = [t.op for t in found if isinstance(t.op, Stage)]
    if not found or not all(_fills(t) for t in found) or not disjoint(stages):
        return None
    if not all(t is tensor or (alone(t) and t.dtype == tensor.dtype) for t in found):
        return None
    return Parts(found, not cover(stages, tensor.shape))


def _terms(tensor: Tensor, op: Stage) -> tuple[Tensor, ...]:
    """The tensors whose sum, entry by entry, a tensor is; none where it is something else."""
    if len(op.reads) < 2 or len(tensor.inputs) != len(op.reads) or not op.adds:
        return ()
    return tuple(tensor.inputs[r.operand] for r in op.reads) if all(reads_whole(tensor, r) for r in op.reads) else ()


def _fills(tensor: Tensor) -> bool:
    """Whether a tensor is a scatter that never meets a place twice."""
    op = tensor.op
    return isinstance(op, Stage) and op.free is None and op.reducer == "sum" and tensor.dtype != "bool" and written(op) is not None


def part_kernel(emitter: Emitter, part: Tensor, target: Tensor) -> ir.Kernel:
    """The kernel that writes one part to its places of ``target``."""
    op = part.op
    assert isinstance(op, Stage)
    found = contraction(part)
    if found is not None:
        return contraction_kernel(emitter, part, found, target)
    indices = written(op)
    assert indices is not None
    if entries(op):
        return spelled_kernel(emitter, part, target)
    if len(indices) < len(op.extents):
        return reduction_kernel(emitter, [Reduced(part, into=target)])
    return placing_kernel(emitter, [part], target)


def placed(part: Tensor) -> tuple[tuple[int, ...], tuple[Extent, ...]] | None:
    """The indices and extents of a part that only says where its entries go; ``None`` for one that sums."""
    op = part.op
    assert isinstance(op, Stage)
    indices = written(op)
    return None if indices is None or len(indices) < len(op.extents) or contraction(part) is not None else (tuple(indices), op.extents)


def placing_kernel(emitter: Emitter, parts: Sequence[Tensor], target: Tensor) -> ir.Kernel:
    """The kernel that writes parts over the same indices to their places of ``target``."""
    stores: list[ir.Store] = []
    for part in parts:
        op = part.op
        assert isinstance(op, Stage)
        made = emitter.stage(op, part.inputs, {k: Affine.variable(k) for k in range(len(op.extents))})
        value = emitter.scalars.convert(made, part.dtype)
        stores.append(ir.Store(emitter.buffer(target, True), emitter.flat(op.write, op.shape), value))  # type: ignore[arg-type]
    op = parts[0].op
    assert isinstance(op, Stage)
    statements, sizes, (order,) = collapse([*emitter.statements, *stores], op.extents, [written(op) or ()])
    body = [resolve(emitter, s) for s in statements]
    return finish(emitter, nest(emitter, order, sizes, body, divided=divisible(emitter, order, sizes)))
