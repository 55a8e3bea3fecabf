"""Reductions across rows: whole rows that lie side by side in memory are combined into the rows of the results.

Several rows are taken at once: then a result is read and written once for all of them, and what a row has of its own
is computed before the loop along them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent
from graphc.lower import ir
from graphc.lower.emit import Emitter
from graphc.lower.loops import divisible, map_places, nest, resolve
from graphc.rewrite.products import nominal

__all__ = ["by_rows", "copied", "rows_body"]

_ROWS = ((24, 8), (64, 4), (128, 2))  # statements of so many rows at most; how many rows that may be
_REFERENCES = ("argument", "arguments", "condition", "target", "winner")


def by_rows(statements: Sequence[Any], sizes: dict[int, Extent], outer: list[int], inner: list[int]) -> bool:
    """Whether less memory is read in strides along the last output axis than along the last reduced one."""
    if not outer or not inner:
        return False
    loads: list[Affine] = [s.place for s in statements if isinstance(s, ir.Load)]  # type: ignore[misc]

    def strided(index: int) -> float:
        return sum(nominal([sizes[v] for v in p.variables if v >= 0]) for p in loads if p.coefficient(index) not in (0, 1))

    return strided(outer[-1]) < strided(inner[-1])


def rows_body(
    emitter: Emitter, statements: Sequence[Any], running: Sequence[Any], stores: Sequence[Any], sizes: dict[int, Extent],
    outer: list[int], inner: list[int],
) -> list[ir.Statement]:  # fmt: skip
    """The loops of such a kernel, that over the last output axis innermost.

    Args:
        emitter: of the kernel.
        statements: what gives the values of one index tuple.
        running: the values combined into running results.
        stores: where each of these belongs.
        sizes: of the indices.
        outer, inner: the indices of the results, and those that are reduced.
    """
    last, row = outer[-1], inner[-1]
    divided = divisible(emitter, outer, sizes)
    again = len(emitter.extents)  # every loop has a variable of its own
    clear: list[ir.Statement] = []
    for accumulate, store in zip(running, stores, strict=True):
        identity = emitter.fresh()
        cleared = dataclasses.replace(store, place=store.place.substitute({last: Affine.variable(again)}), argument=identity)
        clear += [ir.Start(identity, accumulate.reducer, accumulate.kind), resolve(emitter, cleared)]
    rows = _at_once(emitter, statements, sizes[row])
    whole = sizes[row] // rows
    loops = nest(emitter, [row, last], sizes | {row: whole}, _combined(emitter, statements, running, stores, row, rows), divided=divided)
    if rows > 1 and (rest := sizes[row] - whole * rows) != 0:
        renamed = {row: again + 1, last: again + 2}
        moved = {row: Affine.variable(again + 1) + whole * rows, last: Affine.variable(again + 2)}
        single, ends = ([map_places(s, lambda p: p.substitute(moved)) for s in some] for some in (statements, stores))
        loops += nest(emitter, [row, last], sizes | {row: rest}, _combined(emitter, single, running, ends, row, 1), renamed, divided)
    body = [*nest(emitter, [last], sizes, clear, {last: again}, divided), *nest(emitter, inner[:-1], sizes, loops, divided=divided)]
    return nest(emitter, outer[:-1], sizes, body, divided=divided)


def _at_once(emitter: Emitter, statements: Sequence[Any], extent: Extent) -> int:
    """How many rows are taken at once: one where the order of checks tells which id an error names, fewer where there is much to compute."""
    if emitter.checks:
        return 1
    most = next((rows for count, rows in _ROWS if len(statements) * rows <= count), 1)
    return most if not isinstance(extent, int) else min(most, 1 << max(extent.bit_length() - 1, 0))


def _combined(
    emitter: Emitter, statements: Sequence[Any], running: Sequence[Any], stores: Sequence[Any], row: int, rows: int
) -> list[ir.Statement]:  # fmt: skip
    """Some rows combined into the results."""
    body: list[ir.Statement] = []
    if rows == 1:
        body += [resolve(emitter, s) for s in statements]
        arguments = [a.argument for a in running]
    else:
        results = [emitter.fresh() for _ in running]
        body += [ir.Start(result, a.reducer, a.kind) for result, a in zip(results, running, strict=True)]
        for number in range(rows):
            some, values = copied(emitter, statements, row, Affine.variable(row).scaled(rows) + number)
            body += [resolve(emitter, s) for s in some]
            body += [ir.Accumulate(result, a.reducer, values[a.argument], a.kind) for result, a in zip(results, running, strict=True)]
        arguments = results
    for accumulate, store, argument in zip(running, stores, arguments, strict=True):
        at = resolve(emitter, store)
        assert isinstance(at, ir.Store)
        body.append(ir.Update(at.buffer, at.place, accumulate.reducer, argument, accumulate.kind))
    return body


def copied(emitter: Emitter, statements: Sequence[Any], index: int, place: Affine) -> tuple[list[Any], dict[int, int]]:
    """The statements where an index is elsewhere, with values of their own, and which these are."""
    values: dict[int, int] = {}
    found: list[Any] = []
    for s in statements:
        values[s.value] = emitter.fresh()
        moved = {index: place} | {-(old + 1): Affine.variable(-(new + 1)) for old, new in values.items()}
        changed: dict[str, Any] = {"value": values[s.value]}
        for name in _REFERENCES:
            old = getattr(s, name, None)
            if old is not None:
                changed[name] = tuple(values.get(v, v) for v in old) if isinstance(old, tuple) else values.get(old, old)
        found.append(dataclasses.replace(map_places(s, lambda p, moved=moved: p.substitute(moved)), **changed))
    return found, values
