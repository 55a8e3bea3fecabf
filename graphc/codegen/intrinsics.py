"""Functions of kernels that are made of LLVM's instructions: written once, for our front-end and for Numba's.

A definition takes a context and the types of its arguments, and gives a signature and a function that emits the code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from graphc.codegen import types

__all__ = ["Context", "Intrinsic", "intrinsic"]


class Context:
    """What emitting code asks of a compiler."""

    def get_value_type(self, kind: types.Type) -> Any:
        """What a value of a type is to LLVM."""
        return types.value_type(kind)

    def get_dummy_value(self) -> Any:
        """In place of no value."""
        return ir.Constant(ir.IntType(8).as_pointer(), None)


class Intrinsic:
    """A function that kernels may call."""

    def __init__(self, definition: Callable[..., Any], prefer_literal: bool) -> None:
        self.definition, self.prefer_literal = definition, prefer_literal
        self.__name__, self.__doc__ = definition.__name__, definition.__doc__

    def resolve(self, kinds: Sequence[types.Type]) -> tuple[types.Signature, Callable[..., Any]] | None:
        """The signature for arguments of these types and what emits the code, or ``None`` where it does not take them."""
        given = kinds if self.prefer_literal else [types.int64 if isinstance(k, types.Integer) else k for k in kinds]
        return self.definition(None, *given)


def intrinsic(definition: Callable[..., Any] | None = None, *, prefer_literal: bool = False) -> Any:
    """Make a definition a function of kernels; ``prefer_literal``: whole numbers of the source are types of their own."""
    if definition is None:
        return lambda function: Intrinsic(function, prefer_literal)
    return Intrinsic(definition, prefer_literal)
