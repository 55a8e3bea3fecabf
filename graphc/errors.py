"""The errors that graphc raises; every one derives from :class:`GraphcError`.

A message names the tensor as the user named it, its formula, the shapes at hand and one thing to do.
"""

from __future__ import annotations

__all__ = [
    "CompileError",
    "DataError",
    "DeclarationError",
    "DerivationError",
    "FileFormatError",
    "GraphcError",
    "ShapeError",
]


class GraphcError(Exception):
    """The root of graphc's errors: ``except gx.GraphcError`` catches all of them."""


class DeclarationError(GraphcError):
    """A declaration that has no meaning: an unknown name, a wrong kind of argument, a clash of names."""


class ShapeError(DeclarationError):
    """Shapes that do not fit together, raised on the line that declares them."""


class DerivationError(GraphcError):
    """A gradient or a closed form that does not exist, naming the node that stopped it."""


class CompileError(GraphcError):
    """A graph that the chosen target cannot run, saying what is missing."""


class DataError(GraphcError):
    """Arrays that do not fit the declaration: shapes, labels, NaN, ids out of range."""


class FileFormatError(GraphcError):
    """A file that is damaged or was not written by graphc."""
