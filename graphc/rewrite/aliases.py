"""Names and phases dropped: what is left is what is computed."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.graph import rebuild
from graphc.expr.tensor import Alias, Tensor

__all__ = ["drop_aliases"]


def drop_aliases(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph without its names."""
    return rebuild(outputs, lambda node, inputs: [inputs[0]] if isinstance(node.op, Alias) else None)
