"""Random numbers as nodes of the graph: a function of seed, step and the node's place; ``gx.random``."""

from __future__ import annotations

from typing import Any

import sympy

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, stage
from graphc.expr.numbers import as_whole, is_real
from graphc.expr.operation import Random
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Tensor, make
from graphc.ops.arithmetic import where
from graphc.ops.state import shape_of

__all__ = ["bernoulli", "normal", "uniform"]


def _draw(shape: Any, key: int | None) -> Tensor:
    extents = shape_of(shape, "a random tensor")
    number = None if key is None else as_whole(key)
    if key is not None and (number is None or number < 0):
        raise DeclarationError(f"key={key!r}: a whole number of 0 or more pins a random node's number")
    return make(Random(extents, number), (), extents, "float", call=Call("uniform", (), r"\mathcal{{U}}(0, 1)"))


def _numbers(*values: Any) -> bool:
    return all(is_real(v) for v in values)


def _given(value: Any, what: str, law: str) -> Any:
    """A number as it is, or a tensor."""
    if _numbers(value):
        return float(value)
    try:
        return operand(value)
    except DeclarationError as error:
        raise DeclarationError(f"{what} of gx.random.{law}: {error}") from None


def _tensors(*values: Any) -> list[Tensor]:
    return [v for v in values if isinstance(v, Tensor)]


def _law(letter: str, first: Any, second: Any) -> str:
    """The law as LaTeX; ``{0}`` and ``{1}`` stand for parameters that are tensors."""
    places = iter(("{0}", "{1}"))
    a, b = (next(places) if isinstance(v, Tensor) else f"{v:g}" for v in (first, second))
    return rf"\mathcal{{{{{letter}}}}}({a}, {b}{'^2' if letter == 'N' else ''})"


def uniform(shape: Any = (), low: Any = 0.0, high: Any = 1.0, *, key: int | None = None) -> Tensor:
    """Uniform numbers in ``[low, high)``.

    Args:
        shape: as for :func:`graphc.tensor`; entries may be names.
        key: pins the node's number; two nodes of one key draw the same.
    """
    u = _draw(shape, key)
    if _numbers(low, high) and (low, high) == (0.0, 1.0):
        return u
    ends = [_given(v, what, "uniform") for v, what in ((low, "low"), (high, "high"))]
    return (u * (ends[1] - ends[0]) + ends[0]).called("uniform", *_tensors(*ends), latex=_law("U", *ends))


def normal(shape: Any = (), mean: Any = 0.0, std: Any = 1.0, *, key: int | None = None) -> Tensor:
    """Normal numbers by the transform of Box and Muller (1958): ``sqrt(-2 log(1 - u)) cos(2 pi v)``."""
    extents = shape_of(shape, "a random tensor")
    u = _draw((2, *extents), key)
    rest = tuple(Affine.variable(k) for k in range(len(extents)))
    radius, angle = read_symbol(0), read_symbol(1)
    body = sympy.sqrt(-2 * sympy.log(1 - radius)) * sympy.cos(2 * sympy.pi * angle)
    z = stage(extents, [(u, (Affine.constant(0), *rest)), (u, (Affine.constant(1), *rest))], body)
    if _numbers(mean, std) and (mean, std) == (0.0, 1.0):
        return z.called("normal", latex=r"\mathcal{{N}}(0, 1^2)")
    mean, std = _given(mean, "mean", "normal"), _given(std, "std", "normal")
    return (z * std + mean).called("normal", *_tensors(mean, std), latex=_law("N", mean, std))


def bernoulli(shape: Any = (), p: Any = 0.5, *, key: int | None = None) -> Tensor:
    """1.0 with probability ``p``, else 0.0."""
    p = _given(p, "p", "bernoulli")
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise DeclarationError(f"p={p} is no probability: it lies in [0, 1]")
    return where(_draw(shape, key) < p, 1.0, 0.0).called("bernoulli", latex=r"\mathcal{{B}}(p)")
