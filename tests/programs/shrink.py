"""A failing program made smaller: steps replaced by leaves of their value, and what is not needed left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.programs.program import Item, Leaf, Program, Step, torch_leaves, torch_run

__all__ = ["shrink"]

_MOST = 150  # programs that are tried


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The smallest program found that still fails."""
    tried = 0
    again = True
    while again and tried < _MOST:
        again = False
        for smaller in _smaller(program):
            tried += 1
            if tried >= _MOST:
                break
            if fails(smaller):
                program, again = smaller, True
                break
    return program


def _smaller(program: Program) -> Iterator[Program]:
    """Programs with one item less."""
    count = len(program.items)
    used = {a for item in program.items if isinstance(item, Step) for a in item.args}
    for k in reversed(range(count)):
        if k not in used and count > 1:
            yield _without(program, k)
    if any(isinstance(item, Step) and item.row.draws for item in program.items):
        return  # random nodes are numbered by their order
    values: list[Any] = torch_run(program, torch_leaves(program))
    for k, item in enumerate(program.items):
        if isinstance(item, Step) and not isinstance(values[k], tuple) and k in used:
            kind = "float" if values[k].is_floating_point() else "bool" if str(values[k].dtype) == "torch.bool" else "int"
            leaf = Leaf(tuple(values[k].shape), kind, values[k].detach().numpy())
            yield _clean(Program(program.seed, program.names, [*program.items[:k], leaf, *program.items[k + 1 :]]))
    for k, item in enumerate(program.items):
        if isinstance(item, Leaf) and any(isinstance(s, str) for s in item.sizes):
            yield Program(program.seed, program.names, [*program.items[:k], replace(item, sizes=item.values.shape), *program.items[k + 1 :]])


def _without(program: Program, k: int) -> Program:
    def moved(item: Item) -> Item:
        return item if isinstance(item, Leaf) else replace(item, args=tuple(a - (a > k) for a in item.args))

    return Program(program.seed, program.names, [moved(item) for place, item in enumerate(program.items) if place != k])


def _clean(program: Program) -> Program:
    """Without the items that only what was replaced has used: unused leaves, and tuples without a part."""
    while True:
        used = {a for item in program.items if isinstance(item, Step) for a in item.args}
        idle = [k for k, item in enumerate(program.items) if k not in used and (isinstance(item, Leaf) or item.row.name == "scan")]
        if not idle or len(program.items) == 1:
            return program
        program = _without(program, idle[-1])
