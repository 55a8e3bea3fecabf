"""Why a step of a derivation holds, in words, read off the structure of the formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.operation import Linalg
from graphc.formula.adjoints import kinks
from graphc.formula.algebra import shortest
from graphc.formula.atoms import Entry, Letter, Reduced, entries
from graphc.formula.backtime import Initial
from graphc.formula.definition import Definition
from graphc.formula.display import text
from graphc.formula.lines import formula_text
from graphc.formula.matrices import matrix_reason
from graphc.formula.matrix import MatrixSpeller, NoMatrixFormError
from graphc.formula.spell import IndexSpeller, Vocabulary

__all__ = ["reason_of"]


def reason_of(adjoint: Any, words: Vocabulary, sweep: Any) -> str:
    """The reason of one adjoint's formula."""
    d = adjoint.definition
    if d is sweep.y:
        return "the derivative of a tensor by itself"
    users = list(adjoint.through)
    if not users:
        return f"{words.name(sweep.y.source).plain} does not depend on {words.name(d.source).plain} through any differentiable path"
    pieces = [_through(d, u, words) for u in reversed(users)]
    reason = "; ".join(pieces)
    if len(users) > 1:
        count = {2: "two", 3: "three"}.get(len(users), str(len(users)))
        reason += f"; {count} paths meet here, and their contributions add"
    if d.row is not None and any(u.recurrence is d.recurrence for u in users):
        reason += "; backpropagation through time: what the next time has gives its share, too"
    notes = list(dict.fromkeys(n for u in users if u.expr is not None for n in kinks(u.expr)))
    remark = _remark(adjoint, words, sweep)
    return "; ".join([reason, *notes, *remark])


def _through(d: Definition, user: Definition, words: Vocabulary) -> str:
    """What one use of a tensor contributes."""
    name, through = words.name(d.source).plain, words.name(user.source).plain
    if isinstance(user, Initial):
        return f"chain rule through {through}: the recurrence begins with {name}"
    if isinstance(user.tensor.op, Linalg) and user.operand is not None:
        return matrix_reason(user.tensor.op.kind, words.name(d.source), words.name(user.source))
    formula = formula_text(user, words)
    chain = f"chain rule through {through} = {formula}" if formula and through != f"({formula})" else f"chain rule through {formula or through}"
    return f"{chain}: {_kind(d, user, name, through)}"


def _kind(d: Definition, user: Definition, name: str, through: str) -> str:
    places = [e for e in entries(user.expr) if e.source == d.source]
    lacking = [x for x in user.letters if not any(x in p.free_symbols for p in places)]
    summed = any(isinstance(p, Reduced) and any(e.source == d.source for e in entries(p)) for p in sympy.preorder_traversal(user.expr))
    alone = not summed and all(e.places == user.letters or not e.places for e in places)
    if not summed and places and alone and not lacking:
        rule = _rule(user.expr, d)
        if user.letters:
            return "sum rule" if rule == "sum rule" else ", ".join([*([rule] if rule else []), "entry by entry"])
        return rule or "derivative of a function of one variable"
    if not summed and lacking:
        return f"{name} is broadcast, so the contributions are summed over the axes that it lacks"
    if _linear(user.expr, d):
        return f"{through} is linear in {name}, a sum of products"
    if len({e.places for e in places}) > 1:
        return f"product rule, each place where {name} stands contributes"
    if not user.letters and isinstance(_core(user.expr), Reduced):
        return f"{through} is a sum over entries, and each entry of {name} has its own share in it"
    return f"outer derivative times inner derivative, and every entry that uses one of {name} adds its share"


def _rule(expr: Any, d: Definition) -> str:
    """The rule by which a formula depends on the entries of a tensor."""

    def holds(part: Any) -> bool:
        return any(e.source == d.source for e in entries(part))

    terms = sympy.Add.make_args(expr)
    held = [t for t in terms if holds(t)]
    if len(held) > 1:
        return "sum rule and product rule" if any(len(sympy.Mul.make_args(t)) > 1 for t in held) else "sum rule"
    if isinstance(held[0], Entry):
        return "sum rule" if len(terms) > 1 else ""
    factors = [f for f in sympy.Mul.make_args(held[0]) if f.has(Entry)]
    if len([f for f in factors if holds(f)]) > 1:
        return "product rule"
    others = len(factors) - 1
    if others and any(isinstance(f, Entry) and holds(f) for f in factors):
        return f"product rule, the other factor{'s stay' if others > 1 else ' stays'}"
    return ""


def _core(expr: Any) -> Any:
    """The factor of a formula that is no number."""
    factors = [f for f in sympy.Mul.make_args(expr) if f.has(Entry)]
    return factors[0] if len(factors) == 1 else expr


def _linear(expr: Any, d: Definition) -> bool:
    """Whether a formula is linear in a tensor, up to what does not depend on it."""
    if isinstance(expr, Entry):
        return True
    if not any(e.source == d.source for e in entries(expr)):
        return True
    if isinstance(expr, sympy.Add):
        return all(_linear(t, d) for t in expr.args)
    if isinstance(expr, sympy.Mul):
        holding = [f for f in expr.args if any(e.source == d.source for e in entries(f))]
        return len(holding) == 1 and _linear(holding[0], d)
    return isinstance(expr, Reduced) and expr.reducer == "sum" and _linear(expr.body, d)


def _shown(expr: Any, letters: Sequence[Letter], words: Vocabulary) -> str:
    try:
        return text(MatrixSpeller(words)(expr, letters))
    except NoMatrixFormError:
        return text(IndexSpeller(words).with_letters(letters)(expr))


def _remark(adjoint: Any, words: Vocabulary, sweep: Any) -> list[str]:
    """What the formula is where targets sum to 1, as one-hot ones do."""
    expr, letters = adjoint.expr, adjoint.definition.letters
    if sweep.jacobian or expr.has(sympy.Function):
        return []
    terms = sympy.Add.make_args(sympy.expand(expr))
    alone = {f.source for t in terms for f in sympy.Mul.make_args(t) if isinstance(f, Entry)}
    sums = [f for t in terms for f in sympy.Mul.make_args(t) if isinstance(f, Reduced) and f.reducer == "sum" and isinstance(f.body, Entry)]
    for f in sums:
        entry, places = f.body, f.body.places
        if entry.source not in alone or getattr(entry.source.tensor.op, "kind", "") != "input" or not set(f.bound) <= set(places):
            continue
        name = words.name(entry.source).plain
        rows = f"the entries of {name} sum" if len(f.bound) == len(places) else f"each row of {name} sums" if f.bound == places[-1:] else ""
        if rows:
            simpler = shortest(sympy.expand(expr).xreplace({f: sympy.Integer(1)}))
            return [f"where {rows} to 1 this is {_shown(simpler, letters, words)}"]
    return []
