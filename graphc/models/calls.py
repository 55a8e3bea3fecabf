"""Calls of layers: what a file says of one, and how a call is compared with another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.mask import mask_of
from graphc.layers.output import Called

__all__ = ["GIVEN_MASKS", "SavedCall", "call_data", "flat", "named", "read_call", "saved_call"]

GIVEN_MASKS = "masks of what is given"  # an option of calls of layers from files: no name of an argument has a space
Ref = Callable[[Tensor], Any]


@dataclass(frozen=True, eq=False)
class SavedCall:
    """A call of a layer as a file holds it: a formula from ``values`` to ``results``.

    Attributes:
        accepts: the names of all arguments of ``call``; ``names`` those that are given by place.
        defaults: the arguments that may be left out, and what they are then.
        values: the arguments of the call by name: tensors, lists of them, numbers and words; ``...`` for anything else.
        given_masks: the masks that the tensors given carried, where the formula may depend on them.
        training: the reading that was asked for.
        results, masks, several: what it gave, the masks of that, and whether it was a list.
        terms: what it added to the loss.
        masking: whether the layer ``passes`` a mask on, ``ignores`` it, or has a ``formula`` of it.
    """

    accepts: tuple[str, ...]
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    values: Mapping[str, Any]
    given_masks: tuple[Tensor | None, ...]
    training: bool | None
    results: tuple[Tensor, ...]
    masks: tuple[Tensor | None, ...]
    several: bool
    terms: tuple[Tensor, ...]
    masking: str

    @property
    def tensors(self) -> list[Tensor]:
        """What the formula starts from: the tensors given, and their masks."""
        return [*flat(self.values.values()), *(m for m in self.given_masks if m is not None)]

    @property
    def ends(self) -> list[Tensor]:
        """What the formula gives: results, masks, terms of the loss."""
        return [*self.results, *(m for m in self.masks if m is not None), *self.terms]


def flat(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among values and lists of them."""
    return [t for v in values for t in (flat(v) if isinstance(v, list | tuple) else [v] if isinstance(v, Tensor) else [])]


def named(names: Sequence[str], defaults: Mapping[str, Any], given: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, without those that are what they are by default."""
    values = {(names[k] if k < len(names) else f"*{k}"): v for k, v in enumerate(given)} | dict(options)
    return {k: v for k, v in values.items() if k != GIVEN_MASKS and not _is_default(k, v, defaults)}


def _is_default(name: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    if isinstance(value, Tensor | list | tuple):
        return False
    return value is None or (name in defaults and type(value) is type(defaults[name]) and value == defaults[name])


def saved_call(layer: Any, call: Called) -> SavedCall:
    """A call of a layer with all that a file says of it."""
    terms = tuple(t for t, outputs in layer.own_terms if outputs and getattr(outputs[0].op, "call", None) is call)
    if getattr(layer, "saved", None) is not None:
        accepts, names, defaults, masking = layer.saved.accepts, layer.saved.names, layer.saved.defaults, layer.saved.masking
    else:
        accepts, names, defaults = _arguments(layer)
        masking = _masking(layer, accepts)
    values = named(names, defaults, call.given, call.options)
    carried: list[Tensor | None] = [mask_of(t) if masking == "formula" else None for t in flat(values.values())]
    masks = call.masks if masking == "formula" else [None] * len(call.results)
    return SavedCall(
        accepts, names, defaults, values, tuple(carried), call.training, call.results, tuple(masks), call.several, terms, masking
    )  # fmt: skip


def _arguments(layer: Any) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    found = [p for p in inspect.signature(layer.call).parameters.values() if p.name != "training"]
    named_ones = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    placed = [p.name for p in named_ones if p.kind is not p.KEYWORD_ONLY]
    defaults = {p.name: p.default for p in named_ones if p.default is None or isinstance(p.default, bool | int | float | str)}
    return tuple(p.name for p in named_ones), tuple(placed), defaults


def _masking(layer: Any, accepts: Sequence[str]) -> str:
    if layer.sublayers or "mask" in accepts or type(layer).compute_mask is not Layer.compute_mask:
        return "formula"
    return "passes" if layer.supports_masking else "ignores"


def call_data(call: SavedCall, ref: Ref) -> dict[str, Any]:
    """A call as plain data; ``ref`` says where a tensor stands."""

    def data(value: Any) -> Any:
        if isinstance(value, Tensor):
            return {"tensor": ref(value)}
        if isinstance(value, list | tuple):
            return {"list": [data(v) for v in value]}
        return {"own": True} if value is ... else {"plain": value}

    def places(tensors: Iterable[Tensor | None]) -> list[Any]:
        return [None if t is None else ref(t) for t in tensors]

    return {
        "accepts": call.accepts, "names": call.names, "defaults": call.defaults, "values": [[k, data(v)] for k, v in call.values.items()],
        "given_masks": places(call.given_masks), "training": call.training, "results": places(call.results), "masks": places(call.masks),
        "several": call.several, "terms": places(call.terms), "masking": call.masking,
    }  # fmt: skip


def read_call(data: Any, at: Any) -> SavedCall:
    """A call from what :func:`call_data` gave; ``at`` gives the tensor at a place."""

    def value(entry: Any) -> Any:
        if "tensor" in entry:
            return at(entry["tensor"])
        if "list" in entry:
            return [value(v) for v in entry["list"]]
        return ... if "own" in entry else _word(entry["plain"])

    def tensors(places: Any) -> tuple[Any, ...]:
        return tuple(None if r is None else at(r) for r in places)

    accepts, names = (tuple(str(name) for name in data[key]) for key in ("accepts", "names"))
    defaults = {str(k): _word(v) for k, v in data["defaults"].items()}
    training = None if data["training"] is None else bool(data["training"])
    return SavedCall(
        accepts, names, defaults, {str(k): value(v) for k, v in data["values"]}, tensors(data["given_masks"]), training,
        tuple(at(r) for r in data["results"]), tensors(data["masks"]), bool(data["several"]), tuple(at(r) for r in data["terms"]),
        str(data["masking"]),
    )  # fmt: skip


def _word(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else ...
