"""The gradient checker: exact gradients against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.autodiff import vjp
from graphc.errors import DataError, DeclarationError
from graphc.expr.build import constant, operand
from graphc.expr.dims import Dim
from graphc.expr.graph import leaves
from graphc.expr.tensor import Tensor
from graphc.ops.layout import reshape
from graphc.reference.evaluate import Prepared, evaluate

__all__ = ["GradientReport", "Worst", "check_gradients", "sample"]

_Function = Callable[[Mapping[Tensor, Any]], float]
TOLERANCE = 1e-6
_STEPS = (1e-4, 1e-5, 1e-6)  # of the difference quotient, in turn until it agrees
_ENTRIES = 64  # entries of one variable that are checked; more are drawn from all
_DOMAINS = ((-1.5, 1.5), (0.2, 1.5), (-0.9, 0.9), (1.1, 2.5))  # where points are drawn, in turn, until the value is finite there
_SIZES = (3, 2, 5, 4, 7, 6)  # what named dimensions are, distinct so that a mixed-up axis shows


@dataclass(frozen=True)
class Worst:
    """The entry where gradient and difference quotient disagree most."""

    variable: str
    entry: tuple[int, ...]
    gradient: float
    difference: float


@dataclass(frozen=True)
class GradientReport:
    """What :func:`check_gradients` found; prints as a sentence.

    Attributes:
        ok: whether entries were compared and each agrees to 1e-6, relative to the larger of 1 and the values.
        max_error: the largest disagreement.
        worst: where it is; ``None`` where nothing was compared.
        checked: the number of entries compared.
        skipped: the number of entries at a kink or outside the domain, where no derivative exists.
    """

    ok: bool
    max_error: float
    worst: Worst | None
    checked: int
    skipped: int = 0

    def __str__(self) -> str:
        if self.worst is None and self.skipped:
            places = f"all {self.skipped} lie at a kink or outside the domain, where no derivative exists"
            return f"No entry was compared: {places}; give other points with at={{...}}."
        if self.worst is None:
            return "No entry was compared: there is no variable to check."
        w = self.worst
        kinks = f", {self.skipped} at a kink or outside the domain left out" if self.skipped else ""
        verdict = "The gradients agree with central differences" if self.ok else "The gradients DISAGREE with central differences"
        place = f"{w.variable}{list(w.entry) if w.entry else ''}"
        return (
            f"{verdict}: {self.checked} entries{kinks}, largest error {self.max_error:.2g} at {place} "
            f"(gradient {w.gradient:.8g}, difference {w.difference:.8g})."
        )

    __repr__ = __str__

    def __bool__(self) -> bool:
        return self.ok


def sample(
    tensors: Sequence[Tensor], seed: int = 0, given: Mapping[Tensor, Any] | None = None, within: tuple[float, float] = (-1.5, 1.5),
    drawn: Sequence[int] = _SIZES,
) -> dict[Tensor, Any]:  # fmt: skip
    """Random arrays for inputs, with distinct sizes, ``drawn`` in turn, for the named dimensions that ``given`` leaves open."""
    rng = np.random.default_rng(seed)
    values: dict[Tensor, Any] = dict(given or {})
    sizes: dict[str, int] = {}
    for tensor, array in values.items():
        for extent, size in zip(tensor.shape, np.shape(array), strict=False):
            if isinstance(extent, Dim) and extent == Dim.named(extent.names[0]):
                sizes[extent.names[0]] = size
    for tensor in tensors:
        for name in (n for e in tensor.shape if isinstance(e, Dim) for n in e.names):
            sizes.setdefault(name, drawn[len(sizes) % len(drawn)])
    for tensor in tensors:
        if tensor in values:
            continue
        shape = tuple(e.evaluate(sizes) if isinstance(e, Dim) else e for e in tensor.shape)
        if tensor.dtype == "float":
            values[tensor] = rng.uniform(*within, shape)
            if getattr(tensor.op, "symmetric", False):
                values[tensor] = (values[tensor] + values[tensor].T) / 2
        else:
            values[tensor] = rng.integers(0, 2, shape)
    return values


def check_gradients(y: Tensor, wrt: Any = None, at: Mapping[Tensor, Any] | None = None, seed: int = 0) -> GradientReport:
    """Compare the exact gradients of ``y`` with central differences of fourth order.

    Args:
        y: a tensor; one that is no scalar is weighted by random numbers and summed.
        wrt: the variables, by default every float input and parameter of ``y``.
        at: arrays for inputs; those not given are drawn at random in [-1.5, 1.5], or in
            [0.2, 1.5] and its like where the value is not finite there; named dimensions get distinct sizes.
        seed: what the drawn numbers, and random nodes, depend on.

    Example:
        >>> import graphc as gx
        >>> x = gx.tensor("x", ("n", 3))
        >>> gx.check_gradients(gx.sum(gx.tanh(x))).ok
        True
    """
    y = operand(y)
    if at is not None and not (isinstance(at, Mapping) and all(isinstance(t, Tensor) for t in at)):
        raise DataError("the points are given as a dict from tensors to arrays: gx.check_gradients(y, at={x: array})")
    found = leaves(y)
    variables = [t for t in found.values() if t.dtype == "float" and t.kind != "state"] if wrt is None else wrt
    variables = list(variables) if isinstance(variables, list | tuple) else [variables]
    for v in variables:
        if not isinstance(v, Tensor) or v.kind == "computed":
            raise DeclarationError(f"gradients are checked by inputs and parameters, not by {getattr(v, 'label', v)!r}: leave wrt out to check all")
    inputs = [t for t in found.values() if t.kind == "input"]
    for v in variables:
        if v not in found.values() and v not in (at or {}):
            raise DataError(f"{v.describe()} is no input of {y.label}, so there is nothing to vary")
    given = {leaf: leaf.value for leaf in found.values() if leaf.kind != "input"} | dict(at or {})
    try:
        return _checked(y, variables, inputs, given, seed, _SIZES)
    except DataError as error:
        try:  # of A'A and AA' one has no inverse where A is not square
            return _checked(y, variables, inputs, given, seed, (*_SIZES[1::-1], *_SIZES[2:]))
        except DataError:
            raise error from None


def _checked(y: Tensor, variables: list[Tensor], inputs: list[Tensor], given: dict[Tensor, Any], seed: int, sizes: Sequence[int]) -> GradientReport:
    """The report for these sizes of named dimensions.

    Raises:
        DataError: where something has no value at the points drawn.
    """
    at_point = Prepared([y], sample(inputs, seed, given, drawn=sizes))
    value: Any = np.nan
    values: dict[Tensor, Any] = {}
    for within in _DOMAINS:
        values = sample(inputs, seed, given, within, sizes)
        (value,) = at_point(values, seed=seed)
        if np.all(np.isfinite(value)):
            break
    weights = np.random.default_rng(seed + 1).uniform(0.5, 1.5, np.shape(value)) if y.ndim else np.asarray(1.0)
    gradients = vjp(y, variables, _cotangent(y, weights), unconnected="zero")

    def weighted(point: Mapping[Tensor, Any]) -> float:
        return float(np.sum(at_point(point, seed=seed)[0] * weights))

    return _compare(weighted, variables, evaluate(gradients, values, seed=seed), values, seed)


def _cotangent(y: Tensor, weights: Any) -> Tensor:
    """The weights as a tensor of the declared shape of ``y``, which may have named sizes."""
    fixed = constant(weights)
    if fixed.shape == y.shape:
        return fixed
    return reshape(fixed, y.shape)


def _compare(weighted: _Function, variables: list[Tensor], gradients: list[Any], values: dict[Tensor, Any], seed: int) -> GradientReport:
    rng = np.random.default_rng(seed + 2)
    worst: Worst | None = None
    largest, checked, skipped = 0.0, 0, 0
    for variable, gradient in zip(variables, gradients, strict=True):
        point = np.asarray(values[variable], dtype=np.float64)
        entries = list(np.ndindex(point.shape))
        if len(entries) > _ENTRIES:
            entries = [entries[k] for k in sorted(rng.choice(len(entries), _ENTRIES, replace=False))]
        twins = bool(getattr(variable.op, "symmetric", False))
        for entry in entries:
            exact = float(gradient[entry])
            slope, error, kink = 0.0, np.inf, False
            for step in _STEPS:  # a kink beside the point, or a bend, is left behind by smaller steps; a wrong gradient is not
                slope, kink = _difference(weighted, variable, point, entry, values, twins, step)
                error = abs(exact - slope) / max(1.0, abs(exact), abs(slope))
                if kink or error <= TOLERANCE:
                    break
            if kink:
                skipped += 1
                continue
            checked += 1
            error = np.inf if np.isnan(error) else error
            if worst is None or error > largest:
                largest, worst = float(error), Worst(variable.label, tuple(int(e) for e in entry), exact, slope)
    return GradientReport(largest <= TOLERANCE and (checked > 0 or not skipped), largest, worst, checked, skipped)


def _difference(
    weighted: _Function, variable: Tensor, point: Any, entry: tuple[int, ...], values: dict[Tensor, Any], twins: bool, step: float
) -> tuple[float, bool]:
    """The central difference of fourth order, and whether there is none: the slopes from left and right disagree, or are NaN."""
    h = step * max(1.0, abs(float(point[entry])))

    def along(far: float) -> float:
        moved = point.copy()
        for place in {entry, entry[::-1]} if twins else {entry}:
            # A symmetric matrix moves along (E + Eᵀ)/2.
            moved[place] += far / (2 if twins and entry != entry[::-1] else 1)
        return weighted(values | {variable: moved})

    far_left, left, right, far_right = (along(k * h) for k in (-2, -1, 1, 2))
    centre = along(0.0)
    slope = (far_left - 8 * left + 8 * right - far_right) / (12 * h)
    from_left, from_right = (far_left - 4 * left + 3 * centre) / (2 * h), (-far_right + 4 * right - 3 * centre) / (2 * h)
    if not np.isfinite(slope):  # outside the domain
        return slope, True
    return slope, abs(from_left - from_right) > 1e-3 * max(1.0, abs(slope))
