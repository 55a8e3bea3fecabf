"""The outline of a picture: its nodes and arrows with all that is written on them, before any place is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from graphc.view.names import Text

__all__ = ["Arrow", "Identifiers", "Note", "Outline", "Vertex"]


Note = tuple[Text, str]  # a line under the graph, and the role of its colour


@dataclass(slots=True)
class Vertex:
    """A node: ``label`` inside it, ``detail`` below the label, ``above`` and ``below`` outside of it.

    ``role`` names its colours and, unless ``shape`` says otherwise, its shape.
    """

    id: str
    role: str
    label: Text
    detail: str = ""
    scope: tuple[str, ...] = ()
    above: list[Text] = field(default_factory=list[Text])
    below: list[Text] = field(default_factory=list[Text])
    title: str = ""
    shape: str = ""
    small: bool = False
    rank: str = ""
    inner: tuple[object, ...] = ()  # what is folded in it, where that tells it from others


@dataclass(slots=True)
class Arrow:
    """An edge; ``kind`` is flow, backward, saved, link (no head), strong or loop."""

    tail: str
    head: str
    kind: str = "flow"
    labels: list[Text] = field(default_factory=list[Text])
    title: str = ""
    constraint: bool = True
    role: str = ""
    thickness: float = 0.0
    weight: int = 1


@dataclass(slots=True)
class Outline:
    """Nodes and arrows, and what is said about the whole."""

    vertices: list[Vertex]
    arrows: list[Arrow]
    title: str
    description: str
    captions: list[str] = field(default_factory=list[str])
    left_to_right: bool = True
    roomy: bool = False
    top: str = ""
    notes: list[Note] = field(default_factory=list[Note])

    def replaced(self, vertices: list[Vertex], arrows: list[Arrow]) -> Outline:
        """The same outline with other nodes and arrows."""
        return replace(self, vertices=vertices, arrows=arrows)


class Identifiers:
    """Identifiers made of names, each given once."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """``wanted``, or with a number behind it where that is taken."""
        name, count = wanted, self._taken.get(wanted, 0)
        while name in self._taken:
            count += 1
            name = f"{wanted}-{count}"
        self._taken[wanted] = count
        self._taken[name] = 0
        return name
