"""By what a formula is to be derived: the tensor that is meant by itself or by its name."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError, DerivationError
from graphc.expr.graph import leaves, topological, unalias
from graphc.expr.tensor import Tensor

__all__ = ["variable_of"]


def variable_of(y: Tensor, wrt: Any) -> Tensor:
    """The tensor meant by ``wrt``.

    Raises:
        DerivationError: where ``y`` does not depend on it.
        DeclarationError: where there is none of that name.
    """
    if isinstance(wrt, Tensor):
        if not any(unalias(wrt) in map(unalias, n.outputs) for n in topological([y])):
            raise DerivationError(f"{y.label} does not depend on {wrt.describe()}: check that it was built from this very tensor")
        return wrt
    if not isinstance(wrt, str):
        raise DeclarationError(f"wrt={wrt!r}: give a tensor, its name, or a list of them")
    found = leaves(y).get(wrt)
    if found is None:
        found = next((t for n in topological([y]) for t in n.outputs if t.name == wrt), None)
    if found is None:
        raise DeclarationError(f"{y.label} has no tensor called {wrt!r}: there are {', '.join(leaves(y)) or 'none'}")
    return found
