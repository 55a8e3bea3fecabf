"""From what a user gives as ``init`` to a parameter's first value."""

from __future__ import annotations

import inspect
import zlib
from typing import Any, cast

import numpy as np

from graphc.errors import DeclarationError
from graphc.expr.operation import Leaf
from graphc.expr.tensor import METHODS, Tensor
from graphc.initializers import catalogue
from graphc.initializers.catalogue import Constant, Initializer

__all__ = ["NAMES", "get", "initialise"]

# The short names: "glorot_uniform" is GlorotUniform().
NAMES: dict[str, type[Initializer]] = {
    "constant": catalogue.Constant,
    "glorot_normal": catalogue.GlorotNormal,
    "glorot_uniform": catalogue.GlorotUniform,
    "he_normal": catalogue.HeNormal,
    "he_uniform": catalogue.HeUniform,
    "identity": catalogue.Identity,
    "lecun_normal": catalogue.LecunNormal,
    "lecun_uniform": catalogue.LecunUniform,
    "normal": catalogue.RandomNormal,
    "ones": catalogue.Ones,
    "orthogonal": catalogue.Orthogonal,
    "random_normal": catalogue.RandomNormal,
    "random_uniform": catalogue.RandomUniform,
    "truncated_normal": catalogue.TruncatedNormal,
    "uniform": catalogue.RandomUniform,
    "variance_scaling": catalogue.VarianceScaling,
    "zeros": catalogue.Zeros,
}


def get(init: Any) -> Any:
    """The initializer that ``init`` means: a name, an initializer, a function of a shape, a number or an array.

    Raises:
        DeclarationError: for an unknown name, listing the known ones.

    Example:
        >>> import graphc as gx
        >>> gx.initializers.get("zeros")
        Zeros()
    """
    if isinstance(init, str):
        known = NAMES | {c.__name__: c for c in NAMES.values()}
        if init not in known:
            raise DeclarationError(f"the initializer {init!r} is unknown: give a number, an array, or one of {', '.join(NAMES)}")
        return known[init]()
    if isinstance(init, type) and issubclass(init, Initializer):
        return init()
    if callable(init):
        return init
    return Constant(init)


def initialise(tensor: Tensor, seed: int = 0, number: int | None = None) -> None:
    """Give a parameter or a state its first value.

    Args:
        tensor: what :func:`graphc.parameter` or :func:`graphc.state` gave.
        seed: one number for the whole model.
        number: tells the parameters of one model apart; by default it follows from the tensor's name.

    Raises:
        DeclarationError: where the initializer gives an array of another shape.
    """
    assert isinstance(tensor.op, Leaf) and tensor.op.cell is not None
    cell = tensor.op.cell
    initializer = get(cell.init)
    key = zlib.crc32(tensor.name.encode()) if number is None else number
    own = getattr(initializer, "seed", None)
    generator = np.random.default_rng([seed, key] if own is None else [own])
    shape = cast("tuple[int, ...]", tensor.shape)
    try:
        value = initializer(shape, generator) if _takes_generator(initializer) else initializer(shape)
    except DeclarationError as error:
        raise DeclarationError(f"{tensor.describe()}: {error}") from None
    cell.array = METHODS["as_value"](tensor, value)


def _takes_generator(initializer: Any) -> bool:
    if isinstance(initializer, Initializer):
        return True
    try:
        parameters = [p for p in inspect.signature(initializer).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        return False
    return len(parameters) > 1 and parameters[1].default is inspect.Parameter.empty
