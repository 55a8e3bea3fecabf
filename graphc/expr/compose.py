"""Composition: a producer's formula put in place of the read that it fills."""

from __future__ import annotations

from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.stage import Stage, read_symbol, substitute_indices
from graphc.expr.tensor import Tensor

__all__ = ["accesses", "inline", "inlinable", "producer_body"]


def accesses(tensor: Tensor) -> list[tuple[Tensor, tuple[Affine, ...], float | None]]:
    """The reads of a stage's tensor, with the tensors in place of operand numbers."""
    op = tensor.op
    assert isinstance(op, Stage)
    return [(tensor.inputs[r.operand], r.coords, r.outside) for r in op.reads]


def inlinable(consumer: Stage, read: int, producer: Tensor) -> bool:
    """Whether ``producer`` can stand in place of that read: entry by entry, read inside its range, not used as a place."""
    op = producer.op
    # A condition is read as 0 or 1, and its formula is no number.
    if not isinstance(op, Stage) or not op.elementwise or producer.dtype == "bool" or consumer.reads[read].outside is not None:
        return False
    variable = -(read + 1)
    return not any(variable in place.variables for r in consumer.reads for place in r.coords) and not any(
        variable in place.variables for place in consumer.write
    )


def producer_body(producer: Tensor, places: tuple[Affine, ...], offset: int) -> tuple[list[Access], Any]:
    """The producer's reads and body as seen from a consumer that reads it at ``places``.

    Reads are numbered from ``offset`` on; indices are the consumer's.
    """
    op = producer.op
    assert isinstance(op, Stage)
    assert op.free is not None
    at = {index: places[axis] for axis, index in enumerate(op.free)}

    def renumber(variable: int) -> int:
        return variable if variable >= 0 else variable - offset

    reads: list[Access] = []
    for tensor, coords, outside in accesses(producer):
        # Indices first, by maps of the consumer's indices; then the reads that serve as places.
        moved = tuple(
            Affine.collect([(renumber(v), c) for v, c in place.terms if v < 0], place.offset)
            + Affine(tuple(t for t in place.terms if t[0] >= 0)).substitute(at)
            for place in coords
        )
        reads.append((tensor, moved, outside))
    body = op.body.xreplace(op.dim_values())
    body = substitute_indices(body, at)
    return reads, body.xreplace({read_symbol(k): read_symbol(k + offset) for k in range(len(op.reads))})


def inline(consumer: Tensor, read: int) -> Tensor:
    """The consumer with the producer of one read put into its formula.

    The result computes the same; SymPy may simplify the joined formula as real algebra does.
    """
    op = consumer.op
    assert isinstance(op, Stage)
    old = accesses(consumer)
    producer, places, _ = old[read]
    more, body = producer_body(producer, places, len(old))
    joined = op.body.xreplace(op.dim_values()).xreplace({read_symbol(read): body})
    return stage(
        op.extents, [*old, *more], joined, write=op.write, shape=op.shape, reducer=op.reducer, guarded=op.guarded,
        dtype=consumer.dtype, name=consumer.name, call=consumer.call, guards=consumer.node.guards, origin=consumer.origin,
    )  # fmt: skip
