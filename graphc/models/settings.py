"""How a model is trained, as plain data and back: optimizer, schedule, losses and metrics.

What is graphc's own is known by identity and comes back whole; of the user's own, files hold formulas and no code. On the
way back each option is a number, a list of numbers or a known word before any constructor sees it.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Mapping
from types import FunctionType
from typing import Any, cast

import numpy as np

from graphc import losses, metrics, optimizers, schedules
from graphc.errors import FileFormatError
from graphc.expr.numbers import is_real
from graphc.losses.base import Loss, LossFunction
from graphc.metrics import Metric
from graphc.metrics.base import from_loss
from graphc.models.restored import RestoredLoss, RestoredOptimizer, RestoredSchedule
from graphc.optimizers.base import Optimizer, Slots
from graphc.schedules import LearningRateSchedule

__all__ = ["loss_data", "metric_data", "optimizer_data", "plain", "restored_loss", "restored_metric", "restored_optimizer"]

_TARGETS = ("numbers", "labels", "unit")
_WIDEST = 2**63  # whole numbers beyond it are saved as floats
# The options that are words: any, or one of these.
_WORDS: dict[str, tuple[str, ...] | None] = {"name": None, "reduction": ("sum_over_batch_size", "mean", "sum", "none")}


class _OwnError(Exception):
    """A value that is no plain data: what has it is the user's own."""


def plain(value: Any) -> Any:
    """A number, truth value, text or list of them as Python's own kind; NumPy's and other kinds are turned into it.

    Raises:
        _OwnError: for anything else.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_) or (isinstance(value, np.ndarray) and value.dtype == bool and not value.ndim):
        return bool(value)
    if is_real(value):
        whole = isinstance(value, numbers.Integral) or (isinstance(value, np.ndarray) and value.dtype.kind in "iu")
        return int(value) if whole and abs(int(value)) < _WIDEST else float(value)
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(entry) for entry in value]
    raise _OwnError


def _catalogued(thing: Any, catalogue: Any, base: type) -> bool:
    """Whether a thing's class is that of the catalogue, and no other of its name."""
    kind = type(thing)
    return kind is not base and kind.__name__ in catalogue.__all__ and getattr(catalogue, kind.__name__) is kind


def _parameters(kind: type) -> list[str]:
    """What the constructors of a class take by name."""
    found = [p.name for cls in kind.__mro__ if cls is not object for p in inspect.signature(cls.__init__).parameters.values()]
    return [name for name in dict.fromkeys(found) if name not in ("self", "options")]


def _options(thing: Any) -> dict[str, Any]:
    """What the constructor of one of graphc's own objects was given."""
    return {name: _schedule_data(v) if isinstance(v := getattr(thing, name), LearningRateSchedule) else plain(v)
            for name in _parameters(type(thing)) if hasattr(thing, name)}  # fmt: skip


def _schedule_data(rate: Any) -> dict[str, Any]:
    if not _catalogued(rate, schedules, LearningRateSchedule):
        raise _OwnError
    return {"class": type(rate).__name__, "options": _options(rate)}


def _own_or(made: Any, thing: Any) -> Any:
    """What ``made`` gives, or the name of what is the user's own."""
    try:
        return made(thing)
    except _OwnError:
        return {"own": str(getattr(thing, "name", getattr(thing, "__name__", type(thing).__name__)))}


def optimizer_data(optimizer: Any, ref: Any) -> dict[str, Any]:
    """An optimizer, its state and its schedule; ``ref`` says where a tensor stands."""
    slots = [
        {
            "scope": s.scope, "parameters": [ref(p) for p in s.parameters], "step": ref(s.step), "rate": None if s.rate is None else ref(s.rate),
            "states": [[[key, ref(t)] for key, t in state.items()] for state in s.states],
        }
        for s in optimizer.slots
    ]  # fmt: skip
    rate = optimizer.learning_rate
    return {
        "class": None, "options": {}, **_own_or(_known_optimizer, optimizer), "name": str(optimizer.name),
        "rate": None if callable(rate) else rate, "schedule": _own_or(_schedule_data, rate) if callable(rate) else None,
        "slots": slots, "names": list(optimizer.state()), "excluded": [[ref(t) for t in optimizer.excluded], optimizer.excluded_names],
    }  # fmt: skip


def _known_optimizer(optimizer: Any) -> dict[str, Any]:
    if not _catalogued(optimizer, optimizers, Optimizer):
        raise _OwnError
    options = {name: plain(getattr(optimizer, name)) for name in _parameters(type(optimizer)) if name != "learning_rate" and hasattr(optimizer, name)}
    return {"class": type(optimizer).__name__, "options": options}


def loss_data(loss: Any) -> dict[str, Any]:
    """A loss: its class and options, its function, or the name of the user's own."""
    made = _own_or(_known_loss, loss)
    targets = getattr(loss, "targets", None)
    return {**made, "targets": targets if isinstance(targets, str) and targets in _TARGETS else None} if "own" in made else made


def _known_loss(loss: Any) -> dict[str, Any]:
    if _catalogued(loss, losses, Loss):
        return {"class": type(loss).__name__, "options": _options(loss)}
    if isinstance(loss, LossFunction) and getattr(losses, loss.name, None) is loss:
        return {"function": loss.name}
    raise _OwnError


def metric_data(metric: Metric) -> dict[str, Any]:
    """A metric: what it is made of in the catalogue, or of a loss; or the name of the user's own."""
    return {"name": str(metric.name), **_own_or(_known_metric, metric)}


def _known_metric(metric: Metric) -> dict[str, Any]:
    source = metric.source
    if isinstance(source, tuple):
        name, options = source
        return {"of": name, "options": {key: plain(v) for key, v in options.items()}}
    return {"loss": _known_loss(source)}


def _checked(options: Any, kind: Any, what: str) -> dict[str, Any]:
    """Options from a file, for a class or a function that makes something.

    Raises:
        FileFormatError: for one that the class does not know, or that is no number and no known word.
    """
    known = _parameters(kind) if isinstance(kind, type) else list(inspect.signature(kind).parameters)
    for name, value in options.items():
        if name not in known:
            raise FileFormatError(f"{what} has no option {name!r}")
        if not _allowed(name, value):
            raise FileFormatError(f"the option {name} of {what} is {value!r}, and no number or known word")
    return dict(options)


def _allowed(name: str, value: Any) -> bool:
    if isinstance(value, str):
        words = _WORDS.get(name, ())
        return words is None or value in words
    if isinstance(value, list):
        return all(_is_number(entry) for entry in value)
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and (isinstance(value, float) or abs(value) < _WIDEST)


def _of_catalogue(catalogue: Any, name: Any, base: type, what: str) -> Any:
    """The class that a file names.

    Raises:
        FileFormatError: for one that the catalogue does not have.
    """
    kind = getattr(catalogue, name) if isinstance(name, str) and name in catalogue.__all__ else None
    if not isinstance(kind, type) or kind is base or not issubclass(kind, base):
        raise FileFormatError(f"the {what} {name!r} is unknown")
    return kind


def restored_loss(data: Mapping[str, Any]) -> Any:
    """A loss from what :func:`loss_data` gave."""
    if "function" in data:
        name = data["function"]
        found = getattr(losses, name) if isinstance(name, str) and name in losses.__all__ else None
        if not isinstance(found, LossFunction):
            raise FileFormatError(f"the loss {name!r} is unknown")
        return found
    if "class" in data:
        kind = _of_catalogue(losses, data["class"], Loss, "loss")
        return kind(**_checked(data["options"], kind, f"the loss {kind.__name__}"))
    return RestoredLoss(str(data["own"]), data["targets"] if data["targets"] in _TARGETS else None)


def restored_metric(data: Mapping[str, Any]) -> Any:
    """A metric from what :func:`metric_data` gave."""
    name = str(data["name"])
    if "loss" in data:
        return from_loss(name, restored_loss(data["loss"]))
    source = data.get("of", name if data.get("known") else None)  # files of earlier days say whether the name is known
    if source is None:
        return RestoredLoss(name, None)
    found = getattr(metrics, source) if isinstance(source, str) and source in metrics.__all__ else None
    if isinstance(found, Metric):
        return found.renamed(name)
    if not isinstance(found, FunctionType) or found is metrics.get:
        raise FileFormatError(f"the metric {source!r} is unknown")
    return found(**{**_checked(data.get("options", {}), found, f"the metric {source}"), "name": name})


def _restored_schedule(data: Mapping[str, Any]) -> Any:
    if "own" in data:
        return RestoredSchedule(str(data["own"]))
    kind = _of_catalogue(schedules, data["class"], LearningRateSchedule, "schedule")
    inner = {name: _restored_schedule(value) for name, value in data["options"].items() if isinstance(value, Mapping)}
    rest = {name: value for name, value in data["options"].items() if name not in inner}
    return kind(**_checked(rest, kind, f"the schedule {kind.__name__}"), **inner)


def restored_optimizer(data: Any, at: Any) -> Optimizer:
    """An optimizer from what :func:`optimizer_data` gave; ``at`` gives the tensor at a place."""
    rate: Any = data["rate"] if data["schedule"] is None else _restored_schedule(data["schedule"])
    if rate is not None and not callable(rate) and not _is_number(rate):
        raise FileFormatError(f"the learning rate {rate!r} is no number")
    if data["class"] is None:
        made: Optimizer = RestoredOptimizer([str(n) for n in data["names"]], str(data["name"]), 0.0 if rate is None else rate)
    else:
        kind = _of_catalogue(optimizers, data["class"], Optimizer, "optimizer")
        options = _checked(data["options"], kind, f"the optimizer {kind.__name__}")
        made = cast("type[Any]", kind)(learning_rate=rate, **{**options, "name": str(data["name"])})
    for s in data["slots"]:
        slots = Slots(str(s["scope"]), tuple(at(r) for r in s["parameters"]), at(s["step"]), None if s["rate"] is None else at(s["rate"]))
        slots.states = [{str(key): at(r) for key, r in state} for state in s["states"]]
        made.slots.append(slots)
    made.exclude_from_weight_decay([at(r) for r in data["excluded"][0]], [str(n) for n in data["excluded"][1]])
    return made
