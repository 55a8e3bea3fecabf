"""Shares of exponentials: where a formula has ``log(sum(exp(z)))``, the derivative is ``exp(z)/sum(exp(z))``, which gets a name.

A loss on scores never writes these shares, and yet its gradient is made of them; so they join the graph as a tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.scalar import Select
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor
from graphc.formula.atoms import Entry, Letter, Reduced, Source
from graphc.formula.definition import Definition
from graphc.formula.fold import outside_reductions
from graphc.formula.forward import Forward

__all__ = ["Shares", "missing_shares"]


def missing_shares(forward: Forward) -> list[Tensor]:
    """The shares that the definitions imply and that none of them is."""
    found: dict[tuple[Tensor, int], None] = {}
    known: set[tuple[Tensor, int]] = set()
    for d in forward.definitions.values():
        if d.expr is None:
            continue
        whole = _quotient(d)
        if whole is not None:
            known.add(whole)
        for part in sympy.preorder_traversal(d.expr):
            if isinstance(part, sympy.log) and isinstance(part.args[0], Reduced):
                summed = _summed(part.args[0])
                if summed is not None:
                    found[summed] = None
    return [_share(t, axis) for t, axis in found if (t, axis) not in known]


def _summed(expr: Any) -> tuple[Tensor, int] | None:
    """The tensor and the axis of a sum of its exponentials."""
    if not isinstance(expr, Reduced) or expr.reducer != "sum" or not isinstance(expr.body, sympy.exp) or len(expr.bound) != 1:
        return None
    entry = expr.body.args[0]
    if not isinstance(entry, Entry) or entry.source.barred or expr.bound[0] not in entry.places:
        return None
    tensor = entry.source.tensor
    whole = all(isinstance(p, Letter) and p.extent == e for p, e in zip(entry.places, tensor.shape, strict=True))
    return (tensor, entry.places.index(expr.bound[0])) if whole else None


def _quotient(d: Definition) -> tuple[Tensor, int] | None:
    """The tensor and axis whose share a definition is."""
    if d.expr is None:
        return None
    below = [f.base for f in sympy.Mul.make_args(d.expr) if isinstance(f, sympy.Pow) and f.exp == -1]
    return _summed(below[0]) if len(below) == 1 and d.name else None


def _share(z: Tensor, axis: int) -> Tensor:
    """``exp(z)/sum(exp(z))`` along an axis."""
    count = z.ndim
    here = tuple(Affine.variable(k) for k in range(count))
    power = stage(z.shape, [(z, here)], sympy.exp(read_symbol(0)), dtype="float", origin=z.origin)
    kept = [k for k in range(count) if k != axis]
    order = [*kept, axis]
    places = tuple(Affine.variable(order.index(k)) for k in range(count))
    total = stage([z.shape[k] for k in order], [(power, places)], read_symbol(0), outputs=len(kept), reducer="sum", dtype="float", origin=z.origin)
    return stage(z.shape, [(power, here), (total, tuple(here[k] for k in kept))], read_symbol(0) / read_symbol(1), dtype="float", origin=z.origin)


class Shares:
    """Exponentials written by shares: ``exp(z[p])`` as ``share[p]`` times the sum."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._rules: dict[Source, tuple[Definition, Any]] = {}
        self._masked: dict[Source, Definition] = {}
        for d in definitions:
            scores = _masked_scores(d)
            if scores is not None:
                self._masked.setdefault(scores.source, d)
            whole = _quotient(d)
            if whole is None or d.expr is None:
                continue
            power = next((f for f in sympy.Mul.make_args(d.expr) if isinstance(f, sympy.exp)), None)
            if power is not None and isinstance(power.args[0], Entry) and d.expr == power / _whole(d.expr):
                self._rules.setdefault(power.args[0].source, (d, _whole(d.expr)))

    def has(self, d: Definition) -> bool:
        """Whether a definition is such a share."""
        return any(rule[0] is d for rule in self._rules.values()) or any(m is d for m in self._masked.values())

    def __call__(self, expr: Any, skip: Source) -> Any:
        """``expr`` with its exponentials over a sum replaced, but for those that define ``skip``."""
        found: dict[Any, Any] = {}
        expr = self._behind_masks(expr) if self._masked and expr.has(Select) else expr
        for part in outside_reductions(expr):
            if isinstance(part, sympy.exp) and isinstance(part.args[0], Entry):
                entry = part.args[0]
                rule = self._rules.get(entry.source)
                if rule is not None and rule[0].source != skip:
                    d, whole = rule
                    at = dict(zip(d.letters, entry.places, strict=True))
                    found[part] = Entry(d.source, *entry.places) * whole.xreplace(at)
        return expr.xreplace(found) if found else expr

    def _behind_masks(self, expr: Any) -> Any:
        """``exp(z) a if c else 0`` as the share times the sum times ``a``, where ``c`` is the mask of the share."""
        found: dict[Any, Any] = {}
        for part in outside_reductions(expr):
            yes: Any = part.args[1] if isinstance(part, Select) else part
            power = next((f for f in sympy.Mul.make_args(yes) if isinstance(f, sympy.exp)), None)
            entry: Any = power.args[0] if power is not None else None
            d = self._masked.get(entry.source) if isinstance(entry, Entry) else None
            if d is None or not isinstance(part, Select) or part.args[2] != 0:
                continue
            own: Any = _masked_scores(d)
            at = dict(zip(own.places, entry.places, strict=True))
            condition, quotient, _ = d.expr.xreplace(at).args
            if condition == part.args[0]:
                found[part] = d.entry.xreplace(at) * (yes / quotient)
        return expr.xreplace(found) if found else expr


def _masked_scores(d: Definition) -> Any:
    """The entry whose exponential a share under a mask is made of, ``exp(z)/S if c else 0``; ``None`` for another formula."""
    if not isinstance(d.expr, Select) or d.expr.args[2] != 0 or not d.name:
        return None
    yes: Any = d.expr.args[1]
    powers = [f for f in sympy.Mul.make_args(yes) if isinstance(f, sympy.exp)]
    if len(powers) != 1 or yes != powers[0] / _whole(yes) or not isinstance(powers[0].args[0], Entry):
        return None
    return powers[0].args[0] if set(powers[0].args[0].places) == set(d.letters) else None


def _whole(expr: Any) -> Any:
    """What a formula is divided by; 1 where it is no quotient."""
    return next((f.base for f in sympy.Mul.make_args(expr) if isinstance(f, sympy.Pow) and f.exp == -1), sympy.Integer(1))
