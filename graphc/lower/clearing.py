"""Setting to 0 what no part of a result is written to: the border around one box, or else all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from graphc.expr.dims import Extent, product
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, strides
from graphc.lower.kernels import clear_loop, finish

__all__ = ["Cleared", "clear_kernel"]

Box = list[tuple[Extent, Extent]]  # where it begins and how long it is, along each axis


Cleared = Literal["rest", "all"]  # what no part is written to, or that and the places of the parts too


def clear_kernel(emitter: Emitter, target: Tensor, parts: Sequence[Tensor]) -> tuple[ir.Kernel, Cleared]:
    """The kernel that sets to 0 what the parts leave out, and whether that is all that it sets."""
    box = _box(parts[0]) if len(parts) == 1 else None
    around = 0
    while box is not None and around < target.ndim and box[around] == (0, target.shape[around]):
        around += 1
    buffer = emitter.buffer(target, True)
    if box is None or not 0 < around < target.ndim:
        return finish(emitter, [clear_loop(emitter, 0, target.shape, buffer, "sum", target.dtype, parallel=True)]), "all"
    body = _border(emitter, target, box, around, buffer)
    return finish(emitter, [ir.Loop(0, emitter.param(product(target.shape[:around])), tuple(body), parallel=True)]), "rest"


def _box(part: Tensor) -> Box | None:
    """Where a part is written, if that is a box; else ``None``."""
    op = part.op
    if not isinstance(op, Stage) or any(len(p.terms) > 1 or any(v < 0 or c != 1 for v, c in p.terms) for p in op.write):
        return None
    return [(p.offset, op.extents[p.variables[0]] if p.variables else 1) for p in op.write]


def _border(emitter: Emitter, target: Tensor, box: Box, around: int, buffer: int) -> list[ir.Statement]:
    """For each axis the runs before and behind the box: along it, all later axes run on in memory."""
    steps = strides(target.shape)
    value, variable = emitter.fresh(), around  # the first variable is that of the loop around
    statements: list[ir.Statement] = [ir.Start(value, "sum", target.dtype)]
    whole = product(target.shape[around:])
    for axis in range(around, target.ndim):
        first, length = box[axis]
        end = first + length
        for start, count in ((0, first), (end, target.shape[axis] - end)):
            if count == 0:
                continue
            inside = list(range(around, axis))
            run = variable + len(inside)
            offset: Extent = start * steps[axis]
            for b in inside:
                offset = offset + box[b][0] * steps[b]
            terms = [(0, whole), *((variable + k, steps[b]) for k, b in enumerate(inside)), (run, 1)]
            place = ir.Place(tuple((v, emitter.param(c)) for v, c in terms), emitter.param(offset))
            nest: ir.Statement = ir.Loop(run, emitter.param(count * steps[axis]), (ir.Store(buffer, place, value),))
            for k, b in reversed(list(enumerate(inside))):
                nest = ir.Loop(variable + k, emitter.param(box[b][1]), (nest,))
            statements.append(nest)
            variable = run + 1
    return statements
