"""Buffers inside compiled kernels: typed addresses that are read and written like arrays, without bounds or negative places.

Each buffer is a type of its own, so that loads and stores can say which buffer they touch: LLVM then knows that distinct
buffers do not overlap, and vectorises.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, lower_builtin, register_model
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

__all__ = ["TABLES", "Pointer", "bools", "floats32", "floats64", "integer", "integers", "moved", "note_scope"]

_BUFFERS = 24  # how many buffers are told apart
TABLES = 1 << 30  # in place of a buffer: constants that belong to the code
_typed: Any = infer_global


class Pointer(types.Type):
    """The address of a buffer's first entry."""

    def __init__(self, dtype: Any, slot: int) -> None:
        self.dtype, self.slot = dtype, slot
        super().__init__(name=f"Pointer({dtype}, {slot})")


@register_model(Pointer)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


def note_scope(builder: Any, instruction: Any, slot: int) -> Any:
    """Note on a load or a store which buffer it touches, or that it reads a table of constants, and that it touches no other."""
    if slot < _BUFFERS or slot == TABLES:
        module = builder.module
        domain = module.add_metadata(["graphc"])
        scopes = [module.add_metadata([f"buffer {k}", domain]) for k in (*range(_BUFFERS), TABLES)]
        instruction.set_metadata("alias.scope", module.add_metadata([scopes[min(slot, _BUFFERS)]]))
        instruction.set_metadata("noalias", module.add_metadata([s for k, s in enumerate(scopes) if k != min(slot, _BUFFERS)]))
    return instruction


def _storage(dtype: Any) -> Any:
    return {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.int64: ir.IntType(64), types.boolean: ir.IntType(8)}[dtype]


def entry(builder: Any, dtype: Any, base: Any, index: Any) -> Any:
    """The address of an entry."""
    storage = _storage(dtype)
    typed = builder.bitcast(base, storage.as_pointer())
    return builder.gep(typed, [index], inbounds=True, source_etype=storage)


@_typed(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], Pointer) and isinstance(args[1], types.Integer):
            result = types.int64 if args[0].dtype == types.boolean else args[0].dtype
            return signature(result, args[0], types.int64)
        return None


@_typed(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 3 and isinstance(args[0], Pointer) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.int64, args[0].dtype)
        return None


@lower_builtin(operator.getitem, Pointer, types.Integer)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = sig.args[0]
    loaded = builder.load(entry(builder, pointer.dtype, args[0], args[1]), typ=_storage(pointer.dtype))
    note_scope(builder, loaded, pointer.slot)
    return builder.zext(loaded, ir.IntType(64)) if pointer.dtype == types.boolean else loaded


@lower_builtin(operator.setitem, Pointer, types.Integer, types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    pointer = sig.args[0]
    value = builder.zext(args[2], ir.IntType(8)) if pointer.dtype == types.boolean else args[2]
    note_scope(builder, builder.store(value, entry(builder, pointer.dtype, args[0], args[1])), pointer.slot)
    return context.get_dummy_value()


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
