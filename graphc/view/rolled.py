"""A recurrence as a frame around the graph of one iteration: what comes in, what goes out, what is carried to the next."""

from __future__ import annotations

from collections.abc import Callable

from graphc.expr.operation import Scan
from graphc.expr.tensor import Tensor
from graphc.view.names import Text, name_text, shape_text, slug
from graphc.view.outline import Arrow, Identifiers, Vertex
from graphc.view.reading import Item, Reading, read
from graphc.view.unroll import times

__all__ = ["Body", "roll"]

Vertices = Callable[[Item, bool, tuple[str, ...], Identifiers], list[Vertex]]


class Body:
    """The drawn iteration of a recurrence: its nodes and arrows, and the node that carries each result."""

    def __init__(
        self, tensor: Tensor, outer: dict[Tensor, Vertex], reading: Reading, scope: tuple[str, ...], ids: Identifiers, make: Vertices
    ) -> None:
        op = tensor.op
        assert isinstance(op, Scan)
        self.op = op
        self.vertices: list[Vertex] = []
        self.arrows: list[Arrow] = []
        self.t = times(op)[0]
        self._scope = (*scope, f"repeat for {self.t} = {op.length} … 1" if op.reverse else f"repeat for {self.t} = 1 … {op.length}")
        self._ids, self._make = ids, make
        given = [reading.sources.get(t, t) for t in tensor.inputs]
        body = read(op.results, within=True)
        self._places: dict[Tensor, Vertex] = {}
        for k, (inner, source) in enumerate(zip(op.parameters, given, strict=True)):
            if k >= op.carries + op.sequences and source in outer:
                self._places[inner] = outer[source]
            elif inner in body.items or k < op.carries:
                after = body.items[body.sources[op.results[k]]].name if k < op.carries else ""
                self._places[inner] = self._entering(inner, k < op.carries, outer.get(source), after)
        self._draw(body)
        self.results = [self._places[body.sources[t]] for t in op.results]
        for carry, result in zip(op.parameters[: op.carries], self.results, strict=False):
            head = self._places[carry]
            self.arrows.append(Arrow(result.id, head.id, "loop", title=f"{head.label.plain} of the next iteration", constraint=False))

    def _entering(self, inner: Tensor, carried: bool, source: Vertex | None, after: str) -> Vertex:
        """The node of a carry as the iteration finds it, or of the item of this iteration."""
        name = after.rpartition("/")[2] or inner.name.rpartition("/")[2] or ("carry" if carried else "item")
        when = self.t if not carried else f"{self.t}+1" if self.op.reverse else f"{self.t}-1"
        latex = name_text(name).latex
        label = Text(f"{name} at {when}", f"{latex}_{{{when}}}" if latex and not set("_^'") & set(latex) else "")
        vertex = Vertex(self._ids.new(slug(f"{name}-{when}")), "state" if carried else "input", label, shape_text(inner.shape), self._scope)
        vertex.title = f"{'carry' if carried else 'item'} {label.plain}"
        self.vertices.append(vertex)
        if source is not None:
            self.arrows.append(Arrow(source.id, vertex.id, title=f"{source.label.plain} {'starts' if carried else 'gives'} {label.plain}", weight=3))
        return vertex

    def _draw(self, body: Reading) -> None:
        for tensor, item in body.items.items():
            if tensor in self._places:
                continue
            made = self._make(item, False, self._scope, self._ids)
            self.vertices += made
            self._places[tensor] = made[-1]
            for source in dict.fromkeys(item.inputs):
                tail = self._places[source]
                self.arrows.append(Arrow(tail.id, made[0].id, title=f"{tail.label.plain} goes into {item.operator.plain}", weight=2))
            if len(made) == 2:
                self.arrows.append(Arrow(made[0].id, made[1].id, "link"))


def roll(tensor: Tensor, body: Body) -> tuple[Vertex, Text]:
    """The node of one iteration that a result of the recurrence comes from, and what is taken of it: the last, or all."""
    op, k = body.op, tensor.output
    if k < op.carries:
        return body.results[k], Text("the last", r"\mathrm{last}")
    outputs = len(op.results) - op.carries
    if k < op.carries + outputs:
        return body.results[k], Text("all of them", rf"\mathrm{{all}}\;{body.t}")
    return body.results[k - op.carries - outputs], Text("the carries before", rf"\mathrm{{before}}\;{body.t}")
