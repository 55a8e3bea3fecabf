"""Names in place of functions that have one: where ``p = σ(z)`` is defined, another formula's ``σ(z)`` is ``p``, and ``σ(−z)`` ``1 − p``.

A gradient is taken of the stable form, which does not know the names of the forward pass; so its formula finds them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy

from graphc.expr.scalar import Sigmoid
from graphc.expr.tensor import Tensor
from graphc.formula.algebra import shortest
from graphc.formula.atoms import Source, entries, letters_of
from graphc.formula.definition import Definition
from graphc.formula.fold import folded

__all__ = ["with_known_functions"]

_sigmoid: Any = Sigmoid
_FUNCTIONS = (Sigmoid, sympy.tanh, sympy.exp)


def with_known_functions(definitions: Mapping[Tensor, Definition]) -> dict[Tensor, Definition]:
    """The definitions, inputs before their users, each with the names that its functions have."""
    known: list[Any] = [d for d in definitions.values() if isinstance(d.expr, _FUNCTIONS) and d.recurrence is None]
    changed = dict(definitions)
    for tensor, d in definitions.items():
        if d.expr is None or d.recurrence is not None or not d.expr.has(*_FUNCTIONS):
            continue
        expr = _balanced(d.expr)
        for k in known:
            if k is not d and k.expr.func in {f.func for f in expr.atoms(*_FUNCTIONS)} and not _needs(k, d.source, changed):
                own = letters_of(expr) | {x for p in sympy.preorder_traversal(expr) for x in getattr(p, "bound", ())}
                inner: Any = k.expr.args[0]
                rules = {k.expr: k.entry} | ({_sigmoid(-inner): 1 - k.entry} if k.expr.func is Sigmoid else {})
                expr = folded(expr, rules, sorted(own, key=str))
        if expr != d.expr:
            changed[tensor] = Definition(d.tensor, d.source, d.name, shortest(expr), d.drawn, d.operand, d.inverse)
    return _sorted(changed) if any(changed[t] is not d for t, d in definitions.items()) else changed


def _balanced(expr: Any) -> Any:
    """``σ(−a)`` as ``1 − σ(a)`` beside ``σ(a)``."""
    atoms: Any = expr.atoms(Sigmoid)
    found: dict[Any, Any] = {f: 1 - _sigmoid(-f.args[0]) for f in atoms if f.args[0].could_extract_minus_sign() and expr.has(Sigmoid(-f.args[0]))}
    return expr.xreplace(found) if found else expr


def _reads(d: Definition) -> list[Source]:
    formulas = [f for f in (d.expr, d.drawn) if f is not None]
    found = [e.source for f in formulas for e in entries(f)]
    if d.recurrence is not None:
        found += [e.source for f in d.recurrence.initial.values() for e in entries(f)]
    return [*found, *([d.operand] if d.operand is not None else []), *([d.inverse] if d.inverse is not None else [])]


def _needs(d: Definition, source: Source, definitions: Mapping[Tensor, Definition]) -> bool:
    """Whether a definition is made of a source."""
    by_source = {x.source: x for x in definitions.values()}
    seen: set[Source] = set()
    pending = [d]
    while pending:
        for s in _reads(pending.pop()):
            if s == source:
                return True
            if s not in seen and s in by_source:
                seen.add(s)
                pending.append(by_source[s])
    return False


def _sorted(definitions: Mapping[Tensor, Definition]) -> dict[Tensor, Definition]:
    """The definitions, inputs before their users; what a scan makes stays together and in order."""
    by_source = {d.source: d for d in definitions.values()}
    done: dict[Tensor, Definition] = {}
    for d in definitions.values():
        stack: list[tuple[Definition, bool]] = [(d, False)]
        while stack:
            one, ready = stack.pop()
            if one.tensor in done:
                continue
            group = one.recurrence.body if one.recurrence is not None else [one]
            if ready:
                done.update((g.tensor, g) for g in group)
                continue
            stack.append((one, True))
            inside = {g.source for g in group}
            reads = [s for g in group for s in _reads(g) if s not in inside and s in by_source]
            stack.extend((by_source[s], False) for s in reversed(reads) if by_source[s].tensor not in done and s != one.source)
    return done
