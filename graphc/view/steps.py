"""The passes step by step: which node gets its value, then its gradient, and the line of the chain rule that gives it."""

from __future__ import annotations

from typing import Any

from graphc.expr.tensor import Tensor
from graphc.reference.scalars import body_value
from graphc.view.annotate import number, value_texts
from graphc.view.formula import item_formula
from graphc.view.local import local_formula
from graphc.view.names import Text
from graphc.view.op_view import Drawn
from graphc.view.reading import Item, Reading

__all__ = ["backward_note", "factor", "forward_note", "name_unnamed", "local_number", "step_names"]


def step_names(reading: Reading) -> dict[Tensor, Text]:
    """What formulas call each tensor: its name, or a number of its own."""
    names: dict[Tensor, Text] = {}
    taken = {item.name for item in reading.items.values()}
    count = 0
    for tensor, item in reading.items.items():
        if item.name:
            names[tensor] = item.text if item.text.latex else Text(item.text.plain, rf"\text{{{''.join(c for c in item.text.plain if c.isalnum())}}}")
        elif item.kind == "constant":
            names[tensor] = item.operator
        else:
            count += 1
            while f"v{count}" in taken:
                count += 1
            names[tensor] = Text(f"v{count}", f"v_{{{count}}}")
    return names


def name_unnamed(reading: Reading, drawn: Drawn, names: dict[Tensor, Text]) -> None:
    """Write the numbers of unnamed steps on the picture, where formulas below it use them."""
    for tensor, item in reading.items.items():
        if not item.name and item.kind == "value":
            vertex, name = drawn.carrier[tensor], names[tensor]
            first = vertex.above[0] if vertex.above else None
            shown = Text(f"{name.plain} = {first.plain}", f"{name.latex} = {{{first.latex}}}") if first else name
            vertex.above = [shown, *vertex.above[1:]]


def forward_note(reading: Reading, item: Item, names: dict[Tensor, Text], value: Any) -> Text:
    """``c = a + b = 3``."""
    name = names[item.tensor]
    shown = value_texts(value)[0]
    if item.kind != "value":
        return Text(f"{name.plain} = {shown.plain}", f"{name.latex} = {{{shown.latex}}}")
    formula = item_formula(reading, item, lambda t: names[t].latex)
    return Text(f"{name.plain} = {item.operator.plain} = {shown.plain}", f"{name.latex} = {{{formula}}} = {{{shown.latex}}}")


def local_number(item: Item, source: Tensor, values: dict[Tensor, Any]) -> float | None:
    """The number of a scalar operation's local derivative."""
    made = local_formula(item, source)
    if made is None:
        return None
    formula, symbols = made
    return float(body_value(formula, {s: values[t] for t, s in symbols.items()}))


def backward_note(
    reading: Reading, target: Tensor, tensor: Tensor, names: dict[Tensor, Text], values: dict[Tensor, Any], gradients: dict[Tensor, Any]
) -> Text:
    """``∂e/∂b = ∂e/∂c · ∂c/∂b + ∂e/∂d · ∂d/∂b = 2 · 1 + 3 · 1 = 5`` where all is scalar; the gradient alone elsewhere."""
    plain, latex = _slope(names, target, tensor)
    shown = value_texts(gradients[tensor])[0]
    end = Text(f"{plain} = {shown.plain}", f"{latex} = {{{shown.latex}}}")
    users = [u for u in reading.users()[tensor] if u in gradients]
    if tensor is target or not users or any(t.ndim for t in (tensor, *users)):
        return end
    symbols: list[str] = []
    numbers: list[str] = []
    for user in users:
        local = local_number(reading.items[user], tensor, values)
        if local is None:
            return end
        symbols.append(rf"{_slope(names, target, user)[1]} \, {_slope(names, user, tensor)[1]}")
        numbers.append(rf"{factor(gradients[user])} \cdot {factor(local)}")
    return Text(end.plain, f"{latex} = {' + '.join(symbols)} = {' + '.join(numbers)} = {{{shown.latex}}}")


def factor(value: Any) -> str:
    """A number in a product or a sum, a negative one in brackets."""
    text = number(value).latex
    return f"({text})" if text.startswith("-") else f"{{{text}}}"


def _slope(names: dict[Tensor, Text], above: Tensor, below: Tensor) -> tuple[str, str]:
    return f"∂{names[above].plain}/∂{names[below].plain}", rf"\frac{{\partial {names[above].latex}}}{{\partial {names[below].latex}}}"
