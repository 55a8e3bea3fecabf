"""Picking entries by integer tensors, and the reverse of it."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine, read_variable
from graphc.expr.build import operand, stage
from graphc.expr.dims import Dim, Extent
from graphc.expr.numbers import as_whole
from graphc.expr.scalar import Select
from graphc.expr.stage import index_symbol, read_symbol
from graphc.expr.tensor import Call, Tensor
from graphc.ops.axes import axis_of

__all__ = ["embedding", "one_hot", "take"]


def _ids(ids: Any, what: str) -> Tensor:
    tensor = operand(ids)
    if tensor.dtype != "int":
        raise DeclarationError(f"{what} picks by integers, and {tensor.describe()} holds {tensor.dtype} values: declare it with dtype='int'")
    return tensor


def take(t: Any, ids: Any, axis: int = 0) -> Tensor:
    """The entries of ``t`` at the places ``ids`` along an axis; the gradient adds up where a place repeats.

    Raises:
        DataError: when evaluated with an id outside ``0 ... size - 1``; ids do not count from the end.

    Example:
        >>> import graphc as gx
        >>> gx.take(gx.tensor("t", (10, 4)), gx.tensor("ids", ("n",), dtype="int")).shape
        (n, 4)
    """
    t, places = operand(t), _ids(ids, "gx.take")
    axis = axis_of(t, axis)
    shape = (*t.shape[:axis], *places.shape, *t.shape[axis + 1 :])
    at = tuple(Affine.variable(axis + k) for k in range(places.ndim))
    rest = tuple(Affine.variable(axis + places.ndim + k) for k in range(t.ndim - axis - 1))
    coords = (*(Affine.variable(k) for k in range(axis)), Affine.variable(read_variable(0)), *rest)
    return stage(shape, [(places, at), (t, coords)], read_symbol(1), dtype=t.dtype, call=Call("take", (t, places), r"{0}[{1}]"))


def one_hot(ids: Any, depth: Extent) -> Tensor:
    """1.0 at the place of each id along a new last axis of size ``depth``, 0.0 elsewhere; an id outside gives zeros.

    Example:
        >>> import graphc as gx
        >>> gx.evaluate(gx.one_hot(gx.constant([2, 0]), 3), {})
        array([[0., 0., 1.],
               [1., 0., 0.]])
    """
    places = _ids(ids, "gx.one_hot")
    classes = depth if isinstance(depth, Dim) else as_whole(depth)
    if classes is None or (isinstance(classes, int) and classes < 1):
        raise DeclarationError(f"depth={depth!r} of gx.one_hot: it is the number of classes, a whole number of 1 or more, or a dimension")
    at = tuple(Affine.variable(k) for k in range(places.ndim))
    body = Select(sympy.Eq(read_symbol(0), index_symbol(places.ndim)), sympy.Integer(1), sympy.Integer(0))
    return stage((*places.shape, classes), [(places, at)], body, dtype="float", call=Call("one_hot", (places,), r"\operatorname{onehot}({0})"))


def embedding(table: Any, ids: Any) -> Tensor:
    """The rows of a table that the ids name: ``table[ids]``, of shape ``ids.shape + table.shape[1:]``."""
    return take(table, ids, axis=0).called("embedding", operand(table), operand(ids), latex=r"{0}[{1}]")
