"""Local derivatives of scalar operations: the derivative of one node by one of its arguments, the others held fixed."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import sympy

from graphc.errors import DerivationError
from graphc.expr.operation import Alias, Assign, Leaf, Reshape
from graphc.expr.scalar import derivative
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor
from graphc.reference.scalars import body_value
from graphc.view.isolate import form_of, isolated
from graphc.view.names import Text, filled, name_text
from graphc.view.reading import Item, Reading
from graphc.view.stage_latex import body_latex

__all__ = ["local_derivative", "local_formula", "short_formula"]


def _composed(item: Item, names: dict[Tensor, Any]) -> Any:
    """The item's value as one formula over symbols of its arguments; ``None`` where it is no scalar formula."""
    result, fresh = isolated(item.tensor, item.inputs)
    known: dict[Tensor, Any] = {fresh[t]: symbol for t, symbol in names.items()}
    stack = [result]
    while stack:
        tensor = stack[-1]
        if tensor in known:
            stack.pop()
            continue
        if tensor.ndim:
            return None
        waiting = [t for t in tensor.inputs if t not in known]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        op = tensor.op
        if isinstance(op, Stage) and op.free is not None and not op.extents:
            body = op.body.xreplace(op.dim_values())
            known[tensor] = body.xreplace({read_symbol(k): known[tensor.inputs[r.operand]] for k, r in enumerate(op.reads)})
        elif isinstance(op, Alias | Reshape):
            known[tensor] = known[tensor.inputs[0]]
        elif isinstance(op, Assign):
            known[tensor] = known[tensor.inputs[1]]
        elif isinstance(op, Leaf) and op.kind == "constant":
            known[tensor] = sympy.sympify(tensor.value.item())
        else:
            return None
    return known[result]


def _symbols(item: Item) -> dict[Tensor, Any]:
    return {t: read_symbol(1000 + k) for k, t in enumerate(dict.fromkeys(item.inputs))}


def local_formula(item: Item, source: Tensor, forms: dict[Hashable, Any] | None = None) -> tuple[Any, dict[Tensor, Any]] | None:
    """The derivative of an item by one of its arguments, and the symbols of the arguments in it; ``forms`` keeps those of one form."""
    symbols = _symbols(item)
    form = form_of(item.tensor, item.inputs) if forms is not None else None
    key = (form, symbols[source])
    if forms is None or form is None:
        found = _slope(item, symbols, source)
    else:
        found = forms[key] if key in forms else forms.setdefault(key, _slope(item, symbols, source))
    return None if found is None else (found, symbols)


def _slope(item: Item, symbols: dict[Tensor, Any], source: Tensor) -> Any:
    formula = _composed(item, symbols)
    if formula is None:
        return None
    try:
        return derivative(formula, symbols[source])
    except DerivationError:  # what has no closed form has no label, and the picture stands without it
        return None


def local_derivative(
    reading: Reading, item: Item, source: Tensor, found: dict[Tensor, Any] | None, forms: dict[Hashable, Any] | None = None
) -> Text | None:
    """``∂e/∂c = d = 2``: symbol, formula and, where values are known, the number."""
    made = local_formula(item, source, forms)
    if made is None:
        return None
    formula, symbols = made
    names = {s: reading.items[t].text.latex or short_formula(reading.items[t], 18) for t, s in symbols.items()}
    origin = reading.items[source]
    left = rf"\frac{{\partial {item.text.latex}}}{{\partial {origin.text.latex}}}" if item.text.latex and origin.text.latex else ""
    spoken = f"∂{item.name}/∂{origin.name}" if item.name and origin.name else "local derivative"
    parts, words = [left] if left else [], [spoken]
    nameless = [s for s in formula.free_symbols if not names.get(s)]
    if not formula.is_number and not nameless:
        parts.append(body_latex(formula, names))
        words.append(_spoken(formula, {s: reading.items[t].name or "(unnamed)" for t, s in symbols.items()}))
    if formula.is_number or found is not None:
        value = float(body_value(formula, {s: found[t] for t, s in symbols.items()} if found is not None else {}))
        parts.append(f"{{{value:.4g}}}")
        words.append(f"{value:.4g}")
    return Text(" = ".join(words), " = ".join(parts)) if parts else None


def _spoken(formula: Any, names: dict[Any, str]) -> str:
    return str(formula.xreplace({s: sympy.Symbol(n) for s, n in names.items()}))


def short_formula(item: Item, limit: int) -> str:
    """An unnamed item's own formula over names, where it is short and all its arguments have names; else empty."""
    if item.name:
        return item.text.latex
    shown = [a if isinstance(a, str) else name_text(a.name).latex for a in item.arguments]
    if not all(shown):
        return ""
    text = filled(item.pattern, shown)
    plain = text.replace("{", "").replace("}", "").replace("\\,", "").replace("\\", "")
    return text if len(plain) <= limit else ""
