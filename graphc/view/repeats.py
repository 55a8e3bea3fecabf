"""Repeated structure: a run of blocks that are wired alike is drawn once, in a frame that says how often it comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.view.names import Text
from graphc.view.outline import Arrow, Outline, Vertex

__all__ = ["fold_repeats"]

SLOTS = 8  # arguments of one node that are compared one by one
LONGEST = 1000  # nodes of one block
FEWEST = 3  # blocks that count as a repetition
WORTH = 50  # it saves at least this part of the nodes
_NUMBERED = re.compile(r"_\{\d+\}")  # W_{12} in a formula is that of its block


def fold_repeats(outline: Outline, most: int) -> tuple[Outline, list[int]]:
    """The outline with repetitions folded until it has at most ``most`` nodes, and how often each block came."""
    counts: list[int] = []
    while len(outline.vertices) > most:
        found = _longest(outline)
        if found is None:
            break
        outline = _folded(outline, *found)
        counts.append(found[2])
    return outline, counts


def _signatures(outline: Outline) -> tuple[Any, Any, Any]:
    """Per node a number for what it is; per argument where it stands, as a place and as a distance."""
    place = {v.id: k for k, v in enumerate(outline.vertices)}
    incoming: list[list[Arrow]] = [[] for _ in outline.vertices]
    for a in outline.arrows:
        incoming[place[a.head]].append(a)
    kinds: dict[Any, int] = {}
    known: list[int] = []
    places = np.full((len(outline.vertices), SLOTS), -1)
    for k, v in enumerate(outline.vertices):
        named = v.role in ("operation", "random", "adjoint") or v.id.startswith("op-")
        arrows = incoming[k]
        more = tuple(place[a.tail] for a in arrows[SLOTS:])
        label = _NUMBERED.sub("_{#}", v.label.latex) or v.label.plain if named else ""
        key = (v.role, label, v.detail, v.inner, v.shape, len(v.scope), *(a.kind for a in arrows), more)
        known.append(kinds.setdefault(key, len(kinds)))
        places[k, : len(arrows)] = [place[a.tail] for a in arrows[:SLOTS]]
    distances = np.where(places < 0, 0, np.arange(len(places))[:, None] - places)
    return np.array(known), places, distances


def _longest(outline: Outline) -> tuple[int, int, int] | None:
    """The repetition that saves most nodes: its first node, the length of a block, and the number of blocks."""
    kinds, places, distances = _signatures(outline)
    best, saved = None, max(3, len(kinds) // WORTH)
    for period in range(1, min(LONGEST, len(kinds) // FEWEST) + 1):
        same = kinds[period:] == kinds[:-period]
        if int(same.sum()) <= saved:
            continue
        wired = (places[period:] == places[:-period]) | (distances[period:] == distances[:-period])
        same &= wired.all(axis=1)
        start, length = _run(same)
        blocks = length // period + 1
        if blocks >= FEWEST and (blocks - 1) * period > saved:
            best, saved = (start, period, blocks), (blocks - 1) * period
    return best


def _run(same: Any) -> tuple[int, int]:
    """The start and the length of the longest run of true entries."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False]))))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    if not len(starts):
        return 0, 0
    k = int(np.argmax(lengths))
    return int(starts[k]), int(lengths[k])


def _folded(outline: Outline, start: int, period: int, blocks: int) -> Outline:
    """The outline with the blocks in the place of the first, and dashed arrows for what goes from each to the next."""
    stop = start + period * blocks
    copies = [outline.vertices[start + k : stop : period] for k in range(period)]
    frame = () if period == 1 else (f"{blocks} times, one after the other",)
    fresh = [_one_for_all(same, frame, period == 1) for same in copies]
    where = {v.id: (fresh[k], n) for k, same in enumerate(copies) for n, v in enumerate(same)}
    arrows: dict[tuple[str, str, str], Arrow] = {}
    for a in outline.arrows:
        tail, first = where.get(a.tail, (None, -1))
        head, second = where.get(a.head, (None, -1))
        ends = tail.id if tail else a.tail, head.id if head else a.head
        onward = tail is not None and head is not None and first != second
        if onward and ends[0] == ends[1]:
            continue
        kind, title = ("loop", f"{tail.label.plain if tail else ''} goes to the next repetition") if onward else (a.kind, a.title)
        kept = arrows.setdefault(
            (*ends, kind), Arrow(*ends, kind, [] if tail or head else a.labels, title, a.constraint and not onward, a.role, a.thickness, a.weight)
        )
        kept.thickness, kept.role = max((kept.thickness, kept.role), (a.thickness, a.role))
    vertices = [*outline.vertices[:start], *fresh, *outline.vertices[stop:]]
    return outline.replaced(vertices, list(arrows.values()))


def _one_for_all(same: Sequence[Vertex], frame: tuple[str, ...], single: bool) -> Vertex:
    """The node that stands for a node of each block; values differ from block to block, so it shows none."""
    first, last = same[0], same[-1]
    label = first.label if first.label == last.label else _from_to(first.label, last.label)
    common = 0
    while common < min(len(first.scope), len(last.scope)) and first.scope[common] == last.scope[common]:
        common += 1
    detail = first.detail
    if single:
        detail = "\n".join(filter(None, (detail, f"× {len(same)}, one after the other")))
    role = "folded" if single and first.role in ("operation", "layer", "value") else first.role
    title = f"{first.title}; the first of {len(same)} alike"
    made = Vertex(
        first.id, role, label, detail, (*first.scope[:common], *frame, *first.scope[common:]), title=title, shape=first.shape, small=first.small
    )
    made.inner = (*first.inner, len(same))
    return made


def _from_to(first: Text, last: Text) -> Text:
    latex = rf"{first.latex} \ldots {last.latex}" if first.latex and last.latex else ""
    return Text(f"{first.plain} … {last.plain}", latex)
