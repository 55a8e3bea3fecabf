"""Opaque linear algebra as tensors: inverse, determinant, its logarithm, and the cofactors that its derivatives are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from graphc.expr.operation import Linalg
from graphc.expr.origin import Origin
from graphc.expr.tensor import Call, Guard, Tensor, make

__all__ = ["MOST_DIRECTIONS", "linalg", "singular_message"]

MOST_DIRECTIONS = 2  # along which the cofactor matrix can be differentiated

_SHOWN = {
    "inverse": ("inv", "{0}^{-1}"),
    "determinant": ("det", r"\det({0})"),
    "logdet": ("logdet", r"\log\lvert\det({0})\rvert"),
    "cofactor": ("cof", r"\operatorname{cof}({0})"),
}


def linalg(
    kind: Literal["inverse", "determinant", "logdet", "cofactor"], operands: Sequence[Tensor], *, label: str = "", guards: Sequence[Guard] = (),
    origin: Origin | None = None,
) -> Tensor:  # fmt: skip
    """The tensor of one operation of linear algebra.

    Args:
        operands: matrices along the last two axes; after them, for the cofactor, directions of the same shape.
        label: what messages call the matrices; by default the tensor's own label.
    """
    x = operands[0]
    symbol, latex = _SHOWN[kind]
    if len(operands) > 1:
        latex = r"\partial " + latex + "[" + ", ".join(f"{{{k}}}" for k in range(1, len(operands))) + "]"
    shape = x.shape[:-2] if kind in ("determinant", "logdet") else x.shape
    call = Call(symbol, tuple(operands), latex)
    return make(Linalg(kind, label or x.label), operands, shape, "float", call=call, guards=guards, origin=origin)


def singular_message(label: Any, place: int, count: int, origin: Any = None) -> str:
    """What to say where one of ``count`` matrices has no inverse; ``origin`` is the line that asks for it."""
    which = f"matrix {place} of {label}" if count > 1 else str(label)
    line = f" (declared at {origin})" if origin is not None else ""
    return f"{which} is singular at this value, so it has no inverse: check what it is made of, or add a small multiple of the identity to it{line}"
