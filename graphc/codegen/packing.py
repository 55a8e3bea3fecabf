"""Copies of pieces of the operands, in the order in which blocks of the product read them.

What is copied as it lies is copied vector by vector. What lies across is turned a square of vectors at a time, with the
registers as the square; where its terms are not neighbours in memory it is copied entry by entry.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen.micro_kernel import last_mask, masked_load
from graphc.codegen.words import WORD, Code, Word, function

__all__ = ["rows_function", "turned_function", "turned_square"]


def _kinds(bits: int, lanes: int) -> tuple[Any, Any, int]:
    kind = ir.FloatType() if bits == 32 else ir.DoubleType()
    return kind, ir.VectorType(kind, lanes), bits // 8


def rows_function(module: Any, bits: int, lanes: int, vectors: int) -> Any:
    """Copy rows of some vectors to where they lie side by side.

    Its arguments: the target, the source, the table of the rows' places, how many rows, how many columns count, the others become 0;
    how many such stripes lie beside each other, each but the only one whole, and how far apart their targets are.
    """
    _, kind, size = _kinds(bits, lanes)

    def emit(code: Code, arguments: list[Word]) -> None:
        target, source, table, count, columns, stripes, apart = arguments
        masks = [last_mask(code, columns - v * lanes, lanes) for v in range(vectors)]
        width = vectors * lanes * size

        def copy(start: Word, to: Word, masked: bool) -> None:
            for v, mask in enumerate(masks):
                at = code.pointer(start + v * lanes * size, kind)
                value = masked_load(code.builder, at, mask, kind, f"v{lanes}f{bits}", size) if masked else code.builder.load(at, typ=kind, align=size)
                code.store(value, to + v * lanes * size, size)

        def whole() -> None:
            with code.loop(0, count) as k:
                start = source + code.load(table + k * 8)
                with code.loop(0, stripes) as stripe:
                    copy(start + stripe * width, target + stripe * apart + k * width, False)

        def part() -> None:
            with code.loop(0, count) as k:
                copy(source + code.load(table + k * 8), target + k * width, True)

        code.cases(columns.compare(">=", vectors * lanes), whole, part)

    return function(module, f"rows_{bits}_{vectors}_{lanes}", 7, emit)


def turned_function(module: Any, bits: int, lanes: int) -> Any:
    """Copy as many lines as a vector has lanes so that their first entries lie side by side, then their second ones, ...

    Its arguments: the target, the way from one of its rows to the next, the source, the table of the lines' places, the table of
    the entries' places in a line, how many entries.
    """
    scalar, kind, size = _kinds(bits, lanes)

    def emit(code: Code, arguments: list[Word]) -> None:
        target, pitch, source, lines, terms, count = arguments
        starts = [source + code.load(lines + 8 * r) for r in range(lanes)]

        def square(k: Word) -> None:
            first = code.load(terms + k * 8)
            vectors = [code.builder.load(code.pointer(s + first, kind), typ=kind, align=size) for s in starts]
            for t, vector in enumerate(turned_square(code.builder, vectors)):
                code.store(vector, target + (k + t) * pitch, size)

        def entries(k: Word) -> None:
            with code.loop(k, (k + lanes).least(count)) as t, code.loop(0, lanes) as r:
                place = source + code.load(lines + r * 8) + code.load(terms + t * 8)
                code.store(code.load(place, scalar), target + t * pitch + r * size, size)

        with code.loop(0, count, lanes) as k:
            whole = (k + lanes).compare("<=", count)
            # Behind the last term the table may hold anything: it is memory of our own, and `whole` decides.
            code.cases(code.builder.and_(whole, _neighbours(code, terms + k * 8, lanes, size)), lambda k=k: square(k), lambda k=k: entries(k))

    return function(module, f"turned_{bits}_{lanes}", 6, emit)


def _neighbours(code: Code, table: Word, lanes: int, size: int) -> Any:
    """Whether the next terms lie side by side."""
    b = code.builder
    kind = ir.VectorType(WORD, lanes)
    places = b.load(code.pointer(table, kind), typ=kind, align=8)
    first = b.extract_element(places, ir.Constant(ir.IntType(32), 0))
    one = b.insert_element(ir.Constant(kind, ir.Undefined), first, ir.Constant(ir.IntType(32), 0))
    same = b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))
    steps = ir.Constant(kind, [ir.Constant(WORD, k * size) for k in range(lanes)])
    bits = b.bitcast(b.icmp_signed("==", b.sub(places, same), steps), ir.IntType(lanes))
    return b.icmp_signed("==", bits, ir.Constant(ir.IntType(lanes), -1))


def turned_square(builder: Any, rows: list[Any]) -> list[Any]:
    """The columns of a square of vectors: each step takes one bit of an entry's row number to its column number."""
    lanes = len(rows)
    half = lanes // 2

    def interleaved(one: Any, other: Any, start: int) -> Any:
        places = [x for k in range(start, start + half) for x in (k, lanes + k)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), places)
        return builder.shuffle_vector(one, other, mask)

    for _ in range(lanes.bit_length() - 1):
        rows = [interleaved(rows[k], rows[k + half], start) for k in range(half) for start in (0, half)]
    return rows
