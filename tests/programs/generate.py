"""From a seed to a program."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

from tests.programs import chances, derivatives, elementwise, formulas, layout, neural, products, recurrences, reductions
from tests.programs.draw import Draw
from tests.programs.program import Kind, Leaf, Program, Row, Size, Step, Unfit, decisions, torch, torch_leaves, torch_run, torch_step

__all__ = ["DEEP", "PART", "generate", "rows", "sinks", "torch_gradients", "weights"]

DEEP = 1_000_000
_TRIES = 80
_LARGEST = 130
_MOST = 60.0

PART = Row(
    "part", lambda c: ((), {}), lambda values, number: values[number], lambda values, number: values[number].view_as(values[number]), None, True
)


@cache
def rows(deep: bool = False) -> tuple[list[Row], list[float]]:
    """Every row, and the running sums of their weights; ``deep``: what differentiates stands there more often."""
    found = [r for family in (elementwise, reductions, layout, products, neural, formulas, recurrences, derivatives, chances) for r in family.ROWS]
    total, weights = 0.0, []
    for row in found:
        total += row.weight * (3 if deep and row in derivatives.ROWS else 1)
        weights.append(total)
    return found, weights


def generate(seed: int) -> Program:
    """The program of a seed, the same every time; from a million on, long chains with more derivatives in them."""
    deep = seed >= DEEP
    rng = random.Random(f"graphc program {seed}")
    names: dict[str, int] = {}
    if rng.random() < 0.35:
        names["n"] = rng.choice([1, 2, 3, 3, 5, 0 if rng.random() < 0.3 else 2])
        if rng.random() < 0.3:
            names["m"] = rng.choice([1, 2, 4])
    program = Program(seed, names)
    c = Draw(rng, program, deep)
    for _ in range(rng.randint(1, 3)):
        c.leaf([c.size() for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3]))], rng.choice(["float"] * 8 + ["int", "bool"]))
    if not program.leaves("float"):
        c.leaf([c.size() for _ in range(2)])
    wanted = rng.randint(6, 12) if deep else rng.randint(2, 8)
    for _ in range(_TRIES):
        if sum(isinstance(i, Step) for i in program.items) >= wanted:
            break
        _try(c)
    _until_finite(c)
    return program


def _try(c: Draw) -> None:
    """One step more, where what is drawn fits."""
    mark = len(c.program.items)
    try:
        found, weights = rows(c.deep)
        row = c.rng.choices(found, cum_weights=weights)[0]
        args, options = row.draw(c)
        _accept(c, row, args, options)
    except (Unfit, RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError):
        del c.program.items[mark:], c.kinds[mark:], c.values[mark:]
    finally:
        decisions.checking = decisions.exact = False


def _accept(c: Draw, row: Row, args: tuple[int, ...], options: dict[str, Any]) -> None:
    kinds = [c.kind(a) for a in args]
    decisions.checking, decisions.exact = True, row.exact and all(k.exact for k in kinds)
    c.program.items.append(Step(row, args, options))
    value = torch_step(c.program, len(c.program.items) - 1, c.values)
    c.values.append(value)
    if not isinstance(value, tuple):
        c.kinds.append(_kind(row, kinds, options, value))
        return
    c.kinds.append(None)
    whole = len(c.program.items) - 1
    for number, part in enumerate(value):
        c.program.items.append(Step(PART, (whole,), {"number": number}))
        c.values.append(part.view_as(part))
        c.kinds.append(_kind(PART, kinds, {}, part))


def _kind(row: Row, kinds: list[Kind], options: dict[str, Any], value: Any) -> Kind:
    shape = tuple(value.shape)
    if value.numel() > _LARGEST or len(shape) > 5:
        raise Unfit("too large")
    plain = value.detach().double()
    if value.numel() and not bool((plain.abs() <= _MOST).all()):
        raise Unfit("not finite, or too far out")
    plain_sizes = all(k.plain for k in kinds)
    sizes: tuple[Size, ...] = row.sizes(kinds, options) if row.sizes is not None else shape if plain_sizes else ("?",) * len(shape)
    assert len(sizes) == len(shape), (row.name, sizes, shape)
    assert all(s == n for s, n in zip(sizes, shape, strict=True) if isinstance(s, int)), (row.name, sizes, shape)
    exact = decisions.exact and bool((plain * 256 == torch.round(plain * 256)).all())
    dtype = "float" if value.is_floating_point() else "bool" if value.dtype == torch.bool else "int"
    return Kind(sizes, shape, dtype, exact)


def sinks(program: Program) -> list[int]:
    """The variables that nothing uses."""
    used = {a for item in program.items if isinstance(item, Step) for a in item.args}
    return [k for k in range(len(program.items)) if k not in used]


def weights(k: int, shape: tuple[int, ...]) -> Any:
    """What each entry of a variable counts in the loss."""
    count = 1
    for n in shape:
        count *= n
    return torch.cos(torch.arange(count, dtype=torch.float64) * 1.3 + k).reshape(shape)


def torch_gradients(program: Program, values: list[Any], leaves: dict[int, Any]) -> tuple[Any, list[Any]]:
    """The loss, to which every sink contributes, and its gradients by the leaves."""
    total = torch.zeros((), dtype=torch.float64)
    for k in sinks(program):
        if not isinstance(values[k], tuple) and values[k].is_floating_point():
            total = total + (values[k] * weights(k, tuple(values[k].shape))).sum()
    wrt = [leaves[k] for k in program.leaves("float")]
    symmetric = [isinstance(item, Leaf) and item.symmetric for item in program.items if isinstance(item, Leaf) and item.dtype == "float"]
    if not total.requires_grad:
        return total, [torch.zeros_like(x) for x in wrt]
    found = torch.autograd.grad(total, wrt, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for g, x in zip(found, wrt, strict=True)]
    return total, [(g + g.T) / 2 if s else g for g, s in zip(gradients, symmetric, strict=True)]


def _until_finite(c: Draw) -> None:
    """Steps are taken away again, from the last on, as long as a gradient is not finite."""
    while True:
        leaves = torch_leaves(c.program)
        _, gradients = torch_gradients(c.program, torch_run(c.program, leaves), leaves)
        if all(bool((g.abs() < 1e5).all()) for g in gradients):
            return
        last = max(k for k, item in enumerate(c.program.items) if isinstance(item, Step) and item.row is not PART)
        keep = [item for item in c.program.items[last + 1 :] if isinstance(item, Leaf)]
        assert not keep
        del c.program.items[last:]
