"""Exact real algebra on formulas of entries: powers of e, and choosing the shortest spelling."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sympy

from graphc.expr.scalar import Select, Sigmoid
from graphc.formula.atoms import Entry, Letter, Reduced, Source, entries, letters_of, opened
from graphc.formula.masks import without_guards
from graphc.formula.sums import total

__all__ = ["bare_logs", "has_sum_of_products", "shortest", "size_of", "tidy"]

# SymPy annotates these more narrowly than it accepts.
_add: Any = sympy.Add
_mul: Any = sympy.Mul
ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


def bare_logs(expr: Any) -> Any:
    """``log(exp(a) r)`` as ``a + log(r)``."""
    logs = [p for p in sympy.preorder_traversal(expr) if isinstance(p, sympy.log) and isinstance(p.args[0], sympy.Mul)]
    for part in logs:
        powers = [f for f in part.args[0].args if isinstance(f, sympy.exp)]
        if powers:
            rest = _mul(*(f for f in part.args[0].args if f not in powers))
            expr = expr.xreplace({part: _add(*(f.args[0] for f in powers)) + sympy.log(rest)})
    return expr


def _split_powers(expr: Any) -> Any:
    """``exp(a + b)`` as ``exp(a) exp(b)``, so that what stands above and below a fraction bar cancels."""
    sums = {p: _mul(*map(sympy.exp, p.args[0].args)) for p in expr.atoms(sympy.exp) if isinstance(p.args[0], sympy.Add)}
    return expr.xreplace(sums) if sums else expr


def _bare_conditions(expr: Any) -> Any:
    """``(1 if c else 0) != 0`` as ``c``."""
    found: dict[Any, Any] = {}
    for part in expr.atoms(sympy.Ne, sympy.Eq):
        left, right = part.args
        if isinstance(left, Select) and right == ZERO and left.args[1:] == (ONE, ZERO):
            found[part] = left.args[0] if isinstance(part, sympy.Ne) else sympy.Not(left.args[0])
    return expr.xreplace(found) if found else expr


def tidy(expr: Any) -> Any:
    """A formula of the forward pass after a producer was put into it."""
    expr = _paired(expr)
    if expr.has(Select):
        expr = _bare_conditions(expr)
    if expr.has(sympy.exp):
        expr = _split_powers(expr)
        expr = without_guards(expr) if expr.has(Select) else expr
    if expr.has(sympy.log):
        expr = bare_logs(expr)
    return _sigmoids(joined_powers(expr)) if expr.has(sympy.exp) else expr


def _sigmoids(expr: Any) -> Any:
    """``1/(1 + exp(-a))`` and ``exp(a)/(1 + exp(a))`` as the sigmoid of ``a``."""

    def exponent(part: Any) -> Any:
        if isinstance(part, sympy.Pow) and part.exp == -1 and isinstance(part.base, sympy.Add) and len(part.base.args) == 2:
            first, second = part.base.args
            return second.args[0] if first == ONE and isinstance(second, sympy.exp) else None
        return None

    def joined(part: Any) -> Any:
        factors = list(part.args)
        for f in part.args:
            power = exponent(f)
            if power is not None and sympy.exp(power) in factors:
                factors.remove(f)
                factors[factors.index(sympy.exp(power))] = Sigmoid(power)
        return sympy.Mul(*factors)

    expr = expr.replace(lambda p: isinstance(p, sympy.Mul), joined)
    return expr.replace(lambda p: exponent(p) is not None, lambda p: Sigmoid(-exponent(p)))


def joined_powers(expr: Any) -> Any:
    """``exp(a) exp(b)`` as ``exp(a + b)``."""
    found: dict[Any, Any] = {}
    for part in sorted(expr.atoms(sympy.Mul), key=size_of):
        powers = [f for f in part.args if isinstance(f, sympy.exp)]
        if len(powers) > 1:
            rest = [f for f in part.args if not isinstance(f, sympy.exp)]
            found[part] = sympy.Mul(sympy.exp(_add(*(f.args[0] for f in powers))), *rest)
    return expr.xreplace(found) if found else expr


def outright(expr: Any) -> Any:
    """``a if c else 0`` as ``a`` times the condition's 0 or 1, where ``a`` is finite wherever its parts are."""
    found: dict[Any, Any] = {}
    for part in expr.atoms(Select):
        condition, yes, no = part.args
        if no == ZERO and yes != ONE and _polynomial(yes):
            found[part] = yes * Select(condition, ONE, ZERO)
    return expr.xreplace(found) if found else expr


def _polynomial(expr: Any) -> bool:
    if isinstance(expr, Entry) or expr.is_number or expr.is_Symbol:
        return True
    if isinstance(expr, sympy.Add | sympy.Mul):
        return all(_polynomial(a) for a in expr.args)
    if isinstance(expr, Select):
        return all(_polynomial(a) for a in expr.args[1:])
    return isinstance(expr, sympy.Pow) and expr.exp.is_Integer and expr.exp > 0 and _polynomial(expr.base)


def size_of(expr: Any) -> int:
    """How long a formula is to read."""
    count = 0
    stack = [expr]
    while stack:
        part = stack.pop()
        count += 1
        if isinstance(part, sympy.Pow) and part.exp == -1:
            stack.append(part.base)
        elif isinstance(part, Entry):
            continue
        elif isinstance(part, Reduced):
            stack.append(part.body)
        elif isinstance(part, sympy.Mul) and part.args[0] == -1:
            stack.extend(part.args[1:])
        else:
            stack.extend(part.args)
    return count


def _fractions(expr: Any) -> bool:
    """Whether an entry stands in a denominator inside a sum, so that a common denominator may help."""
    return any(
        isinstance(p, sympy.Add) and any(isinstance(q, sympy.Pow) and q.exp.is_negative for t in p.args for q in _mul.make_args(t))
        for p in sympy.preorder_traversal(expr)
    )


def shortest(expr: Any) -> Any:
    """The shortest of a few equal spellings of a formula, in its sums too; the given one on a tie."""
    return _turned(_shortened(_symmetric(sympy.sympify(expr))))


def is_symmetric(source: Source) -> bool:
    """Whether a source is a matrix that was declared symmetric, or the inverse of a symmetric one."""
    return source.symmetric


def _symmetric(expr: Any) -> Any:
    """Entries of symmetric matrices with their places in one order."""
    found = {e: Entry(e.source, *sorted(e.places, key=str)) for e in entries(expr) if is_symmetric(e.source)}
    return expr.xreplace(found) if found else expr


def symmetrised(expr: Any, letters: Sequence[Any]) -> Any:
    """Half the sum of a matrix and its transpose."""
    i, j = letters
    if shortest(expr - expr.xreplace({i: j, j: i})) == 0:
        return expr
    terms = [(t, t.xreplace({i: j, j: i})) for t in _add.make_args(expr)]
    return shortest(_add(*(t if _same(t, other) else (t + other) / 2 for t, other in terms)))


def _same(one: Any, other: Any) -> bool:
    """Whether two terms are equal, whatever the letters of a sum in them are called."""
    mine, theirs = (list(_mul.make_args(_symmetric(t))) for t in (one, other))
    sums = [[f for f in fs if isinstance(f, Reduced) and f.reducer == "sum"] for fs in (mine, theirs)]
    if [len(s) for s in sums] != [1, 1] or _mul(*mine) / sums[0][0] != _mul(*theirs) / sums[1][0]:
        return one == other
    (body, letters), (target, names) = _flat(sums[0][0]), _flat(sums[1][0])
    ways = itertools.islice(itertools.permutations(names), 24) if len(letters) == len(names) else iter(())
    fitting = (w for w in ways if all(a.extent == b.extent for a, b in zip(letters, w, strict=True)))
    return any(_symmetric(body.xreplace(dict(zip(letters, w, strict=True)))) == _symmetric(target) for w in fitting)


def _shortened(expr: Any) -> Any:
    inner = _outermost_sums(expr)
    replaced: dict[Any, Any] = {}
    for part in inner:
        body, letters = opened(part)
        replaced[part] = total(_shortened(body), letters)
    if any(k != v for k, v in replaced.items()):
        expr = expr.xreplace(replaced)
    if expr.is_number or expr.is_Symbol or size_of(expr) > 150:
        return expr
    found = [expr]
    if expr.has(sympy.Eq):
        agreed = sympy.expand_mul(expr).replace(lambda p: isinstance(p, sympy.Mul) and any(isinstance(f, Select) for f in p.args), _agreed)
        found.append(agreed)
    plain = _distributed(expr)
    if plain != expr:
        found += [plain, *([sympy.factor_terms(plain)] if isinstance(plain, sympy.Add) and not _awkward(plain) else [])]
    if isinstance(expr, sympy.Add) and not _awkward(expr):
        found.append(sympy.factor_terms(expr))
    if _fractions(expr) or any(isinstance(f.as_base_exp()[0], sympy.Add) for f in _mul.make_args(expr)) or isinstance(expr, sympy.Add):
        found += _factored(expr)
    return min(found, key=size_of)


def _outermost_sums(expr: Any) -> list[Any]:
    found: dict[Any, None] = {}
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, Reduced):
            if part.reducer == "sum":
                found[part] = None
        elif not isinstance(part, Entry):
            stack.extend(part.args)
    return sorted(found, key=str)


def _factored(expr: Any) -> list[Any]:
    """The formula over one denominator, its common factors cancelled."""
    roots = any(not p.exp.is_Integer for p in expr.atoms(sympy.Pow))
    if len(_generators(expr)) > 8 or size_of(expr) > 80 or roots or _awkward(expr) or expr.has(sympy.pi):
        return []
    try:
        return [sympy.factor(sympy.together(expr))]
    except (sympy.PolynomialError, NotImplementedError):
        return []


def _awkward(expr: Any) -> bool:
    """Whether a formula has decimal numbers that common denominators would blow up."""
    return any(n.q > 1000 or abs(n.p) > 1000 for n in expr.atoms(sympy.Rational))


def _agreed(term: Any) -> Any:
    """``[j = c] f(j)/f(c)`` as ``[j = c]``: where the condition holds both places are one."""
    for f in term.args:
        if isinstance(f, Select) and f.args[1:] == (ONE, ZERO) and isinstance(f.args[0], sympy.Eq):
            left, right = f.args[0].args
            x, other = (left, right) if isinstance(left, Letter) else (right, left)
            if isinstance(x, Letter):
                return f * _mul(*(g for g in term.args if g is not f)).xreplace({x: other})
    return term


def _generators(expr: Any) -> set[Any]:
    """What polynomial algebra takes for variables."""
    found: set[Any] = set()
    stack = [expr]
    while stack:
        part = stack.pop()
        if isinstance(part, sympy.Add | sympy.Mul) or (isinstance(part, sympy.Pow) and part.exp.is_Integer):
            stack.extend(part.args)
        elif not part.is_number:
            found.add(part)
    return found


def _distributed(expr: Any) -> Any:
    """Sums of sums, term by term, so that opposite ones cancel."""
    found: dict[Any, Any] = {}
    for part in _outermost_sums(expr):
        if any(isinstance(f, sympy.Add) for f in _mul.make_args(part.body)) and size_of(part) < 60:
            body, letters = opened(part)
            found[part] = _add(*(total(t, letters) for t in _add.make_args(sympy.expand_mul(body))))
    return sympy.expand_mul(expr.xreplace(found)) if found else expr


def _turned(expr: Any) -> Any:
    """Signs as one writes them: ``-a (h - 1)`` as ``a (1 - h)``, ``-(y - p)`` as ``p - y``."""
    if isinstance(expr, Reduced):
        body, letters = opened(expr)
        return total(_turned(body), letters) if expr.reducer == "sum" else expr
    if isinstance(expr, Entry) or not expr.args:
        return expr
    expr = (
        expr.func(*(_turned(a) for a in expr.args)) if not isinstance(expr, sympy.Pow) or not expr.exp.is_number else _turned(expr.base) ** expr.exp
    )
    return _signs(expr) if isinstance(expr, sympy.Mul) else expr


def _signs(expr: Any) -> Any:
    coefficient, rest = expr.as_coeff_Mul()
    factors = list(_mul.make_args(rest))
    for k, f in enumerate(factors):
        if isinstance(f, sympy.Add):
            shared, rest = f.primitive()
            if not _awkward(rest):
                factors[k], coefficient, f = rest, coefficient * shared, rest
        base, power = f.as_base_exp()
        if _odd_difference(base, power) and any(t.is_number and t < 0 for t in _add.make_args(base)):
            factors[k], coefficient = _flipped(base, power), -coefficient
    if coefficient < 0:
        # A difference from a number is kept as it is: one writes -h (1 - h).
        odd = [k for k, f in enumerate(factors) if _odd_difference(*f.as_base_exp()) and not any(t.is_number for t in f.as_base_exp()[0].args)]
        odd = [k for k in odd if not _twins(factors, k, 1)]
        if odd:
            factors[odd[0]], coefficient = _flipped(*factors[odd[0]].as_base_exp()), -coefficient
        else:
            coefficient = _turned_inside(factors, coefficient)
    return sympy.Mul(coefficient, *factors)


def _turned_inside(factors: list[Any], coefficient: Any) -> Any:
    """A minus sign before a sum put into a difference among its factors."""
    for k, f in enumerate(factors):
        if not isinstance(f, Reduced) or f.reducer != "sum":
            continue
        body, letters = opened(f)
        parts = list(_mul.make_args(body))
        odd = [n for n, part in enumerate(parts) if _odd_difference(*part.as_base_exp()) and not _twins(parts, n, 1)]
        if odd:
            parts[odd[0]] = _flipped(*parts[odd[0]].as_base_exp())
            factors[k] = total(_mul(*parts), letters)
            return -coefficient
    return coefficient


def _odd_difference(base: Any, power: Any) -> bool:
    """Whether a factor is an odd power of a sum that has a term with a minus sign."""
    return isinstance(base, sympy.Add) and power.is_Integer and power % 2 == 1 and any(t.as_coeff_Mul()[0] < 0 for t in base.args)


def _signature(factor: Any, sign: int) -> tuple[tuple[str, Any], ...]:
    """The names in a difference with their numbers, whatever their places; empty for anything else."""
    if not isinstance(factor, sympy.Add) or not _odd_difference(factor, ONE):
        return ()
    terms: list[tuple[Any, Any]] = [t.as_coeff_Mul() for t in factor.args]
    return tuple(sorted(((str(t.source), sign * c) for c, t in terms), key=str)) if all(isinstance(t, Entry) for _, t in terms) else ()


def _twins(factors: Sequence[Any], number: int, sign: int) -> list[int]:
    """The factors that are a difference of the same names as one factor, or with ``sign`` -1 its negative."""
    own = _signature(factors[number], sign)
    return [k for k, f in enumerate(factors) if own and k != number and _signature(f, 1) == own]


def _flat(expr: Reduced) -> tuple[Any, list[Any]]:
    """A sum's body with the sums among its factors opened, and all their letters."""
    body, letters = opened(expr)
    found, factors = list(letters), list(_mul.make_args(body))
    while inner := [f for f in factors if isinstance(f, Reduced) and f.reducer == "sum"]:
        body, letters = opened(inner[0])
        factors.remove(inner[0])
        factors += _mul.make_args(body)
        found += letters
    return _mul(*factors), found


def _paired(expr: Any) -> Any:
    """``(m - x)_i (x - m)_j`` as ``-(x - m)_i (x - m)_j``."""
    if isinstance(expr, Reduced):
        if expr.reducer != "sum":
            return expr
        body, letters = _flat(expr)
        paired = _paired(body)
        return total(paired, letters) if paired != body else expr
    if isinstance(expr, sympy.Add):
        return _add(*map(_paired, expr.args))
    if not isinstance(expr, sympy.Mul):
        return expr
    factors = [_paired(f) for f in expr.args]
    for k in range(len(factors)):
        for n in _twins(factors, k, -1):
            entries_ = [(t.as_coeff_Mul()[1].source.order, t.as_coeff_Mul()[0]) for t in factors[k].args]
            wrong = k if min(entries_)[1] < 0 else n
            factors[wrong] = _flipped(factors[wrong], ONE)
            factors.append(sympy.Integer(-1))
    return _mul(*factors)


def _flipped(base: Any, power: Any) -> Any:
    return sympy.Pow(_add(*(-t for t in base.args)), power)


def has_sum_of_products(expr: Any) -> bool:
    """Whether a formula sums products of entries at different places, as a matrix product does."""
    for part in sympy.preorder_traversal(expr):
        if isinstance(part, Reduced) and part.reducer == "sum":
            factors = [f for f in _mul.make_args(part.body) if letters_of(f)]
            if len({frozenset(letters_of(f)) for f in factors}) > 1:
                return True
    return False
