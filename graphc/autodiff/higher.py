"""Jacobians, Hessians and Hessian-vector products, from the same reverse sweep."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.autodiff.batch import vectorise
from graphc.autodiff.sweep import as_shaped, grad, total, vjp
from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand, stage
from graphc.expr.operation import Alias, Leaf
from graphc.expr.scalar import Select
from graphc.expr.stage import index_symbol
from graphc.expr.tensor import Tensor, make

__all__ = ["hessian", "hvp", "jacobian"]


def jacobian(y: Tensor, wrt: Any, *, unconnected: str = "raise") -> Any:
    r"""All partial derivatives :math:`\partial y_i / \partial x_j`, of shape ``y.shape + wrt.shape``.

    Args:
        y: a tensor of any shape.
        wrt: a tensor, or a list of them for a list of Jacobians.

    Example:
        >>> import graphc as gx
        >>> x = gx.tensor("x", (2,))
        >>> gx.evaluate(gx.jacobian(x * x, x), {x: [1.0, 3.0]})
        array([[2., 0.],
               [0., 6.]])
    """
    y = operand(y)
    row = make(Leaf("input"), (), y.shape, "float", name="row")
    rows = vjp(y, wrt, row, unconnected=unconnected)
    identity = _identity(y)
    made = [_of(vectorise(r, row, identity), y) for r in (rows if isinstance(rows, list) else [rows])]
    return made if isinstance(rows, list) else made[0]


def _of(derivatives: Tensor, y: Tensor) -> Tensor:
    """Derivatives with what they are the derivatives of: they see its random numbers, and carry out what it carries."""
    return make(Alias(), (derivatives, y), derivatives.shape, "float")


def _identity(y: Tensor) -> Tensor:
    """The identity map on tensors of the shape of ``y``."""
    same: list[Any] = [sympy.Eq(index_symbol(k), index_symbol(k + y.ndim)) for k in range(y.ndim)]
    return stage([*y.shape, *y.shape], (), Select(sympy.And(*same), sympy.Integer(1), sympy.Integer(0)), dtype="float")


def hessian(y: Tensor, wrt: Any) -> Any:
    r"""The second derivatives of a scalar, of shape ``wrt.shape + wrt.shape``; for a list of variables all blocks, as lists of lists.

    Example:
        >>> import graphc as gx
        >>> x = gx.tensor("x", (2,))
        >>> gx.evaluate(gx.hessian(x[0] * x[0] * x[1], x), {x: [1.0, 3.0]})
        array([[6., 2.],
               [2., 0.]])
    """
    y = operand(y)
    if y.ndim:
        raise ShapeError(f"gx.hessian wants a scalar, and {y.describe()} is none: take its sum or mean, or use gx.jacobian twice")
    first = grad(y, wrt)
    if isinstance(first, list):
        return [[jacobian(g, v, unconnected="zero") for v in wrt] for g in first]
    return jacobian(first, wrt, unconnected="zero")


def hvp(y: Tensor, wrt: Any, v: Any) -> Any:
    """The Hessian of a scalar times a vector, without forming the Hessian; for a list of variables ``v`` is a list too."""
    variables, vectors = _with_vectors(wrt, v)
    first = grad(y, variables)
    vectors = [operand(u) for u in vectors]
    pairs = zip(variables, vectors, strict=True)
    vectors = [as_shaped(u, variable, f"the vector {u.describe()} must have the shape of {variable.describe()}") for variable, u in pairs]
    # The Hessian is symmetric: what the gradients pull back. The vectors stay as they are, whatever they are computed from.
    pulled = [vjp(g, variables, u, unconnected="zero") for g, u in zip(first, vectors, strict=True)]
    second = [total(list(parts)) for parts in zip(*pulled, strict=True)]
    return second if isinstance(wrt, list | tuple) else second[0]


def _with_vectors(wrt: Any, v: Any) -> tuple[list[Any], list[Any]]:
    """The variables, and a vector for each."""
    several = isinstance(v, list | tuple)
    if not isinstance(wrt, list | tuple):
        if several and any(isinstance(u, Tensor) for u in v):
            raise DeclarationError("gx.hvp is given one variable and a list of tensors: give the one that is its vector")
        return [wrt], [v]
    if not several or len(v) != len(wrt):
        given = f"a list of {len(v)} vectors" if several else "no list of vectors"
        raise DeclarationError(f"gx.hvp is given a list of {len(wrt)} variables and {given}: give a list of as many vectors")
    return list(wrt), list(v)
