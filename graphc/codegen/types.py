"""The types of values inside kernels, and the signatures of what takes them.

They bear the names that Numba gives its own, so that an intrinsic is written once, for our front-end and for Numba's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

__all__ = [
    "ROW", "Boolean", "Float", "Integer", "IntegerLiteral", "NoneType", "Pointer", "Signature", "Type", "boolean", "float32", "float64",
    "int64", "none", "storage", "value_type",
]  # fmt: skip


@dataclass(frozen=True)
class Type:
    """A kind of value; called with the types of arguments it is a signature whose result it is."""

    def __call__(self, *args: Type) -> Signature:
        """The signature of a function of such arguments."""
        return Signature(self, args)


@dataclass(frozen=True)
class Signature:
    """What a function gives, and what it takes."""

    return_type: Type
    args: tuple[Type, ...]


@dataclass(frozen=True)
class Integer(Type):
    """A whole number of 64 bits."""


@dataclass(frozen=True)
class IntegerLiteral(Integer):
    """A whole number that stands in the source."""

    literal_value: int


@dataclass(frozen=True)
class Float(Type):
    """A float of so many bits."""

    bits: int


@dataclass(frozen=True)
class Boolean(Type):
    """True or false: a bit as a value, a byte in memory."""


@dataclass(frozen=True)
class NoneType(Type):
    """No value."""


@dataclass(frozen=True)
class Pointer(Type):
    """The address of a buffer's first entry. Each buffer is a type of its own, so that loads and stores can say which they touch."""

    dtype: Type
    slot: int


int64, float32, float64, boolean, none = Integer(), Float(32), Float(64), Boolean(), NoneType()
ROW = Pointer(int64, -1)  # the row of arguments


def value_type(kind: Type) -> Any:
    """What a value of a type is to LLVM."""
    if isinstance(kind, Float):
        return ir.FloatType() if kind.bits == 32 else ir.DoubleType()
    if isinstance(kind, Pointer):
        return ir.IntType(8).as_pointer()
    return ir.IntType(1 if isinstance(kind, Boolean) else 64)


def storage(kind: Type) -> Any:
    """What an entry of a buffer is to LLVM."""
    return ir.IntType(8) if isinstance(kind, Boolean) else value_type(kind)
