"""Stable forms of primal formulas, put in before anything is differentiated or compiled.

``log(1 + exp(z))``, ``log(sigmoid(z))``, ``log(sum(exp(z)))`` and their kin overflow, or lose every digit, as they are
written. Here positive formulas are brought into a normal form, products of exponentials and of sums of them, looking
through the stages that make them up; logarithms and quotients are then written anew from that form. Nothing depends on
how the user spelled them.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.graph import substitute, training
from graphc.expr.operation import Alias, Phase
from graphc.expr.tensor import Tensor, make
from graphc.stable.sweep import sweep

__all__ = ["stabilise", "stabilise_keeping"]


def stabilise(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The same tensors by formulas that neither overflow nor cancel; a graph without such formulas is returned as it is.

    Names, what pictures show, guards and random nodes stay.

    Example:
        >>> import graphc as gx
        >>> from graphc.stable import stabilise
        >>> z = gx.scalar("z")
        >>> [loss] = stabilise([gx.log(1 + gx.exp(z))])
        >>> loss.op.body
        Softplus(x0)
    """
    return sweep(outputs, ())[0]


def stabilise_keeping(outputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The training reading of ``outputs`` in a stable form, as a function of the tensors ``kept``.

    Nothing looks through the tensors kept: ``log(s)`` of a kept ``s = sigmoid(z)`` stays a function of ``s``. A tensor of
    the new graph remembers the one that it stands for, so that what is made of it can be differentiated by that one.

    Returns:
        the outputs, and the tensors of the new graph that stand for those kept.
    """
    ways: list[dict[Tensor, Tensor]] = [{}, {}, {}]
    # A choice of phase among the tensors kept is one of its own, not the branch that it becomes.
    own = {t: make(Alias(), (t,), t.shape, t.dtype, name=t.name) for t in kept if isinstance(t.op, Phase)}
    both = training(substitute([*outputs, *kept], own, ways[0]), ways[1])
    found = sweep(both[: len(outputs)], both[len(outputs) :], ways[2])
    for declared in ways[0]:
        form = declared
        for way in ways:
            form = way.get(form, form)
        if form not in ways[0] and form.stands_for is None:
            form.stands_for = declared if declared.stands_for is None else declared.stands_for
    return found
