"""The stage: one formula over index ranges, and the only thing that most operations are.

    Y[w(i)]  reduced-by=  body(X1[a1(i)], X2[a2(i)], ..., i)      for all indices i in a box of extents

A :class:`Stage` is structure without names: indices are ``i0, i1, ...``, the values read are ``x0, x1, ...``,
dimensions ``d0, d1, ...``; operands are positions in the node's inputs. Equal formulas are therefore equal stages,
whatever the user called things, and everything derived from a stage can be shared by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import sympy

from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent, dim_symbol

__all__ = ["REDUCERS", "Read", "Reducer", "Stage", "dimension_symbol", "index_symbol", "read_symbol"]

Reducer = Literal["sum", "prod", "max", "min"]
REDUCERS: tuple[Reducer, ...] = ("sum", "prod", "max", "min")


@cache
def index_symbol(number: int) -> sympy.Symbol:
    """The symbol of a stage's index in its body."""
    return sympy.Symbol(f"i{number}", integer=True, nonnegative=True)


@cache
def read_symbol(number: int) -> sympy.Symbol:
    """The symbol of the value that read ``number`` gives."""
    return sympy.Symbol(f"x{number}", real=True)


@cache
def dimension_symbol(number: int) -> sympy.Symbol:
    """The symbol of the stage's dimension ``number`` in its body."""
    return sympy.Symbol(f"d{number}", integer=True)


@dataclass(frozen=True, slots=True)
class Read:
    """An access: which input, at which place; ``outside`` is the value where the place leaves the tensor."""

    operand: int
    coords: tuple[Affine, ...]
    outside: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A formula over a box of indices.

    Attributes:
        extents: the ranges of the indices ``i0, i1, ...``.
        write: where each index tuple writes, one map an output axis.
        shape: the extents of the result.
        reads: the accesses; ``x0, x1, ...`` in the body are their values.
        body: a SymPy number or condition over reads, indices and dimensions.
        dims: what ``d0, d1, ...`` in the body stand for.
        reducer: how values that are written to one place combine; ``None`` where each place gets one value.
        guarded: whether ``write`` may leave the result; such values are dropped.
    """

    extents: tuple[Extent, ...]
    write: tuple[Affine, ...]
    shape: tuple[Extent, ...]
    reads: tuple[Read, ...]
    body: Any
    dims: tuple[Dim, ...] = ()
    reducer: Reducer | None = None
    guarded: bool = False

    @property
    def free(self) -> tuple[int, ...] | None:
        """The indices that are the output's axes, in order, where ``write`` is plain; else ``None`` (a scatter)."""
        found: list[int] = []
        for axis, place in enumerate(self.write):
            index = place.bare
            if index is None or index in found or self.extents[index] != self.shape[axis]:
                return None
            found.append(index)
        return tuple(found)

    @property
    def reduced(self) -> tuple[int, ...]:
        """The indices that are not an output axis of their own."""
        free = self.free or ()
        return tuple(k for k in range(len(self.extents)) if k not in free)

    @property
    def elementwise(self) -> bool:
        """Whether each output entry is one value of the body: nothing is reduced, nothing scattered."""
        free = self.free
        return self.reducer is None and free is not None and len(free) == len(self.extents)

    @property
    def adds(self) -> bool:
        """Whether each output entry is the sum of what is read for it, and nothing else."""
        return self.elementwise and self.body == sympy.Add(*(read_symbol(k) for k in range(len(self.reads))))

    def with_body(self, body: Any) -> Stage:
        """This stage with another body over the same reads."""
        return Stage(self.extents, self.write, self.shape, self.reads, body, self.dims, self.reducer, self.guarded)

    def dim_values(self) -> dict[Any, Any]:
        """``d0, d1, ...`` as the symbols of the dimensions they stand for."""
        return {dimension_symbol(k): dim_symbol(d) for k, d in enumerate(self.dims)}


def identity_write(count: int) -> tuple[Affine, ...]:
    """The write map of a stage whose first ``count`` indices are its output axes."""
    return tuple(Affine.variable(k) for k in range(count))


def substitute_indices(body: Any, places: Sequence[Affine] | dict[int, Affine]) -> Any:
    """``body`` with its index symbols replaced by affine maps, all at once."""
    items = places.items() if isinstance(places, dict) else enumerate(places)
    return body.xreplace({index_symbol(k): affine_formula(place) for k, place in items})


def affine_formula(place: Affine) -> Any:
    """An affine map as a SymPy expression over index, read and dimension symbols."""
    total: Any = sympy.sympify(place.offset)
    for variable, coefficient in place.terms:
        symbol = index_symbol(variable) if variable >= 0 else read_symbol(-variable - 1)
        total = total + sympy.sympify(coefficient) * symbol
    return total
