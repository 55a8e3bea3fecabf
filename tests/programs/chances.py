"""Rows of random nodes and of phases. PyTorch's side is given the very numbers of the generator's specification."""

from __future__ import annotations

import math
from typing import Any

import graphc as gx
from graphc.reference.philox import uniform
from tests.programs.draw import Draw
from tests.programs.program import Leaf, Row, Unfit, apart, torch

__all__ = ["ROWS"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]


def shape_draw(c: Draw) -> Drawn:
    shape = tuple(c.pick([1, 2, 3, *c.program.names]) for _ in range(c.whole(0, 2)))
    names = tuple(s for s in shape if isinstance(s, str))
    if any(all(n not in item.sizes for item in c.program.items if isinstance(item, Leaf)) for n in names):
        raise Unfit("no array gives that size")
    return (), {
        "shape": shape,
        "extents": tuple(c.program.names[s] if isinstance(s, str) else s for s in shape),
        "key": c.pick([None, None, c.whole(0, 3)]),
    }


def numbers(shape: Any, number: int) -> Any:
    return torch.tensor(uniform(tuple(shape), 0, 0, number))


def normal(shape: Any, extents: Any, key: Any, number: int) -> Any:
    u = numbers((2, *extents), number)
    return torch.sqrt(-2 * torch.log(1 - u[0])) * torch.cos(2 * math.pi * u[1])


def dropout_draw(c: Draw) -> Drawn:
    return (c.find(),), {"rate": c.pick([0.1, 0.5, 0.8]), "key": c.pick([None, None, 5])}


def dropout(x: Any, rate: float, key: Any, number: int, phase: str) -> Any:
    if phase == "inference":
        return x * 1
    return x * torch.where(numbers(x.shape, number) < 1 - rate, 1.0, 0.0) / (1 - rate)


def noisy(x: Any, key: Any, number: int) -> Any:
    u = numbers(x.shape, number)
    apart(x - u)
    return torch.where(x > u, x, u * x)


def noisy_ours(x: Any, key: Any) -> Any:
    u = gx.random.uniform(x.shape, key=key)
    return gx.where(x > u, x, u * x)


def phase_draw(c: Draw) -> Drawn:
    a = c.find()
    return (a, c.find(lambda k: k.shape == c.kind(a).shape)), {}


def chosen(a: Any, b: Any, phase: str) -> Any:
    return (a if phase == "training" else b) * 1


def evenly(shape: Any, extents: Any, key: Any, number: int) -> Any:
    return numbers(extents, number)


def sizes(kinds: Any, options: dict[str, Any]) -> Any:
    return options["shape"]


ROWS: list[Row] = [
    Row("random.uniform", shape_draw, lambda shape, extents, key: gx.random.uniform(shape, key=key), evenly, sizes, draws=True, weight=0.5),
    Row("random.normal", shape_draw, lambda shape, extents, key: gx.random.normal(shape, key=key), normal, sizes, draws=True, weight=0.5),
    Row("dropout", dropout_draw, gx.nn.dropout, dropout, lambda k, o: k[0].sizes, draws=True, phases=True, weight=0.7),
    Row("noise", lambda c: ((c.find(),), {"key": c.pick([None, 2])}), noisy_ours, noisy, lambda k, o: k[0].sizes, draws=True, weight=0.4),
    Row("by_phase", phase_draw, lambda a, b: gx.by_phase(training=a, inference=b), chosen, None, True, phases=True, weight=0.5),
]  # fmt: skip
