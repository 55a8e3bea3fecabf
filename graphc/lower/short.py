"""Innermost loops of so few iterations that they rather fill a part of a vector than run one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from graphc.lower import ir
from graphc.lower.cost import LONG
from graphc.lower.emit import Emitter

__all__ = ["shortened"]

_LANES = 16  # of the widest vectors
_MOST = 64  # iterations, for which the last vector counts


def shortened(emitter: Emitter, body: Sequence[ir.Statement]) -> tuple[ir.Statement, ...]:
    """The statements with their short innermost loops marked."""
    return tuple(_marked(emitter, s) if isinstance(s, ir.Loop) else s for s in body)


def _marked(emitter: Emitter, loop: ir.Loop) -> ir.Loop:
    if any(isinstance(s, ir.Loop) for s in loop.body):
        return dataclasses.replace(loop, body=shortened(emitter, loop.body))
    extent = emitter.params[loop.extent.number] if isinstance(loop.extent, ir.Param) else loop.extent
    if loop.parallel or not isinstance(extent, int) or not _pays(extent):
        return loop
    # Functions of so many instructions that they pay for what is computed in vain.
    long = any(isinstance(s, ir.Compute) and s.function in LONG for s in loop.body)
    # What is combined into memory would wait for what part of a vector has written there; sums gain nothing.
    plain = not any(isinstance(s, ir.Update | ir.Accumulate) for s in loop.body)
    return dataclasses.replace(loop, short=long or (plain and extent < _LANES))


def _pays(extent: int) -> bool:
    """Whether a last vector in part takes less time than what is left over four by four, each at three quarters of it, and one by one."""
    left = extent % _LANES
    return extent < _MOST and 3 * (left // 4) + 4 * (left % 4) > 4
