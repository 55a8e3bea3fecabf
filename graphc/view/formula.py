"""An item's formula as one line of LaTeX: what the user wrote, unnamed steps put into their users."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphc.expr.tensor import Tensor
from graphc.view.reading import Item, Reading

__all__ = ["item_formula"]

SUM, PRODUCT, ATOM = 0, 1, 2
_PLACE = re.compile(r"\{(\d)\}")


def _level(pattern: str) -> int:
    bare = _PLACE.sub("x", pattern)
    depth = 0
    level = ATOM
    for k, c in enumerate(bare):
        depth += (c in "({") - (c in ")}")
        if (depth == 0 and c in "+-<=>") or (depth == 0 and bare.startswith((r"\le ", r"\ge ", r"\neq"), k)):
            return SUM
        if depth == 0 and c in " ^" and level == ATOM:
            level = PRODUCT
    return level


def _needed(pattern: str, match: re.Match[str]) -> int:
    """The level that an argument must have to stand there without brackets."""
    before, after = pattern[: match.start()].rstrip(), pattern[match.end() :].lstrip()
    enclosed = before.endswith(("(", "{", ",", r"\lvert", r"\lVert", r"\lfloor", "&", "\\\\")) and after[:1] in (")", "}", ",", "\\", "&", "")
    if enclosed and (before or after):
        return SUM
    if after.startswith("^"):
        return ATOM
    level = _level(pattern)
    if level == SUM:
        return SUM if not before or before.endswith("+") else PRODUCT
    prefix = bool(re.fullmatch(r"\\[A-Za-z]+(\{[^}]*\})?", before)) and not after
    return PRODUCT if level == PRODUCT and not prefix else ATOM


def item_formula(reading: Reading, item: Item, name: Callable[[Tensor], str]) -> str:
    """The right-hand side of an item; ``name`` gives a tensor's LaTeX, or nothing where it is to be put in."""
    done: dict[Tensor, tuple[str, int]] = {}
    stack = [item.tensor]
    while stack:
        tensor = stack[-1]
        part = reading.items[tensor]
        waiting = [t for t in part.inputs if t not in done and not name(t)]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        done[tensor] = _written(part, done, name)
    return done[item.tensor][0]


def _written(part: Item, done: dict[Tensor, tuple[str, int]], name: Callable[[Tensor], str]) -> tuple[str, int]:
    if part.kind != "value":
        return part.operator.latex or rf"\text{{{part.operator.plain}}}", ATOM
    if "{0}" not in part.pattern:
        return part.pattern, SUM if " + " in part.pattern or " - " in part.pattern else PRODUCT

    def argument(match: re.Match[str]) -> str:
        k = int(match[1])
        if k >= len(part.arguments):
            return match[0]
        given = part.arguments[k]
        text, level = (given, SUM if given.startswith("-") else ATOM) if isinstance(given, str) else (name(given), ATOM)
        if not isinstance(given, str) and not text:
            text, level = done[given]
        return f"{{{text}}}" if level >= _needed(part.pattern, match) else f"{{({text})}}"

    return _PLACE.sub(argument, part.pattern), ATOM if part.pattern == "{0}" else _level(part.pattern)
