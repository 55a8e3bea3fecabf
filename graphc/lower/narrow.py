"""Reductions across rows of few entries: a running result for each column, all of them in registers, in one loop over the rows.

Rows lie side by side, so a vector holds several of them, and what belongs to a column is picked out of it. That takes a distance between
rows that is known when the kernel is compiled: it is written into the kernel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.lower import ir
from graphc.lower.across import copied
from graphc.lower.emit import Emitter
from graphc.lower.loops import divisible, map_places, nest, resolve

__all__ = ["columns_body", "few_columns"]

_COLUMNS = 8  # of a row; LLVM picks no more out of vectors
_LONGEST = 64  # statements


def few_columns(statements: Sequence[Any], sizes: dict[int, Extent], outer: list[int], inner: list[int]) -> bool:
    """Whether rows are short, side by side, and little is to be computed."""
    columns = sizes[outer[-1]]
    if not isinstance(columns, int) or columns > _COLUMNS or len(statements) * columns > _LONGEST:
        return False
    loads = [s.place for s in statements if isinstance(s, ir.Load)]
    return all(p.coefficient(inner[-1]) in (0, 1, columns) for p in loads)  # type: ignore[union-attr]


def columns_body(
    emitter: Emitter, statements: Sequence[Any], running: Sequence[Any], stores: Sequence[Any], sizes: dict[int, Extent],
    outer: list[int], inner: list[int],
) -> list[ir.Statement]:  # fmt: skip
    """The loops of such a kernel; the arguments are those of :func:`graphc.lower.across.rows_body`."""
    last, row, columns = outer[-1], inner[-1], sizes[outer[-1]]
    assert isinstance(columns, int)
    starts, body, ends = list[ir.Statement](), list[ir.Statement](), list[ir.Statement]()
    for column in range(columns):
        at = Affine.constant(column)
        some, values = copied(emitter, statements, last, at)
        body += [_near(emitter, s, row) for s in some]
        for accumulate, store in zip(running, stores, strict=True):
            result = emitter.fresh()
            starts.append(ir.Start(result, accumulate.reducer, accumulate.kind))
            body.append(ir.Accumulate(result, accumulate.reducer, values[accumulate.argument], accumulate.kind))
            here = map_places(store, lambda p, at=at: p.substitute({last: at}))
            ends.append(resolve(emitter, dataclasses.replace(here, argument=result)))
    divided = divisible(emitter, outer[:-1], sizes)
    return nest(emitter, outer[:-1], sizes, [*starts, *nest(emitter, inner, sizes, body), *ends], divided=divided)


def _near(emitter: Emitter, statement: Any, row: int) -> ir.Statement:
    """A statement with its affine maps as places, in which numbers that belong to a row are written out."""

    def place(p: Affine) -> ir.Place:
        terms = tuple((v, c if v == row and isinstance(c, int) else emitter.param(c)) for v, c in p.terms)
        return ir.Place(terms, p.offset if isinstance(p.offset, int) and p.offset < _COLUMNS else emitter.param(p.offset))

    return map_places(statement, place)
