"""Whether a program takes numbers below the normal range as 0.

They take the processor a hundred times as long as others, and in training they come with gradients that vanish, over a long
recurrence. So training steps flush them, as other compilers of training steps do, and all other functions keep them.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.expr.tensor import Tensor
from graphc.runtime.settings import setting

__all__ = ["flushes"]


def flushes(changed: Iterable[Tensor]) -> bool:
    """Whether a program that gives these a next value flushes: where it trains a parameter, if ``GRAPHC_DENORMALS`` does not say
    ``keep`` or ``flush``, which hold for all programs.

    Raises:
        CompileError: for any other setting.
    """
    given = setting("GRAPHC_DENORMALS", "keep", "flush")
    return given == "flush" or (not given and any(t.kind == "parameter" for t in changed))
