"""Folding back to names: where ``h = σ(z)`` has a name, its derivative says ``h``, not ``σ(z)``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.scalar import RootOfSquares, Sigmoid
from graphc.formula.atoms import Entry, Letter, Reduced, letters_of

__all__ = ["fold_rules", "folded", "outside_reductions"]

_FOLDED = (sympy.exp, sympy.tanh, sympy.log, Sigmoid, RootOfSquares)


def fold_rules(expr: Any, entry: Entry) -> dict[Any, Any]:
    """What functions in a tensor's formula are, in terms of the tensor's own ``entry``.

    ``h = σ(z)`` gives ``σ(z) -> h``; ``p = exp(z)/S`` gives ``exp(z) -> p S`` for a sum ``S``.
    """
    rules: dict[Any, Any] = {}
    found = [p for p in outside_reductions(expr) if isinstance(p, _FOLDED) or (isinstance(p, sympy.Pow) and p.exp == sympy.Rational(1, 2))]
    for part in sorted(found, key=str):
        symbol = sympy.Dummy("f", positive=True)
        body = expr.xreplace({part: symbol})
        slope = body.diff(symbol)
        if slope == 0 or slope.has(symbol):
            continue
        rest = sympy.expand(body - slope * symbol)
        if rest.has(Entry) or any(isinstance(p, Entry) for p in outside_reductions(slope)):
            continue
        rules[part] = (entry - rest) / slope
        if isinstance(part, sympy.Pow):
            rules[1 / part] = slope / (entry - rest)
        break
    return rules


def outside_reductions(expr: Any) -> list[Any]:
    """Every subformula that stands in no reduction."""
    found: dict[Any, None] = {}
    stack = [expr]
    while stack:
        part = stack.pop()
        found[part] = None
        if not isinstance(part, Reduced | Entry):
            stack.extend(part.args)
    return list(found)


def folded(expr: Any, rules: dict[Any, Any], letters: Sequence[Letter]) -> Any:
    """``expr`` with the rules applied, at ``letters`` in place of the rule's own as well."""
    for part, value in rules.items():
        own = sorted(letters_of(part), key=lambda x: x.number)
        for chosen in itertools.product(*([x, *(n for n in letters if n.extent == x.extent and n is not x)] for x in own)):
            at = dict(zip(own, chosen, strict=True))
            moved = part.xreplace(at)
            if expr.has(moved):
                expr = expr.xreplace({moved: value.xreplace(at)})
    return expr
