"""An outline as DOT for other tools: plain text labels, colours, shapes and frames."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcError
from graphc.view.outline import Outline, Vertex
from graphc.view.styles import SHAPES, Style
from graphc.view.svg import clean

__all__ = ["dot"]

_SHAPES = {"pill": "box", "box": "box", "round": "box", "octagon": "octagon", "circle": "circle", "stack": "box3d"}
_LINES = {"flow": "solid", "link": "solid", "backward": "dashed", "saved": "dotted", "strong": "bold", "loop": "dashed"}


def dot(outline: Outline, style: Style) -> str:
    """The DOT source; the order of nodes and edges is that of the graph."""
    try:
        import graphviz
    except ImportError as error:
        raise GraphcError(f"pictures need {error.name}, which is not installed: pip install {error.name}") from None
    graph = graphviz.Digraph("graphc")
    colours = style.light
    graph.attr(rankdir="LR" if outline.left_to_right else "TB", bgcolor=colours["background"], tooltip=_text(graphviz, outline.title))
    graph.attr("node", fontname="serif", fontsize="14", fontcolor=colours["ink"])
    graph.attr("edge", color=colours["edge"], fontname="serif", fontsize="11", fontcolor=colours["gradient"], arrowsize="0.7")
    _nodes(graphviz, graph, outline.vertices, 0, style, "")
    for arrow in outline.arrows:
        options = {"style": _LINES[arrow.kind], "tooltip": _text(graphviz, arrow.title)}
        if arrow.labels:
            options["label"] = _text(graphviz, "\n".join(t.plain for t in arrow.labels))
        if arrow.kind == "link":
            options["dir"] = "none"
        if not arrow.constraint:
            options["constraint"] = "false"
        graph.edge(arrow.tail, arrow.head, **options)
    return graph.source


def _text(graphviz: Any, text: str) -> str:
    """Any text as a DOT string: neither markup nor escape sequences."""
    return graphviz.nohtml("\\n".join(graphviz.escape(clean(line)) for line in text.split("\n")))


def _nodes(graphviz: Any, graph: Any, vertices: list[Vertex], depth: int, style: Style, path: str) -> None:
    inside: dict[str, list[Vertex]] = {}
    for v in vertices:
        if len(v.scope) > depth:
            inside.setdefault(v.scope[depth], []).append(v)
            continue
        look = SHAPES[v.role]
        shape = v.shape or look.shape
        lines = [*(t.plain for t in v.above), v.label.plain, *([v.detail] if v.detail else []), *(t.plain for t in v.below)]
        graph.node(
            v.id, label=_text(graphviz, "\n".join(lines)), shape=_SHAPES[shape], tooltip=_text(graphviz, v.title),
            style=",".join(["filled", *(["rounded"] if shape in ("pill", "round") else []), *(["dashed"] if look.dash else [])]),
            color=style.light[f"{v.role}-line"], fillcolor=style.light[f"{v.role}-fill"], penwidth=f"{look.width:g}",
            peripheries="2" if look.double else "1",
        )  # fmt: skip
    for k, (name, members) in enumerate(inside.items()):
        inner = graphviz.Digraph(name=f"cluster{path}_{k}")
        inner.attr(label=_text(graphviz, name), color=style.light["cluster"], style="rounded", fontcolor=style.light["muted"])
        _nodes(graphviz, inner, members, depth + 1, style, f"{path}_{k}")
        graph.subgraph(inner)
