"""Which loss and which metrics belong to which output of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.models.program import Loss

__all__ = ["as_list", "loss_list", "output_names"]


def output_names(outputs: Sequence[Tensor]) -> list[str]:
    """How settings and targets call the outputs."""
    return [(t.name.rpartition("/")[2] or f"output_{k}") for k, t in enumerate(outputs)]


def loss_list(outputs: Sequence[Tensor], given: Any, shares: Any, metrics: Sequence[Any], metric: Callable[[Any], Any]) -> list[Loss]:
    """One entry for each output; ``metrics`` are several settings, whose metrics are put together.

    Raises:
        DeclarationError: for a wrong number of losses, no loss at all, or an output that does not exist.
    """
    count, names = len(outputs), output_names(outputs)
    functions = _per_output(given, names, "losses") if isinstance(given, list | Mapping) else [given] * count
    if any(f is None for f in functions):
        raise DeclarationError("the model has no loss: call model.compile(optimizer='adam', loss='mse')")
    factors = [1.0] * count if shares is None else [1.0 if s is None else float(s) for s in _per_output(shares, names, "loss_weights")]
    lists = [_metric_lists(setting, names) for setting in metrics]
    found: list[Loss] = []
    for k, (name, function, factor) in enumerate(zip(names, functions, factors, strict=True)):
        chosen = tuple(metric(m) for wanted in lists for m in wanted[k])
        found.append(Loss(function, factor, chosen, f"{name}_" if count > 1 else ""))
    return found


def _metric_lists(given: Any, names: Sequence[str]) -> list[list[Any]]:
    """The metrics of each output: by name, a list for each, or one list for all."""
    listed = as_list(given) if not isinstance(given, Mapping) else []
    apart = isinstance(given, Mapping) or (bool(listed) and all(isinstance(m, list | tuple) for m in listed))
    return [as_list(m) for m in (_per_output(given, names, "metrics") if apart else [listed] * len(names))]


def as_list(value: Any) -> list[Any]:
    """Several as they are, one in a list, nothing in an empty one."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _per_output(given: Any, names: Sequence[str], what: str) -> list[Any]:
    if isinstance(given, Mapping):
        unknown = [n for n in given if n not in names]
        if unknown:
            raise DeclarationError(f"{what} are given for the output {unknown[0]!r}, and the model's outputs are {', '.join(names)}")
        return [given.get(n) for n in names]
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if len(listed) != len(names):
        raise DeclarationError(f"the model has {len(names)} outputs and {len(listed)} {what} are given: give one for each of {', '.join(names)}")
    return listed
