"""Copies of a table with its axes exchanged: squares of vectors that are turned in registers, so that memory is read and written along its rows."""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.blocks import vector_bytes
from graphc.codegen.intrinsics import intrinsic
from graphc.codegen.micro_kernel import last_mask, masked_load, masked_store, splat
from graphc.codegen.packing import turned_square
from graphc.codegen.pointers import Pointer
from graphc.codegen.words import Code, Word, function

__all__ = ["turned"]

_NARROW = 6  # rows or columns of a square for which turning it whole costs more than its entries one by one


@intrinsic
def turned(
    typingctx: Any, target: Any, at: Any, step: Any, source: Any, start: Any, pitch: Any, first: Any, last: Any, low: Any, high: Any
) -> Any:  # fmt: skip
    """``target[at + i * step + j] = source[start + i + j * pitch]`` for i from ``first`` to before ``last`` and j from ``low`` to before ``high``."""
    if not (isinstance(target, Pointer) and isinstance(source, Pointer)):
        return None
    bits = 32 if target.dtype == types.float32 else 64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = _function(builder.module, bits, max(1, vector_bytes() * 8 // bits))
        addresses = [builder.ptrtoint(args[k], ir.IntType(64)) for k in (0, 3)]
        builder.call(made, [addresses[0], *args[1:3], addresses[1], *args[4:]])
        return context.get_dummy_value()

    return types.none(target, types.int64, types.int64, source, *[types.int64] * 6), codegen


def _function(module: Any, bits: int, lanes: int) -> Any:
    """The copy, made once in a module: its arguments are those of :func:`turned`, with addresses for buffers."""
    scalar = ir.FloatType() if bits == 32 else ir.DoubleType()
    kind, size = ir.VectorType(scalar, lanes), bits // 8

    def emit(code: Code, arguments: list[Word]) -> None:
        target, at, step, source, start, pitch, first, last, low, high = arguments
        step, pitch = step * size, pitch * size
        target, source = target + at * size, source + start * size

        def square(to: Word, of: Word) -> None:
            rows = [code.builder.load(code.pointer(of + pitch * r, kind), typ=kind, align=size) for r in range(lanes)]
            for r, row in enumerate(turned_square(code.builder, rows)):
                code.store(row, to + step * r, size)

        def part(to: Word, of: Word, down: Word, along: Word) -> None:
            """A square of which only some rows and columns are there: ``down`` rows of the target, ``along`` columns of it."""
            suffix, none = f"v{lanes}f{bits}", code.word(0)
            rows: list[Any] = []
            for r in range(lanes):
                mask = last_mask(code, code.choose(along.compare(">", r), down, none), lanes)
                rows.append(masked_load(code.builder, code.pointer(of + pitch * r, kind), mask, kind, suffix, size))
            for r, row in enumerate(turned_square(code.builder, rows)):
                mask = last_mask(code, code.choose(down.compare(">", r), along, none), lanes)
                masked_store(code.builder, row, code.pointer(to + step * r, kind), mask, suffix, size)

        def gathered(to: Word, of: Word, down: Word, along: Word) -> None:
            """Few rows of the target, each gathered from a column of the source."""
            mask = last_mask(code, along, lanes)
            with code.loop(0, down) as i:
                row = _gather(code, of + i * size, pitch, mask, kind, f"v{lanes}f{bits}", size)
                masked_store(code.builder, row, code.pointer(to + i * step, kind), mask, f"v{lanes}f{bits}", size)

        def entries(to: Word, of: Word, down: Word, along: Word) -> None:
            with code.loop(0, down) as i, code.loop(0, along) as j:
                code.store(code.load(of + i * size + j * pitch, scalar), to + i * step + j * size, size)

        with code.loop(first, last, lanes) as i, code.loop(low, high, lanes) as j:
            to, of = target + i * step + j * size, source + i * size + j * pitch
            down, along = (last - i).least(lanes), (high - j).least(lanes)
            place = (to, of, down, along)

            def narrow(place: Any = place) -> None:
                code.cases(place[2].compare("<=", _NARROW), lambda: gathered(*place), lambda: entries(*place))

            def rest(place: Any = place) -> None:
                code.cases(place[2].least(place[3]).compare(">", _NARROW), lambda: part(*place), narrow)

            code.cases(down.least(along).compare(">=", lanes), lambda place=place: square(*place[:2]), rest)

    return function(module, f"exchanged_{bits}_{lanes}", 10, emit)


def _gather(code: Code, address: Word, pitch: Word, mask: Any, kind: Any, suffix: str, size: int) -> Any:
    """A vector of entries that lie ``pitch`` bytes apart; those that are not masked are 0."""
    b, lanes = code.builder, kind.count
    words, pointers = ir.VectorType(ir.IntType(64), lanes), ir.VectorType(ir.PointerType(), lanes)
    steps = b.mul(splat(b, pitch.value, words), ir.Constant(words, [ir.Constant(ir.IntType(64), k) for k in range(lanes)]))
    places = b.inttoptr(b.add(splat(b, address.value, words), steps), pointers)
    number = ir.IntType(32)
    shape = ir.FunctionType(kind, [pointers, number, mask.type, kind])
    gather = b.module.declare_intrinsic(f"llvm.masked.gather.{suffix}.v{lanes}p0", (), shape)
    zero = ir.Constant(kind, [ir.Constant(kind.element, 0.0)] * lanes)
    return b.call(gather, [places, ir.Constant(number, size), mask, zero])
