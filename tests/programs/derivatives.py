"""Rows that differentiate within a program: gradients, products with Jacobians, Jacobians, Hessians."""

from __future__ import annotations

from typing import Any

import graphc as gx
from tests.programs.draw import Draw
from tests.programs.program import Row, Step, Unfit, torch

__all__ = ["ROWS"]

_NAMES = ("grad", "vjp", "jacobian", "hessian", "hvp")
Drawn = tuple[tuple[int, ...], dict[str, Any]]


def pair(most: int) -> Any:
    """What is differentiated, and by what: two variables, the second one earlier."""

    def draw(c: Draw) -> Drawn:
        y = c.find(lambda k: 0 < _count(k.shape) <= most)
        kinds = c.kinds
        before = [
            k for k in _ancestors(c, y) if (kind := kinds[k]) and kind.dtype == "float" and not kind.symmetric and 0 < _count(kind.shape) <= most
        ]
        x = c.pick(before)
        items = c.program.items
        made = [k for k in [*_ancestors(c, y), y] if isinstance(step := items[k], Step) and step.row.name in _NAMES]
        if isinstance(items[x], Step) and any(x in _ancestors(c, k) for k in made):
            raise Unfit("a gradient may be written by that intermediate or without it")
        return (y, x), {}

    return draw


def _ancestors(c: Draw, y: int) -> list[int]:
    """What a variable is made of."""
    found: set[int] = set()
    pending = [y]
    while pending:
        item = c.program.items[pending.pop()]
        fresh = [a for a in item.args if a not in found] if isinstance(item, Step) else []
        found.update(fresh)
        pending += fresh
    return sorted(found)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def slope(y: Any, x: Any) -> Any:
    if not y.requires_grad or not x.requires_grad:
        raise Unfit("no gradient")
    (found,) = torch.autograd.grad(y, x, create_graph=True, allow_unused=True)
    if found is None:
        raise Unfit("unconnected")
    return found


def grad(y: Any, x: Any) -> Any:
    return slope((torch.sin(y) * y).sum(), x)


def vjp_draw(c: Draw) -> Drawn:
    (y, x), _ = pair(40)(c)
    return (y, x, c.like(y) if c.chance(0.6) else c.find(lambda k: k.sizes == c.kind(y).sizes and k.plain)), {}


def vjp(y: Any, x: Any, cotangent: Any) -> Any:
    if not y.requires_grad or not x.requires_grad:
        raise Unfit("no gradient")
    # The cotangent is held fixed, and still a variable of the result.
    (found,) = torch.autograd.grad(y, x, cotangent, create_graph=True, allow_unused=True)
    if found is None:
        raise Unfit("unconnected")
    return found


def jacobian(y: Any, x: Any) -> Any:
    rows = [slope(v, x) for v in y.reshape(-1)]
    return torch.stack(rows).reshape((*y.shape, *x.shape))


def hessian(y: Any, x: Any) -> Any:
    first = slope((torch.sin(y) * y).sum(), x)
    if not first.requires_grad:
        raise Unfit("linear")
    rows = []
    for v in first.reshape(-1):
        (found,) = torch.autograd.grad(v, x, create_graph=True, allow_unused=True)
        rows.append(torch.zeros_like(x) if found is None else found)
    return torch.stack(rows).reshape((*x.shape, *x.shape))


def hvp_draw(c: Draw) -> Drawn:
    (y, x), _ = pair(40)(c)
    if not c.kind(x).plain:
        raise Unfit("the vector's shape")
    return (y, x, c.like(x)), {}


def hvp(y: Any, x: Any, v: Any) -> Any:
    first = slope((torch.sin(y) * y).sum(), x)
    if not first.requires_grad:
        raise Unfit("linear")
    (found,) = torch.autograd.grad((first * v).sum(), x, create_graph=True, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def scalar(y: Any) -> Any:
    return gx.sum(gx.sin(y) * y)


ROWS: list[Row] = [
    Row("grad", pair(60), lambda y, x: gx.grad(scalar(y), x), grad, weight=3),
    Row("vjp", vjp_draw, gx.vjp, vjp),
    Row("jacobian", pair(6), gx.jacobian, jacobian),
    Row("hessian", pair(5), lambda y, x: gx.hessian(scalar(y), x), hessian),
    Row("hvp", hvp_draw, lambda y, x, v: gx.hvp(scalar(y), x, v), hvp),
]
