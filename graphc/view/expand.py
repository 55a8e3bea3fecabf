"""Operations that are made of several steps, drawn as these steps within a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.view.reading import Reading, read, shown_call

__all__ = ["composed", "expanded"]


def expanded(targets: Sequence[Tensor], reading: Reading, expand: Any) -> Reading:
    """The reading with some operations opened.

    Args:
        targets: what is drawn.
        reading: the reading of it.
        expand: a tensor, or several, each the result of an operation; ``True`` for all that are made of steps.

    Raises:
        DeclarationError: for what is no such tensor.
    """
    if expand is True:
        wanted = [t for t in reading.items if composed(t)]
    else:
        given = [expand] if isinstance(expand, Tensor | str) else expand
        if not isinstance(given, Sequence):
            raise DeclarationError(f"expand={expand!r}: give a tensor or its name, a list of these, or True")
        wanted = [_found(reading, one) for one in given]
    cells: dict[Tensor, tuple[str, ...]] = {}
    taken: dict[str, int] = {}
    for tensor in wanted:
        symbol = reading.items[tensor].operator.plain
        taken[symbol] = taken.get(symbol, 0) + 1
        frame = symbol if taken[symbol] == 1 else f"{symbol} {taken[symbol]}"
        cells |= dict.fromkeys(_inside(reading, tensor), (*reading.items[tensor].scope, frame))
    return read(targets, cells=cells, carried=wanted, opened=frozenset(wanted))


def composed(tensor: Tensor) -> bool:
    """Whether an operation is made of steps that can be shown."""
    return tensor.call is not None and tensor.call.inner is not None and tensor.call.inner.symbol not in ("", "phase")


def _found(reading: Reading, one: Any) -> Tensor:
    named = [t for t, item in reading.items.items() if item.name == one] if isinstance(one, str) else [reading.sources.get(one)]
    tensor = named[0] if named else None
    if tensor is None or tensor not in reading.items:
        shown = one.describe() if isinstance(one, Tensor) else repr(one)
        raise DeclarationError(f"expand={shown} is no tensor of this picture: give the result of an operation that is drawn, or its name")
    if not composed(tensor):
        raise DeclarationError(
            f"{reading.items[tensor].called} is one step, {reading.items[tensor].operator.plain}: there is nothing in it to expand"
        )
    return tensor


def _inside(reading: Reading, tensor: Tensor) -> list[Tensor]:
    """The steps that an operation is made of, itself among them."""
    stop = set(reading.items[tensor].inputs)
    found: dict[Tensor, None] = {}
    stack = [tensor]
    while stack:
        t = stack.pop()
        if t in found or t in stop or (t is not tensor and reading.sources.get(t) in stop) or t.kind != "computed":
            continue
        found[t] = None
        call = shown_call(t, (tensor,))
        stack.extend(t.inputs if call is None else call.inputs)
    return list(found)
