"""Layout by Graphviz, in process: boxes of known sizes in, places and curves out. This module alone knows Graphviz.

Every box has a fixed size, so that no font is ever measured by Graphviz, and the edges run to the centres of their
nodes; the drawing cuts them at the nodes' true outlines.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import GraphcError
from graphc.view.scene import Point

__all__ = ["Boxes", "Edge", "Frame", "Places", "arrange"]


LARGE = 250


@dataclass(frozen=True, slots=True)
class Frame:
    """A group of nodes with a title of a known size; ``inside`` holds the keys of nodes and of inner groups."""

    key: str
    label: tuple[float, float]
    nodes: tuple[str, ...]
    inner: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge whose label needs that much room; ``weight`` keeps its ends close and in line."""

    tail: str
    head: str
    label: tuple[float, float] | None = None
    weight: int = 1
    constraint: bool = True


@dataclass(slots=True)
class Boxes:
    """What is to be laid out."""

    nodes: dict[str, tuple[float, float]]
    edges: list[Edge]
    frames: list[Frame] = field(default_factory=list[Frame])
    ranks: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    left_to_right: bool = True
    gap: tuple[float, float] = (16.0, 26.0)
    top: str = ""


@dataclass(slots=True)
class Places:
    """Where everything went: centres of nodes, curves, centres of labels, frames as (left, top, right, bottom)."""

    width: float
    height: float
    nodes: dict[str, Point]
    curves: list[tuple[Point, ...]]
    labels: list[Point | None]
    frames: dict[str, tuple[float, float, float, float]]


def arrange(boxes: Boxes) -> Places:
    """Places for all boxes.

    Raises:
        GraphcError: where the layout program is not installed, or finds no layout.
    """
    try:
        import graphviz
        import pygraphviz
    except ImportError as error:
        raise GraphcError(f"pictures need {error.name}, which is not installed: pip install {error.name}") from None

    def run(labels: str) -> Places:
        try:
            raw: Any = pygraphviz.AGraph(string=_dot(graphviz, boxes, labels)).draw(format="json0", prog="dot", args="-q")
        except Exception:  # noqa: BLE001  whatever Graphviz says speaks of its own affairs, not of the user's graph
            raise GraphcError("no layout was found for this graph: draw a part of it, or use view='layer'") from None
        return _read(json.loads(raw), boxes)

    places = run("t")
    if boxes.top and min(places.frames, key=lambda k: places.frames[k][1]) != boxes.top:
        places = _flipped(run("b"))
    return places


def _flipped(places: Places) -> Places:
    """Upside down."""
    high = places.height

    def turn(p: Point) -> Point:
        return p[0], round(high - p[1], 2)

    return Places(
        places.width, high, {k: turn(p) for k, p in places.nodes.items()}, [tuple(turn(p) for p in c) for c in places.curves],
        [turn(p) if p else None for p in places.labels], {k: (a, high - d, c, high - b) for k, (a, b, c, d) in places.frames.items()},
    )  # fmt: skip


def _inches(points: float) -> str:
    return f"{points / 72:.4f}"


def _room(size: tuple[float, float]) -> str:
    width, height = (int(s) + 1 for s in size)
    plain = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
    return f'<<TABLE {plain} FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"><TR><TD></TD></TR></TABLE>>'


def _dot(graphviz: Any, boxes: Boxes, labels: str) -> str:
    names = {key: f"n{k}" for k, key in enumerate(boxes.nodes)}
    graph = graphviz.Digraph()
    graph.attr(
        rankdir="LR" if boxes.left_to_right else "TB", nodesep=_inches(boxes.gap[0]), ranksep=_inches(boxes.gap[1]),
        newrank="true", labelloc=labels, pad="0", splines="true", outputorder="nodesfirst",
    )  # fmt: skip
    if len(boxes.nodes) > LARGE:  # the best layout would take minutes
        graph.attr(nslimit="0.5", nslimit1="0.5", mclimit="0.1", maxiter="50", splines="line")
    graph.attr("node", shape="box", fixedsize="true", label="")
    graph.attr("edge", dir="none", headclip="false", tailclip="false")
    for key, (width, height) in boxes.nodes.items():
        graph.node(names[key], width=_inches(width), height=_inches(height))
    for frame in boxes.frames:
        _frame(graphviz, graph, frame, names)
    for rank in boxes.ranks:
        graph.body.append("\t{rank=same; " + "; ".join(names[k] for k in rank) + "}\n")
    for k, edge in enumerate(boxes.edges):
        options = {"weight": str(edge.weight)}
        if not edge.constraint:
            options["constraint"] = "false"
        ends = [names[edge.tail], names[edge.head]]
        if edge.label is not None:  # a label is a node that the edge runs through, so that none can be taken for another's
            graph.node(f"l{k}", width=_inches(edge.label[0]), height=_inches(edge.label[1]))
            ends.insert(1, f"l{k}")
        for part, (a, b) in enumerate(itertools.pairwise(ends)):
            graph.edge(a, b, id=f"e{k}_{part}", **options)
    return graph.source


def _frame(graphviz: Any, graph: Any, frame: Frame, names: dict[str, str]) -> None:
    inner = graphviz.Digraph(name=f"cluster_{frame.key}")
    inner.attr(label=_room(frame.label), margin="12", id=frame.key)
    for node in frame.nodes:
        inner.node(names[node])
    for child in frame.inner:
        _frame(graphviz, inner, child, names)
    graph.subgraph(inner)


def _point(text: str) -> Point:
    x, y = text.split(",")
    return float(x), float(y)


def _read(drawn: Any, boxes: Boxes) -> Places:
    left, bottom, right, top = map(float, drawn["bb"].split(","))

    def place(text: str) -> Point:
        x, y = _point(text)
        return round(x - left, 2), round(top - y, 2)

    keys = {f"n{k}": key for k, key in enumerate(boxes.nodes)}
    objects = drawn.get("objects", [])
    nodes = {keys[o["name"]]: place(o["pos"]) for o in objects if o["name"] in keys}
    frames: dict[str, tuple[float, float, float, float]] = {}
    for o in objects:
        if o["name"].startswith("cluster_") and "bb" in o:
            x0, y0, x1, y1 = map(float, o["bb"].split(","))
            frames[o["name"].removeprefix("cluster_")] = (x0 - left, top - y1, x1 - left, top - y0)
    curves: list[tuple[Point, ...]] = [() for _ in boxes.edges]
    middles = {o["name"]: place(o["pos"]) for o in objects if o["name"].startswith("l")}
    labels = [middles.get(f"l{k}") for k in range(len(boxes.edges))]
    for e in sorted(drawn.get("edges", []), key=lambda e: e["id"]):
        k = int(e["id"][1:].partition("_")[0])
        points = tuple(place(p) for p in e["pos"].split() if p[0] not in "es")
        curves[k] = (*curves[k], *points[1:]) if curves[k] else points
    return Places(right - left, top - bottom, {k: nodes[k] for k in boxes.nodes}, curves, labels, frames)
