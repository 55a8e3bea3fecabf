"""``gx.draw``: from a tensor, several, or a model to a picture."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.view.annotate import checked_feeds, gradients, scalar_target, values, write_gradients, write_locals, write_values
from graphc.view.backward_view import backward_outline
from graphc.view.compose import compose
from graphc.view.condense import BOXES, checked_folding, condensed
from graphc.view.expand import expanded
from graphc.view.layer_view import layer_outline
from graphc.view.neuron_view import neuron_outline, neuron_scene
from graphc.view.op_view import op_outline
from graphc.view.outline import Outline
from graphc.view.picture import Picture
from graphc.view.reading import Reading, read, with_assignments
from graphc.view.styles import choose, style_named
from graphc.view.unroll import checked_unroll, sizes_of, unrolled

__all__ = ["REFUSE_FRAMES", "VIEWS", "draw", "targets_of"]

VIEWS = ("op", "layer", "neuron")
REFUSE_FRAMES = 120


def targets_of(target: Any) -> list[Tensor]:
    """The tensors that a picture is asked of: a tensor, a list of them, or a model's outputs.

    Raises:
        DeclarationError: for anything else.
    """
    if isinstance(target, Tensor):
        return [target]
    if isinstance(target, list | tuple) and target and all(isinstance(t, Tensor) for t in target):
        return list(target)
    outputs = getattr(target, "outputs", None)
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, list | tuple) and outputs and all(isinstance(t, Tensor) for t in outputs):
        return list(outputs)
    if hasattr(target, "outputs"):
        raise DeclarationError("this model has no outputs yet: build it, by model.build or by calling it on an input, before it is drawn")
    raise DeclarationError(f"{target!r} cannot be drawn: give a tensor, a list of tensors, or a model")


def draw(
    target: Any, backward: bool = False, at: Any = None, view: str = "op", style: str = "default", *,
    fold: bool = True, depth: int | None = None, unroll: int | None = None, expand: Any = None,
) -> Picture:  # fmt: skip
    """A picture of the graph that computes ``target``.

    Without values a recurrence (``gx.scan``) is a frame around one iteration, with dashed arrows for what is carried
    on; with values, and in the backward graph, it is one node. The backward graph shows named tensors, sums of products
    that go into an activation (``z``) and what draws random numbers; other unnamed steps stand in the formulas that use them.

    A graph of more than 60 nodes is folded: its scopes become one node each, then a repetition of blocks that are wired
    alike is drawn once, then, above 150 nodes, stretches of it become one node. The caption says what was folded.

    Args:
        target: a tensor, a list of tensors, or a model.
        backward: gradients too. With ``at``, their values below the nodes and, where all is scalar, local derivatives
            on the edges; without it, the backward graph beside the forward one.
        at: ``{x: array, ...}``: values to write on the nodes; parameters and states stand at their current value.
        view: ``"op"`` for every operation, ``"layer"`` for one box a scope, ``"neuron"`` for circles and lines.
        style: ``"default"`` (light or dark as the reader's page), ``"light"``, ``"dark"``, ``"paper"``, ``"contrast"``.
        fold: ``False`` draws every node of a large graph, up to 1000.
        depth: how many scopes deep to look: 1 folds every outermost scope, 2 those inside them.
        unroll: how many iterations of each recurrence to draw one by one before an ellipsis and the last.
        expand: tensors, or their names, whose operations are drawn as the steps they are made of, within a frame:
            attention, a norm, a softmax; ``True`` for all of them.

    Raises:
        DeclarationError: for an unknown view or style, or a target that is none.
        DataError: for an input without a value in ``at``.
        GraphcError: for a graph too large to be read.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.scalars("a b")
        >>> gx.draw((a + b) * (b + 1), backward=True, at={a: 2, b: 1}).svg[:4]
        '<svg'
    """
    chosen = style_named(style)
    choose("the view", view, VIEWS)
    checked_folding(fold, depth)
    steps = checked_unroll(unroll)
    reading = _reading(targets_of(target), at, steps, expand, aside=view == "op" and not backward)
    if view == "neuron":
        return Picture(neuron_scene(reading, at), chosen, neuron_outline(reading))
    if view == "layer":
        outline = condensed(layer_outline(reading), reading, fold, most=BOXES)
    elif backward and at is None:
        scalar_target(reading)
        outline = backward_outline(reading)
    else:
        outline = _operations(reading, backward, at, fold, depth, steps is None)
    return Picture(compose(outline), chosen, outline)


def _reading(targets: list[Tensor], at: Any, unroll: int | None, expand: Any, aside: bool) -> Reading:
    """What is drawn: the graph as it was declared, or with operations opened, or with its recurrences unrolled."""
    reading = with_assignments(targets) if aside else read(targets)
    if expand is not None and expand is not False:
        if unroll is not None:
            raise DeclarationError("unroll= and expand= are two pictures: give one of them")
        return expanded(targets, reading, expand)
    if unroll is None:
        return reading
    return unrolled(targets, unroll, None if at is None else sizes_of(checked_feeds(at, reading))).reading()


def _operations(reading: Reading, backward: bool, at: Any, fold: bool, depth: int | None, rolled: bool) -> Outline:
    """The graph by operations, with values and gradients where they are asked for, folded where it is large."""
    if backward:
        scalar_target(reading)
    whole, drawn = op_outline(reading, rolled=rolled and at is None)
    outline = condensed(whole, reading, fold, depth)
    if at is None:
        return outline
    feeds = checked_feeds(at, reading)
    seen = {v.id for v in outline.vertices if not v.inner}
    shown = [t for t in reading.items if drawn.carrier[t].id in seen]
    found = values(reading, feeds, shown)
    write_values(reading, drawn, found)
    if backward:
        write_gradients(reading, drawn, gradients(reading, feeds, shown))
        if outline is whole:
            write_locals(outline, reading, drawn, found)
    return outline
