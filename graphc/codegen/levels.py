"""Tables of places: where each row of a product, or each term of its sum, lies in both operands that have it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen.micro_kernel import splat
from graphc.codegen.words import WORD, Code, Variable, Word, function

__all__ = ["LEVEL", "OUTER_LEVEL", "TOGETHER", "fill_function", "offsets"]

TOGETHER = 8  # places that are written at a time: up to so many behind the last one too
LEVEL = 24  # bytes of a level: its extent and two strides
OUTER_LEVEL = 40  # of a loop around: its extent and four strides


def fill_function(module: Any, size: int) -> Any:
    """Write the places of some consecutive rows or terms to two tables, in bytes.

    Its arguments: the two tables, the levels (outermost first, each of an extent and two strides in entries), how many levels, the
    number of the first row or term, and how many.
    """

    def emit(code: Code, arguments: list[Word]) -> None:
        one, other, levels, depth, start, count = arguments
        counters = Word(code.builder, code.builder.ptrtoint(code.builder.alloca(WORD, depth.value), WORD))
        rest, a, b = Variable(code, start), Variable(code, 0), Variable(code, 0)
        with code.loop(0, depth) as number:
            at = depth - number - 1
            level = levels + at * LEVEL
            extent = code.load(level)
            divisor = code.choose(extent.compare(">", 0), extent, 1)  # a sum of nothing has no places
            index = rest.now % divisor
            code.store(index, counters + at * 8)
            rest.set(rest.now // divisor)
            a.set(a.now + index * code.load(level + 8))
            b.set(b.now + index * code.load(level + 16))
        inner = depth - 1
        extent, a_step, b_step = (code.load(levels + inner * LEVEL + 8 * k) for k in range(3))
        done, at = Variable(code, 0), Variable(code, inner)
        with code.during(lambda: done.now.compare("<", count)):
            index = code.load(counters + inner * 8)
            run = (extent - index).least(count - done.now)
            with code.loop(0, run, TOGETHER) as k:  # what is written behind the run is written over by the next one
                for table, place, step in ((one, a.now, a_step), (other, b.now, b_step)):
                    code.store(_rising(code, (place + k * step) * size, step * size), table + (done.now + k) * 8, 8)
            done.set(done.now + run)
            a.set(a.now + run * a_step)
            b.set(b.now + run * b_step)
            code.store(index + run, counters + inner * 8)
            at.set(inner)
            with code.during(lambda: _full(code, at.now, levels, counters)):
                level, before = levels + at.now * LEVEL, levels + (at.now - 1) * LEVEL
                whole = code.load(level)
                a.set(a.now - whole * code.load(level + 8) + code.load(before + 8))
                b.set(b.now - whole * code.load(level + 16) + code.load(before + 16))
                code.store(code.word(0), counters + at.now * 8)
                at.set(at.now - 1)
                code.store(code.load(counters + at.now * 8) + 1, counters + at.now * 8)

    return function(module, f"fill_{size}", 6, emit)


def _rising(code: Code, first: Word, step: Word) -> Any:
    """Places a step apart."""
    b, kind = code.builder, ir.VectorType(WORD, TOGETHER)
    numbers = ir.Constant(kind, [ir.Constant(WORD, k) for k in range(TOGETHER)])
    return b.add(splat(b, first.value, kind), b.mul(splat(b, step.value, kind), numbers))


def _full(code: Code, at: Word, levels: Word, counters: Word) -> Any:
    """Whether a level, but the outermost one, has come to its end."""
    ended = code.load(counters + at * 8).compare(">=", code.load(levels + at * LEVEL))
    return code.builder.and_(at.compare(">", 0), ended)


def offsets(code: Code, levels: Word, depth: Word, number: Word, strides: int) -> list[Word]:
    """Where one combination of levels lies, along each of their ``strides`` strides, in entries."""
    rest = Variable(code, number)
    sums = [Variable(code, 0) for _ in range(strides)]
    width = 8 * (strides + 1)
    with code.loop(0, depth) as k:
        level = levels + (depth - k - 1) * width
        extent = code.load(level)
        index = rest.now % extent
        rest.set(rest.now // extent)
        for place, total in enumerate(sums, 1):
            total.set(total.now + index * code.load(level + 8 * place))
    return [total.now for total in sums]
