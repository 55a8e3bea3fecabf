"""From an outline to a scene: measure all text, lay the boxes out, cut the arrows, put everything in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.view.geometry import Outside, arrow_head, cut, outside_of
from graphc.view.glyphs import glyph
from graphc.view.layout import Boxes, Edge, Frame, Places, arrange
from graphc.view.legend import legend
from graphc.view.names import Text, name_text
from graphc.view.outline import Arrow, Note, Outline, Vertex
from graphc.view.scene import Area, Curve, Group, Label, Point, Polygon, Primitive, Scene
from graphc.view.styles import SHAPES

__all__ = ["Canvas", "Shown", "compose", "node_parts", "note_room"]

NAME, SYMBOL, DETAIL, VALUE, FRAME_SIZE, CAPTION = 17.0, 16.0, 9.5, 12.5, 12.0, 10.0
MARGIN = 14.0


@dataclass(slots=True)
class _Box:
    """A vertex measured: its shape's size, and with what stands above and below it."""

    vertex: Vertex
    shape: str
    inner: tuple[float, float]
    outer: tuple[float, float]
    lift: float = 0.0


def _value_size(text: Text) -> float:
    return VALUE * 0.84 if "matrix" in text.latex or r"\text" in text.latex else VALUE


def _height(texts: list[Text]) -> float:
    return sum(glyph(t, _value_size(t)).height + 3 for t in texts) + (5 if texts else 0)


def _measure(vertex: Vertex, movable: bool) -> _Box:
    shape = vertex.shape or SHAPES[vertex.role].shape
    label = glyph(vertex.label, _label_size(vertex))
    width, height = label.width, label.height
    if vertex.detail:
        lines = [glyph(Text(line), DETAIL) for line in vertex.detail.split("\n")]
        width, height = max([width, *(g.width for g in lines)]), height + sum(g.height + 3 for g in lines)
    if shape == "circle":
        if max(width, height) <= 24:
            side = max(27.0, (width**2 + height**2) ** 0.5 + 7)
            width = height = side
        else:
            shape, width, height = "pill", width + 22, max(27.0, height + 10)
    else:
        width, height = max(34.0, width + (24 if shape in ("pill", "octagon") else 18)), max(30.0, height + 13)
    if shape == "stack":
        width, height = max(width, 74.0), max(height, 40.0)
    above, below = _height(vertex.above), _height(vertex.below)
    if movable:  # nothing comes in, so the shape need not be in the middle of its room
        lift, extra = (above - below) / 2, (above + below) / 2
    else:
        lift, extra = 0.0, max(above, below)
    widest = max([width, *(glyph(t, _value_size(t)).width + 4 for t in (*vertex.above, *vertex.below))])
    return _Box(vertex, shape, (width, height), (widest, height + 2 * extra), lift)


def _label_size(vertex: Vertex) -> float:
    size = SYMBOL if vertex.role == "operation" else NAME
    return size * 0.82 if vertex.small else size


@dataclass(frozen=True, slots=True)
class Shown:
    """What of an outline one frame shows: keys of nodes with values, with gradients, of labelled and of lively arrows."""

    above: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()
    labels: frozenset[int] = frozenset()
    lively: tuple[str, ...] = ()
    arrows: tuple[int, ...] = ()
    role: str = "value"
    notes: tuple[Note, ...] = ()


class Canvas:
    """An outline laid out once: any number of scenes of it have everything in the same place."""

    def __init__(self, outline: Outline, notes: tuple[float, float] = (0.0, 0.0)) -> None:
        self.outline = outline
        heads = {a.head for a in outline.arrows}
        self._boxes = {v.id: _measure(v, v.id not in heads and v.role != "input") for v in outline.vertices}
        self._places = arrange(_boxes(outline, self._boxes))
        _lift(outline, self._boxes, self._places)
        self._room = notes

    def scene(self, shown: Shown | None = None) -> Scene:
        """The whole, or what a frame shows of it."""
        outline, places, boxes = self.outline, self._places, self._boxes
        groups = _frames(outline, places)
        for k, arrow in enumerate(outline.arrows):
            if places.curves[k]:
                lively = shown.role if shown is not None and k in shown.arrows else ""
                labelled = shown is None or k in shown.labels
                groups.append(_arrow(arrow, places.curves[k], places.labels[k] if labelled else None, boxes, places, lively))
        for v in outline.vertices:
            above = v.above if shown is None or v.id in shown.above else []
            below = v.below if shown is None or v.id in shown.below else []
            lively = shown.role if shown is not None and v.id in shown.lively else ""
            groups.append(Group(v.id, v.role, v.title if shown is None else "", _node(boxes[v.id], places.nodes[v.id], above, below, lively)))
        notes = tuple(outline.notes) if shown is None else shown.notes
        width, height = self._below(groups, notes)
        total = (round(width + 2 * MARGIN, 2), round(height + 2 * MARGIN, 2))
        return Scene(*total, outline.title, outline.description, [_moved(g, MARGIN, MARGIN) for g in groups])

    def _below(self, groups: list[Group], notes: tuple[Note, ...]) -> tuple[float, float]:
        """Notes, legend and captions under the graph; the size of the whole."""
        width, height = self._places.width, self._places.height
        if notes or self._room[1]:
            top = height + 12
            for k, (text, role) in enumerate(notes):
                drawn = glyph(text, VALUE)
                groups.append(Group(f"note-{k}", "note", text.plain, [Label(text, drawn.width / 2, top + drawn.height / 2, VALUE, role)]))
                top += drawn.height + 6
                width = max(width, drawn.width)
            width, height = max(width, self._room[0]), max(top, height + 12 + self._room[1])
        below, size = legend(self.outline, max(width, 490.0))
        if below is not None:
            groups.append(_moved(below, 0.0, height + 14))
            width, height = max(width, size[0]), height + 14 + size[1]
        for k, caption in enumerate(self.outline.captions):
            drawn = glyph(Text(caption), CAPTION)
            groups.append(Group(f"caption-{k}", "caption", "", [Label(Text(caption), drawn.width / 2, height + 14, CAPTION, "muted")]))
            width, height = max(width, drawn.width), height + 18
        return width, height


def compose(outline: Outline) -> Scene:
    """The scene of an outline."""
    return Canvas(outline).scene()


def note_room(notes: Sequence[Sequence[Note]]) -> tuple[float, float]:
    """The room that the largest of several sets of notes needs."""
    sizes = [[glyph(text, VALUE) for text, _ in group] for group in notes]
    width = max((g.width for group in sizes for g in group), default=0.0)
    return width, max((sum(g.height + 6 for g in group) for group in sizes), default=0.0)


def _lift(outline: Outline, boxes: dict[str, _Box], places: Places) -> None:
    """Move shapes to their place within their room, and the starts of their arrows with them."""
    for key, (x, y) in places.nodes.items():
        places.nodes[key] = (x, y + boxes[key].lift)
    for k, arrow in enumerate(outline.arrows):
        lift = boxes[arrow.tail].lift
        if lift and places.curves[k]:
            (x0, y0), (x1, y1), *rest = places.curves[k]
            places.curves[k] = ((x0, y0 + lift), (x1, y1 + lift), *rest)


def _boxes(outline: Outline, boxes: dict[str, _Box]) -> Boxes:
    labelled = any(a.labels for a in outline.arrows)
    edges = [Edge(a.tail, a.head, _label_room(a), 8 if a.kind == "link" else a.weight, a.constraint) for a in outline.arrows]
    ranks: dict[str, list[str]] = {}
    for v in outline.vertices:
        if v.rank:
            ranks.setdefault(v.rank, []).append(v.id)
    return Boxes(
        {k: b.outer for k, b in boxes.items()}, edges, _scopes(outline.vertices), [tuple(r) for r in ranks.values() if len(r) > 1],
        outline.left_to_right, gap=(16.0, 14.0 if labelled else 34.0 if outline.roomy else 24.0),
        top=_key_of(outline, outline.top),
    )  # fmt: skip


def _key_of(outline: Outline, scope: str) -> str:
    names: dict[str, str] = {}
    _frame_names(outline.vertices, 0, "s", names)
    return next((k for k, name in names.items() if scope and name == scope), "")


def _label_room(arrow: Arrow) -> tuple[float, float] | None:
    if not arrow.labels:
        return None
    drawn = [glyph(t, _value_size(t)) for t in arrow.labels]
    return max(g.width for g in drawn) + 10, sum(g.height + 3 for g in drawn) + 4


def _scopes(vertices: list[Vertex], depth: int = 0, path: str = "s") -> list[Frame]:
    """The frames of the scopes, nested, in order of their first node."""
    inside: dict[str, list[Vertex]] = {}
    for v in vertices:
        if len(v.scope) > depth:
            inside.setdefault(v.scope[depth], []).append(v)
    frames: list[Frame] = []
    for k, (name, members) in enumerate(inside.items()):
        size = glyph(_frame_text(name), FRAME_SIZE)
        key = f"{path}_{k}"
        own = tuple(v.id for v in members if len(v.scope) == depth + 1)
        frames.append(Frame(key, (size.width + 4, size.height + 4), own, tuple(_scopes(members, depth + 1, key))))
    return frames


def _frame_text(name: str) -> Text:
    return Text(name_text(name).plain)


def _frames(outline: Outline, places: Places) -> list[Group]:
    names: dict[str, str] = {}
    _frame_names(outline.vertices, 0, "s", names)
    groups: list[Group] = []
    for key in sorted(places.frames, key=lambda k: (k.count("_"), k)):
        x0, y0, x1, y1 = places.frames[key]
        text = _frame_text(names[key])
        size = glyph(text, FRAME_SIZE)
        parts: list[Primitive] = [
            Area(x0, y0, x1 - x0, y1 - y0, 9, "cluster-fill", "cluster", 1.0),
            Label(text, x0 + 9 + size.width / 2, y0 + 6 + size.height / 2, FRAME_SIZE, "muted"),
        ]
        groups.append(Group(f"scope-{key}", "scope", f"scope {names[key]}", parts))
    return groups


def _frame_names(vertices: list[Vertex], depth: int, path: str, names: dict[str, str]) -> None:
    inside: dict[str, list[Vertex]] = {}
    for v in vertices:
        if len(v.scope) > depth:
            inside.setdefault(v.scope[depth], []).append(v)
    for k, (name, members) in enumerate(inside.items()):
        names[f"{path}_{k}"] = name
        _frame_names(members, depth + 1, f"{path}_{k}", names)


def _outside(box: _Box, centre: Point, margin: float) -> Outside:
    double = 2.6 if SHAPES[box.vertex.role].double or box.vertex.role == "output" else 0.0
    return outside_of(box.shape, centre, box.inner[0], box.inner[1], margin + double)


_ARROWS = {  # kind: colour, dash, thickness
    "flow": ("edge", "", 1.15), "link": ("edge", "", 1.15), "backward": ("gradient", "5 3", 1.25),
    "saved": ("muted", "1.2 3", 0.9), "strong": ("gradient", "", 2.4), "loop": ("state-line", "4 2.5", 1.4),
}  # fmt: skip


def _arrow(arrow: Arrow, curve: tuple[Point, ...], at: Point | None, boxes: dict[str, _Box], places: Places, lively: str) -> Group:
    tail, head = boxes[arrow.tail], boxes[arrow.head]
    role, dash, thickness = _ARROWS[arrow.kind]
    role, thickness = lively or arrow.role or role, 2.4 if lively else arrow.thickness or thickness
    gap = 0.6 if arrow.kind == "link" else 7.0
    start, end = _outside(tail, places.nodes[arrow.tail], 0.6), _outside(head, places.nodes[arrow.head], gap)
    points = cut(curve, start, end)
    parts: list[Primitive] = [Curve(points, role, thickness, dash)]
    if arrow.kind != "link":
        triangle = arrow_head(points, _outside(head, places.nodes[arrow.head], 0.8))
        base = (triangle[1][0] + triangle[2][0]) / 2, (triangle[1][1] + triangle[2][1]) / 2
        if (base[0] - points[-1][0]) ** 2 + (base[1] - points[-1][1]) ** 2 > (
            1 if dash == "" else 9
        ):  # a line that comes in at a slant goes on to its head
            parts[0] = Curve((*points, points[-1], base, base), role, thickness, dash)
        parts.append(Polygon(triangle, role))
    if at is not None:
        parts += _stacked(arrow.labels, at[0], at[1] - sum(glyph(t, _value_size(t)).height + 3 for t in arrow.labels) / 2, "gradient", 0.94)
    return Group(f"edge-{arrow.tail}-{arrow.head}", f"{arrow.kind}-edge", arrow.title, parts)


def _stacked(texts: list[Text], x: float, top: float, role: str, cover: float = 0.82) -> list[Primitive]:
    parts: list[Primitive] = []
    for text in texts:
        size = glyph(text, _value_size(text))
        parts.append(Area(x - size.width / 2 - 2, top - 0.5, size.width + 4, size.height + 1, 2, "background", opacity=cover))
        parts.append(Label(text, x, top + size.height / 2, _value_size(text), role))
        top += size.height + 3
    return parts


def _node(box: _Box, centre: Point, above: list[Text], below: list[Text], lively: str) -> list[Primitive]:
    v = box.vertex
    x, y = centre
    parts: list[Primitive] = []
    if lively:
        (w, h), g = box.inner, 5.0 if SHAPES[v.role].double else 2.6
        radius = {"circle": min(w, h) / 2, "pill": min(w, h) / 2}.get(box.shape, 6.0) + g
        parts.append(Area(x - w / 2 - g, y - h / 2 - g, w + 2 * g, h + 2 * g, radius, "background", lively, 2.4))
    parts += node_parts(v.role, box.shape, centre, box.inner)
    size = glyph(v.label, _label_size(v))
    lines = v.detail.split("\n") if v.detail else []
    step = DETAIL * 1.05 + 3
    total = size.height + step * len(lines)
    parts.append(Label(v.label, x, y - total / 2 + size.height / 2, _label_size(v)))
    for k, line in enumerate(lines):
        parts.append(Label(Text(line), x, y + total / 2 - step * (len(lines) - k) + step / 2 + 1.5, DETAIL, "muted"))
    edge = box.inner[1] / 2 + (2.6 if v.role == "output" else 0)
    parts += _stacked(above, x, y - edge - _height(above), "value")
    parts += _stacked(below, x, y + edge + 6, "gradient")
    return parts


def node_parts(role: str, shape: str, centre: Point, size: tuple[float, float]) -> list[Primitive]:
    """The outline of a node of a role and a shape."""
    (x, y), (w, h), look = centre, size, SHAPES[role]
    fill, line = f"{role}-fill", f"{role}-line"
    left, top = x - w / 2, y - h / 2
    if shape == "octagon":
        c = 7.0
        corners = [
            (left + c, top), (left + w - c, top), (left + w, top + c), (left + w, top + h - c),
            (left + w - c, top + h), (left + c, top + h), (left, top + h - c), (left, top + c),
        ]  # fmt: skip
        return [Polygon(tuple(corners), fill, line, look.width, look.dash)]
    radius = {"circle": min(w, h) / 2, "pill": min(w, h) / 2, "round": 6.0, "stack": 4.0}.get(shape, 0.8)
    parts: list[Primitive] = []
    if shape == "stack":
        parts = [Area(left + d, top - d, w, h, radius, fill, line, 1.0) for d in (6.0, 3.0)]
    if look.double:
        g = 2.6
        parts.append(Area(left - g, top - g, w + 2 * g, h + 2 * g, radius + g, "background", line, 1.0))
    parts.append(Area(left, top, w, h, radius, fill, line, look.width, look.dash))
    return parts


def _moved(group: Group, dx: float, dy: float) -> Group:
    return Group(group.id, group.kind, group.title, [_shift(p, dx, dy) for p in group.parts])


def _shift(part: Primitive, dx: float, dy: float) -> Primitive:
    if isinstance(part, Area):
        return Area(part.x + dx, part.y + dy, part.width, part.height, part.radius, part.fill, part.line, part.thickness, part.dash, part.opacity)
    if isinstance(part, Label):
        return Label(part.text, part.x + dx, part.y + dy, part.size, part.role)
    points = tuple((x + dx, y + dy) for x, y in part.points)
    if isinstance(part, Curve):
        return Curve(points, part.line, part.thickness, part.dash, part.opacity)
    return Polygon(points, part.fill, part.line, part.thickness, part.dash)
