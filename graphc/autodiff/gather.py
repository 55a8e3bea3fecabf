"""Scatter turned into gather: ``dX[a(i)] += f(i)`` as ``dX[p] = sum of f over the i with a(i) = p``.

Each place is solved for one index with coefficient 1 or -1. What an index's range then demands becomes a condition,
unless it holds by itself or the adjoint's own range says it. Where a place cannot be solved (a diagonal, a stride, a
constant, an id from data) the scatter stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import Access, stage
from graphc.expr.dims import Extent, provably_at_least
from graphc.expr.origin import Origin
from graphc.expr.scalar import Absolute, Maximum, Minimum, Select, Sigmoid, Sign, Softplus
from graphc.expr.stage import affine_formula, substitute_indices
from graphc.expr.tensor import Tensor

__all__ = ["gather"]


def gather(
    extents: Sequence[Extent],
    reads: Sequence[Access],
    body: Any,
    write: Sequence[Affine],
    shape: tuple[Extent, ...],
    *,
    guarded: bool,
    free: tuple[int, ...],
    adjoint: Any,
    origin: Origin,
) -> Tensor:
    """The sum of ``body`` over all indices, written to ``write``.

    Args:
        free: the indices of the stage that are its output's axes: the ones that a place of several indices is solved for.
        adjoint: the symbol of the adjoint's value in ``body``, ``None`` where that is a number.
    """
    solution = _solve(extents, write, shape, free)
    if solution is None:
        return stage(extents, reads, body, write=write, shape=shape, reducer="sum", guarded=guarded, dtype="float", origin=origin)
    solved, rest = solution
    count = len(shape)
    # New numbering: the axes of the result first, then the indices that are still summed over.
    number = {old: count + n for n, old in enumerate(rest)}
    places = {k: Affine.variable(n) for k, n in number.items()}
    places |= {k: _renumbered(e, number) for k, e in solved.items()}
    ranges = [*shape, *(extents[k] for k in rest)]
    doubtful = [k for k in solved if not _within(places[k], ranges, extents[k])]
    moved: list[Access] = [(t, tuple(p.substitute(places) for p in coords), _outside(outside, coords, doubtful)) for t, coords, *outside in reads]
    body = substitute_indices(body, places)
    body = _conditioned(body, [(places[k], extents[k]) for k in doubtful if not _implied(k, free, body, adjoint)])
    return stage(ranges, moved, body, outputs=count, reducer="sum" if rest else None, dtype="float", origin=origin)


def _solve(
    extents: Sequence[Extent], write: Sequence[Affine], shape: tuple[Extent, ...], free: tuple[int, ...]
) -> tuple[dict[int, Affine], list[int]] | None:
    """Each place solved for an index: index -> map, where variable ``-1 - axis`` stands for the result's axis.

    ``None`` where that is not possible, or would loop far more than the scatter.
    """
    solved: dict[int, Affine] = {}
    for axis, place in enumerate(write):
        if any(v < 0 for v in place.variables):
            return None
        if not place.terms:
            if shape[axis] != 1 or place.offset != 0:
                return None
            continue
        candidates = [v for v, c in place.terms if v not in solved and c in (1, -1)]
        if len(place.terms) > 1:
            candidates = [v for v in candidates if v in free]
        if not candidates or any(v in solved for v in place.variables):
            return None
        pivot = candidates[0]
        rest = Affine(tuple(t for t in place.terms if t[0] != pivot), place.offset)
        solved[pivot] = (Affine.variable(-1 - axis) - rest).scaled(place.coefficient(pivot))
    # The rest of a place may hold an index that a later place was solved for.
    for pivot in reversed(solved):
        solved[pivot] = solved[pivot].substitute(solved)
    return solved, [k for k in range(len(extents)) if k not in solved]


def _renumbered(place: Affine, number: dict[int, int]) -> Affine:
    return place.renumber(lambda v: -1 - v if v < 0 else number[v])


def _within(place: Affine, ranges: Sequence[Extent], extent: Extent) -> bool:
    """Whether ``0 <= place < extent`` for every index of the result."""
    if place.bare is not None and ranges[place.bare] == extent:
        return True
    bounds = place.bounds(ranges)
    return bounds is not None and provably_at_least(bounds[0], 0) and provably_at_least(extent - 1 - bounds[1], 0)


def _outside(outside: Sequence[float | None], coords: tuple[Affine, ...], doubtful: Sequence[int]) -> float | None:
    """A read at an index that may now leave its range gives 0 there; the condition drops it."""
    given = outside[0] if outside else None
    return 0.0 if given is None and any(k in place.variables for place in coords for k in doubtful) else given


def _implied(index: int, free: tuple[int, ...], body: Any, adjoint: Any) -> bool:
    """Whether the adjoint, read as 0 outside its range, makes the condition on ``index`` superfluous."""
    return adjoint is not None and index in free and _vanishes(body, adjoint)


def _vanishes(body: Any, symbol: Any) -> bool:
    """Whether a formula is 0 where a value that stands in it is 0; within a choice only numbers may stand beside it.

    There a factor may be infinite, as the slope of the entry that has not won. An exponential or a quotient may be so
    anywhere: outside its range it is taken of zeros.
    """
    if isinstance(body, Select):
        ends: tuple[Any, ...] = body.args[1:]
        return all(part == 0 or set(sympy.Mul.make_args(part)) <= {symbol, *part.atoms(sympy.Number)} for part in ends)
    factors = sympy.Mul.make_args(body)
    return symbol in factors and all(_finite(f) for f in factors)


def _finite(formula: Any) -> bool:
    """Whether a formula of finite values is certainly finite, but for overflow of products and sums."""
    if not formula.args:
        return bool(formula.is_Symbol or formula.is_finite)
    power = isinstance(formula, sympy.Pow) and formula.exp.is_Integer and bool(formula.exp > 0)
    return (power or isinstance(formula, _FINITE)) and all(_finite(a) for a in formula.args)


_FINITE = (sympy.Add, sympy.Mul, sympy.sin, sympy.cos, sympy.tanh, sympy.erf, Absolute, Maximum, Minimum, Sigmoid, Sign, Softplus)


def _conditioned(body: Any, ranges: Sequence[tuple[Affine, Extent]]) -> Any:
    conditions: list[Any] = []
    for place, extent in ranges:
        at = affine_formula(place)
        conditions += [sympy.Ge(at, 0), sympy.Lt(at, sympy.sympify(extent))]
    return Select(sympy.And(*conditions), body, sympy.Integer(0)) if conditions else body
