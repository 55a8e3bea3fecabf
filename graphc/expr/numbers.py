"""Numbers that users give as settings: Python's and NumPy's alike, kept as Python's."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DeclarationError

__all__ = [
    "AXIS", "COUNT", "DROPPED", "FINITE", "LIMIT", "NOT_NEGATIVE", "PAST", "POSITIVE", "SEED", "SHARE", "Kind", "as_whole", "is_real", "listed",
    "pairs_of",    "settings", "whole_above",
]  # fmt: skip


def is_real(value: Any) -> bool:
    """Whether a value is one real number, and no truth value."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def as_whole(value: Any) -> int | None:
    """A whole number of any kind as Python's; ``None`` for anything else, truth values and fractions included."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.dtype.kind == "b"):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def listed(value: Any) -> Any:
    """An array as nested lists or as one number, anything else as it is: settings for several axes may be arrays."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def pairs_of(entries: Sequence[Any], count: int) -> list[tuple[int, int]] | None:
    """Widths before and after each of ``count`` axes, of which a number stands for both; ``None`` where they are no whole numbers of 0 or more."""
    pairs = [[as_whole(w) for w in (listed(e) if isinstance(e, list | tuple | np.ndarray) else (e, e))] for e in entries]
    whole = [(p[0], p[1]) for p in pairs if len(p) == 2 and p[0] is not None and p[1] is not None and min(p[0], p[1]) >= 0]
    return whole if len(pairs) == len(whole) == count else None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting may be.

    Attributes:
        words: the same for messages.
        holds: whether a number is one of these.
        whole: whether it is a whole number.
    """

    words: str
    holds: Callable[[float], bool]
    whole: bool = False


FINITE = Kind("a finite number", math.isfinite)
NOT_NEGATIVE = Kind("a finite number of 0 or more", lambda v: 0 <= v < math.inf)
POSITIVE = Kind("a finite number above 0", lambda v: 0 < v < math.inf)
SHARE = Kind("a share, from 0 to 1", lambda v: 0 <= v <= 1)
LIMIT = Kind("a number of 0 or more", lambda v: v >= 0)
PAST = Kind("a share of the past, at least 0 and below 1", lambda v: 0 <= v < 1)
DROPPED = Kind("the share that is dropped, at least 0 and below 1", lambda v: 0 <= v < 1)
COUNT = Kind("a whole number of 1 or more", lambda v: v >= 1, whole=True)
SEED = Kind("a whole number of 0 or more", lambda v: v >= 0, whole=True)
AXIS = Kind("the number of one axis", lambda _: True, whole=True)


def settings(owner: str, kind: Kind, **given: Any) -> tuple[Any, ...]:
    """Settings of one kind as Python's numbers, in the order given.

    Raises:
        DeclarationError: for one that is no such number, naming it.
    """
    return tuple(_setting(owner, kind, name, value) for name, value in given.items())


def _setting(owner: str, kind: Kind, name: str, value: Any) -> int | float:
    number = as_whole(value) if kind.whole or isinstance(value, numbers.Integral) else float(value) if is_real(value) else None
    if number is None or not kind.holds(number):
        raise DeclarationError(f"{owner}({name}={value!r}): it is {kind.words}")
    return number


def whole_above(least: int, name: str, value: Any, where: str) -> int:
    """A setting as a whole number of at least so much.

    Raises:
        DeclarationError: for anything else.
    """
    number = as_whole(value)
    if number is None or number < least:
        raise DeclarationError(f"{name}={value!r} of {where}: it is a whole number of {least} or more")
    return number
