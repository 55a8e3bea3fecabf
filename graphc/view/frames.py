"""``gx.frames``: the forward pass, then the backward pass, step by step in one fixed layout."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphc.errors import GraphcError
from graphc.expr.tensor import Tensor
from graphc.formula.files import write_file
from graphc.view.animate import animated_svg, gif_bytes, slider_page
from graphc.view.annotate import checked_feeds, gradients, scalar_target, values, write_gradients, write_locals, write_values
from graphc.view.compose import Canvas, Shown, note_room
from graphc.view.draw import REFUSE_FRAMES, targets_of
from graphc.view.export import pdf_bytes
from graphc.view.names import Text
from graphc.view.op_view import Drawn, op_outline
from graphc.view.outline import Outline
from graphc.view.picture import Picture
from graphc.view.reading import Reading, read
from graphc.view.steps import backward_note, forward_note, name_unnamed, step_names
from graphc.view.styles import Style, choose, style_named
from graphc.view.svg import svg
from graphc.view.unroll import checked_unroll, through_time

__all__ = ["Frames", "frames"]

SUFFIXES = (".html", ".gif", ".pdf", ".svg")


class Frames:
    """The frames of a forward and a backward pass: ``len(f)``, ``f[i]`` (a picture), ``f.save(path)``."""

    def __init__(self, canvas: Canvas, shown: list[Shown], style: Style) -> None:
        self._canvas, self._shown, self._style = canvas, shown, style
        self.title = canvas.outline.title

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, index: int) -> Picture:
        return Picture(self._canvas.scene(self._shown[index]), self._style, self._canvas.outline)

    def __iter__(self) -> Iterator[Picture]:
        return (self[k] for k in range(len(self)))

    def save(self, path: Any) -> Path:
        """Write all frames: ``.html`` a page with a slider and arrow keys, ``.gif`` and ``.svg`` animated, ``.pdf`` a page each.

        Raises:
            DeclarationError: for another suffix, listing these.
            DataError: for a folder that does not exist, or a file that may not be written.
        """
        target = Path(path)
        suffix = choose("the file type", target.suffix.lower(), SUFFIXES)
        scenes = [self._canvas.scene(s) for s in self._shown]
        if suffix == ".html":
            data = slider_page(self.title, [svg(s, self._style) for s in scenes], [_spoken(s) for s in self._shown]).encode()
        elif suffix == ".svg":
            data = animated_svg(scenes, self._style).encode()
        else:
            pages = [svg(s, self._style, plain=True) for s in scenes]
            data = pdf_bytes(pages) if suffix == ".pdf" else gif_bytes(pages)
        write_file(target, data)
        return target

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        image = animated_svg([self._canvas.scene(s) for s in self._shown], self._style)
        return {"text/html": image, "image/svg+xml": image, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Frames: {self.title}, {len(self)} frames>"


def frames(y: Any, at: Any = None, style: str = "default", *, unroll: int | None = None) -> Frames:
    """The forward pass and then the backward pass of a scalar, a frame for every step, all in one layout.

    Args:
        y: a tensor of rank 0, of any shapes on the way.
        at: ``{x: array, ...}``, an array of the input's shape for each input; parameters and states stand at their current value.
        style: as for :func:`draw`.
        unroll: how many iterations of a recurrence to go through before an ellipsis and the last; all of them, without
            it, where there are at most 24 and they draw no random numbers.

    Raises:
        DeclarationError: where ``y`` is no scalar.
        DataError: for an input without a value in ``at``.
        GraphcError: for more than 120 steps.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.scalars("a b")
        >>> f = gx.frames((a * b).named("c"), at={a: 2, b: 3})
        >>> len(f), f[3].title
        (7, 'Forward and backward pass of c')
    """
    chosen = style_named(style)
    steps = checked_unroll(unroll)
    targets = targets_of(y)
    reading = read(targets)
    scalar_target(reading)
    feeds = checked_feeds({} if at is None else at, reading)
    reading = through_time(targets, feeds, steps).reading()
    target = reading.targets[0]
    if len(reading.items) > REFUSE_FRAMES:
        recurrent = any(item.cell for item in reading.items.values())
        raise GraphcError(
            f"{reading.items[target].called} takes {len(reading.items)} steps, more than {REFUSE_FRAMES} cannot be followed: "
            + ("give unroll=1 to go through the first iteration and the last, or a shorter sequence" if recurrent else "take a part of the graph")
        )
    found = values(reading, feeds)
    slopes = gradients(reading, feeds)
    outline, drawn = op_outline(reading)
    write_values(reading, drawn, found)
    name_unnamed(reading, drawn, step_names(reading))
    write_gradients(reading, drawn, slopes)
    write_locals(outline, reading, drawn, found)
    outline.title = f"Forward and backward pass of {reading.items[target].called}"
    shown = _shown(reading, outline, drawn, target, found, slopes)
    return Frames(Canvas(outline, note_room([s.notes for s in shown])), shown, chosen)


def _shown(reading: Reading, outline: Outline, drawn: Drawn, target: Tensor, found: dict[Tensor, Any], slopes: dict[Tensor, Any]) -> list[Shown]:
    names = step_names(reading)
    numbers = {id(a): k for k, a in enumerate(outline.arrows)}
    above: set[str] = set()
    below: set[str] = set()
    labels: set[int] = set()
    result = [Shown(notes=((Text("the graph before any value is known"), "muted"),))]
    for tensor, item in reading.items.items():
        above.add(drawn.carrier[tensor].id)
        if item.kind == "constant" and not item.name:
            continue
        incoming = tuple(numbers[id(drawn.arrows[s, tensor])] for s in dict.fromkeys(item.inputs))
        note = forward_note(reading, item, names, found[tensor])
        result.append(Shown(frozenset(above), frozenset(), frozenset(), (drawn.carrier[tensor].id,), incoming, "value", ((note, "value"),)))
    users = reading.users()
    for tensor in reversed(list(slopes)):
        arrows = tuple(numbers[id(drawn.arrows[tensor, u])] for u in users[tensor] if u in slopes)
        below.add(drawn.carrier[tensor].id)
        labels.update(arrows)
        note = backward_note(reading, target, tensor, names, found, slopes)
        key = (drawn.carrier[tensor].id,)
        result.append(Shown(frozenset(above), frozenset(below), frozenset(labels), key, arrows, "gradient", ((note, "gradient"),)))
    return result


def _spoken(shown: Shown) -> str:
    buffer = io.StringIO()
    for text, _ in shown.notes:
        buffer.write(text.plain)
    return buffer.getvalue()
