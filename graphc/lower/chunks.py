"""How the result of a sum of products is divided into chunks, each of which one thread computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.expr.dims import Extent, evaluate_extent

__all__ = ["MOST_ROWS", "PIECE", "Chunks"]

MOST_ROWS = 256  # of a chunk: each copies what it reads of the right operand
PIECE = 215040  # words of scratch memory for each thread: tables of places, copies of pieces of both operands
_COLUMNS, _WIDE = 32, 64  # least width of a chunk, and of one that reads more than the second cache holds
_CACHE = 500_000  # numbers that it holds
_STEPS = 1 << 20  # products of two numbers that are worth a chunk of columns of their own
_ENOUGH = 16  # chunks in all for which columns are divided
_HALF = 28  # rows of each half, at least, of a product that would be a single chunk


@dataclass(frozen=True)
class Chunks:
    """A whole number that follows from sizes, known when they are: how many chunks there are along rows, columns or in all.

    Attributes:
        kind: ``"rows"``, ``"columns"`` or ``"all"``.
        rows, columns, terms: of one product.
        products: how many of them there are.
    """

    kind: str
    rows: Extent
    columns: Extent
    terms: Extent
    products: Extent

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number. It does not depend on how many threads there are, and so the result does not."""
        m, n, k, products = (evaluate_extent(e, sizes) for e in (self.rows, self.columns, self.terms, self.products))
        down = 2 * -(-m // (2 * MOST_ROWS)) if m > MOST_ROWS else 1  # an even number, which two threads share evenly
        parts = max(1, down * products)
        # Dividing columns costs a few hundredths of the time, dividing rows further up to a third.
        least = _WIDE if (m // down + n) * k > _CACHE else _COLUMNS
        across = max(1, min(n // least, m * n * k * products // _STEPS // parts, _ENOUGH // parts))
        if down * across * products == 1 and m >= 2 * _HALF and m * n * k >= 4 * _STEPS:
            down = 2
        return {"rows": down, "columns": across, "all": down * across * products if m > 0 and n > 0 else 0}[self.kind]
