"""The graph by layers: one box a scope, or a named step where there is none, with shapes and parameter counts."""

from __future__ import annotations

from graphc.expr.dims import Extent, product
from graphc.expr.tensor import Tensor
from graphc.view.fold import count_text
from graphc.view.names import Text, name_text, shape_text, slug
from graphc.view.op_view import scopes_of, spoken_name
from graphc.view.outline import Arrow, Identifiers, Outline, Vertex
from graphc.view.reading import Item, Reading

__all__ = ["layer_outline"]


def layer_outline(reading: Reading) -> Outline:
    """The outline by layers, from left to right."""
    groups = _groups(reading)
    ids = Identifiers()
    vertices: dict[object, Vertex] = {}
    total: Extent = 0
    for key, members in groups.items():
        if len(groups) > 1 and all(i.kind == "parameter" and i.tensor not in reading.targets for i in members):  # counted in the caption
            total = total + sum((product(i.tensor.shape) for i in members), 0)
            continue
        vertices[key] = _vertex(reading, key, members, ids)
        total = total + sum((product(i.tensor.shape) for i in members if i.kind == "parameter"), 0)
    where = {item.tensor: vertices[key] for key, members in groups.items() if key in vertices for item in members}
    arrows: dict[tuple[str, str], Arrow] = {}
    for item in reading.items.values():
        for source in item.inputs:
            if reading.items[source].kind in ("parameter", "state"):
                continue
            tail, head = where[source], where[item.tensor]
            if tail is not head:
                arrows.setdefault((tail.id, head.id), Arrow(tail.id, head.id, title=f"{tail.label.plain} feeds {head.label.plain}"))
    name = spoken_name(reading.items[reading.targets[0]])
    captions = [f"{count_text(total, 'parameter')} in all"] if total != 0 else []
    sentences = " ".join(f"{v.title}." for v in vertices.values())
    return Outline(list(vertices.values()), list(arrows.values()), f"Layers of {name}", f"Layers of {name}. {sentences}", captions, roomy=True)


def _groups(reading: Reading) -> dict[object, list[Item]]:
    """Items by scope; unscoped steps by the named tensor that they lead to; an unscoped parameter with its first user."""
    users, scopes = reading.users(), scopes_of(reading, inside=True)
    key: dict[Tensor, object] = {}
    for tensor in reversed(list(reading.items)):
        item = reading.items[tensor]
        if item.layer or scopes[tensor]:
            key[tensor] = item.layer or scopes[tensor]
        elif item.kind in ("input", "random") or (item.name and item.kind == "value") or not users[tensor]:
            key[tensor] = tensor
        else:
            found = list(dict.fromkeys(key[u] for u in users[tensor]))
            key[tensor] = tensor if item.kind == "value" and (len(found) > 1 or isinstance(found[0], tuple)) else found[-1]
    groups: dict[object, list[Item]] = {}
    for tensor in reading.items:
        groups.setdefault(key[tensor], []).append(reading.items[tensor])
    return groups


def _words(words: list[str]) -> str:
    """What is done, in order; what is done again, as in each call of a layer, is said once."""
    period = next(n for n in range(1, len(words) + 1) if len(words) % n == 0 and words == words[:n] * (len(words) // n))
    times = f" ({len(words) // period} times)" if period < len(words) else ""
    words = words[:period]
    return (" → ".join(words) if len(words) <= 4 else f"{' → '.join(words[:2])} → … → {words[-1]}") + times


def _vertex(reading: Reading, key: object, members: list[Item], ids: Identifiers) -> Vertex:
    last = members[-1]
    target = any(item.tensor in reading.targets for item in members)
    steps = [item for item in members if item.kind == "value"]
    if isinstance(key, tuple):
        name = "/".join(str(part) for part in key)
        label = name_text(str(key[-1]))
    else:
        name = last.name or last.operator.plain
        label = last.text if last.name else last.operator
    parameters = sum((product(i.tensor.shape) for i in members if i.kind == "parameter"), 0)
    shape = shape_text(last.tensor.shape)
    details = []
    kind = reading.layers.get(key, "") if isinstance(key, tuple) else ""
    if kind:
        details.append(kind)
    if steps and (words := _words([item.operator.plain for item in steps])).lower() not in (kind.lower(), label.plain.lower()):
        details.append(words)
    if shape:
        details.append(shape)
    if parameters != 0:
        details.append(count_text(parameters, "parameter"))
    role = "output" if target else "layer" if steps else last.kind
    shown = Text(label.plain, label.latex)
    return Vertex(ids.new(slug(name)), role, shown, "\n".join(details), title=f"{name}: {', '.join(details) or 'scalar'}")
