"""Walking a scalar formula: each subformula once, arguments before what uses them."""

from __future__ import annotations

from typing import Any

__all__ = ["subformulas", "uses"]


def subformulas(body: Any) -> list[Any]:
    """Every subformula once, arguments first, in an order that depends on the formula alone."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[tuple[Any, bool]] = [(body, False)]
    while stack:
        part, done = stack.pop()
        if done:
            order.append(part)
        elif part not in seen:
            seen.add(part)
            stack.append((part, True))
            stack.extend((a, False) for a in reversed(part.args))
    return order


def uses(parts: list[Any]) -> dict[Any, int]:
    """How many places each subformula stands in."""
    count: dict[Any, int] = {}
    for part in parts:
        for argument in part.args:
            count[argument] = count.get(argument, 0) + 1
    return count
