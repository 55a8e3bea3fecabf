"""Buffers inside compiled kernels: typed addresses that are read and written like arrays, without bounds or negative places.

Each buffer is a type of its own, so that loads and stores can say which buffer they touch: LLVM then knows that distinct
buffers do not overlap, and vectorises.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import intrinsic
from graphc.codegen.types import Pointer, storage

__all__ = ["TABLES", "Pointer", "bools", "entry", "floats32", "floats64", "get_entry", "integer", "integers", "moved", "note_scope", "set_entry"]

_BUFFERS = 24  # how many buffers are told apart
TABLES = 1 << 30  # in place of a buffer: constants that belong to the code


def note_scope(builder: Any, instruction: Any, slot: int) -> Any:
    """Note on a load or a store which buffer it touches, or that it reads a table of constants, and that it touches no other."""
    if slot < _BUFFERS or slot == TABLES:
        own, others = _scopes(builder.module, min(slot, _BUFFERS))
        instruction.set_metadata("alias.scope", own)
        instruction.set_metadata("noalias", others)
    return instruction


def _scopes(module: Any, slot: int) -> tuple[Any, Any]:
    """What a load or a store of a buffer says of itself: the buffer's scope, and all others. Made once a module, which keeps it."""
    made: dict[int, tuple[Any, Any]] = module.__dict__.setdefault("graphc_scopes", {})
    if slot not in made:
        domain = module.add_metadata(["graphc"])
        scopes = [module.add_metadata([f"buffer {k}", domain]) for k in (*range(_BUFFERS), TABLES)]
        made[slot] = module.add_metadata([scopes[slot]]), module.add_metadata([s for k, s in enumerate(scopes) if k != slot])
    return made[slot]


def entry(builder: Any, dtype: Any, base: Any, index: Any) -> Any:
    """The address of an entry."""
    kind = storage(dtype)
    return builder.gep(builder.bitcast(base, kind.as_pointer()), [index], inbounds=True, source_etype=kind)


def get_entry(builder: Any, pointer: Pointer, base: Any, index: Any) -> tuple[types.Type, Any]:
    """An entry's type and value; bools are whole numbers 0 and 1."""
    loaded = builder.load(entry(builder, pointer.dtype, base, index), typ=storage(pointer.dtype))
    note_scope(builder, loaded, pointer.slot)
    return (types.int64, builder.zext(loaded, ir.IntType(64))) if pointer.dtype == types.boolean else (pointer.dtype, loaded)


def set_entry(builder: Any, pointer: Pointer, base: Any, index: Any, value: Any) -> None:
    """Write an entry."""
    value = builder.zext(value, ir.IntType(8)) if pointer.dtype == types.boolean else value
    note_scope(builder, builder.store(value, entry(builder, pointer.dtype, base, index)), pointer.slot)


def _word(builder: Any, row: Any, slot: Any) -> Any:
    word = ir.IntType(64)
    return builder.load(builder.gep(builder.bitcast(row, word.as_pointer()), [slot], source_etype=word), typ=word)


def _bind(dtype: Any, name: str) -> Any:
    def bind(typingctx: Any, row: Any, slot: Any) -> Any:
        if not isinstance(slot, types.IntegerLiteral):
            return None

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word = _word(builder, args[0], ir.Constant(ir.IntType(64), slot.literal_value))
            return builder.inttoptr(word, ir.IntType(8).as_pointer())

        return Pointer(dtype, slot.literal_value)(row, slot), codegen

    bind.__name__ = bind.__qualname__ = name
    return intrinsic(prefer_literal=True)(bind)


floats32 = _bind(types.float32, "floats32")
floats64 = _bind(types.float64, "floats64")
integers = _bind(types.int64, "integers")
bools = _bind(types.boolean, "bools")


@intrinsic
def moved(typingctx: Any, pointer: Any, count: Any) -> Any:
    """A buffer some entries further on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(entry(builder, sig.args[0].dtype, args[0], args[1]), ir.IntType(8).as_pointer())

    return (pointer(pointer, types.int64), codegen) if isinstance(pointer, Pointer) else None


@intrinsic(prefer_literal=True)
def integer(typingctx: Any, row: Any, slot: Any) -> Any:
    """A whole number of the row of arguments."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _word(builder, args[0], ir.Constant(ir.IntType(64), slot.literal_value))

    return types.int64(row, slot), codegen
