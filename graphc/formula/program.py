"""A formula as array operations: a graph of few node kinds, from which NumPy source is printed and operations counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.errors import DerivationError
from graphc.expr import scalar
from graphc.expr.dims import DimSymbol
from graphc.formula.algebra import bare_logs
from graphc.formula.atoms import Entry, Letter, Reduced, Source, letters_of, opened, reduced
from graphc.formula.radix import Quotient, Remainder
from graphc.formula.ranges import slice_of

__all__ = ["CALLS", "CLOCK", "Array", "Program", "Value", "stable"]

CALLS: dict[Any, str] = {
    sympy.exp: "np.exp", sympy.log: "np.log", sympy.sin: "np.sin", sympy.cos: "np.cos", sympy.tan: "np.tan",
    sympy.tanh: "np.tanh", sympy.sinh: "np.sinh", sympy.cosh: "np.cosh", sympy.atan: "np.arctan", sympy.erf: "_erf",
    scalar.Maximum: "np.maximum", scalar.Minimum: "np.minimum", scalar.Absolute: "np.abs", scalar.Sign: "np.sign",
    scalar.Floor: "np.floor", scalar.IsFinite: "np.isfinite", scalar.Power: "_power", scalar.Select: "np.where",
    scalar.Sigmoid: "_sigmoid", scalar.Softplus: "_softplus", scalar.Log1p: "np.log1p", scalar.Expm1: "np.expm1",
    scalar.RootOfSquares: "np.sqrt", sympy.Not: "np.logical_not", sympy.And: "np.logical_and", sympy.Or: "np.logical_or",
}  # fmt: skip
_INFIX: dict[Any, str] = {
    Quotient: "//", Remainder: "%",
    sympy.Eq: "==", sympy.Ne: "!=", sympy.StrictLessThan: "<", sympy.LessThan: "<=", sympy.StrictGreaterThan: ">", sympy.GreaterThan: ">=",
}  # fmt: skip


CLOCK: Any = sympy.Symbol("clock", integer=True, nonnegative=True)  # the number of the item that a loop is at


@dataclass(frozen=True, eq=False)
class Array:
    """An array that the program computes.

    ``op`` is name, number, size, range, view, infix, call, product, einsum, reduce, read, draw (random numbers), drawn
    (those that the caller may give instead), loop (over time), made (what one makes), row (of an array over time) or clock
    (the time); ``text`` says which.
    """

    op: str
    text: str
    parts: tuple[Array, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether it takes an array operation; views, numbers and sizes are free."""
        return self.op in ("infix", "call", "product", "einsum", "reduce") and not self.constant

    @property
    def constant(self) -> bool:
        """Whether it is computed from numbers and sizes alone."""
        return self.op in ("number", "size", "range") or (self.op in ("infix", "call", "view") and all(p.constant for p in self.parts))


@dataclass(frozen=True)
class Value:
    """An array with a letter for each of its axes."""

    array: Array
    letters: tuple[Letter, ...] = ()


class Program:
    """Arrays, each once however often it is asked for."""

    def __init__(self, names: Callable[[Source], Value], size: Callable[[Any], str]) -> None:
        self._names, self._size = names, size
        self.clock = "t"
        self._known: dict[Any, Array] = {}
        self._formulas: dict[Any, Value] = {}

    def make(self, op: str, text: str, parts: Sequence[Value] = (), letters: Sequence[Letter] = ()) -> Value:
        """A value; where an equal array exists already it is that one."""
        arrays = tuple(p.array for p in parts)
        key = (op, text, tuple(map(id, arrays)))
        if key not in self._known:
            self._known[key] = Array(op, text, arrays)
        return Value(self._known[key], tuple(letters))

    def __call__(self, expr: Any) -> Value:
        """The array of a formula, over its free letters in some order."""
        if expr not in self._formulas:
            self._formulas[expr] = self._made(expr)
        return self._formulas[expr]

    def _made(self, expr: Any) -> Value:
        if isinstance(expr, DimSymbol):
            return self.make("size", self._size(expr.dim))
        if isinstance(expr, Entry):
            return self._entry(expr)
        if isinstance(expr, Reduced):
            return self._sum(expr) if expr.reducer == "sum" else self._reduced(expr)
        if expr == CLOCK:
            return self.make("clock", self.clock)
        if isinstance(expr, Letter):
            return self.make("range", f"np.arange({self._size(expr.extent)})", (), (expr,))
        if expr.is_number:
            return self.make("number", _number(expr))
        if isinstance(expr, sympy.Add):
            return self._add(expr)
        if isinstance(expr, sympy.Mul):
            return self._multiply(expr)
        if isinstance(expr, sympy.Pow):
            return self._power(expr)
        return self._function(expr)

    def aligned(self, value: Value, letters: Sequence[Letter]) -> Value:
        """``value`` with its axes in the order of ``letters`` and new axes for those it lacks, but for leading ones."""
        own = [x for x in letters if x in value.letters]
        if tuple(own) != value.letters:
            order = [value.letters.index(x) for x in own]
            text = "{}.T" if order == [1, 0] else f"np.transpose({{}}, {tuple(order)})"
            value = self.make("view", text, (value,), own)
        if not own or tuple(letters[len(letters) - len(own) :]) == tuple(own):
            return value
        start = next(k for k, x in enumerate(letters) if x in own)
        marks = ", ".join(":" if x in own else "None" for x in letters[start:])
        return self.make("view", f"{{}}[{marks}]", (value,), letters[start:])

    def _infix(self, sign: str, a: Value, b: Value) -> Value:
        letters = _union(a.letters, b.letters)
        parts = (self.aligned(a, letters), self.aligned(b, letters))
        return self.make("infix", sign, parts, letters)

    def _call(self, name: str, parts: Sequence[Value]) -> Value:
        letters = _union(*(p.letters for p in parts))
        return self.make("call", name, [self.aligned(p, letters) for p in parts], letters)

    def _entry(self, expr: Entry) -> Value:
        base = self._names(expr.source)
        places = expr.places
        shape = expr.source.tensor.shape
        marks = [slice_of(p, e) for p, e in zip(places, shape, strict=True)]
        letters = tuple(x for p in places for x in letters_of(p))
        if None not in marks and len(set(letters)) == len(letters) and not any(isinstance(p, Entry) for q in places for p in q.args):
            if all(m == ":" for m in marks):
                return Value(base.array, letters)
            return self.make("view", f"{{}}[{', '.join(map(str, marks))}]", (base,), letters)
        at = [self(p) for p in places]
        union = _union(*(a.letters for a in at))
        return self.make("read", "_read", [base, *(self.aligned(a, union) for a in at)], union)

    def _add(self, expr: Any) -> Value:
        terms = sorted(expr.args, key=lambda t: (bool(t.as_coeff_Mul()[0] < 0), t.is_number, not t.has(Reduced), not isinstance(t, Entry), str(t)))
        result: Value | None = None
        for t in terms:
            coefficient, rest = t.as_coeff_Mul()
            if result is not None and coefficient < 0:
                result = self._infix("-", result, self(-coefficient * rest))
            else:
                result = self(t) if result is None else self._infix("+", result, self(t))
        assert result is not None
        return result

    def _multiply(self, expr: Any) -> Value:
        above: list[Any] = []
        below: list[Any] = []
        powers: list[Any] = [f.args[0] for f in expr.args if isinstance(f, sympy.exp)]
        for f in expr.args:
            if isinstance(f, sympy.exp):
                continue
            if isinstance(f, sympy.Rational) and not f.is_Integer:
                above += [sympy.Integer(f.p)] if f.p != 1 else []
                below.append(sympy.Integer(f.q))
            elif isinstance(f, sympy.Pow) and f.exp.is_number and f.exp.is_negative:
                below.append(sympy.Pow(f.base, -f.exp))
            else:
                above.append(f)
        if powers:
            exponent = sympy.Add(*powers)
            above.append(sympy.exp(exponent))
        minus = sympy.Integer(-1) in above
        if minus:
            above.remove(sympy.Integer(-1))
        top = self._times(above) if above else None
        if minus:
            top = self.make("number", "-1") if top is None else self.make("infix", "neg", (top,), top.letters)
        if not below:
            assert top is not None
            return top
        return self._infix("/", top or self.make("number", "1"), self._times(below))

    def _times(self, factors: Sequence[Any]) -> Value:
        order = {"product": 0, "einsum": 0, "name": 1}
        values = sorted((self(f) for f in factors), key=lambda v: (not v.array.constant, len(v.letters), order.get(v.array.op, 2)))
        result = values[0]
        for v in values[1:]:
            result = self._infix("*", result, v)
        return result

    def _power(self, expr: Any) -> Value:
        base, exponent = expr.base, expr.exp
        if exponent.is_number and exponent.is_negative:
            return self._infix("/", self.make("number", "1"), self(sympy.Pow(base, -exponent)))
        if exponent == sympy.Rational(1, 2):
            return self._call("np.sqrt", [self(base)])
        return self._infix("**", self(base), self(exponent))

    def _function(self, expr: Any) -> Value:
        head = type(expr)
        if isinstance(expr, scalar.Abstract):
            raise DerivationError(f"the function {expr.label} has no value: it is abstract. Give it a formula, gx.function(name, formula)")
        parts = [self(a) for a in sorted(expr.args, key=str)] if head in (sympy.And, sympy.Or) else [self(a) for a in expr.args]
        if head in _INFIX:
            return self._infix(_INFIX[head], *parts)
        name = CALLS.get(head)
        if name is None:
            raise DerivationError(f"the function {head.__name__} has no value: it is abstract. Give it a formula, gx.function(name, formula)")
        if head in (sympy.And, sympy.Or):
            result = parts[0]
            for p in parts[1:]:
                result = self._call(name, [result, p])
            return result
        return self._call(name, parts)

    def _reduced(self, expr: Reduced) -> Value:
        body, bound = opened(expr)
        value = self(body)
        kept = [x for x in value.letters if x not in bound]
        full = self.aligned(value, [*kept, *bound])
        if len(full.letters) < len(kept) + len(bound):
            raise DerivationError("a reduction runs over an index that its body does not have")
        count = len(bound)
        if expr.reducer in ("argmax", "argmin"):
            return self.make("reduce", f"np.{expr.reducer}({{}}.reshape(*{{}}.shape[:{len(kept)}], -1), axis=-1)", (full,), kept)
        axis = "" if not kept else f", axis={-1 if count == 1 else tuple(range(-count, 0))}"
        return self.make("reduce", f"np.{expr.reducer}({{}}{axis})", (full,), kept)

    def _sum(self, expr: Reduced) -> Value:
        body, bound = opened(expr)
        groups: dict[frozenset[Letter], list[Any]] = {}
        for f in sympy.Mul.make_args(body):
            groups.setdefault(frozenset(letters_of(f)), []).append(f)
        values = [self(sympy.Mul(*members)) for members in groups.values()]
        return self._contracted(values, list(bound))

    def _contracted(self, values: list[Value], bound: list[Letter]) -> Value:
        """The sum over ``bound`` of the product of ``values``, two at a time."""
        while len(values) > 1:
            a, b = self._pair(values, bound)
            rest = [v for v in values if v is not a and v is not b]
            gone = [x for x in bound if (x in a.letters or x in b.letters) and not any(x in v.letters for v in rest)]
            bound = [x for x in bound if x not in gone]
            values = [*rest, self._joined(a, b, gone)]
        (value,) = values
        return self._summed(value, bound)

    def _pair(self, values: list[Value], bound: list[Letter]) -> tuple[Value, Value]:
        """The two to join next: those with the smallest result that lose an index."""
        best: tuple[Any, Value, Value] | None = None
        for n, a in enumerate(values):
            for b in values[n + 1 :]:
                rest = [v for v in values if v is not a and v is not b]
                union = _union(a.letters, b.letters)
                gone = [x for x in bound if x in union and not any(x in v.letters for v in rest)]
                shared = [x for x in gone if x in a.letters and x in b.letters]
                key = (not shared, len(union) - len(gone), -len(gone))
                if best is None or key < best[0]:
                    best = (key, a, b)
        assert best is not None
        return best[1], best[2]

    def _summed(self, value: Value, bound: Sequence[Letter]) -> Value:
        used = [x for x in bound if x in value.letters]
        if not used:
            return value
        kept = [x for x in value.letters if x not in used]
        axes = tuple(k for k, x in enumerate(value.letters) if x in used)
        if not kept:
            return self.make("reduce", "np.sum({})", (value,), ())
        return self.make("reduce", f"np.sum({{}}, axis={axes[0] if len(axes) == 1 else axes})", (value,), kept)

    def _joined(self, a: Value, b: Value, gone: Sequence[Letter]) -> Value:
        shared = [x for x in gone if x in a.letters and x in b.letters]
        for value in (a, b):
            alone = [x for x in gone if x in value.letters and x not in shared]
            if alone:
                smaller = self._summed(value, alone)
                a, b = (smaller, b) if value is a else (a, smaller)
        both = [x for x in a.letters if x in b.letters and x not in shared]
        if not shared:
            return self._infix("*", a, b)
        if not both and len(shared) == 1 and len(a.letters) <= 2 and len(b.letters) <= 2:
            return self._matrix_product(a, b, shared[0])
        union = _union(a.letters, b.letters)
        out = [x for x in union if x not in shared]
        signs = {x: "ijklmnopqrstuvwxyz"[k] for k, x in enumerate(union)}
        spec = "{},{}->{}".format(*("".join(signs[x] for x in ls) for ls in (a.letters, b.letters, out)))
        return self.make("einsum", spec, (a, b), out)

    def _matrix_product(self, a: Value, b: Value, k: Letter) -> Value:
        rows, cols = [x for x in a.letters if x is not k], [x for x in b.letters if x is not k]
        if not rows and cols and b.letters[-1] is k:
            a, b, rows, cols = b, a, cols, rows
        if rows and cols and rows[0].number > cols[0].number:
            a, b, rows, cols = b, a, cols, rows
        left, right = self.aligned(a, [*rows, k]), self.aligned(b, [k, *cols])
        return self.make("product", "@", (left, right), [*rows, *cols])


def _union(*groups: Sequence[Letter]) -> tuple[Letter, ...]:
    """The letters of all, those of the widest first."""
    ordered = sorted(groups, key=len, reverse=True)
    every = {x for g in groups for x in g}
    if ordered and len(ordered[0]) < len(every):
        return tuple(sorted(every, key=lambda x: x.number))
    return tuple(dict.fromkeys(x for g in ordered for x in g))


def _number(value: Any) -> str:
    if value in (sympy.oo, -sympy.oo):
        return "np.inf" if value is sympy.oo else "-np.inf"
    if value.is_Integer:
        return str(int(value))
    return repr(float(value))


def stable(expr: Any) -> Any:
    """A formula whose sums of exponentials have their largest exponent taken out."""
    found: dict[Any, Any] = {}
    for part in sorted((p for p in set(sympy.preorder_traversal(expr)) if isinstance(p, Reduced) and p.reducer == "sum"), key=str):
        factors = sympy.Mul.make_args(part.body)
        if all(isinstance(f, sympy.exp) for f in factors):
            body, bound = opened(part)
            exponents: list[Any] = [f.args[0] for f in sympy.Mul.make_args(body)]
            exponent = sympy.Add(*exponents)
            top = reduced("max", exponent, bound)
            found[part] = sympy.exp(top) * reduced("sum", sympy.exp(exponent - top), bound)
    return bare_logs(expr.xreplace(found)) if found else expr
