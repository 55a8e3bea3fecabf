"""Which loss and which metrics belong to which output of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.models.program import Loss

__all__ = ["loss_list"]


def loss_list(outputs: Sequence[Tensor], given: Any, shares: Any, metrics: Any, metric: Callable[[Any], Any]) -> list[Loss]:
    """One entry for each output.

    Raises:
        DeclarationError: for a wrong number of losses, or no loss at all.
    """
    count = len(outputs)
    names = [(t.name.rpartition("/")[2] or f"output_{k}") for k, t in enumerate(outputs)]
    functions = _per_output(given, names, "losses") if isinstance(given, list | Mapping) else [given] * count
    if any(f is None for f in functions):
        raise DeclarationError("the model has no loss: call model.compile(optimizer='adam', loss='mse')")
    factors = [1.0] * count if shares is None else [1.0 if s is None else float(s) for s in _per_output(shares, names, "loss_weights")]
    if isinstance(metrics, Mapping):
        lists = [metrics.get(n, []) for n in names]
    elif count > 1 and metrics and all(isinstance(m, list | tuple) for m in metrics):
        lists = _per_output(metrics, names, "metrics")
    else:
        lists = [metrics or []] * count
    found: list[Loss] = []
    for name, function, factor, wanted in zip(names, functions, factors, lists, strict=True):
        chosen = tuple(metric(m) for m in (wanted if isinstance(wanted, list | tuple) else [wanted]))
        found.append(Loss(function, factor, chosen, f"{name}_" if count > 1 else ""))
    return found


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
