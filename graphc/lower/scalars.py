"""Stage bodies as scalar statements: each subformula once, every operation typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy
from sympy.core import relational

from graphc.errors import CompileError
from graphc.expr import scalar
from graphc.lower.ir import Kind
from graphc.rewrite.walk import subformulas

__all__ = ["Scalars"]

# A scalar function -> its name in the loop language; all of them take and give floats.
_FLOAT: dict[Any, str] = {
    sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tan: "tan", sympy.tanh: "tanh", sympy.sinh: "sinh",
    sympy.cosh: "cosh", sympy.atan: "arctan", sympy.erf: "erf", scalar.Sigmoid: "sigmoid", scalar.Softplus: "softplus",
    scalar.Log1p: "log1p", scalar.Expm1: "expm1", scalar.RootOfSquares: "sqrt",
}  # fmt: skip
# Those that keep whole numbers whole.
_SAME: dict[Any, str] = {
    scalar.Maximum: "maximum", scalar.Minimum: "minimum", scalar.Absolute: "absolute", scalar.Sign: "sign", scalar.Floor: "floor",
}  # fmt: skip
_COMPARED: dict[Any, str] = {
    relational.Equality: "equal", relational.Unequality: "not_equal", relational.StrictLessThan: "less", relational.LessThan: "less_equal",
    relational.StrictGreaterThan: "greater", relational.GreaterThan: "greater_equal",
}  # fmt: skip
_LOGIC: dict[Any, str] = {sympy.And: "and", sympy.Or: "or", sympy.Not: "not"}

Made = tuple[int, Kind]
Make = Callable[[str, tuple[int, ...], Kind], int]


class Scalars:
    """Bodies on their way to statements.

    Args:
        make: adds an operation; returns its value's number.
        literal: adds a number; returns its value's number.
    """

    def __init__(self, make: Make, literal: Callable[[float, Kind], int]) -> None:
        self._make, self._literal = make, literal
        self._memo: dict[Any, Made] = {}
        self._literals: dict[int, float] = {}
        self._divisors: dict[int, Made] = {}  # what a reciprocal is the reciprocal of

    def apply(self, function: str, arguments: Sequence[int], kind: Kind) -> Made:
        """An operation, made once for equal arguments."""
        key = (function, tuple(arguments), kind)
        if key not in self._memo:
            self._memo[key] = (self._make(function, tuple(arguments), kind), kind)
        return self._memo[key]

    def number(self, value: float, kind: Kind) -> Made:
        """A number."""
        key = ("literal", repr(value), kind)
        if key not in self._memo:
            self._memo[key] = (self._literal(value, kind), kind)
            self._literals[self._memo[key][0]] = value
        return self._memo[key]

    def convert(self, made: Made, kind: Kind) -> int:
        """A value as another kind."""
        if made[1] == kind:
            return made[0]
        if made[0] in self._literals:
            value = self._literals[made[0]]
            return self.number(float(value) if kind == "float" else bool(value) if kind == "bool" else int(value), kind)[0]
        return self.apply(f"to_{kind}", [made[0]], kind)[0]

    def body(self, body: Any, symbols: dict[Any, Made]) -> Made:
        """The value of a formula; ``symbols`` are the values of its symbols."""
        known: dict[Any, Made] = dict(symbols)
        for abstract in sorted(body.atoms(scalar.Abstract), key=str):
            raise CompileError(f"the function {abstract.label} has no value: it is abstract. Give it a formula, gx.function(name, formula)")
        for part in subformulas(body):
            if part in known:
                continue
            if part in (sympy.true, sympy.false):
                known[part] = self.number(part == sympy.true, "bool")
            elif part.is_Integer:
                known[part] = self.number(int(part), "int")
            elif isinstance(part, sympy.Expr) and (part.is_Number or part.is_comparable):  # a function of our own is not: it is called
                known[part] = self.number(float(part), "float")
            else:
                known[part] = self._part(part, [known[a] for a in part.args])
        return known[body]

    def joint(self, arguments: Sequence[Made]) -> Kind:
        """The kind that several values have in common: whole where all are."""
        return "float" if any(k == "float" for _, k in arguments) else "int"

    def _part(self, part: Any, arguments: list[Made]) -> Made:
        function = part.func
        if function in (sympy.Add, sympy.Mul):
            return (self._sum if function is sympy.Add else self._product)(part, arguments)
        if function is sympy.Pow:
            return self._power(arguments[0], part.exp, arguments[1])
        if function in _FLOAT:
            return self.apply(_FLOAT[function], [self.convert(arguments[0], "float")], "float")
        if function in _SAME:
            kind = self.joint(arguments)
            if function is scalar.Floor and kind == "int":
                return arguments[0]
            return self.apply(_SAME[function], [self.convert(a, kind) for a in arguments], kind)
        if function in _COMPARED:
            kind = self.joint(arguments)
            return self.apply(_COMPARED[function], [self.convert(a, kind) for a in arguments], "bool")
        if function in _LOGIC:
            truth = [self.convert(a, "bool") for a in arguments]
            made = self.apply("not", truth, "bool") if function is sympy.Not else (truth[0], "bool")
            for other in truth[1:]:
                made = self.apply(_LOGIC[function], [made[0], other], "bool")
            return made
        if function is scalar.Select:
            kind = self.joint(arguments[1:])
            return self.apply("select", [self.convert(arguments[0], "bool"), *(self.convert(a, kind) for a in arguments[1:])], kind)
        if function is scalar.IsFinite:
            return self.apply("isfinite", [self.convert(arguments[0], "float")], "bool")
        if function is scalar.Power:
            return self.apply("power", [self.convert(a, "float") for a in arguments], "float")
        raise CompileError(f"the function {function.__name__} has no value: it is abstract. Give it a formula, gx.function(name, formula)")

    def _sum(self, part: Any, arguments: list[Made]) -> Made:
        kind = self.joint(arguments)
        made = (self.convert(arguments[0], kind), kind)
        for argument in arguments[1:]:
            made = self.apply("add", [made[0], self.convert(argument, kind)], kind)
        return made

    def _product(self, part: Any, arguments: list[Made]) -> Made:
        """Factors with a negative exponent are divided by, all at once."""
        below = [k for k, a in enumerate(part.args) if isinstance(a, sympy.Pow) and a.exp.is_Number and a.exp < 0 and a.base.free_symbols]
        kind: Kind = "float" if below else self.joint(arguments)
        made: Made | None = None
        negative = False
        for k, argument in enumerate(arguments):
            if k in below:
                continue
            if part.args[k] == -1:
                negative = True
                continue
            value = self.convert(argument, kind)
            made = (value, kind) if made is None else self.apply("multiply", [made[0], value], kind)
        if below:
            divisor = self._inverse(part, arguments, below)
            made = self.apply("divide", [(made or self.number(1.0, "float"))[0], divisor], "float")
        assert made is not None
        return self.apply("negative", [made[0]], kind) if negative else made

    def _inverse(self, part: Any, arguments: list[Made], below: list[int]) -> int:
        """The product of what stands below the line."""
        made: Made | None = None
        for k in below:
            # The argument's own value was made as 1/x; the divisor is read off its reciprocal record.
            value = self._divisors[arguments[k][0]]
            made = value if made is None else self.apply("multiply", [made[0], value[0]], "float")
        assert made is not None
        return made[0]

    def _power(self, base: Made, exponent: Any, made_exponent: Made) -> Made:
        if exponent.is_Integer and 0 < exponent <= 16:
            return self._repeated(base, int(exponent))
        x = (self.convert(base, "float"), "float")
        if exponent == sympy.Rational(1, 2):
            return self.apply("sqrt", [x[0]], "float")
        if exponent.is_number and exponent.is_negative:
            divisor = self._power(x, -exponent, self.number(float(-exponent), "float"))
            made = self.apply("divide", [self.number(1.0, "float")[0], divisor[0]], "float")
            self._divisors[made[0]] = divisor
            return made
        return self.apply("power", [x[0], self.convert(made_exponent, "float")], "float")

    def _repeated(self, base: Made, count: int) -> Made:
        """A power by squaring."""
        result: Made | None = None
        square = base
        while count:
            if count & 1:
                result = square if result is None else self.apply("multiply", [result[0], square[0]], base[1])
            count >>= 1
            if count:
                square = self.apply("multiply", [square[0], square[0]], base[1])
        assert result is not None
        return result
