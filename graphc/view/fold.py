"""Folding by scopes: every scope of a large graph, from a depth on, becomes one node."""

from __future__ import annotations

from graphc.expr.dims import Extent, product
from graphc.view.names import name_text, slug
from graphc.view.outline import Arrow, Identifiers, Outline, Vertex
from graphc.view.reading import Reading

__all__ = ["best_depth", "count_text", "fold_scopes", "merged", "parameter_counts"]


def parameter_counts(reading: Reading) -> dict[tuple[str, ...], Extent]:
    """The number of entries of all parameters whose names lie in a scope, for every scope that has some."""
    found: dict[tuple[str, ...], Extent] = {}
    for item in reading.items.values():
        if item.kind == "parameter":
            for depth in range(1, len(item.scope) + 1):
                found[item.scope[:depth]] = found.get(item.scope[:depth], 0) + product(item.tensor.shape)
    return found


def count_text(count: Extent, what: str) -> str:
    """``1,024 parameters``, ``1 parameter``."""
    shown = f"{count:,}" if isinstance(count, int) else str(count)
    return f"{shown} {what}" if count == 1 else f"{shown} {what}s"


def best_depth(vertices: list[Vertex], most: int) -> int:
    """The deepest folding that leaves at most ``most`` nodes; 1 where none does, 0 where there is no scope."""
    deepest = max((len(v.scope) for v in vertices), default=0)
    for depth in range(deepest, 0, -1):
        if len({v.scope[:depth] if len(v.scope) >= depth else (v.id,) for v in vertices}) <= most:
            return depth
    return min(deepest, 1)


def fold_scopes(outline: Outline, reading: Reading, depth: int = 1) -> Outline:
    """The outline with the scopes of a depth folded, each into one node; those further out stay frames."""
    ids = Identifiers()
    for v in outline.vertices:
        ids.new(v.id)
    counts = parameter_counts(reading)
    members: dict[tuple[str, ...], list[Vertex]] = {}
    for v in outline.vertices:
        if len(v.scope) >= depth:
            members.setdefault(v.scope[:depth], []).append(v)
    folded: dict[tuple[str, ...], Vertex] = {}
    for scope, inside in members.items():
        operations = sum(v.id.startswith("op-") for v in inside)
        parameters = counts.get(scope, 0)
        details = [count_text(n, what) for n, what in ((operations, "operation"), (parameters, "parameter")) if n != 0]
        title = f"scope {'/'.join(scope)}, {', '.join(details)}"
        folded[scope] = Vertex(ids.new(slug(scope[-1])), "folded", name_text(scope[-1]), "\n".join(details), scope[:-1], title=title)
        folded[scope].inner = tuple((v.role, v.label.plain if v.id.startswith("op-") else "", v.detail) for v in inside)
    place = {v.id: folded[v.scope[:depth]] if len(v.scope) >= depth else v for v in outline.vertices}
    return merged(outline, place)


def merged(outline: Outline, place: dict[str, Vertex]) -> Outline:
    """The outline with other nodes in the place of its own; arrows between the same two are one."""
    vertices = list({v.id: v for v in place.values()}.values())
    arrows: dict[tuple[str, str, str], Arrow] = {}
    for a in outline.arrows:
        tail, head = place[a.tail].id, place[a.head].id
        if tail == head:
            continue
        same = (tail, head) == (a.tail, a.head)
        title = a.title if same else f"{place[a.tail].label.plain} goes into {place[a.head].label.plain}"
        labels = a.labels if same else []
        fresh = Arrow(tail, head, a.kind, labels, title, a.constraint, a.role, a.thickness, a.weight)
        kept = arrows.setdefault((tail, head, a.kind), fresh)
        kept.thickness, kept.role = max((kept.thickness, kept.role), (a.thickness, a.role))
    return outline.replaced(vertices, list(arrows.values()))
