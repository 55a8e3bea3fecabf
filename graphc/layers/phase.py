"""The two readings of a layer's call, training and inference, and the assignments that it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.build import operand
from graphc.expr.carry import collecting
from graphc.expr.graph import resolve_phase, substitute
from graphc.expr.operation import Leaf, Phase
from graphc.expr.tensor import Tensor, make
from graphc.layers.mask import mask_of, masked
from graphc.ops.state import by_phase

__all__ = ["LayerPhase", "collected", "in_both", "in_one"]


@dataclass(frozen=True, slots=True, eq=False)
class LayerPhase(Phase):
    """A choice that a layer freezes: where it is not trainable, training too takes the inference branch.

    Attributes:
        layer: whose choice it is.
        always: whether inference takes the training branch, unless the layer is frozen.
    """

    layer: Any = None
    always: bool = False

    def branch(self, wanted: int) -> int:
        """The branch that a reading takes, as the layer is at this moment."""
        return 1 if not self.layer.trainable else 0 if self.always else wanted

    def for_good(self) -> Phase | None:
        """The same choice, between training and the frozen layer alone."""
        return LayerPhase(self.layer, True)


def collected(call: Callable[[], Any], others: Callable[[], Sequence[Tensor]] = list) -> Any:
    """What ``call`` gives, with the assignments that it makes: what it gives in training carries them.

    Args:
        call: gives a tensor, or a list or tuple of tensors.
        others: gives the tensors that the call made beside.
    """
    with collecting() as calls:
        result = call()
        made = calls.close(_listed(result), others())
    return _like(result, made)


def in_both(call: Callable[[bool], Any], terms: list[Tensor]) -> Any:
    """What a call gives that is told whether it is training: one reading for each.

    Args:
        call: given ``True`` or ``False``.
        terms: where the call puts terms of the loss; they are those of training.
    """
    training = call(True)
    count = len(terms)
    with collecting(apart=True):
        inference = _listed(call(False))
    del terms[count:]
    made: list[Tensor] = []
    for a, b in zip(_listed(training), inference, strict=True):
        y = by_phase(training=a, inference=b)
        y.name, y.call = a.name, a.call or y.call
        made.append(y)
    return _like(training, made)


def in_one(call: Callable[[list[Any]], Any], given: Sequence[Any], training: bool, terms: list[Tensor]) -> Any:
    """One reading of what a call gives, whichever is asked for later; what it is called on stays as it is.

    Args:
        call: given tensors and lists of tensors.
        given: what it is called on.
        terms: where the call puts terms of the loss.
    """
    held: dict[Tensor, Tensor] = {}

    def stand_in(t: Tensor) -> Tensor:
        leaf = make(Leaf("input"), (), t.shape, t.dtype, name=t.name)
        held[leaf] = t
        return leaf

    count = len(terms)
    with collecting(apart=True):
        result = call([[stand_in(t) for t in x] if isinstance(x, list | tuple) else stand_in(x) for x in given])
    listed = _listed(result)
    masks = [mask_of(t) for t in listed]
    known = [m for m in masks if m is not None]
    made = substitute(resolve_phase([*listed, *known, *terms[count:]], 0 if training else 1, for_good=True), held)
    terms[count:] = made[len(listed) + len(known) :]
    places = dict(zip(known, made[len(listed) :], strict=False))
    return _like(result, [masked(t, places.get(m) if m is not None else None) for t, m in zip(made, masks, strict=False)])


def _listed(result: Any) -> list[Tensor]:
    return [operand(t) for t in (result if isinstance(result, list | tuple) else [result])]


def _like(result: Any, made: list[Tensor]) -> Any:
    return type(result)(made) if isinstance(result, list | tuple) else made[0]
