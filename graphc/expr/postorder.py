"""One walk for every graph: each thing once, what it is made of before it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

__all__ = ["postorder"]

Item = TypeVar("Item", bound=Hashable)


def postorder(roots: Iterable[Item], parts: Callable[[Item], Sequence[Item]]) -> list[Item]:
    """Everything that the roots are made of, parts first, in an order that depends on the graph alone; without recursion.

    Example:
        >>> from graphc.expr.postorder import postorder
        >>> postorder([7], lambda n: [n // 2, n // 3] if n > 1 else [])
        [1, 3, 0, 2, 7]
    """
    order: list[Item] = []
    seen: set[Item] = set()
    stack: list[Item] = list(roots)
    stack.reverse()
    ends: list[int] = []  # where in the stack those wait whose parts lie above them
    while stack:
        if ends and ends[-1] == len(stack):
            ends.pop()
            order.append(stack.pop())
            continue
        item = stack[-1]
        if item in seen:
            stack.pop()
            continue
        seen.add(item)
        ends.append(len(stack))
        stack.extend(reversed(parts(item)))
    return order
