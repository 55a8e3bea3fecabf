"""The graph by neurons: circles in columns, a line for every weight, coloured by sign and as thick as the weight is large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DeclarationError
from graphc.expr.dims import Extent
from graphc.expr.tensor import Tensor
from graphc.view.annotate import checked_feeds, number, values
from graphc.view.glyphs import glyph
from graphc.view.names import Text, split_scope
from graphc.view.outline import Arrow, Outline, Vertex
from graphc.view.reading import Item, Reading
from graphc.view.scene import Area, Curve, Group, Label, Primitive, Scene

__all__ = ["neuron_outline", "neuron_scene"]

RADIUS, STEP, COLUMN, SHOWN = 15.0, 40.0, 150.0, 8
COLUMNS = 16


@dataclass(slots=True)
class _Layer:
    """A column: how many units, what they are called, and the weights that lead to it."""

    size: Extent
    symbol: Text
    caption: str
    weight: Tensor | None = None
    transposed: bool = False
    activations: Tensor | None = None


def _weight(reading: Reading, item: Item) -> tuple[Tensor, bool, Tensor] | None:
    """The matrix, whether it stands on the left, and what it is multiplied with; where the item is such a product."""
    call = item.tensor.call
    if call is None or call.symbol not in ("@", "·") or len(item.inputs) != 2:
        return None
    for k in (1, 0):
        matrix, other = item.inputs[k], item.inputs[1 - k]
        if reading.items[matrix].kind == "parameter" and matrix.ndim == 2:
            return matrix, k == 0, other
    return None


def _layers(reading: Reading) -> list[_Layer]:
    found = [(item, made) for item in reading.items.values() if (made := _weight(reading, item)) is not None]
    if not found:
        raise DeclarationError(
            f"view='neuron' draws dense layers, and {reading.items[reading.targets[0]].called} has no product with a parameter matrix: use view='op'"
        )
    if len(found) > COLUMNS:
        raise DeclarationError(
            f"view='neuron' draws up to {COLUMNS} layers side by side, and {reading.items[reading.targets[0]].called} has {len(found)}: use "
            "view='layer', or draw an intermediate tensor"
        )
    users = reading.users()
    first = found[0][1]
    layers = [_Layer(first[0].shape[1 if first[1] else 0], _symbol(reading.items[first[2]], "x"), "input", activations=first[2])]
    for k, (item, (matrix, left, _)) in enumerate(found):
        last, words = _followed(reading, users, item, {f[0].tensor for f in found})
        default = "y" if k == len(found) - 1 else "h"
        layers.append(_Layer(matrix.shape[0 if left else 1], _symbol(last, default), words, matrix, left, last.tensor))
    for (_, (_, _, source)), before in zip(found[1:], found[:-1], strict=True):
        if not _depends(reading, source, before[0].tensor):
            raise DeclarationError("view='neuron' draws dense layers that follow each other, and these branch: use view='op' or view='layer'")
    return layers


def _depends(reading: Reading, tensor: Tensor, on: Tensor) -> bool:
    stack, seen = [tensor], {tensor}
    while stack:
        t = stack.pop()
        if t is on:
            return True
        fresh = [s for s in reading.items[t].inputs if s not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return False


def _followed(reading: Reading, users: dict[Tensor, list[Tensor]], item: Item, products: set[Tensor]) -> tuple[Item, str]:
    """The last step that keeps the layer's width after a product, and the activations on the way."""
    words: list[str] = []
    width = item.tensor.shape[-1:] or item.tensor.shape
    while True:
        following = [u for u in users[item.tensor] if u not in products]
        if len(following) != 1 or len(users[item.tensor]) != 1:
            break
        after = reading.items[following[0]]
        others = [t for t in after.inputs if t is not item.tensor]
        if after.tensor.shape[-1:] != width or any(reading.items[t].kind not in ("parameter", "constant") for t in others):
            break
        if not others and not any(isinstance(a, str) for a in after.arguments):
            words.append(after.operator.plain)
        item = after
    return item, ", ".join(words) or "linear"


def _symbol(item: Item, default: str) -> Text:
    if item.name:
        text = item.text
        if text.latex and len(split_scope(item.name)[1]) <= 6:
            return text
    return Text(default, default)


def neuron_scene(reading: Reading, at: Any = None) -> Scene:
    """The scene: a column for each layer; wide layers are shortened by dots.

    Raises:
        DeclarationError: where the graph is no chain of dense layers.
    """
    layers = _layers(reading)
    found = values(reading, checked_feeds(at, reading)) if at is not None else None
    step = STEP if found is None else STEP + 12
    tall = max(len(_rows(layer.size)) for layer in layers) * step
    columns = [_positions(layer, k, tall, step) for k, layer in enumerate(layers)]
    groups = [_lines(layers[k], columns[k - 1], columns[k], k) for k in range(1, len(layers))]
    for k, (layer, column) in enumerate(zip(layers, columns, strict=True)):
        groups.append(_column(layer, column, k, k == len(layers) - 1, _unit_values(layer, found)))
    bottom = 26 + tall + 8
    for k, layer in enumerate(layers):
        lines = [layer.caption, f"{layer.size} {'unit' if layer.size == 1 else 'units'}"]
        parts: list[Primitive] = [Label(Text(w), 46 + k * COLUMN, bottom + 13 * n, 10.0, "muted") for n, w in enumerate(lines)]
        groups.append(Group(f"caption-{k}", "caption", "", parts))
    sign = any(_array(layer) is not None for layer in layers[1:])
    if sign:
        groups.append(_key(bottom + 40))
    sizes = ", ".join(str(layer.size) for layer in layers)
    spoken = "; ".join(f"{layer.size} units of {layer.caption}" for layer in layers)
    height = bottom + (58 if sign else 30)
    width = max(92 + (len(layers) - 1) * COLUMN, 300.0 if sign else 0.0)
    return Scene(
        width,
        height,
        f"Neurons of {reading.items[reading.targets[0]].called}: {sizes}",
        f"A network with {len(layers)} columns of neurons: {spoken}.",
        groups,
    )


def _rows(size: Extent) -> list[int | None]:
    """The units that are drawn, ``None`` for the dots."""
    if not isinstance(size, int):
        return [0, 1, None]
    return list(range(size)) if size <= SHOWN else [*range(SHOWN - 3), None, size - 1]


def _positions(layer: _Layer, k: int, tall: float, step: float) -> list[tuple[int | None, float, float]]:
    rows = _rows(layer.size)
    top = 20 + (tall - len(rows) * step) / 2 + step / 2
    return [(unit, 46 + k * COLUMN, top + n * step) for n, unit in enumerate(rows)]


def _array(layer: _Layer) -> Any:
    """The weights, from a unit of the column before to one of this; ``None`` before they have values."""
    if layer.weight is None or not hasattr(layer.weight.op, "cell"):
        return None
    array = layer.weight.op.cell.array  # type: ignore[union-attr]
    if array is None:
        return None
    return array.T if layer.transposed else array


def _unit_values(layer: _Layer, found: dict[Tensor, Any] | None) -> Any:
    if found is None or layer.activations is None:
        return None
    array = np.asarray(found[layer.activations])
    return array.reshape(-1, array.shape[-1])[0] if array.ndim and array.size else None


def _lines(layer: _Layer, before: list[tuple[int | None, float, float]], after: list[tuple[int | None, float, float]], k: int) -> Group:
    array = _array(layer)
    top = float(np.max(np.abs(array))) or 1.0 if array is not None and array.size else 1.0
    parts: list[Primitive] = []
    for i, x0, y0 in before:
        for j, x1, y1 in after:
            if i is None or j is None:
                continue
            role, thickness, dash = "edge", 0.9, ""
            if array is not None:
                value = float(array[i, j])
                role, thickness = ("positive" if value >= 0 else "negative"), 0.4 + 3.0 * abs(value) / top
                dash = "" if value >= 0 else "5 2.5"
            third = (x1 - x0 - 2 * RADIUS) / 3
            a, b = x0 + RADIUS, x1 - RADIUS
            parts.append(Curve(((a, y0), (a + third, y0 + (y1 - y0) / 3), (b - third, y1 - (y1 - y0) / 3), (b, y1)), role, thickness, dash, 0.85))
    name = layer.weight.name if layer.weight is not None else ""
    return Group(f"weights-{k}", "weights", f"weights {name}", parts)


def _column(layer: _Layer, column: list[tuple[int | None, float, float]], k: int, last: bool, shown: Any) -> Group:
    role = "input" if k == 0 else "output" if last else "value"
    parts: list[Primitive] = []
    for unit, x, y in column:
        if unit is None:
            parts += [Area(x - 1.6, y - 1.6 + d, 3.2, 3.2, 1.6, "muted") for d in (-8, 0, 8)]
            continue
        if role == "output":
            parts.append(Area(x - RADIUS - 2.4, y - RADIUS - 2.4, 2 * RADIUS + 4.8, 2 * RADIUS + 4.8, RADIUS + 2.4, "background", "output-line"))
        parts.append(Area(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, RADIUS, f"{role}-fill", f"{role}-line", 1.3))
        text = _unit_text(layer, unit)
        size = 13.0 if glyph(text, 13.0).width <= 2 * RADIUS - 4 else 9.0
        parts.append(Label(text, x, y, size))
        if shown is not None:
            value = number(shown[unit])
            parts.append(Label(value, x, y - RADIUS - 7, 9.5, "value"))
    return Group(f"layer-{k}", role, f"{layer.caption}, {layer.size} units", parts)


def _unit_text(layer: _Layer, unit: int) -> Text:
    """``h`` with the unit's number, from 1 on; the bare name of a single unit."""
    plain, latex = layer.symbol.plain, layer.symbol.latex
    if layer.size == 1 or not latex:
        return layer.symbol if layer.size == 1 else Text(f"{plain} {unit + 1}")
    if latex.endswith("}") and "_{" in latex:
        return Text(f"{plain},{unit + 1}", f"{latex[:-1]},{unit + 1}}}")
    return Text(f"{plain}{unit + 1}", f"{latex}_{{{unit + 1}}}")


def neuron_outline(reading: Reading) -> Outline:
    """The same as nodes and arrows, for DOT."""
    layers = _layers(reading)
    outline = Outline([], [], f"Neurons of {reading.items[reading.targets[0]].called}", "")
    before: list[Vertex] = []
    for k, layer in enumerate(layers):
        role = "input" if k == 0 else "output" if k == len(layers) - 1 else "value"
        units = [Vertex(f"unit-{k}-{u}", role, _unit_text(layer, u), shape="circle", title=layer.caption) for u in _rows(layer.size) if u is not None]
        outline.vertices += units
        outline.arrows += [Arrow(a.id, b.id) for a in before for b in units]
        before = units
    return outline


def _key(y: float) -> Group:
    parts: list[Primitive] = []
    x = 20.0
    for role, dash, words in (("positive", "", "positive weight"), ("negative", "5 2.5", "negative weight")):
        parts.append(Curve(((x, y), (x + 7, y), (x + 14, y), (x + 21, y)), role, 2.2, dash))
        size = glyph(Text(words), 9.5)
        parts.append(Label(Text(words), x + 27 + size.width / 2, y, 9.5, "muted"))
        x += 44 + size.width
    return Group("legend", "legend", "legend", parts)
