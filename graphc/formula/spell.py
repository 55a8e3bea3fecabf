"""Formulas of entries as shown: the scalar part of the spelling, shared by index notation and matrix form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy.core import relational

from graphc.expr import scalar
from graphc.expr.dims import Dim, DimSymbol
from graphc.formula.algebra import size_of
from graphc.formula.atoms import Entry, Letter, Reduced, Source, entries, letters_of
from graphc.formula.conditions import Between, balanced, held_apart, ranges_of, winner_places
from graphc.formula.display import Show, add, atom, call, fraction, indexed, latex, negative, power, product, scale, text
from graphc.formula.names import latex_name, text_name, to_subscript
from graphc.formula.numbers import number
from graphc.formula.radix import Quotient, Remainder

__all__ = ["FUNCTIONS", "IndexSpeller", "Vocabulary", "number", "ordered_factors", "ordered_terms", "plain_terms"]

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)

# Each scalar function: how it is written as text and in LaTeX.
FUNCTIONS: dict[Any, tuple[str, str]] = {
    sympy.exp: ("exp", "e^"), sympy.log: ("log", r"\log"), sympy.sin: ("sin", r"\sin"), sympy.cos: ("cos", r"\cos"),
    sympy.tan: ("tan", r"\tan"), sympy.tanh: ("tanh", r"\tanh"), sympy.sinh: ("sinh", r"\sinh"), sympy.cosh: ("cosh", r"\cosh"),
    sympy.atan: ("arctan", r"\arctan"), sympy.erf: ("erf", r"\operatorname{erf}"), scalar.Maximum: ("max", r"\max"),
    scalar.Minimum: ("min", r"\min"), scalar.Absolute: ("abs", "abs"), scalar.Sign: ("sign", r"\operatorname{sign}"),
    scalar.Floor: ("floor", r"\operatorname{floor}"), scalar.IsFinite: ("isfinite", r"\operatorname{isfinite}"),
    scalar.Sigmoid: ("σ", r"\sigma"), scalar.Softplus: ("softplus", r"\operatorname{softplus}"),
    scalar.Log1p: ("log1p", r"\operatorname{log1p}"), scalar.Expm1: ("expm1", r"\operatorname{expm1}"),
}  # fmt: skip
_COMPARED: dict[Any, tuple[str, str]] = {
    relational.Equality: ("=", "="), relational.Unequality: ("≠", r"\neq"), relational.StrictLessThan: ("<", "<"),
    relational.LessThan: ("≤", r"\le"), relational.StrictGreaterThan: (">", ">"), relational.GreaterThan: ("≥", r"\ge"),
}  # fmt: skip
_REDUCERS = {"sum": ("Σ", r"\sum"), "prod": ("∏", r"\prod"), "max": ("max", r"\max"), "min": ("min", r"\min"),
             "argmax": ("argmax", r"\operatorname{argmax}"), "argmin": ("argmin", r"\operatorname{argmin}")}  # fmt: skip
_LETTERS = "ijklmnpqrstuvabcdefgh"


@dataclass
class Vocabulary:
    """How sources are called, and when in the network they were last used, which orders factors."""

    names: dict[Source, Show] = field(default_factory=dict)
    late: dict[Source, float] = field(default_factory=dict)
    indexed: set[Source] = field(default_factory=set)  # what is written with its indices
    clocks: set[Source] = field(default_factory=set)  # times as numbers

    @property
    def sizes(self) -> set[str]:
        """The names of sizes, which no index may have."""
        return {n for s in self.names for e in s.tensor.shape if isinstance(e, Dim) for n in e.names}

    def name(self, source: Source) -> Show:
        """What a source is called."""
        return self.names[source]


def symbol(name: str) -> Show:
    """A name as the user wrote it."""
    return atom(text_name(name), latex_name(name))


def is_coefficient(factor: Any) -> bool:
    """Whether a factor is a number or a dimension."""
    return (
        not any(isinstance(a, Entry | Reduced | Letter) for a in factor.atoms(Letter)) and not factor.has(Entry, Reduced) and not factor.atoms(Letter)
    )


def ordered_factors(factors: Sequence[Any], words: Vocabulary) -> list[Any]:
    """Factors in the order of the chain rule: what the loss used last comes first."""

    def key(f: Any) -> tuple[Any, ...]:
        sources = {e.source for e in entries(f)}
        if not sources:
            return (0, 0, 0, 0, 0, 0, 0, str(f))
        inner = f.base if isinstance(f, sympy.Pow) else f
        late: float = max(words.late[s] if s in words.late else float(s.order) for s in sources)
        outside = not f.atoms(Letter)
        place = (3 if outside else 1) if f.has(Reduced) else 2 if any(s.tensor.ndim for s in sources) else 0
        bent = isinstance(inner, sympy.Function) or (isinstance(inner, sympy.Add) and any(isinstance(t, sympy.Function) for t in inner.args))
        return (1, place, bent, -late, -len(sources), max(s.order for s in sources), isinstance(inner, sympy.Add), str(f))

    return sorted(factors, key=key)


def ordered_terms(terms: Sequence[Any]) -> list[Any]:
    """Terms in reading order: positive before negative, products of matrices before symbols, numbers last."""

    def key(t: Any) -> tuple[Any, ...]:
        coefficient, rest = t.as_coeff_Mul()
        found = entries(t)
        kind = 0 if t.has(Reduced) else 3 if isinstance(rest, sympy.Function) else 2 if isinstance(rest, Entry) else 1
        return (
            bool(coefficient < 0),
            not found and not t.atoms(Letter),
            bool(t.is_number),
            kind,
            min((e.source.order for e in found), default=0),
            len(found),
            size_of(t),
            str(t),
        )

    return sorted(terms, key=key)


def plain_terms(expr: Any) -> bool:
    """Whether every term of a sum is a name or a plain product of matrices, so that a number is better written before it."""
    terms = sympy.Add.make_args(expr)
    if not any(abs(t.as_coeff_Mul()[0]) == 1 for t in terms) or any(abs(n.p) > 1000 for n in expr.atoms(sympy.Rational)):
        return False
    for t in terms:
        rest = t.as_coeff_Mul()[1]
        if not (isinstance(rest, Entry) or rest == ONE or (isinstance(rest, Reduced) and not rest.has(sympy.Add))):
            return False
    return True


def signed(term: Any) -> tuple[bool, Any]:
    """Whether a term is subtracted, and its positive part."""
    coefficient, rest = term.as_coeff_Mul()
    return (True, -coefficient * rest) if bool(coefficient < 0) else (False, term)


def split_quotient(factors: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Factors above and below the fraction bar; a rational number is split."""
    above: list[Any] = []
    below: list[Any] = []
    for f in factors:
        if isinstance(f, sympy.Pow) and f.exp.is_number and f.exp.is_negative:
            below.append(sympy.Pow(f.base, -f.exp))
        elif isinstance(f, sympy.exp) and signed(f.args[0])[0] and not isinstance(f.args[0], sympy.Add):
            above.append(f)
        else:
            above.append(f)
    return above, below


class IndexSpeller:
    """Formulas in index notation."""

    def __init__(self, words: Vocabulary) -> None:
        self.words = words
        self.letters: dict[Any, Show] = {}
        self.times: set[Any] = set()  # letters that stand for times, which are counted from 1

    def with_letters(self, letters: Sequence[Any], times: Sequence[Any] = ()) -> IndexSpeller:
        """A speller in which these letters have names, ``i``, ``j``, ... in order, and ``t``, ``s``, ... for times."""
        other = IndexSpeller(self.words)
        other.letters, other.times = dict(self.letters), {*self.times, *times}
        for x in sorted(letters, key=lambda x: x.extent == 1):  # an index of one value is seldom written
            other.letters[x] = other._next("tsr" + _LETTERS if x in other.times else _LETTERS)
        return other

    def _next(self, choice: str = _LETTERS) -> Show:
        named = {n.plain for s, n in self.words.names.items() if s not in self.words.clocks}
        taken = {s.plain for s in self.letters.values()} | named | self.words.sizes
        for c in choice:
            if c not in taken:
                return atom(c, c)
        return atom(f"i{len(self.letters)}", f"i_{{{len(self.letters)}}}")

    def entry(self, source: Source, places: Sequence[Any]) -> Show:
        """One entry."""
        shape = source.tensor.shape
        # An axis of one entry needs no index.
        told = [k for k, p in enumerate(places) if shape[k] != 1 or not (p == ZERO or (isinstance(p, Letter) and p.extent == 1))]
        return indexed(self.words.name(source), [self._place(source, k, places[k]) for k in told])

    def _place(self, source: Source, axis: int, place: Any) -> Show:
        """A place; what is made over time, and what goes with it, is counted from 1."""
        own = letters_of(place) & self.times
        made = axis == 0 and source.start is not None
        if not own and not (made and not letters_of(place)):
            return self(place)
        start = source.start if made else 1
        return self._timeless(sympy.expand(place.xreplace({x: x - 1 for x in own}) + start))

    def _timeless(self, expr: Any) -> Show:
        """A formula in which times are counted from 1 already."""
        other = IndexSpeller(self.words)
        other.letters = self.letters
        return other(expr)

    def __call__(self, expr: Any) -> Show:
        """A formula in index notation."""
        if isinstance(expr, Entry):
            return self.entry(expr.source, expr.places)
        if isinstance(expr, Reduced):
            return self._reduced(expr)
        if isinstance(expr, Letter):
            return self._timeless(expr - 1) if expr in self.times else self.letters[expr]
        if self.times and isinstance(expr, relational.Relational) and not expr.has(Entry, Reduced) and letters_of(expr) & self.times:
            back = {x: x - 1 for x in self.times}
            return self._timeless(expr.func(*(sympy.expand(a.xreplace(back)) for a in expr.args)))
        return spelled(expr, self, self.words)

    def chained(self, body: Any) -> Show:
        """A summand whose entries stand in the order in which their letters chain."""
        factors = list(sympy.Mul.make_args(body))
        known = list(self.letters)
        own = [sorted(known.index(x) for x in letters_of(f)) for f in factors]
        if len(factors) < 2 or len({tuple(o) for o in own}) < 2 or any(is_coefficient(f) or isinstance(f, sympy.Pow) for f in factors):
            return self(body)
        order = sorted(range(len(factors)), key=lambda n: (own[n], str(factors[n])))
        return product([self(factors[n]) for n in order])

    def _reduced(self, expr: Reduced) -> Show:
        times = {x for e in entries(expr.body) if e.source.start is not None for x in letters_of(e.places[0])}
        inner = self.with_letters(expr.bound, [x for x in expr.bound if x in times])
        names = [inner.letters[x] for x in expr.bound]
        plain, tex = _REDUCERS[expr.reducer]
        conditions, body = held_apart(expr)
        below, under = "".join(n.plain for n in names), ",".join(n.tex for n in names)
        if conditions:
            shown = [inner(c) for c in conditions]
            below, under = f"{below}: {', '.join(map(text, shown))}", rf"{under}:\, {', '.join(map(latex, shown))}"
        return Show("total", (inner.chained(body),), f"{plain}{to_subscript(below)}", f"{tex}_{{{under}}}")


def spelled(expr: Any, again: Callable[[Any], Show], words: Vocabulary) -> Show:
    """The scalar structure of a formula; ``again`` spells its parts."""
    if isinstance(expr, DimSymbol):
        return dimension(expr)
    if isinstance(expr, Reduced | Letter):
        raise TypeError(f"{expr} is spelled by its own speller")
    if expr.is_number and (expr.is_Rational or not expr.args):
        return negative(number(expr)) if expr < 0 else number(expr)
    if isinstance(expr, sympy.Add):
        shared, rest = expr.primitive()
        if shared != ONE and plain_terms(rest):
            return scale([number(shared)], again(rest))
        return add([negative(again(-t)) if signed(t)[0] else again(t) for t in ordered_terms(expr.args)])
    if isinstance(expr, sympy.Mul):
        return _product(expr, again, words)
    if isinstance(expr, sympy.Pow):
        return raised(expr, again, False)
    return function(expr, again)


def dimension(symbol_: DimSymbol) -> Show:
    """A size."""
    plain = str(symbol_.dim)
    return atom(text_name(plain), latex_name(plain) if plain.isidentifier() else plain)


def _product(expr: Any, again: Callable[[Any], Show], words: Vocabulary) -> Show:
    minus, expr = signed(expr)
    factors = list(sympy.Mul.make_args(expr))
    coefficients = [f for f in factors if is_coefficient(f)]
    rest = ordered_factors([f for f in factors if f not in coefficients], words)
    above, below = split_quotient(rest)
    number_above, number_below = parted(coefficients)
    if below:
        top = _side([*number_above, *above], again)
        shown = fraction(top, _side([*number_below, *below], again))
    elif number_below:
        front = fraction(_side(number_above, again), _side(number_below, again))
        shown = scale([front], _side(above, again)) if above else front
    else:
        shown = _side([*number_above, *above], again)
    return negative(shown) if minus else shown


def parted(coefficients: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Numbers and dimensions above and below a fraction bar."""
    above, below = split_quotient(coefficients)
    result: list[Any] = []
    under: list[Any] = []
    for f in above:
        if f.is_Rational and not f.is_Integer and (number(f).kind == "fraction" or (f.q == 2 and (below or f.p == 1))):
            result += [sympy.Integer(f.p)] if f.p != 1 else []
            under.append(sympy.Integer(f.q))
        elif f != ONE:
            result.append(f)
    under += below
    if [f for f in under if not f.is_number] == [] and len(under) == 1 and under[0] == 2 and not result:
        return [sympy.Rational(1, 2)], []
    return result, under


def _side(factors: Sequence[Any], again: Callable[[Any], Show]) -> Show:
    if not factors:
        return atom("1", "1")
    return product([again(f) for f in factors])


def raised(expr: Any, again: Callable[[Any], Show], elements: bool) -> Show:
    """A power."""
    base, exponent = expr.base, expr.exp
    if exponent.is_number and exponent.is_negative:
        below = again(sympy.Pow(base, -exponent))
        return fraction(atom("1", "1"), below)
    if exponent == sympy.Rational(1, 2):
        inner = again(base)
        return Show("length", inner.parts) if inner.kind == "norm" else Show("root", (inner,))
    return power(again(base), again(exponent), elements)


def function(expr: Any, again: Callable[[Any], Show]) -> Show:
    """A function, a condition or a choice."""
    head = type(expr)
    if head in FUNCTIONS:
        plain, tex = FUNCTIONS[head]
        return call(plain, tex, [again(a) for a in expr.args])
    if head in _COMPARED:
        return _compared(expr, again)
    if isinstance(expr, scalar.Select):
        return _choice(expr, again)
    if isinstance(expr, scalar.Power):
        return power(again(expr.args[0]), again(expr.args[1]))
    if isinstance(expr, scalar.RootOfSquares):
        inner = again(expr.args[0])
        return Show("length", inner.parts) if inner.kind == "norm" else Show("root", (inner,))
    if head is Between:
        return Show("between", tuple(again(a) for a in expr.args))
    kind = {sympy.And: "and", sympy.Or: "or", sympy.Not: "not"}.get(head)
    if kind:
        parts = sorted(ranges_of(expr) if kind == "and" else expr.args, key=str)
        if len(parts) == 1:
            return again(parts[0])
        return Show(kind, tuple(again(a) for a in parts))
    if expr in (sympy.true, sympy.false):
        return atom(str(expr), rf"\text{{{expr}}}")
    if isinstance(expr, Quotient | Remainder):
        return Show("quotient" if isinstance(expr, Quotient) else "remainder", tuple(again(a) for a in expr.args))
    if isinstance(expr, scalar.Abstract):
        return _abstract(expr, again)
    name = getattr(head, "__name__", str(head))
    return call(text_name(name), latex_name(name), [again(a) for a in expr.args])


def _compared(expr: Any, again: Callable[[Any], Show]) -> Show:
    """A comparison, the number or the index that is asked for on the right."""
    left, right = expr.args
    if not right.is_number and (left.is_number or (isinstance(expr, sympy.Eq) and isinstance(left, Letter) and isinstance(right, Entry))):
        expr = expr.reversed
    digits = winner_places(expr)
    if digits:
        expr = sympy.Eq(expr.args[0], expr.args[1], evaluate=False)
        winner = next(a for a in expr.args if isinstance(a, Reduced))
        return Show("compare", (Show("tuple", tuple(again(d) for d in digits)), again(winner)), "=", "=")
    if expr.args[1] == ZERO and isinstance(expr.args[0], sympy.Mul) and signed(expr.args[0])[0]:
        expr = expr.reversedsign
    expr = balanced(expr)
    plain, tex = _COMPARED[type(expr)]
    return Show("compare", (again(expr.args[0]), again(expr.args[1])), plain, tex)


def _choice(expr: scalar.Select, again: Callable[[Any], Show]) -> Show:
    """A choice; one that is 0 or 1 is a bracket."""
    condition, yes, no = expr.args
    if no == ZERO and yes == ONE:
        return Show("bracket", (again(condition),))
    if no == ZERO:
        return product([Show("bracket", (again(condition),)), again(yes)])
    if yes == ZERO and no == ONE:
        return Show("bracket", (again(sympy.Not(condition)),))
    if yes == ZERO:
        return product([Show("bracket", (again(sympy.Not(condition)),)), again(no)])
    return Show("cases", (again(condition), again(yes), again(no)))


def _abstract(expr: scalar.Abstract, again: Callable[[Any], Show]) -> Show:
    """A function without a formula: ``φ′(z)``, or ``∂₁f(u, v)`` where it has several arguments."""
    plain, tex = text_name(expr.label), latex_name(expr.label)
    orders = [int(n) for n in expr.orders]
    if len(orders) == 1:
        plain, tex = plain + "′" * orders[0], tex + "'" * orders[0]
    else:
        by = [str(k + 1) for k, n in enumerate(orders) for _ in range(n)]
        plain = "".join(f"∂{to_subscript(k)}" for k in by) + plain
        tex = "".join(rf"\partial_{{{k}}} " for k in by) + tex
    return call(plain, tex, [again(x) for x in expr.operands])
