"""How a large graph becomes a readable one: its scopes, then its repetitions, then stretches of it become single nodes.

The rule depends on the graph alone, so that the same graph gives the same picture.
"""

from __future__ import annotations

from graphc.errors import DeclarationError, GraphcError
from graphc.view.fold import best_depth, count_text, fold_scopes, merged
from graphc.view.names import Text
from graphc.view.outline import Identifiers, Outline, Vertex
from graphc.view.reading import Reading
from graphc.view.repeats import fold_repeats

__all__ = ["BOXES", "FOLD", "MANY", "checked_folding", "condensed"]

FOLD = 60  # nodes that one looks at with ease: above it, scopes and repetitions are folded
BOXES = 24  # the same for layers, whose boxes are wide
MANY = 150  # nodes that a picture still holds: above it, stretches are folded
STRETCHES = 16
MOST = 1000  # nodes that can be laid out in reasonable time


def checked_folding(fold: object, depth: object) -> None:
    """Refuse options that mean nothing.

    Raises:
        DeclarationError: saying what they may be.
    """
    if not isinstance(fold, bool):
        raise DeclarationError(f"fold={fold!r} is neither True (fold a graph of more than {FOLD} nodes) nor False (draw every node)")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise DeclarationError(f"depth={depth!r}: give a whole number from 1 on, 1 folds every outermost scope, 2 those inside them")


def condensed(outline: Outline, reading: Reading, fold: bool = True, depth: int | None = None, most: int = FOLD) -> Outline:
    """The outline with as much folded as it takes to be read, and a caption that says what, and how to see more.

    ``most`` is the number of nodes above which anything is folded.

    Raises:
        GraphcError: for more nodes than can be laid out, where folding is switched off.
    """
    count = len(outline.vertices)
    if not fold and depth is None:
        if count > MOST:
            raise GraphcError(
                f"{reading.items[reading.targets[0]].called} has {count} nodes, more than {MOST} cannot be laid out: leave fold at True, use "
                "depth=1 or view='layer', or draw an intermediate tensor"
            )
        return outline
    if count <= most and depth is None:
        return outline
    notes: list[str] = []
    deepest = max((len(v.scope) for v in outline.vertices), default=0)
    level = depth if depth is not None else best_depth(outline.vertices, most)
    if level and any(len(v.scope) >= level for v in outline.vertices):
        outline = fold_scopes(outline, reading, level)
        notes.append("each scope is folded into one node" if level == 1 else f"each scope of depth {level} is folded into one node")
    if fold and len(outline.vertices) > most:
        outline, times = fold_repeats(outline, most)
        if times:
            notes.append(f"what is repeated {_listed(times)} times is drawn once")
    if fold and len(outline.vertices) > MANY:
        outline = _stretches(outline)
        notes.append("stretches of many operations are folded into one node")
    if len(outline.vertices) > MOST:
        raise GraphcError(f"depth={depth} leaves {len(outline.vertices)} nodes, more than {MOST} cannot be laid out: leave fold at True")
    if not notes and most < FOLD:
        return outline
    if not notes:
        notes.append("group them with gx.scope, and each scope becomes one node")
    elif count <= MOST:
        notes.append("fold=False draws them all")
    if 0 < level < deepest and depth is None:
        notes.append(f"depth={level + 1} looks further in")
    caption = f"{count} nodes: {'; '.join(notes)}"
    outline.captions = [*outline.captions, caption]
    outline.description = f"{outline.description} {caption}."
    return outline


def _listed(times: list[int]) -> str:
    words = [f"{t:,}" for t in dict.fromkeys(times)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _stretches(outline: Outline) -> Outline:
    """Consecutive nodes as one; results stay, and so do inputs where they are few."""
    ids = Identifiers()
    for v in outline.vertices:
        ids.new(v.id)
    kept = {v.id for v in outline.vertices if v.role == "output"}
    inputs = [v.id for v in outline.vertices if v.role == "input"]
    kept |= set(inputs) if len(inputs) <= STRETCHES // 4 else set()
    kept = kept if len(kept) <= STRETCHES else set()
    rest = [v for v in outline.vertices if v.id not in kept]
    size = -(-len(rest) // STRETCHES)
    place = {v.id: v for v in outline.vertices if v.id in kept}
    for k in range(0, len(rest), size):
        part = rest[k : k + size]
        vertex = _stretch(part, k, ids)
        place |= {v.id: vertex for v in part}
    return merged(outline, {v.id: place[v.id] for v in outline.vertices})


def _stretch(part: list[Vertex], before: int, ids: Identifiers) -> Vertex:
    operations = [v.label.plain for v in part if v.id.startswith("op-")]
    parameters = sum(v.role == "parameter" for v in part)
    words = list(dict.fromkeys(w for w in operations if len(w) <= 12))
    details = [f"{', '.join(words[:4])}{', …' if len(words) > 4 else ''}"] if words else []
    details += [count_text(parameters, "parameter tensor")] if parameters else []
    label = Text(count_text(len(operations), "operation") if operations else count_text(len(part), "node"))
    title = f"{label.plain}, nodes {before + 1} to {before + len(part)}: {', '.join(details)}"
    return Vertex(ids.new("stretch"), "folded", label, "\n".join(details), title=title)
