"""What a kernel costs, estimated from its statements: enough to tell what is worth dividing among threads.

The figures are nanoseconds an entry in single precision with vectors of 512 bits, from the table of functions and the products
in docs/design/functions.md and contractions.md. They do not depend on the machine, so that neither do the chunks that calls are divided into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.lower import ir

__all__ = ["CHUNK", "LEAST", "LONG", "Division", "divide", "nanoseconds"]

_ARITHMETIC = 0.02
_FUNCTIONS = {
    "exp": 0.25, "expm1": 0.3, "log": 0.55, "log1p": 0.7, "tanh": 0.4, "sigmoid": 0.4, "softplus": 0.55, "sin": 1.8, "cos": 1.8, "tan": 2.0,
    "arctan": 0.35, "sinh": 0.5, "cosh": 0.4, "erf": 0.9, "sqrt": 0.2, "power": 4.9, "divide": 0.1,
}  # fmt: skip
LONG = frozenset(name for name, least in _FUNCTIONS.items() if least >= 0.25)  # functions of many instructions
_ALONG, _ACROSS, _CHOSEN = 0.04, 0.4, 1.0  # a load or a store: side by side, with a stride, through an index
_RANDOM = 2.0
_PRODUCTS = 65.0  # products and sums of a contraction in a nanosecond
_LOOP = 2.0
_CALL = 500.0  # a product of matrices, whatever its size
_VECTOR = 16  # an innermost loop of fewer iterations runs entry by entry
_SCALAR = 3.0  # what that costs
LEAST = 8_000  # ns of a call that is divided
CHUNK = 2_500  # ns of a chunk, where there are few


def nanoseconds(kernel: ir.Kernel, numbers: Sequence[int], double: bool = False) -> float:
    """About how long a kernel takes with these parameters."""
    return _Cost(numbers).block(kernel.body, None) * (2.0 if double else 1.0)


class _Cost:
    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers

    def number(self, coefficient: ir.Coefficient) -> int:
        """What a coefficient is."""
        return self.numbers[coefficient.number] if isinstance(coefficient, ir.Param) else coefficient

    def block(self, body: Sequence[ir.Statement], variable: int | None) -> float:
        """Statements in the loop over a variable."""
        total = 0.0
        for s in body:
            if isinstance(s, ir.Loop):
                count = max(self.number(s.extent), 0)
                inner = self.block(s.body, s.variable)
                short = count < _VECTOR and not any(isinstance(x, ir.Loop | ir.Contract) for x in s.body)
                total += _LOOP + count * inner * (_SCALAR if short else 1.0)
            else:
                total += self.statement(s, variable)
        return total

    def statement(self, s: ir.Statement, variable: int | None) -> float:
        """One statement of the loop over a variable."""
        if isinstance(s, ir.Load | ir.Store | ir.Update):
            return self.access(s.place, variable) * (2 if isinstance(s, ir.Update) else 1)
        if isinstance(s, ir.Compute):
            return _FUNCTIONS.get(s.function, _ARITHMETIC)
        if isinstance(s, ir.Accumulate):
            return _ARITHMETIC * (1 if s.winner is None else 6)
        if isinstance(s, ir.Uniform):
            return _RANDOM
        if isinstance(s, ir.Contract):
            m, n, k = (max(self.number(x), 0) for x in (s.m, s.n, s.k))
            chunks = max(self.number(s.row_chunks) * self.number(s.column_chunks), 1)
            return _CALL + m * n * self.number(s.others[0]) / chunks * (k / _PRODUCTS + _ALONG)
        if isinstance(s, ir.Matrices):
            return float(self.number(s.count) * self.number(s.size) ** 3)
        return _CHOSEN if isinstance(s, ir.Checked) else 0.0

    def access(self, place: ir.Place, variable: int | None) -> float:
        """A load or a store at a place."""
        if any(v < 0 for v, _ in place.terms):
            return _CHOSEN
        step = next((c for v, c in place.terms if v == variable), 0)
        return {0: _ARITHMETIC, 1: _ALONG}.get(self.number(step), _ACROSS)


@dataclass(frozen=True)
class Division:
    """How a call is dealt out: iterations a chunk, chunks, and about how many ns it all takes."""

    grain: int
    chunks: int
    cost: int


def divide(kernel: ir.Kernel, extent: int, cost: float, most: int) -> Division | None:
    """The chunks of a call that takes about ``cost`` ns, ``most`` at most; ``None`` where dividing it does not pay."""
    count = min(most, extent, int(cost / CHUNK))
    if cost < LEAST or count < 2:
        return None
    least = _alignment(kernel.body, False)
    grain = -(-extent // count)
    grain = -(-grain // least) * least
    chunks = -(-extent // grain)
    return Division(grain, chunks, int(cost)) if chunks > 1 else None


def _alignment(body: Sequence[ir.Statement], inside: bool) -> int:
    """What the iterations of a chunk must be a multiple of, so that vectors stay whole: 1 where loops lie in the parallel one."""
    for s in body:
        if isinstance(s, ir.Loop):
            if s.parallel:
                return 1 if any(isinstance(x, ir.Loop | ir.Contract | ir.Matrices) for x in s.body) else 16 if inside else 256
            found = _alignment(s.body, True)
            if found:
                return found
    return 0
