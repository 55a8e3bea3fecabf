"""The table of operations that the shared tests cross with properties; its rows stand in ``tests/rows``, by family."""

from __future__ import annotations

import graphc as gx
from tests.rows import elementwise, indexed, layout, neural, products, reductions
from tests.rows.row import Row

__all__ = ["ALL_ROWS", "ROWS", "ROWS_OF_FLOATS", "covered", "is_public"]


def is_public(name: str) -> bool:
    """Whether ``gx.<name>`` exists; ``getitem`` is written with brackets."""
    if name == "getitem":
        return True
    space, _, plain = name.rpartition(".")
    return hasattr(getattr(gx, space, None) if space else gx, plain)


ALL_ROWS: list[Row] = [row for family in (elementwise, reductions, layout, products, indexed, neural) for row in family.ROWS]
ROWS: list[Row] = [row for row in ALL_ROWS if is_public(row.name)]
ROWS_OF_FLOATS: list[Row] = [row for row in ROWS if row.dtype == "float" and any(a.kind == "float" for a in row.args)]


def covered() -> set[str]:
    """The public names that have a row."""
    return {row.name for row in ALL_ROWS}
