"""What the mistakes are made with, and the form of their tables: what is wrong, how to do it, the error, what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as gx

__all__ = ["Mistake", "W", "X", "a", "ids", "image", "m", "taps", "v"]

Mistake = tuple[str, Callable[[], Any], type[gx.GraphcError], tuple[str, ...]]


def X() -> gx.Tensor:
    return gx.tensor("X", ("n", 3))


def W() -> gx.Tensor:
    return gx.tensor("W", (4, 2))


def v() -> gx.Tensor:
    return gx.tensor("v", (5,))


def a() -> gx.Tensor:
    return gx.scalar("a")


def m() -> gx.Tensor:
    return gx.tensor("m", (5,), dtype="bool")


def ids() -> gx.Tensor:
    return gx.tensor("ids", (4,), dtype="int")


def image() -> gx.Tensor:
    return gx.tensor("image", ("n", 6, 6, 4))


def taps() -> gx.Tensor:
    return gx.tensor("taps", (3, 3, 4, 2))
