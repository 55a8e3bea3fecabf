"""Rows of the reductions, and of what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as gx
from tests.programs.draw import Draw
from tests.programs.extremes import first_extreme, winner
from tests.programs.program import Kind, Row, Size, Unfit, decisions, real, torch

__all__ = ["ROWS", "axes_of"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]


def axes_of(x: Any, axis: Any) -> list[int]:
    """The axes as sorted numbers."""
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return sorted(a % x.ndim for a in given)


def reduced(kinds: list[Kind], options: dict[str, Any]) -> tuple[Size, ...]:
    (kind,) = kinds
    rank = len(kind.sizes)
    axis = options.get("axis")
    axes = range(rank) if axis is None else [a % rank for a in (axis if isinstance(axis, tuple) else (axis,))]
    keep = options.get("keepdims", False)
    return tuple(1 if a in axes else s for a, s in enumerate(kind.sizes) if keep or a not in axes)


def kept(kinds: list[Kind], options: dict[str, Any]) -> tuple[Size, ...]:
    return kinds[0].sizes


def draw(dtypes: tuple[str, ...] = ("float",), several: bool = True, ddof: bool = False) -> Callable[[Draw], Drawn]:
    def make(c: Draw) -> Drawn:
        a = c.find(dtypes=dtypes)
        axis = c.axes(a)
        if not several and isinstance(axis, tuple):
            axis = axis[0]
        options: dict[str, Any] = {"axis": axis, "keepdims": c.chance(0.35)}
        return (a,), options | ({"ddof": c.pick([0, 0, 1])} if ddof else {})

    return make


def total(x: Any, axis: Any, keepdims: bool) -> Any:
    x = x.long() if x.dtype == torch.bool else x
    axes = axes_of(x, axis)
    return torch.sum(x, dim=axes, keepdim=keepdims) if axes else x


def mean(x: Any, axis: Any, keepdims: bool) -> Any:
    return _mean(real(x), axes_of(x, axis), keepdims)


def _mean(x: Any, axes: list[int], keepdims: bool) -> Any:
    return torch.mean(x, dim=axes, keepdim=keepdims) if axes else x


def prod(x: Any, axis: Any, keepdims: bool) -> Any:
    for a in reversed(axes_of(x, axis)):
        x = torch.prod(x, dim=a, keepdim=keepdims)
    return x


def var(x: Any, axis: Any, keepdims: bool, ddof: int) -> Any:
    axes = axes_of(x, axis)
    count = 1
    for a in axes:
        count *= x.shape[a]
    if count <= ddof:
        raise Unfit("too few entries")
    return torch.sum((x - _mean(x, axes, True)) ** 2, dim=axes, keepdim=keepdims) / (count - ddof) if axes else x * 0


def std(x: Any, axis: Any, keepdims: bool, ddof: int) -> Any:
    return _root(var(x, axis, keepdims, ddof))


def _root(square: Any) -> Any:
    if decisions.checking and square.numel() and float(square.detach().min()) < 0.01:
        raise Unfit("the root of nearly 0")
    return torch.sqrt(square)


def norm(x: Any, axis: Any, keepdims: bool, ord: Any = None) -> Any:
    if ord == 1:
        from tests.programs.program import apart

        apart(x)
        return torch.sum(torch.abs(x), dim=axes_of(x, axis), keepdim=keepdims)
    return _root(total(x * x, axis, keepdims))


def norm_draw(c: Draw) -> Drawn:
    (a,), options = draw()(c)
    return (a,), options | ({"ord": c.pick([1, 2])} if isinstance(options["axis"], int) and c.chance(0.4) else {})


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return torch.logsumexp(x, dim=axes_of(x, axis), keepdim=keepdims) if x.ndim else x * 1


def extreme(sign: int) -> Callable[..., Any]:
    return lambda x, axis, keepdims: first_extreme(x, axes_of(x, axis), keepdims, sign)


def position(sign: int) -> Callable[..., Any]:
    def call(x: Any, axis: Any, keepdims: bool) -> Any:
        axes = axes_of(x, axis)
        at = winner(x, axes, sign)
        for a in axes if keepdims else ():
            at = at.unsqueeze(a)
        return at

    return call


def soft_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0)
    return (a,), {"axis": c.axis(a) if c.chance(0.8) else c.axes(a)}


def softmax(x: Any, axis: Any) -> Any:
    return torch.exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: Any) -> Any:
    return x - torch.logsumexp(x, dim=axes_of(x, axis), keepdim=True)


# The same as they are spelled by hand.
SPELLED: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "log(sum(exp(x)))": (lambda x, a: gx.log(gx.sum(gx.exp(x), axis=a)), lambda x, a: torch.log(torch.sum(torch.exp(x), dim=a))),
    "exp(x) / sum(exp(x))": (
        lambda x, a: gx.exp(x) / gx.sum(gx.exp(x), axis=a, keepdims=True), lambda x, a: torch.exp(x) / torch.sum(torch.exp(x), dim=a, keepdim=True),
    ),
    "log(softmax(x))": (lambda x, a: gx.log(gx.softmax(x, axis=a)), lambda x, a: torch.log_softmax(x, dim=a)),
    "-sum(p * log(p))": (
        lambda x, a: -gx.sum(gx.softmax(x, axis=a) * gx.log(gx.softmax(x, axis=a)), axis=a),
        lambda x, a: -torch.sum(torch.softmax(x, dim=a) * torch.log_softmax(x, dim=a), dim=a),
    ),
    "x / norm(x)": (
        lambda x, a: x / gx.sqrt(gx.sum(x**2, axis=a, keepdims=True)), lambda x, a: x / _root(torch.sum(x**2, dim=a, keepdim=True)),
    ),
    "log(mean(exp(-x)))": (lambda x, a: gx.log(gx.mean(gx.exp(-x), axis=a)), lambda x, a: torch.log(torch.mean(torch.exp(-x), dim=a))),
    "cross-entropy": (
        lambda x, a: -gx.mean(gx.log(gx.exp(x) / gx.sum(gx.exp(x), axis=a, keepdims=True)), axis=a),
        lambda x, a: -torch.mean(torch.log_softmax(x, dim=a), dim=a),
    ),
    "normalised": (
        lambda x, a: (x - gx.mean(x, axis=a, keepdims=True)) / gx.sqrt(gx.var(x, axis=a, keepdims=True) + 1e-2),
        lambda x, a: (x - x.mean(dim=a, keepdim=True)) / torch.sqrt(x.var(dim=a, keepdim=True, correction=0) + 1e-2),
    ),
}  # fmt: skip


def spelled_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0 and 0 not in k.shape)
    return (a,), {"how": c.pick(list(SPELLED)), "axis": c.axis(a)}


def spelled_theirs(x: Any, how: str, axis: int) -> Any:
    if decisions.checking and x.numel() and float(x.detach().abs().max()) > 8:
        raise Unfit("too large to be spelled by hand")
    return SPELLED[how][1](x, axis)


ROWS: list[Row] = [
    Row("sum", draw(("float", "float", "int", "bool")), gx.sum, total, reduced, True, weight=1.5),
    Row("mean", draw(("float", "float", "int", "bool")), gx.mean, mean, reduced),
    Row("prod", draw(("float", "float", "int")), gx.prod, prod, reduced),
    Row("max", draw(("float", "float", "int")), gx.max, extreme(1), reduced, True),
    Row("min", draw(("float", "float", "int")), gx.min, extreme(-1), reduced, True),
    Row("var", draw(ddof=True), gx.var, var, reduced, weight=0.7),
    Row("std", draw(ddof=True), gx.std, std, reduced, weight=0.5),
    Row("norm", norm_draw, gx.norm, norm, reduced, weight=0.7),
    Row("logsumexp", draw(), gx.logsumexp, logsumexp, reduced, weight=0.7),
    Row("argmax", draw(("float", "int"), several=False), gx.argmax, position(1), reduced, True, weight=0.4),
    Row("argmin", draw(("float", "int"), several=False), gx.argmin, position(-1), reduced, True, weight=0.3),
    Row("softmax", soft_draw, gx.softmax, softmax, kept),
    Row("log_softmax", soft_draw, gx.log_softmax, log_softmax, kept, weight=0.7),
    Row("spelled reduction", spelled_draw, lambda x, how, axis: SPELLED[how][0](x, axis), spelled_theirs, weight=1.5),
]
