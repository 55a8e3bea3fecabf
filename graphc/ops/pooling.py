"""Pooling, channels last: the largest entry or the mean of each window. Padding never wins and never counts."""

from __future__ import annotations

import math
from typing import Any

import sympy

from graphc.errors import ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, stage
from graphc.expr.dims import product
from graphc.expr.scalar import Select
from graphc.expr.stage import affine_formula, read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.windows import Window, numbers, windows

__all__ = ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


def max_pool1d(x: Any, size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The largest entry of each window along the axis between the first and the last; ``strides`` defaults to ``size``."""
    return _largest(x, 1, size, strides, padding, "max_pool1d")


def max_pool2d(x: Any, size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The largest entry of each window of an image (n, height, width, channels); ``strides`` defaults to ``size``.

    Example:
        >>> import graphc as gx
        >>> gx.nn.max_pool2d(gx.tensor("x", ("n", 28, 28, 8)), 2).shape
        (n, 14, 14, 8)
    """
    return _largest(x, 2, size, strides, padding, "max_pool2d")


def avg_pool1d(x: Any, size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The mean of each window along the axis between the first and the last; padding is left out of the count."""
    return _mean(x, 1, size, strides, padding, "avg_pool1d")


def avg_pool2d(x: Any, size: Any, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The mean of each window of an image (n, height, width, channels); padding is left out of the count."""
    return _mean(x, 2, size, strides, padding, "avg_pool2d")


def _slides(x: Tensor, count: int, size: Any, strides: Any, padding: Any, what: str) -> list[Window]:
    if x.ndim != count + 2:
        raise ShapeError(f"{what} of {x.describe()}: it has {count + 2} axes, the first the batch and the last the channels")
    taps = numbers(size, count, "size")
    slides = windows(x, taps, taps if strides is None else strides, padding, 1, what)
    for axis, (w, tap) in enumerate(zip(slides, taps, strict=True)):
        if any(isinstance(side, int) and side >= tap for side in (w.before, w.after)):
            raise ShapeError(
                f"{what} of {x.describe()}: padding={padding!r} gives windows without any entry on axis {axis + 1}; pad by less than {tap}"
            )
    return slides


def _guards(slides: list[Window]) -> list[Guard]:
    return [g for w in slides for g in w.guards]


def _places(slides: list[Window]) -> tuple[Affine, ...]:
    """Indices: n, the steps, the channel; then the taps."""
    count = len(slides)
    middle = (w.place(1 + a, count + 2 + a) for a, w in enumerate(slides))
    return (Affine.variable(0), *middle, Affine.variable(count + 1))


def _largest(value: Any, count: int, size: Any, strides: Any, padding: Any, what: str) -> Tensor:
    x = operand(value)
    slides = _slides(x, count, size, strides, padding, what)
    extents = [x.shape[0], *(w.steps for w in slides), x.shape[-1], *(w.taps for w in slides)]
    outside = -math.inf if any(w.padded for w in slides) else None
    return stage(
        extents, [(x, _places(slides), outside)], read_symbol(0), outputs=count + 2, reducer="max", call=Call(what, (x,)), guards=_guards(slides)
    )


def _mean(value: Any, count: int, size: Any, strides: Any, padding: Any, what: str) -> Tensor:
    x = operand(value)
    slides = _slides(x, count, size, strides, padding, what)
    padded = any(w.padded for w in slides)
    extents = [x.shape[0], *(w.steps for w in slides), x.shape[-1], *(w.taps for w in slides)]
    access = x, _places(slides), 0.0 if padded else None
    total = stage(extents, [access], read_symbol(0), outputs=count + 2, reducer="sum", guards=_guards(slides))
    if not padded:
        return (total / product(w.taps for w in slides)).called(what, x)
    return (total / _counts(slides)[..., None]).called(what, x)


def _counts(slides: list[Window]) -> Tensor:
    """How many entries of the axis each window has."""
    conditions: list[Any] = []
    for axis, w in enumerate(slides):
        at = affine_formula(w.place(axis, len(slides) + axis))
        conditions += [sympy.Ge(at, 0), sympy.Lt(at, sympy.sympify(w.size))]
    body = Select(sympy.And(*conditions), sympy.Integer(1), sympy.Integer(0))
    return stage([*(w.steps for w in slides), *(w.taps for w in slides)], (), body, outputs=len(slides), reducer="sum", dtype="float")
