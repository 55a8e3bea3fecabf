"""The index space of one stage while its formula is rewritten: accesses without repetition, each a read symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine, read_variable
from graphc.expr.build import Access
from graphc.expr.dims import Extent
from graphc.expr.stage import affine_formula, index_symbol, read_symbol
from graphc.expr.tensor import Guard, Tensor

__all__ = ["Frame"]

Key = tuple[Tensor, tuple[Affine, ...], float | None]


class Frame:
    """Indices with their extents, and the accesses made so far.

    Attributes:
        extents: the ranges of ``i0, i1, ...``.
        accesses: the tensor, places and outside value behind ``x0, x1, ...``.
        guards: what the formulas that were looked through demand of sizes.
    """

    def __init__(self, extents: Sequence[Extent]) -> None:
        self.extents = tuple(extents)
        self.accesses: list[Key] = []
        self.guards: dict[Guard, None] = {}
        self._number: dict[Key, int] = {}
        self._units = {k: Affine() for k, e in enumerate(self.extents) if e == 1}

    def read(self, tensor: Tensor, places: Sequence[Affine], outside: float | None = None) -> Any:
        """The symbol of an access; equal accesses have one symbol, and an index that is always 0 is 0."""
        key = (tensor, tuple(p.substitute(self._units) for p in places), outside)
        number = self._number.get(key)
        if number is None:
            number = self._number[key] = len(self.accesses)
            self.accesses.append(key)
        return read_symbol(number)

    def number(self, symbol: Any) -> int | None:
        """Which access a symbol is; ``None`` for indices and dimensions."""
        name: str = symbol.name
        return int(name[1:]) if name[:1] == "x" and name[1:].isdigit() and int(name[1:]) < len(self.accesses) else None

    def access(self, symbol: Any) -> Key | None:
        """The access behind a symbol."""
        number = self.number(symbol)
        return None if number is None else self.accesses[number]

    def adopt(self, other: Sequence[Key | Access], places: dict[int, Affine]) -> dict[Any, Any]:
        """What the symbols of another index space are in this one.

        Args:
            other: the accesses of that space.
            places: its indices as maps of ours.
        """
        maps: dict[Any, Any] = {index_symbol(k): affine_formula(p) for k, p in places.items()}
        moved = dict(places)
        for number, (tensor, coords, *outside) in enumerate(other):
            symbol = self.read(tensor, [c.substitute(moved) for c in coords], outside[0] if outside else None)
            maps[read_symbol(number)] = symbol
            own = self.number(symbol)
            assert own is not None
            moved[read_variable(number)] = Affine.variable(read_variable(own))
        return maps

    def variables(self, body: Any) -> set[int]:
        """The indices that a formula depends on, by itself or by where its reads are."""
        found = {k for k in range(len(self.extents)) if index_symbol(k) in body.free_symbols}
        pending = [n for n in (self.number(s) for s in body.free_symbols) if n is not None]
        seen = set(pending)
        while pending:
            for place in self.accesses[pending.pop()][1]:
                for v in place.variables:
                    if v >= 0:
                        found.add(v)
                    elif -v - 1 not in seen:
                        seen.add(-v - 1)
                        pending.append(-v - 1)
        return found
