"""Which blocks of the product a host's registers hold, and which of them rows are divided into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

__all__ = ["Shapes", "register_letter", "shapes", "vector_bytes"]

_LATENCY = 4  # cycles until the sum of a multiply-add can be added to again; two begin in each


@cache
def vector_bytes() -> int:
    """The width of the host's vectors; 0 where it has none that we know."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    known = {"avx512f": 64, "avx": 32, "sse2": 16, "neon": 16}
    return next((width for name, width in known.items() if features.get(name)), 0)


@cache
def register_letter() -> str | None:
    """What the host's assemblers call any register for vectors; ``None`` where we do not know."""
    import llvmlite.binding as llvm

    machine = llvm.get_default_triple().split("-")[0]
    return {"x86_64": "v", "aarch64": "w", "arm64": "w"}.get(machine)


@dataclass(frozen=True)
class Shapes:
    """Blocks for vectors of some lanes: for each number of vectors, how many rows a block may have, most first.

    ``half``: whether half a vector is taken where no more is left, because narrow loads are quicker.
    """

    lanes: int
    rows: dict[int, tuple[int, ...]]
    half: bool = False

    @property
    def most(self) -> int:
        """The most rows of any block."""
        return max(r for rows in self.rows.values() for r in rows)

    def first(self, vectors: int) -> tuple[int, ...]:
        """For each number of rows that are left, how many the next block should have; for more than these, as many as it can."""
        choices = self.rows[vectors]
        best: list[tuple[float, int]] = [(0.0, choices[0])]
        for left in range(1, 4 * choices[0] + 1):
            costs = [(max(r * vectors / 2, _LATENCY) + 1 + best[max(left - r, 0)][0], -r) for r in choices]
            cost, rows = min(costs)
            best.append((cost, -rows))
        return tuple(rows for _, rows in best)


@cache
def shapes(vector_bytes: int, bits: int) -> Shapes:
    """The blocks for vectors of so many bytes: accumulators, a row of B and one of A fit 32 registers, or 16 with AVX and SSE."""
    lanes = max(1, vector_bytes * 8 // bits)
    if vector_bytes == 64:
        return Shapes(lanes, {2: (14, 8, 6, 4), 1: (14, 4)}, half=True)
    return Shapes(lanes, {2: (6, 3), 1: (6, 3)} if lanes > 1 else {2: (4,), 1: (4,)})
