"""``1 - p`` of a share ``p = exp(l_k) / sum(exp(l_r))``: the sum of the other shares.

Where ``p`` is close to 1 the difference loses every digit. Only the largest entry's share can be above 1/2, so one more
sum, without the largest entry, serves all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.dims import dim_symbol
from graphc.expr.scalar import Log1p, Minimum, Select
from graphc.expr.stage import Stage, affine_formula, index_symbol, read_symbol
from graphc.expr.tensor import Tensor
from graphc.stable.context import Context, StableSum
from graphc.stable.emit import shift_of
from graphc.stable.form import Form, Poly, Term
from graphc.stable.frame import Frame

__all__ = ["complement"]

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)
_MOST = sympy.Rational(3, 4)  # shares other than the largest are at most 1/2


def complement(context: Context, frame: Frame, poly: Poly) -> Form | None:
    """A polynomial that is ``1 - share`` as the exponential of its logarithm; ``None`` for any other."""
    part = next((t for t in poly if t.coefficient == -1), None)
    if len(poly) != 2 or part is None or Term(ONE, ZERO) not in poly:
        return None
    for symbol, k in part.atoms:
        if k not in (1, -1):
            continue
        others = sum((q * sympy.log(a) for a, q in part.atoms if a != symbol), part.exponent)
        logarithm = _logarithm(context, frame, symbol, others * -k)
        if logarithm is not None:  # 1 - share, or 1 - 1/share = -(1 - share)/share
            return Form(Term(ONE, logarithm)) if k == -1 else Form(Term(-ONE, logarithm + others, ((symbol, ONE),)))
    return None


def _logarithm(context: Context, frame: Frame, symbol: Any, exponent: Any) -> Any:
    """``log(1 - share)`` of the share ``exp(exponent) / symbol``."""
    access = frame.access(symbol) if isinstance(symbol, sympy.Symbol) else None
    known = context.sums.get(access[0]) if access is not None else None
    if access is None or known is None:
        return None
    below = frame.read(known.shift, access[1])
    places = _place(known, frame, access[1], exponent + below)
    if places is None:
        return None
    rest, shift = _without_largest(context, known)
    winner = frame.read(known.top.node.outputs[1], access[1])
    largest = frame.read(shift, access[1]) - below + sympy.log(frame.read(rest, access[1])) - sympy.log(symbol)
    at = {k: affine_formula(p) for k, p in places.items()}
    share: Any = Minimum(sympy.exp(exponent) / symbol, _MOST)
    return Select(sympy.Eq(_flat(known.op, at), winner), largest, Log1p(-share))


def _flat(op: Stage, at: dict[int, Any]) -> Any:
    """The position among the reduced indices, as the winner's is counted."""
    flat: Any = ZERO
    for k in op.reduced:
        extent = op.extents[k]
        flat = flat * (extent if isinstance(extent, int) else dim_symbol(extent)) + at[k]
    return flat


def _place(known: StableSum, frame: Frame, coords: Sequence[Affine], exponent: Any) -> dict[int, Affine] | None:
    """Where in the sum a term stands: the reduced indices at which its exponent is ``exponent``."""
    free = known.op.free
    assert free is not None
    at = {i: coords[axis] for axis, i in enumerate(free)}
    for index in known.op.reduced:
        for place in _candidates(known, frame, index, exponent):
            trial = {**at, index: place}
            if len(trial) == len(known.op.extents):
                maps = frame.adopt(known.frame.accesses, trial)
                if sympy.expand_mul(known.exponent.xreplace(maps) - exponent) == 0:
                    return trial
            at[index] = place
    return None


def _candidates(known: StableSum, frame: Frame, index: int, exponent: Any) -> list[Affine]:
    """The places at which the exponent reads a tensor that the sum reads along ``index``."""
    found: dict[Affine, None] = {}
    for own in sorted(known.exponent.free_symbols, key=str):
        access = known.frame.access(own)
        if access is None:
            continue
        for axis, place in enumerate(access[1]):
            if place.bare == index:
                for symbol in sorted(exponent.free_symbols, key=str):
                    other = frame.access(symbol)
                    if other is not None and other[0] is access[0]:
                        found.setdefault(other[1][axis])
    return list(found)


def _without_largest(context: Context, known: StableSum) -> tuple[Tensor, Tensor]:
    """The sum of the shifted exponentials but for the largest, and its shift."""
    frame, op = known.frame, known.op
    winner = frame.read(known.top.node.outputs[1], op.write)
    chosen = sympy.Eq(_flat(op, {k: index_symbol(k) for k in op.reduced}), winner)
    least = context.build(frame, known.exponent, op, "min")
    second = context.build(frame, Select(chosen, frame.read(least, op.write), known.exponent), op, "max")
    here = tuple(Affine.variable(k) for k in range(len(op.shape)))
    shift = context.unique(stage(op.shape, [(second, here)], shift_of(read_symbol(0)), dtype="float"))
    body = Select(chosen, ZERO, sympy.exp(known.exponent - frame.read(shift, op.write)))
    return context.build(frame, body, op, "sum"), shift
