"""The catalogue of operations: each a formula, in files by family.

Importing it gives tensors their operators (:data:`graphc.expr.tensor.METHODS`).
"""

from __future__ import annotations

from graphc.expr.define import as_formula
from graphc.expr.tensor import METHODS
from graphc.ops import arithmetic, layout, linear, reduction, state

__all__: list[str] = []

_OPERATORS = {
    arithmetic: (
        "add", "subtract", "multiply", "divide", "power", "negative", "abs", "less", "less_equal", "greater",
        "greater_equal", "logical_and", "logical_or", "logical_not",
    ),
    linear: ("matmul",),
    layout: ("getitem", "reshape", "transpose"),
    reduction: ("sum", "mean", "prod", "max", "min"),
    state: ("named", "as_value"),
}  # fmt: skip

METHODS.update({name: getattr(module, name) for module, names in _OPERATORS.items() for name in names})
METHODS["positive"] = lambda x: x
METHODS["as_formula"] = as_formula
