"""Integer-affine maps of index variables: where a stage reads and where it writes.

A variable is an ``int``: ``k >= 0`` is the stage's k-th index, ``-(m + 1)`` the value of the stage's m-th read, so that
an access through an integer tensor (``E[ids[n, t], d]``) is an affine map too. Coefficients and offsets are extents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphc.expr.dims import Dim, Extent

__all__ = ["Affine", "read_variable"]


def read_variable(read: int) -> int:
    """The variable that stands for the value of read number ``read``."""
    return -(read + 1)


@dataclass(frozen=True, slots=True)
class Affine:
    """``sum(coefficient * variable) + offset``, terms sorted by variable and none zero."""

    terms: tuple[tuple[int, Extent], ...] = ()
    offset: Extent = 0

    @staticmethod
    def variable(number: int) -> Affine:
        """The map that is the variable itself."""
        return Affine(((number, 1),))

    @staticmethod
    def constant(value: Extent) -> Affine:
        """The map that is one number."""
        return Affine((), value)

    @staticmethod
    def collect(terms: Sequence[tuple[int, Extent]], offset: Extent) -> Affine:
        """The canonical map of terms that may repeat a variable."""
        sums: dict[int, Extent] = {}
        for variable, coefficient in terms:
            sums[variable] = sums.get(variable, 0) + coefficient
        return Affine(tuple(sorted((v, c) for v, c in sums.items() if c != 0)), offset)

    def __add__(self, other: Affine | Extent) -> Affine:
        if isinstance(other, Affine):
            return Affine.collect((*self.terms, *other.terms), self.offset + other.offset)
        return Affine(self.terms, self.offset + other)

    def __sub__(self, other: Affine | Extent) -> Affine:
        return self + (other.scaled(-1) if isinstance(other, Affine) else -other)

    def scaled(self, factor: Extent) -> Affine:
        """This map times a number."""
        return Affine.collect([(v, c * factor) for v, c in self.terms], self.offset * factor)

    @property
    def variables(self) -> tuple[int, ...]:
        """The variables that occur."""
        return tuple(v for v, _ in self.terms)

    @property
    def bare(self) -> int | None:
        """The index that this map is, alone and unscaled; ``None`` otherwise."""
        if len(self.terms) == 1 and self.offset == 0 and self.terms[0][1] == 1 and self.terms[0][0] >= 0:
            return self.terms[0][0]
        return None

    def coefficient(self, variable: int) -> Extent:
        """The factor of ``variable``, 0 where it does not occur."""
        return dict(self.terms).get(variable, 0)

    def substitute(self, replacements: Mapping[int, Affine]) -> Affine:
        """This map with variables replaced by maps; those not named stay."""
        terms: list[tuple[int, Extent]] = []
        offset = self.offset
        for variable, coefficient in self.terms:
            into = replacements.get(variable)
            if into is None:
                terms.append((variable, coefficient))
                continue
            terms += [(v, c * coefficient) for v, c in into.terms]
            offset = offset + into.offset * coefficient
        return Affine.collect(terms, offset)

    def renumber(self, number: Callable[[int], int]) -> Affine:
        """This map with every variable renumbered."""
        return Affine.collect([(number(v), c) for v, c in self.terms], self.offset)

    def bounds(self, extents: Sequence[Extent]) -> tuple[Extent, Extent] | None:
        """The least and the greatest value over indices ``0 <= k < extents[k]`` (none of them empty).

        ``None`` where a read's value or a coefficient of unknown sign takes part.
        """
        low: Extent = self.offset
        high: Extent = self.offset
        for variable, coefficient in self.terms:
            if variable < 0:
                return None
            reach = coefficient * (extents[variable] - 1)
            if isinstance(coefficient, Dim):
                if any(c < 0 for _, c in coefficient.terms):
                    return None
                high = high + reach
            elif coefficient > 0:
                high = high + reach
            else:
                low = low + reach
        return low, high
