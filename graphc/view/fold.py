"""Folding: every outermost scope of a large graph becomes one node."""

from __future__ import annotations

from graphc.expr.dims import Extent, product
from graphc.view.names import name_text, slug
from graphc.view.outline import Arrow, Identifiers, Outline, Vertex
from graphc.view.reading import Reading

__all__ = ["count_text", "fold", "parameter_count"]


def parameter_count(reading: Reading, scope: tuple[str, ...]) -> Extent:
    """The number of entries of all parameters whose names lie in a scope."""
    total: Extent = 0
    for item in reading.items.values():
        if item.kind == "parameter" and item.scope[: len(scope)] == scope:
            total = total + product(item.tensor.shape)
    return total


def count_text(count: Extent, what: str) -> str:
    """``1,024 parameters``, ``1 parameter``."""
    shown = f"{count:,}" if isinstance(count, int) else str(count)
    return f"{shown} {what}" if count == 1 else f"{shown} {what}s"


def fold(outline: Outline, reading: Reading) -> Outline:
    """The outline with scopes folded, and a caption that says so."""
    ids = Identifiers()
    for v in outline.vertices:
        ids.new(v.id)
    folded: dict[str, Vertex] = {}
    place: dict[str, Vertex] = {}
    members: dict[str, list[Vertex]] = {}
    for v in outline.vertices:
        if v.scope:
            members.setdefault(v.scope[0], []).append(v)
    for name, inside in members.items():
        operations = sum(v.id.startswith("op-") for v in inside)
        parameters = parameter_count(reading, (name,))
        details = [count_text(operations, "operation"), *([count_text(parameters, "parameter")] if parameters != 0 else [])]
        folded[name] = Vertex(ids.new(slug(name)), "folded", name_text(name), "\n".join(details), title=f"scope {name}, {', '.join(details)}")
    vertices: list[Vertex] = []
    for v in outline.vertices:
        place[v.id] = folded[v.scope[0]] if v.scope else v
        if place[v.id] not in vertices:
            vertices.append(place[v.id])
    arrows: dict[tuple[str, str, str], Arrow] = {}
    for a in outline.arrows:
        tail, head = place[a.tail].id, place[a.head].id
        if tail != head:
            arrows.setdefault((tail, head, a.kind), Arrow(tail, head, a.kind, a.labels, a.title, a.constraint, a.role, a.thickness, a.weight))
    count = len(outline.vertices)
    caption = f"{count} nodes: " + ("each scope is folded into one node" if folded else "group them with gx.scope, and each scope becomes one node")
    return Outline(
        vertices, list(arrows.values()), outline.title, f"{outline.description} {caption}.", [*outline.captions, caption], roomy=outline.roomy
    )
