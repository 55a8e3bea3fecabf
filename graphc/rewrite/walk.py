"""Walking a scalar formula: each subformula once, arguments before what uses them."""

from __future__ import annotations

from typing import Any

from graphc.expr.postorder import postorder

__all__ = ["subformulas", "uses"]


def subformulas(body: Any) -> list[Any]:
    """Every subformula once, arguments first, in an order that depends on the formula alone."""
    return postorder([body], lambda part: part.args)


def uses(parts: list[Any]) -> dict[Any, int]:
    """How many places each subformula stands in."""
    count: dict[Any, int] = {}
    for part in parts:
        for argument in part.args:
            count[argument] = count.get(argument, 0) + 1
    return count
