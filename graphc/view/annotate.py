"""Values, gradients and local derivatives, written on a drawn graph."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.autodiff import grad
from graphc.errors import DataError, DeclarationError, DerivationError
from graphc.expr.graph import topological
from graphc.expr.tensor import Tensor
from graphc.reference.evaluate import evaluate
from graphc.view.local import local_derivative, short_formula
from graphc.view.names import Text
from graphc.view.op_view import Drawn
from graphc.view.outline import Outline
from graphc.view.reading import Item, Reading

__all__ = ["checked_feeds", "gradients", "number", "scalar_target", "value_texts", "values", "write_gradients", "write_locals", "write_values"]


def checked_feeds(at: Any, reading: Reading) -> dict[Tensor, Any]:
    """``at`` as a mapping from tensors of the graph.

    Raises:
        DataError: for a key that is no tensor of this graph, or an input that has no value, naming it.
    """
    if not isinstance(at, Mapping):
        raise DataError(f"at={at!r} is no mapping: give {{x: array, ...}}, an array for each input")
    feeds: dict[Tensor, Any] = {}
    for key, value in at.items():
        if not isinstance(key, Tensor):
            raise DataError(f"at has the key {key!r}, which is no tensor: give {{x: array}} with the tensor itself")
        feeds[key] = value
    for tensor, item in reading.items.items():
        if tensor.kind == "input" and item.kind == "input" and tensor not in feeds:
            raise DataError(f"{tensor.describe()} has no value in at: give one, at={{{tensor.name}: array, ...}}")
    return feeds


def values(reading: Reading, feeds: dict[Tensor, Any], shown: Sequence[Tensor] | None = None) -> dict[Tensor, Any]:
    """The value of every item, or of those that are shown."""
    tensors = list(reading.items if shown is None else shown)
    return dict(zip(tensors, evaluate(tensors, feeds), strict=True))


def scalar_target(reading: Reading) -> Tensor:
    """The one scalar whose gradient is asked for.

    Raises:
        DeclarationError: where the target is no scalar, or there are several.
    """
    if len(reading.targets) != 1 or reading.targets[0].ndim:
        shown = ", ".join(f"{reading.items[t].called} of shape {t.shape}" for t in reading.targets)
        raise DeclarationError(f"a backward pass starts from one scalar, and the target is {shown}: draw a loss, such as its mean or sum")
    return reading.targets[0]


def gradients(reading: Reading, feeds: dict[Tensor, Any], shown: Sequence[Tensor] | None = None) -> dict[Tensor, Any]:
    """The gradient of the target by every item, or every one shown, that it depends on and that holds floats."""
    target = scalar_target(reading)
    found: dict[Tensor, Any] = {}
    reached = {t for node in topological([target]) for t in node.outputs}
    wanted = [t for t, item in reading.items.items() if t.dtype == "float" and item.kind not in ("constant", "random") and t in reached]
    chosen = None if shown is None else set(shown)
    wanted = [t for t in wanted if t is not target and (chosen is None or t in chosen)]
    adjoints: list[tuple[Tensor, Tensor]] = []
    try:
        adjoints = list(zip(wanted, grad(target, wanted, unconnected="zero"), strict=True))
    except DerivationError:  # one node without a gradient shall not hide those of the others
        for t in wanted:
            try:
                adjoints.append((t, grad(target, t, unconnected="zero")))
            except DerivationError:
                continue
    results = evaluate([g for _, g in adjoints], feeds)
    found.update((t, v) for (t, _), v in zip(adjoints, results, strict=True))
    found[target] = np.asarray(1.0)
    return {t: found[t] for t in reading.items if t in found}


def number(value: Any) -> Text:
    """A number with four significant digits."""
    shown = f"{float(value) + 0.0:.4g}"
    if shown in ("nan", "inf", "-inf"):
        return Text(shown, {"nan": r"\mathrm{NaN}", "inf": r"\infty", "-inf": r"-\infty"}[shown])
    mantissa, _, exponent = shown.partition("e")
    if exponent:
        return Text(shown, rf"{mantissa} \cdot 10^{{{int(exponent)}}}")
    return Text(shown.replace("-", "−"), shown)


def value_texts(value: Any) -> list[Text]:
    """An array as a picture shows it: a number, a small matrix, or what is worth knowing of a large one."""
    array = np.asarray(value)
    if array.dtype.kind == "b":
        array = array.astype(int)
    if array.ndim == 0:
        return [number(array)]
    if array.ndim <= 2 and 0 < array.size <= 12 and max(array.shape) <= 4:
        rows = [[number(v) for v in row] for row in np.atleast_2d(array).tolist()]
        plain = "[" + "; ".join(" ".join(t.plain for t in row) for row in rows) + "]"
        cells = r" \\ ".join(" & ".join(t.latex for t in row) for row in rows)
        return [Text(plain, rf"\begin{{bmatrix}}{cells}\end{{bmatrix}}")]
    shape = " × ".join(map(str, array.shape))
    if array.size == 0:
        return [Text(f"empty, {shape}")]
    low, mean, high = (number(v) for v in (array.min(), array.mean(), array.max()))
    size = shape.replace("×", r"\times")
    if low.plain == high.plain:
        return [Text(f"{shape}, all {low.plain}", rf"{size},\;\; \text{{all}}\; {low.latex}")]
    return [
        Text(f"{shape}, mean {mean.plain}", rf"{size},\;\; \text{{mean}}\; {mean.latex}"),
        Text(f"{low.plain} to {high.plain}", rf"{low.latex} \;\text{{to}}\; {high.latex}"),
    ]


def write_values(reading: Reading, drawn: Drawn, found: dict[Tensor, Any]) -> None:
    """Values above the nodes that carry them."""
    for tensor, value in found.items():
        item, vertex = reading.items[tensor], drawn.carrier[tensor]
        if item.kind == "constant" and not item.name and (item.tensor.ndim == 0 or vertex.label.latex.startswith(r"\begin")):
            continue
        vertex.above = value_texts(value)
        vertex.title += f", value {'; '.join(t.plain for t in vertex.above)}"


def write_gradients(reading: Reading, drawn: Drawn, found: dict[Tensor, Any]) -> None:
    """Gradients below the nodes that carry them."""
    target = reading.items[scalar_target(reading)]
    for tensor, value in found.items():
        item, vertex = reading.items[tensor], drawn.carrier[tensor]
        shown = value_texts(value)
        spoken = f"∂{target.name or 'result'}/∂{item.name or 'this'}"
        symbol = _gradient_symbol(target, item)
        vertex.below = [Text(f"{spoken} = {shown[0].plain}", f"{symbol} = {{{shown[0].latex}}}" if shown[0].latex else ""), *shown[1:]]
        vertex.title += f", gradient {spoken} = {shown[0].plain}"


def _gradient_symbol(target: Item, item: Item) -> str:
    above, below = target.text.latex if target.name else "", item.text.latex if item.name else ""
    if not item.name:
        formula = short_formula(item, 14)
        below = f"({formula})" if formula else ""
    if above and below:
        return rf"\frac{{\partial {above}}}{{\partial {below}}}"
    return rf"\nabla_{{\!{below}}}" if below else r"\nabla"


def write_locals(outline: Outline, reading: Reading, drawn: Drawn, found: dict[Tensor, Any] | None) -> None:
    """Local derivatives on the edges of a graph whose tensors are all scalars."""
    if any(t.ndim for t in reading.items):
        return
    forms: dict[Hashable, Any] = {}
    for (source, user), arrow in drawn.arrows.items():
        if source.dtype != "float" or reading.items[source].kind == "constant":
            continue
        item = reading.items[user]
        local = local_derivative(reading, item, source, found, forms)
        if local is not None:
            arrow.labels = [local]
            arrow.title += f"; {local.plain}"
    outline.roomy = True
