"""Element-wise operations: one row an operation, its formula and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from graphc.errors import DeclarationError
from graphc.expr.build import elementwise
from graphc.expr.define import as_formula, is_index_formula
from graphc.expr.operation import DType
from graphc.expr.scalar import (
    Absolute,
    Expm1,
    Floor,
    IsFinite,
    Log1p,
    Maximum,
    Minimum,
    Power,
    Select,
    Sigmoid,
    Sign,
    Softplus,
    as_expression,
)  # fmt: skip
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Tensor

__all__ = ["ELEMENTWISE", "Elementwise", "declare"]

x, y, z = (read_symbol(k) for k in range(3))
_x_holds: Any = sympy.Ne(x, 0)
_y_holds: Any = sympy.Ne(y, 0)


@dataclass(frozen=True)
class Elementwise:
    """A row of the table: the public name, the formula over ``x0, x1, x2``, the text and LaTeX of a picture."""

    name: str
    arity: int
    formula: Any
    symbol: str
    latex: str
    about: str
    dtype: DType | None = None


def _row(name: str, formula: Any, about: str, symbol: str = "", latex: str = "", dtype: DType | None = None) -> Elementwise:
    arity = 1 + max(k for k, s in enumerate((x, y, z)) if s in formula.free_symbols)
    arguments = ", ".join(f"{{{k}}}" for k in range(arity))
    return Elementwise(name, arity, formula, symbol or name, latex or rf"\operatorname{{{name}}}({arguments})", about, dtype)


ELEMENTWISE: tuple[Elementwise, ...] = (
    _row("add", x + y, "The sum of two tensors.", "+", "{0} + {1}"),
    _row("subtract", x - y, "The difference of two tensors.", "−", "{0} - {1}"),
    _row("multiply", x * y, "The product entry by entry.", "⊙", r"{0} \odot {1}"),
    _row("divide", x / y, "The quotient entry by entry, as floats.", "÷", r"\frac{{0}}{{1}}", "float"),
    _row("power", Power(x, y), "``x`` to the power ``y``; for a variable exponent the derivative by it is 0 where ``x`` is 0.", "^", "{0}^{{1}}"),
    _row("negative", -x, "Minus ``x``.", "−", "-{0}"),
    _row("exp", sympy.exp(x), "The exponential.", "exp", r"\exp {0}", "float"),
    _row("log", sympy.log(x), "The natural logarithm; NaN below 0, minus infinity at 0.", "log", r"\log {0}", "float"),
    _row("log1p", Log1p(x), "``log(1 + x)``, accurate near 0.", "log1p", r"\log(1 + {0})", "float"),
    _row("expm1", Expm1(x), "``exp(x) - 1``, accurate near 0.", "expm1", r"e^{{0}} - 1", "float"),
    _row("sqrt", sympy.sqrt(x), "The square root; NaN below 0.", "√", r"\sqrt{{0}}", "float"),
    _row("square", x**2, "``x`` times itself.", "²", "{0}^2"),
    _row("reciprocal", 1 / x, "One over ``x``.", "1/·", r"\frac{1}{{0}}", "float"),
    _row("abs", Absolute(x), "The absolute value; its derivative at 0 is 0.", "abs", r"\lvert {0} \rvert"),
    _row("sign", Sign(x), "-1, 0 or 1; its derivative is 0.", "sign", r"\operatorname{sign} {0}"),
    _row("floor", Floor(x), "The greatest whole number not above ``x``; its derivative is 0.", "floor", r"\lfloor {0} \rfloor"),
    _row("sin", sympy.sin(x), "The sine of an angle in radians.", "sin", r"\sin {0}", "float"),
    _row("cos", sympy.cos(x), "The cosine of an angle in radians.", "cos", r"\cos {0}", "float"),
    _row("tan", sympy.tan(x), "The tangent of an angle in radians.", "tan", r"\tan {0}", "float"),
    _row("tanh", sympy.tanh(x), "The hyperbolic tangent.", "tanh", r"\tanh {0}", "float"),
    _row("sinh", sympy.sinh(x), "The hyperbolic sine.", "sinh", r"\sinh {0}", "float"),
    _row("cosh", sympy.cosh(x), "The hyperbolic cosine.", "cosh", r"\cosh {0}", "float"),
    _row("arctan", sympy.atan(x), "The inverse tangent, in radians.", "arctan", r"\arctan {0}", "float"),
    _row("erf", sympy.erf(x), "The error function.", "erf", r"\operatorname{erf} {0}", "float"),
    _row("sigmoid", Sigmoid(x), "The logistic function 1/(1 + exp(-x)).", "σ", r"\sigma({0})", "float"),
    _row("softplus", Softplus(x), "``log(1 + exp(x))``, finite for every finite ``x``.", "softplus", r"\operatorname{softplus}({0})", "float"),
    _row("relu", Maximum(0, x), "``max(0, x)``; its derivative at 0 is 0.", "ReLU", r"\operatorname{ReLU}({0})"),
    _row("maximum", Maximum(x, y), "The larger of two; on a tie the first takes the whole gradient; NaN where either is.", "max", r"\max({0}, {1})"),
    _row("minimum", Minimum(x, y), "The smaller of two; on a tie the first takes the whole gradient; NaN where either is.", "min", r"\min({0}, {1})"),
    _row(
        "where", Select(sympy.Ne(x, 0), y, z), "``y`` where the condition ``x`` holds, else ``z``; the other branch never takes part.",
        "where", r"\begin{cases}{1} & {0} \\ {2} & \text{else}\end{cases}",
    ),
    _row("isfinite", sympy.Ne(IsFinite(x), 0), "True where ``x`` is neither infinite nor NaN.", "isfinite", "", "bool"),
    _row("equal", sympy.Eq(x, y), "True where two tensors agree.", "=", "{0} = {1}", "bool"),
    _row("not_equal", sympy.Ne(x, y), "True where two tensors differ.", "≠", r"{0} \neq {1}", "bool"),
    _row("less", sympy.Lt(x, y), "True where ``x < y``.", "<", "{0} < {1}", "bool"),
    _row("less_equal", sympy.Le(x, y), "True where ``x <= y``.", "≤", r"{0} \le {1}", "bool"),
    _row("greater", sympy.Gt(x, y), "True where ``x > y``.", ">", "{0} > {1}", "bool"),
    _row("greater_equal", sympy.Ge(x, y), "True where ``x >= y``.", "≥", r"{0} \ge {1}", "bool"),
    _row("logical_and", sympy.And(_x_holds, _y_holds), "True where both hold.", "∧", r"{0} \land {1}", "bool"),
    _row("logical_or", sympy.Or(_x_holds, _y_holds), "True where at least one holds.", "∨", r"{0} \lor {1}", "bool"),
    _row("logical_not", sympy.Eq(x, 0), "True where ``x`` does not hold.", "¬", r"\lnot {0}", "bool"),
)  # fmt: skip


def declare(row: Elementwise) -> Callable[..., Tensor]:
    """The public function of a row."""

    def apply(*values: Any) -> Tensor:
        if any(is_index_formula(v) for v in values):  # within the formula of gx.define
            operands = [as_formula(v) if isinstance(v, Tensor) else as_expression(v) for v in values]
            for value, operand in zip(values, operands, strict=True):
                if operand is None:
                    raise DeclarationError(
                        f"gx.{row.name} in a formula is given {value!r}: give accesses such as X[i, j], indices, numbers, formulas of them"
                    )
            return row.formula.xreplace({read_symbol(k): v for k, v in enumerate(operands)})
        return elementwise(row.symbol, row.formula, values, dtype=row.dtype, latex=row.latex)

    def one(x: Any) -> Tensor:
        return apply(x)

    def two(x: Any, y: Any) -> Tensor:
        return apply(x, y)

    def three(condition: Any, x: Any, y: Any) -> Tensor:
        return apply(condition, x, y)

    function = (one, two, three)[row.arity - 1]
    function.__name__ = function.__qualname__ = row.name
    function.__doc__ = f"{row.about}\n\nEntry by entry; shapes broadcast as NumPy's do. Formula: ``{row.formula}``."
    return function


_POWER = next(row for row in ELEMENTWISE if row.name == "power")
_FUNCTIONS: dict[str, Callable[..., Tensor]] = {row.name: declare(row) for row in ELEMENTWISE}

abs = _FUNCTIONS["abs"]
add = _FUNCTIONS["add"]
arctan = _FUNCTIONS["arctan"]
cos = _FUNCTIONS["cos"]
cosh = _FUNCTIONS["cosh"]
divide = _FUNCTIONS["divide"]
equal = _FUNCTIONS["equal"]
erf = _FUNCTIONS["erf"]
exp = _FUNCTIONS["exp"]
expm1 = _FUNCTIONS["expm1"]
floor = _FUNCTIONS["floor"]
greater = _FUNCTIONS["greater"]
greater_equal = _FUNCTIONS["greater_equal"]
isfinite = _FUNCTIONS["isfinite"]
less = _FUNCTIONS["less"]
less_equal = _FUNCTIONS["less_equal"]
log = _FUNCTIONS["log"]
log1p = _FUNCTIONS["log1p"]
logical_and = _FUNCTIONS["logical_and"]
logical_not = _FUNCTIONS["logical_not"]
logical_or = _FUNCTIONS["logical_or"]
maximum = _FUNCTIONS["maximum"]
minimum = _FUNCTIONS["minimum"]
multiply = _FUNCTIONS["multiply"]
negative = _FUNCTIONS["negative"]
not_equal = _FUNCTIONS["not_equal"]
reciprocal = _FUNCTIONS["reciprocal"]
relu = _FUNCTIONS["relu"]
sigmoid = _FUNCTIONS["sigmoid"]
sign = _FUNCTIONS["sign"]
sin = _FUNCTIONS["sin"]
sinh = _FUNCTIONS["sinh"]
softplus = _FUNCTIONS["softplus"]
sqrt = _FUNCTIONS["sqrt"]
square = _FUNCTIONS["square"]
subtract = _FUNCTIONS["subtract"]
tan = _FUNCTIONS["tan"]
tanh = _FUNCTIONS["tanh"]
where = _FUNCTIONS["where"]


def power(x: Any, y: Any) -> Tensor:
    """``x`` to the power ``y``; for a variable exponent the derivative by it is 0 where ``x`` is 0.

    Entry by entry; shapes broadcast as NumPy's do. Whole numbers to the power of whole numbers that may be negative are
    floats.
    """
    result = _FUNCTIONS["power"](x, y)
    if isinstance(result, Tensor) and result.dtype == "int" and isinstance(y, Tensor) and (y.kind != "constant" or np.any(y.value < 0)):
        return elementwise(_POWER.symbol, _POWER.formula, (x, y), dtype="float", latex=_POWER.latex)
    return result


def clip(x: Any, lower: Any, upper: Any) -> Tensor:
    """``x`` kept within ``[lower, upper]``, either of which may be ``None``; outside, its gradient is 0.

    Example:
        >>> import graphc as gx
        >>> gx.evaluate(gx.clip(gx.constant([-2.0, 0.5, 9.0]), -1, 1), {})
        array([-1. ,  0.5,  1. ])
    """
    if lower is None and upper is None:
        raise DeclarationError("gx.clip has neither a lower nor an upper bound: give at least one")
    kept = x if lower is None else maximum(x, lower)
    kept = kept if upper is None else minimum(kept, upper)
    return kept.called("clip", *(t for t in (x,) if isinstance(t, Tensor)))
