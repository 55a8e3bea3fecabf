"""A derivation proved by numbers: its own NumPy source against the gradient of the stages and central differences."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.autodiff.sweep import vjp
from graphc.errors import DerivationError, GraphcError
from graphc.expr.dims import evaluate_extent
from graphc.expr.graph import free_dimensions, guards, leaves, topological, unalias
from graphc.expr.tensor import Alias, Leaf, Tensor, make
from graphc.formula.algebra import is_symmetric
from graphc.reference.evaluate import evaluate

__all__ = ["Verification", "verify"]

Array = Any
_EXACT, _DIFFERENCE = 1e-8, 2e-5
_STEP = 1e-6


@dataclass(frozen=True)
class Verification:
    """What a check by numbers found.

    Attributes:
        ok: whether the formula agrees with the gradient of the stages and with central differences.
        max_error: the largest difference from the gradient of the stages, relative to the larger of 1 and its entries.
        max_difference_error: the same against central differences.
        sizes: the sizes of the named dimensions at which it was checked.
        worst: the entry that differs most, with the formula's value and the gradient's.
    """

    ok: bool
    max_error: float
    max_difference_error: float
    sizes: Mapping[str, int]
    worst: tuple[tuple[int, ...], float, float]

    def __str__(self) -> str:
        verdict = "agrees" if self.ok else "does not agree"
        at = ", ".join(f"{n} = {s}" for n, s in self.sizes.items())
        place, formula, gradient = self.worst
        return (
            f"The formula {verdict} with the gradient of the stages (largest relative error {self.max_error:.1e}) and with central differences "
            f"({self.max_difference_error:.1e}){f', at {at}' if at else ''}; the worst entry is {list(place)}: {formula:.6g} against {gradient:.6g}."
        )

    __repr__ = __str__


def verify(derivation: Any, seed: int = 0) -> Verification:
    """Evaluate the derivation's source at random values, with distinct sizes for named dimensions, and compare.

    Raises:
        DerivationError: where no values were found at which ``y`` and its gradient are finite.
    """
    sweep = derivation._sweep
    y, wrt = sweep.forward.outputs[:2]
    sizes = _sizes([y, wrt])
    namespace: dict[str, Any] = {}
    exec(derivation.numpy(), namespace)  # noqa: S102 - the source is our own
    for kind in ("normal", "positive", "large", "small"):
        generator = np.random.default_rng([seed, len(kind)])
        try:
            feeds = _feeds([y, wrt], sizes, generator, kind)
            point = _Point(y, wrt, feeds, seed)
            expected = point.gradient(derivation, generator)
            if np.isfinite(expected).all() and np.isfinite(point.value).all():
                return _compared(derivation, namespace["gradient"], point, expected, sizes)
        except (GraphcError, IndexError) as error:
            if kind == "small":
                raise DerivationError(f"{derivation.text} cannot be evaluated at random values: {error}") from None
    raise DerivationError(f"{derivation.text} has no finite value at the random points that were tried: check it with gx.check_gradients at your own")


def _sizes(outputs: list[Tensor]) -> dict[str, int]:
    """Distinct sizes that fulfil what the declaration demands."""
    names = free_dimensions(outputs)
    demands = guards(outputs)
    fixed = {e for n in topological(outputs) for t in n.outputs for e in t.shape if isinstance(e, int)}
    free = [k for k in range(2, 12) if k not in fixed][: 2 + len(names)]
    for candidate in itertools.islice(itertools.permutations(free, len(names)), 2000):
        sizes = dict(zip(names, candidate, strict=True))
        if all(g.holds(sizes) for g in demands):
            return sizes
    for candidate in itertools.islice(itertools.product(range(1, 9), repeat=len(names)), 5000):
        sizes = dict(zip(names, candidate, strict=True))
        if all(g.holds(sizes) for g in demands):
            return sizes
    raise DerivationError(f"no sizes of {', '.join(names)} fulfil what the declaration demands")


def _feeds(outputs: list[Tensor], sizes: Mapping[str, int], generator: Any, kind: str) -> dict[Tensor, Array]:
    feeds: dict[Tensor, Array] = {}
    for leaf in leaves(outputs).values():
        shape = tuple(evaluate_extent(e, sizes) for e in leaf.shape)
        if leaf.dtype == "float":
            draws = {
                "normal": lambda s=shape: generator.normal(size=s), "positive": lambda s=shape: generator.uniform(0.1, 0.9, size=s),
                "large": lambda s=shape: generator.uniform(1.1, 3.0, size=s), "small": lambda s=shape: generator.uniform(0.01, 0.2, size=s),
            }  # fmt: skip
            value = draws[kind]()
            if isinstance(leaf.op, Leaf) and leaf.op.symmetric:
                value = (value + value.T) / 2
        else:
            value = generator.integers(0, 2, size=shape)
        feeds[leaf] = value.astype(bool) if leaf.dtype == "bool" else value
    return feeds


class _Point:
    """Values of the leaves, at which derivatives are taken."""

    def __init__(self, y: Tensor, wrt: Tensor, feeds: dict[Tensor, Array], seed: int) -> None:
        self.y, self.wrt, self.feeds, self.seed = y, wrt, feeds, seed
        self.value = evaluate(y, feeds, seed=seed)
        self.at = feeds[wrt] if wrt in feeds else evaluate(wrt, feeds, seed=seed)
        self.cotangent: Array = np.ones(())

    def _moved(self, array: Array) -> Array:
        names = [t for n in topological([self.y]) if isinstance(n.op, Alias) for t in n.outputs if unalias(t) is self.wrt]
        return evaluate(self.y, {**self.feeds, **dict.fromkeys([self.wrt, *names], array)}, seed=self.seed)

    def _product(self, cotangent: Array) -> Array:
        bar = make(Leaf("input"), (), self.y.shape, "float", name="cotangent of y")
        return evaluate(vjp(self.y, self.wrt, bar, unconnected="zero"), {**self.feeds, bar: cotangent}, seed=self.seed)

    def gradient(self, derivation: Any, generator: Any) -> Array:
        """The derivative as the derivation means it, from the stages."""
        if derivation.cotangent is not None:
            self.cotangent = generator.normal(size=self.value.shape)
            return self._product(self.cotangent)
        columns = [self._product(one) for one in _units(self.value.shape)]
        return self._arranged(np.array(columns).reshape((*self.value.shape, *self.at.shape)), derivation)

    def _arranged(self, jacobian: Array, derivation: Any) -> Array:
        if not self.value.ndim or derivation.layout == "numerator":
            return jacobian
        own = self.value.ndim
        return jacobian.transpose((*range(own, jacobian.ndim), *range(own)))

    def differences(self, derivation: Any) -> Array:
        """The derivative by central differences."""
        columns: list[Array] = []
        for one in _units(self.at.shape):
            slope = (self._moved(self.at + _STEP * one) - self._moved(self.at - _STEP * one)) / (2 * _STEP)
            columns.append(np.sum(slope * self.cotangent) if derivation.cotangent is not None else slope)
        if derivation.cotangent is not None:
            return np.array(columns).reshape(self.at.shape)
        by_entry = np.array(columns).reshape((*self.at.shape, *self.value.shape))
        own = self.at.ndim
        return self._arranged(by_entry.transpose((*range(own, by_entry.ndim), *range(own))), derivation)


def _units(shape: tuple[int, ...]) -> list[Array]:
    count = int(np.prod(shape, dtype=np.int64))
    return [row.reshape(shape) for row in np.eye(count)]


def _compared(derivation: Any, function: Any, point: _Point, expected: Array, sizes: Mapping[str, int]) -> Verification:
    listing = derivation._listing
    given: dict[str, Array] = {}
    for name, source in listing.arguments.items():
        if source.barred:
            given[name] = point.cotangent
        elif source.tensor in point.feeds:
            given[name] = point.feeds[source.tensor]
        else:
            given[name] = evaluate(source.tensor, point.feeds, seed=point.seed)
    try:
        with np.errstate(all="ignore"):
            actual = np.asarray(function(**given), dtype=float)
    except (ValueError, TypeError, IndexError, NameError, FloatingPointError) as error:
        raise DerivationError(f"{derivation.text}: its NumPy source does not run ({error}); evaluate gx.grad instead") from error
    if actual.shape != expected.shape:
        raise DerivationError(f"{derivation.text} has shape {actual.shape}, and {expected.shape} is wanted")
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    errors = np.abs(actual - expected) / scale
    slopes = point.differences(derivation)
    if is_symmetric(derivation._sweep.wrt.source) and slopes.ndim == 2:
        slopes = (slopes + slopes.T) / 2
    rough = np.abs(actual - slopes) / scale
    top, far = (float(np.max(np.where(np.isnan(e), np.inf, e), initial=0.0)) for e in (errors, rough))
    place = np.unravel_index(int(np.argmax(errors)), errors.shape) if errors.size else ()
    worst = (tuple(int(p) for p in place), float(actual[place]), float(expected[place])) if errors.size else ((), 0.0, 0.0)
    return Verification(top <= _EXACT and far <= _DIFFERENCE, top, far, dict(sizes), worst)
