"""The graph by operations: variables as boxes, operations as circles, an arrow for every argument."""

from __future__ import annotations

from graphc.expr.operation import Scan
from graphc.expr.tensor import Node, Tensor
from graphc.view.detail import operation_detail
from graphc.view.names import shape_text, slug
from graphc.view.outline import Arrow, Identifiers, Outline, Vertex
from graphc.view.reading import Item, Reading
from graphc.view.rolled import Body, roll

__all__ = ["Drawn", "op_outline", "scopes_of", "spoken_name"]


class Drawn:
    """Where each tensor of a reading went: the node that carries its value, and the node that its arguments point at."""

    def __init__(self) -> None:
        self.carrier: dict[Tensor, Vertex] = {}
        self.entry: dict[Tensor, Vertex] = {}
        self.arrows: dict[tuple[Tensor, Tensor], Arrow] = {}


def spoken_name(item: Item) -> str:
    """How a sentence calls an item."""
    if item.name:
        return item.name
    return f"the result of {item.operator.plain}" if item.kind == "value" else f"an unnamed {item.kind}"


def op_outline(reading: Reading, rolled: bool = False) -> tuple[Outline, Drawn]:
    """The outline of the forward graph, and where each tensor is in it; ``rolled`` shows the inside of recurrences."""
    ids, drawn = Identifiers(), Drawn()
    vertices: list[Vertex] = []
    arrows: list[Arrow] = []
    scopes = scopes_of(reading)
    bodies: dict[Node, Body] = {}
    for tensor, item in reading.items.items():
        made = _vertices(item, tensor in reading.targets, scopes[tensor], ids)
        drawn.entry[tensor], drawn.carrier[tensor] = made[0], made[-1]
        if rolled and isinstance(tensor.op, Scan):
            if tensor.node not in bodies:
                body = bodies[tensor.node] = Body(tensor, drawn.carrier, reading, scopes[tensor], ids, _vertices)
                vertices += body.vertices
                arrows += body.arrows
            result, taken = roll(tensor, bodies[tensor.node])
            made[0].label, made[0].title = taken, f"{taken.plain} of {result.label.plain}"
            arrows.append(Arrow(result.id, made[0].id, title=made[0].title, weight=3))
            vertices += made
            if len(made) == 2:
                arrows.append(Arrow(made[0].id, made[1].id, "link"))
            continue
        vertices += made
        for source in dict.fromkeys(item.inputs):
            times = item.inputs.count(source)
            title = f"{spoken_name(reading.items[source])} goes into {item.operator.plain}" + (f" {times} times" if times > 1 else "")
            arrow = Arrow(drawn.carrier[source].id, made[0].id, title=title, weight=3 if reading.items[source].kind in ("input", "value") else 1)
            arrows.append(arrow)
            drawn.arrows[source, tensor] = arrow
        if len(made) == 2:
            arrows.append(Arrow(made[0].id, made[1].id, "link"))
    return Outline(vertices, arrows, *_words(reading)), drawn


def _vertices(item: Item, target: bool, scope: tuple[str, ...], ids: Identifiers) -> list[Vertex]:
    shape = shape_text(item.tensor.shape)
    title = f"{item.kind if item.kind != 'value' else 'tensor'} {spoken_name(item)}" + (f", shape {shape}" if shape else "")
    if item.kind not in ("value", "random") or (item.kind == "random" and not item.name):
        label = item.text if item.name else item.operator
        detail = shape if not (item.kind == "constant" and not item.name and label.latex.startswith(r"\begin")) else ""
        return [Vertex(ids.new(slug(item.name) if item.name else item.kind), item.kind, label, detail, scope, title=title)]
    result = [Vertex(ids.new(slug(item.name)), "output" if target else "value", item.text, shape, scope, title=title)] if item.name else []
    role = "random" if item.kind == "random" else "operation"
    detail = operation_detail(item)
    if not result and target:
        role = "output"
    operator = Vertex(
        ids.new(f"op-{slug(item.name or item.operator.plain)}"),
        role,
        item.operator,
        detail,
        item.cell or scope,
        title=f"operation {item.operator.plain}",
    )
    if role == "output":
        operator.shape, operator.title = "circle", f"{operator.title}, the result" + (f", shape {shape}" if shape else "")
    operator.small = len(item.operator.latex) > 40
    return [operator, *result]


def scopes_of(reading: Reading, inside: bool = False) -> dict[Tensor, tuple[str, ...]]:
    """The scope of each item: its name's, else that of its parameters, of what it is made of, or of all its users.

    ``inside`` counts the results of an unrolled iteration to it.
    """
    users = reading.users()
    found: dict[Tensor, tuple[str, ...]] = {}
    open_: list[Tensor] = []
    for tensor in reversed(list(reading.items)):
        item = reading.items[tensor]
        owned = [reading.items[t].scope for t in item.inputs if reading.items[t].kind in ("parameter", "state")]
        if item.cell and (inside or not item.name):
            found[tensor] = item.cell
        elif item.name or item.group is not None or owned:
            found[tensor] = item.scope if item.name or item.group is not None else _outside(_common(owned), reading)
        else:
            found[tensor] = _outside(_common([found[u] for u in users[tensor]]), reading)
            open_.append(tensor)
    for tensor in reversed(open_):  # what only passes on, such as an activation, stays with what it is made of
        made_of = [found[t] for t in reading.items[tensor].inputs if reading.items[t].kind in ("value", "input")]
        if any(reading.items[t].group is not None for t in reading.items[tensor].inputs):
            continue  # what a layer gives, the next one takes
        if made_of and (found[tensor] or not users[tensor]):
            found[tensor] = _outside(_common(made_of), reading) or found[tensor]
    return found


def _outside(scope: tuple[str, ...], reading: Reading) -> tuple[str, ...]:
    """A scope that is guessed, up to the first layer: what lies in a layer's call is known."""
    return next((scope[:k] for k in range(len(scope)) if scope[: k + 1] in reading.layers), scope)


def _common(scopes: list[tuple[str, ...]]) -> tuple[str, ...]:
    if not scopes:
        return ()
    length = 0
    while all(len(s) > length for s in scopes) and len({s[length] for s in scopes}) == 1:
        length += 1
    return scopes[0][:length]


def _words(reading: Reading) -> tuple[str, str]:
    """A title, and the whole graph as sentences that can be read aloud."""
    targets = [spoken_name(reading.items[t]) for t in reading.targets]
    kinds: dict[str, list[str]] = {}
    for item in reading.items.values():
        kinds.setdefault(item.kind, []).append(item.name or "unnamed")
    sentences = [f"Graph of {_listed(targets)}."]
    for kind, plural in (
        ("input", "inputs"),
        ("parameter", "parameters"),
        ("state", "states"),
        ("constant", "constants"),
        ("random", "random draws"),
    ):
        if names := kinds.get(kind):
            sentences.append(f"{(kind if len(names) == 1 else plural).capitalize()}: {_listed(names)}.")
    values = [i for i in reading.items.values() if i.kind == "value"]
    for item in values[:40]:
        arguments = [a if isinstance(a, str) else spoken_name(reading.items[a]) for a in item.arguments]
        made = f"{item.operator.plain} of {_listed(arguments)}" if arguments else item.operator.plain
        sentences.append(f"{item.name[:1].upper() + item.name[1:] if item.name else 'A step'} is {made}.")
    if len(values) > 40:
        sentences.append(f"And {len(values) - 40} more steps.")
    return f"Computational graph of {_listed(targets)}", " ".join(sentences)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"
