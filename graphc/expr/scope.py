"""Names: scopes that group what is declared inside them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from graphc.errors import DeclarationError

__all__ = ["scope", "scoped"]

_scopes: ContextVar[tuple[str, ...]] = ContextVar("scopes", default=())


@contextmanager
def scope(name: str) -> Generator[None]:
    """Names declared inside are prefixed: ``encoder/h``; pictures draw a scope as a group.

    Example:
        >>> import graphc as gx
        >>> with gx.scope("encoder"):
        ...     W = gx.parameter("W", (3, 2))
        >>> W.name
        'encoder/W'
    """
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"a scope's name is a text that is not empty, not {name!r}")
    token = _scopes.set((*_scopes.get(), name))
    try:
        yield
    finally:
        _scopes.reset(token)


def scoped(name: str) -> str:
    """``name`` within the scopes that are open here."""
    if not isinstance(name, str):
        raise DeclarationError(f"a name is a text, not {name!r}")
    return "/".join((*_scopes.get(), name)) if name else ""
