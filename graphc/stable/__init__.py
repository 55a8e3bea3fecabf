"""Stable forms of primal formulas, put in before anything is differentiated or compiled."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.graph import training
from graphc.expr.tensor import Tensor

__all__ = ["stabilise", "stabilise_keeping"]


def stabilise(outputs: Sequence[Tensor]) -> list[Tensor]:
    return list(outputs)


def stabilise_keeping(outputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    both = training([*outputs, *kept])
    return both[: len(outputs)], both[len(outputs) :]
