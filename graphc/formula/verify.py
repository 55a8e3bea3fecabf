"""A derivation proved by numbers: its own NumPy source against the gradient of the stages and central differences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.autodiff.sweep import vjp
from graphc.errors import DerivationError, GraphcError
from graphc.expr.dims import evaluate_extent
from graphc.expr.graph import free_dimensions, guards, leaves, topological, unalias
from graphc.expr.operation import Alias, Leaf
from graphc.expr.tensor import Tensor, make
from graphc.formula.algebra import is_symmetric
from graphc.reference.evaluate import Prepared

__all__ = ["Verification", "verify"]

Array = Any
_EXACT, _DIFFERENCE = 1e-8, 2e-5
_STEP = 1e-6
_ENTRIES = 32  # entries of the variable that are checked by differences; more are drawn from all


@dataclass(frozen=True)
class Verification:
    """What a check by numbers found.

    Attributes:
        ok: whether the formula agrees with the gradient of the stages and with central differences.
        max_error: the largest difference from the gradient of the stages, relative to the larger of 1 and its entries.
        max_difference_error: the same against central differences, by at most 32 entries of the variable.
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
    namespace: dict[str, Any] = {}
    exec(derivation.numpy(), namespace)  # noqa: S102 - the source is our own
    failed: Exception | None = None
    for sizes, kind in itertools.product(itertools.islice(_sizes([y, wrt]), 3), ("normal", "positive", "large", "small")):
        generator = np.random.default_rng([seed, len(kind)])
        try:
            feeds = _feeds([y, wrt], sizes, generator, kind)
            point = _Point(y, wrt, feeds, seed)
            expected = point.gradient(derivation, generator)
            if np.isfinite(expected).all() and np.isfinite(point.value).all():
                return _compared(derivation, _computed(derivation, namespace["gradient"], point), point, expected, sizes, generator)
        except (GraphcError, IndexError) as error:
            failed = error
    if failed is not None:
        raise DerivationError(f"{derivation.text} cannot be evaluated at random values: {failed}") from None
    raise DerivationError(f"{derivation.text} has no finite value at the random points that were tried: check it with gx.check_gradients at your own")


def _sizes(outputs: list[Tensor]) -> Iterator[dict[str, int]]:
    """Distinct sizes that fulfil what the declaration demands; each in both orders, since AᵀA is regular in one of them alone."""
    names = free_dimensions(outputs)
    demands = guards(outputs)
    fixed = {e for n in topological(outputs) for t in n.outputs for e in t.shape if isinstance(e, int)}
    free = [k for k in range(2, 12) if k not in fixed][: 2 + len(names)]
    found = False
    chosen = itertools.islice(itertools.permutations(free, len(names)), 2000)
    repeated = itertools.islice(itertools.product(range(1, 9), repeat=len(names)), 5000)
    for candidate in itertools.chain(*((c, c[::-1]) if len(c) > 1 else (c,) for c in chosen), repeated):
        sizes = dict(zip(names, candidate, strict=True))
        if all(g.holds(sizes) for g in demands):
            found = True
            yield sizes
    if not found:
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
    """Values of the leaves, at which derivatives are taken; the graphs are prepared once for all of them."""

    def __init__(self, y: Tensor, wrt: Tensor, feeds: dict[Tensor, Array], seed: int) -> None:
        self.y, self.wrt, self.feeds, self.seed = y, wrt, feeds, seed
        self.value, self.at = Prepared([y, wrt])(feeds, seed=seed)
        self.cotangent: Array = np.ones(())
        names = [t for n in topological([y]) if isinstance(n.op, Alias) for t in n.outputs if unalias(t) is wrt]
        self._places = [wrt, *names]
        self._function = Prepared([y], [*feeds, *self._places])
        self._bar = make(Leaf("input"), (), y.shape, "float", name="cotangent of y")
        self._adjoint = Prepared([vjp(y, wrt, self._bar, unconnected="zero")])

    def _moved(self, array: Array) -> Array:
        (value,) = self._function({**self.feeds, **dict.fromkeys(self._places, array)}, seed=self.seed)
        return value

    def value_of(self, tensor: Tensor) -> Array:
        """The value of a tensor that the formula takes as given."""
        return self.feeds[tensor] if tensor in self.feeds else Prepared([self.y, tensor])(self.feeds, seed=self.seed)[1]

    def _product(self, cotangent: Array) -> Array:
        (value,) = self._adjoint({**self.feeds, self._bar: cotangent}, seed=self.seed)
        return value

    def gradient(self, derivation: Any, generator: Any) -> Array:
        """The derivative as the derivation means it, from the stages."""
        if derivation.cotangent is not None:
            self.cotangent = generator.normal(size=self.value.shape)
            return self._product(self.cotangent)
        columns = [self._product(_unit(self.value.shape, place)) for place in np.ndindex(self.value.shape)]
        jacobian = np.array(columns).reshape((*self.value.shape, *self.at.shape))
        if not self.value.ndim or derivation.layout == "numerator":
            return jacobian
        own = self.value.ndim
        return jacobian.transpose((*range(own, jacobian.ndim), *range(own)))

    def difference(self, derivation: Any, place: tuple[int, ...], symmetric: bool) -> Array:
        """The derivative of the value by one entry of the variable, by central differences."""
        one = _unit(self.at.shape, place)
        one = (one + one.T) / 2 if symmetric else one
        slope = (self._moved(self.at + _STEP * one) - self._moved(self.at - _STEP * one)) / (2 * _STEP)
        return np.sum(slope * self.cotangent) if derivation.cotangent is not None else slope


def _unit(shape: tuple[int, ...], place: tuple[int, ...]) -> Array:
    one = np.zeros(shape)
    one[place] = 1
    return one


def _computed(derivation: Any, function: Any, point: _Point) -> Array:
    """What the NumPy source makes of the point."""
    listing = derivation._listing
    given: dict[str, Array] = {n: point.cotangent if s.barred else point.value_of(s.tensor) for n, s in listing.arguments.items()}
    if listing.seeded:
        given[listing.seed] = point.seed
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function(**given), dtype=float)
    except (ValueError, TypeError, IndexError, NameError, FloatingPointError) as error:
        raise DerivationError(f"{derivation.text}: its NumPy source does not run ({error}); evaluate gx.grad instead") from error


def _compared(derivation: Any, actual: Array, point: _Point, expected: Array, sizes: Mapping[str, int], generator: Any) -> Verification:
    if actual.shape != expected.shape:
        raise DerivationError(f"{derivation.text} has shape {actual.shape}, and {expected.shape} is wanted")
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    errors = np.abs(actual - expected) / scale
    sweep = derivation._sweep
    symmetric = is_symmetric(sweep.wrt.source)
    chosen = list(np.ndindex(point.at.shape))
    if len(chosen) > _ENTRIES:
        chosen = [chosen[k] for k in sorted(generator.choice(len(chosen), _ENTRIES, replace=False))]
    far = 0.0
    for place in chosen:
        column = actual[(..., *place)] if sweep.jacobian and derivation.layout == "numerator" else actual[place]
        far = max(far, _largest(np.abs(column - point.difference(derivation, place, symmetric)) / scale))
    top = _largest(errors)
    place = np.unravel_index(int(np.argmax(errors)), errors.shape) if errors.size else ()
    worst = (tuple(int(p) for p in place), float(actual[place]), float(expected[place])) if errors.size else ((), 0.0, 0.0)
    return Verification(top <= _EXACT and far <= _DIFFERENCE, top, far, dict(sizes), worst)


def _largest(errors: Array) -> float:
    """The largest entry; infinite where one is no number."""
    return float(np.max(np.where(np.isnan(errors), np.inf, errors), initial=0.0))
