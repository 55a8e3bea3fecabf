"""Reductions over axes: sums, means, extremes and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine
from graphc.expr.build import not_of_nothing, operand, stage
from graphc.expr.dims import product
from graphc.expr.numbers import is_real
from graphc.expr.stage import Reducer, read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.arithmetic import abs, exp, isfinite, log, sqrt, where
from graphc.ops.axes import axes_of, axis_of
from graphc.ops.layout import expand_dims, reshape

__all__ = [
    "argmax", "argmin", "log_softmax", "logsumexp", "max", "mean", "min", "norm", "prod", "shift", "softmax", "std", "sum", "var",
]  # fmt: skip

Axes = int | tuple[int, ...] | None
_LATEX = {"sum": r"\sum {0}", "prod": r"\prod {0}", "max": r"\max {0}", "min": r"\min {0}"}
_SYMBOL = {"sum": "Σ", "prod": "∏", "max": "max", "min": "min"}


def _reduce(reducer: Reducer, value: Any, axis: Axes, keepdims: bool, guards: Sequence[Guard] = ()) -> Tensor:
    x = operand(value)
    axes = axes_of(x, axis)
    kept = [a for a in range(x.ndim) if a not in axes]
    order = [*kept, *axes]
    places = tuple(Affine.variable(order.index(a)) for a in range(x.ndim))
    call = Call(_SYMBOL[reducer], (x,), _LATEX[reducer])
    dtype = "int" if x.dtype == "bool" and reducer in ("sum", "prod") else x.dtype
    extents = [x.shape[a] for a in order]
    result = stage(extents, [(x, places)], read_symbol(0), outputs=len(kept), reducer=reducer, dtype=dtype, call=call, guards=guards)
    if not keepdims:
        return result
    return _keep(result, axes).called(call.symbol, x, latex=call.latex)


def _keep(reduced: Tensor, axes: tuple[int, ...]) -> Tensor:
    for axis in axes:
        reduced = expand_dims(reduced, axis)
    return reduced


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The sum over one axis, several, or all; 0 of nothing.

    Example:
        >>> import graphc as gx
        >>> gx.sum(gx.tensor("x", ("n", 3)), axis=1).shape
        (n,)
    """
    return _reduce("sum", x, axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The product over one axis, several, or all; 1 of nothing. Its gradient is right at zeros."""
    return _reduce("prod", x, axis, keepdims)


def _some(reducer: Reducer, x: Tensor, axis: Any, name: str) -> list[Guard]:
    """What makes sure that there is an entry to win."""
    axes = axes_of(x, axis)
    kept = [x.shape[a] for a in range(x.ndim) if a not in axes]
    return not_of_nothing(reducer, [*kept, *(x.shape[a] for a in axes)], len(kept), f"{name} of {x.describe()} over {_along(axis)}")


def _along(axis: Any) -> str:
    return "all axes" if axis is None else f"axis {axis}"


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest entry; on ties the first takes the whole gradient; NaN where any entry is.

    Raises:
        ShapeError: where there is no entry; for named sizes, when arrays arrive.
    """
    x = operand(x)
    return _reduce("max", x, axis, keepdims, _some("max", x, axis, "max"))


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest entry; on ties the first takes the whole gradient; NaN where any entry is.

    Raises:
        ShapeError: where there is no entry; for named sizes, when arrays arrive.
    """
    x = operand(x)
    return _reduce("min", x, axis, keepdims, _some("min", x, axis, "min"))


def _winner(reducer: Reducer, value: Any, axis: int | None, keepdims: bool) -> Tensor:
    x = operand(value)
    axes = axes_of(x, axis) if axis is None else (axis_of(x, axis),)
    winner = _reduce(reducer, x, axes, False, _some(reducer, x, axis, f"arg{reducer}")).node.outputs[1]
    winner.call = Call(f"arg{reducer}", (x,), rf"\arg\{reducer} {{0}}")
    return _keep(winner, axes) if keepdims else winner


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the largest entry, the first of equals, as an integer; its gradient is 0."""
    return _winner("max", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position of the smallest entry, the first of equals, as an integer; its gradient is 0."""
    return _winner("min", x, axis, keepdims)


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The mean over one axis, several, or all; NaN of nothing."""
    x = operand(x)
    count = product(x.shape[a] for a in axes_of(x, axis))
    total = _reduce("sum", x, axis, keepdims)
    return (total / (count if count != 0 else 0.0)).called("mean", x, latex=r"\operatorname{mean} {0}")


def var(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The variance: the mean squared deviation from the mean; ``ddof`` is subtracted from the count."""
    x = operand(x)
    if not is_real(ddof):
        raise DeclarationError(f"ddof={ddof!r} of the variance of {x.describe()}: it is the number that is subtracted from the count, 0 or 1")
    count = product(x.shape[a] for a in axes_of(x, axis)) - (int(ddof) if float(ddof).is_integer() else ddof)
    deviation = x - mean(x, axis, keepdims=True)
    total = _reduce("sum", deviation * deviation, axis, keepdims)
    return (total / (0.0 if isinstance(count, int) and count <= 0 else count)).called("var", x, latex=r"\operatorname{var} {0}")


def std(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Tensor:
    """The standard deviation, the square root of :func:`var`."""
    x = operand(x)
    return sqrt(var(x, axis, keepdims, ddof)).called("std", x, latex=r"\operatorname{std} {0}")


def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The Euclidean norm of vectors, the Frobenius norm of all entries; its gradient at 0 is 0.

    Args:
        ord: ``None`` or 2 for that norm; 1 for the sum of absolute values, ``inf`` for the largest, both over vectors.

    Raises:
        DeclarationError: for another ``ord``, or one over several axes.
    """
    x = operand(x)
    several = len(axes_of(x, axis)) != 1
    if ord not in (None, "fro") and (several or ord not in (1, 2, float("inf"))):
        raise DeclarationError(f"ord={ord!r} of the norm of {x.describe()}: give None for the Euclidean norm; 1, 2 and inf are norms over one axis")
    if ord == 1:
        return sum(abs(x), axis, keepdims).called("‖·‖₁", x, latex=r"\lVert {0} \rVert_1")
    if ord == float("inf"):
        return max(abs(x), axis, keepdims).called("‖·‖∞", x, latex=r"\lVert {0} \rVert_\infty")
    return sqrt(_reduce("sum", x * x, axis, keepdims)).called("‖·‖", x, latex=r"\lVert {0} \rVert")


def shift(x: Tensor, axis: Axes) -> Tensor:
    """The largest entry, or 0 where that is infinite, so that shifting by it gives no NaN."""
    top = _reduce("max", x, axis, keepdims=True)
    return where(isfinite(top), top, 0.0)


def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` without overflow."""
    x = operand(x)
    top = shift(x, axis)
    total = log(sum(exp(x - top), axis, keepdims=True)) + top
    if not keepdims:
        kept = [a for a in range(x.ndim) if a not in axes_of(x, axis)]
        total = reshape(total, tuple(x.shape[a] for a in kept))
    return total.called("logsumexp", x, latex=r"\operatorname{logsumexp}({0})")


def softmax(x: Any, axis: Axes = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along an axis, shifted by the largest entry so that nothing overflows.

    Example:
        >>> import graphc as gx
        >>> gx.evaluate(gx.softmax(gx.constant([0.0, 0.0])), {})
        array([0.5, 0.5])
    """
    x = operand(x)
    powers = exp(x - shift(x, axis))
    return (powers / sum(powers, axis, keepdims=True)).called("softmax", x, latex=r"\operatorname{softmax}({0})")


def log_softmax(x: Any, axis: Axes = -1) -> Tensor:
    """``log(softmax(x))`` along an axis, finite wherever ``x`` is."""
    x = operand(x)
    return (x - logsumexp(x, axis, keepdims=True)).called("log_softmax", x, latex=r"\log\operatorname{softmax}({0})")
