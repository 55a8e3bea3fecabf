"""Kernels by Numba: those that our own front-end does not know, and all of them where objects are not ELF."""

# ruff: noqa: ARG001 - handlers of Numba's have its parameters
from __future__ import annotations

import functools
import operator
from functools import cache
from typing import Any

from llvmlite import ir
from numba import cfunc
from numba.core import types as numba_types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, lower_builtin, register_model
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from graphc.codegen import types
from graphc.codegen.intrinsics import Context, Intrinsic
from graphc.codegen.pointers import get_entry, set_entry

__all__ = ["FLAGS", "compiled"]

# A product may be fused into a sum; only running results may be reordered, by flags of their own (reductions.py). Otherwise
# x - x would be 0 where x is infinite or NaN, and (a + b) - a would be b where a swallows it.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "boundscheck": False}
_typed: Any = infer_global
_KINDS: dict[types.Type, Any] = {
    types.float32: numba_types.float32, types.float64: numba_types.float64, types.int64: numba_types.int64,
    types.boolean: numba_types.boolean, types.none: numba_types.none,
}  # fmt: skip


class _Pointer(numba_types.Type):
    """A buffer's type."""

    def __init__(self, ours: types.Pointer) -> None:
        self.ours = ours
        super().__init__(name=f"Pointer({ours.dtype}, {ours.slot})")


@register_model(_Pointer)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


def _ours(kind: Any) -> types.Type:
    """Our type for one of Numba's."""
    if isinstance(kind, _Pointer):
        return kind.ours
    if isinstance(kind, numba_types.IntegerLiteral):
        return types.IntegerLiteral(kind.literal_value)
    if isinstance(kind, numba_types.CPointer):
        return types.ROW
    return types.int64 if isinstance(kind, numba_types.Integer) else next(k for k, v in _KINDS.items() if v == kind)


def _numbas(kind: types.Type) -> Any:
    """Numba's type for one of ours."""
    if kind == types.ROW:
        return numba_types.CPointer(numba_types.int64)
    if isinstance(kind, types.IntegerLiteral):
        return numba_types.literal(kind.literal_value)
    return _Pointer(kind) if isinstance(kind, types.Pointer) else _KINDS[kind]


@_typed(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], _Pointer) and isinstance(args[1], numba_types.Integer):
            dtype = args[0].ours.dtype
            return signature(numba_types.int64 if dtype == types.boolean else _KINDS[dtype], args[0], numba_types.int64)
        return None


@_typed(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 3 and isinstance(args[0], _Pointer) and isinstance(args[1], numba_types.Integer):
            return signature(numba_types.none, args[0], numba_types.int64, _KINDS[args[0].ours.dtype])
        return None


@lower_builtin(operator.getitem, _Pointer, numba_types.Integer)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return get_entry(builder, sig.args[0].ours, *args)[1]


@lower_builtin(operator.setitem, _Pointer, numba_types.Integer, numba_types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    set_entry(builder, sig.args[0].ours, *args)
    return context.get_dummy_value()


@cache
def _intrinsic(ours: Intrinsic) -> Any:
    """An intrinsic of ours as one of Numba's."""

    @functools.wraps(ours.definition)
    def definition(typingctx: Any, *args: Any) -> Any:
        found = ours.resolve([_ours(k) for k in args])
        if found is None:
            return None
        wanted, codegen = found

        def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            return codegen(Context(), builder, wanted, values)

        return _numbas(wanted.return_type)(*(_numbas(k) for k in wanted.args)), emit

    return intrinsic(prefer_literal=ours.prefer_literal)(definition)


def compiled(function: Any) -> Any:
    """A kernel's function, compiled for the host, or loaded from beside its source where its module ``KEEPS`` it there."""
    names = function.__globals__
    names.update({name: _intrinsic(value) for name, value in names.items() if isinstance(value, Intrinsic)})
    rest = ", int64" * (function.__code__.co_argcount - 1)
    return cfunc(f"void(CPointer(int64){rest})", cache=names["KEEPS"], **FLAGS)(function)
