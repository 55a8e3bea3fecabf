"""Entries of matrices of numbers, whose row and column are indices of a stage: its sum is the product of the matrix with what it reads.

No declaration has them: passes of the compiler write them where a small matrix is a part of the formula, as the transforms of
fast convolutions are. Their kernels are written out entry by entry, and what is multiplied by 0 is left out.
"""

from __future__ import annotations

from typing import Any, Self

import sympy

from graphc.expr.stage import Stage, index_symbol, read_symbol

__all__ = ["Entry", "Table", "entries", "spelled"]


class Table(sympy.Atom):
    """A matrix of numbers with a name.

    Attributes:
        name: what formulas call it.
        matrix: SymPy's; ``numbers``: its rows, as numbers.
    """

    name: str
    matrix: Any
    numbers: tuple[tuple[float, ...], ...]

    def __new__(cls, name: str, matrix: Any) -> Self:
        """Two of equal name and matrix are equal."""
        made = super().__new__(cls)
        made.name, made.matrix = name, sympy.ImmutableMatrix(matrix)
        made.numbers = tuple(tuple(float(x) for x in made.matrix.row(k)) for k in range(made.matrix.rows))
        return made

    def _hashable_content(self) -> tuple[Any, ...]:
        return self.name, self.matrix

    @property
    def T(self) -> Table:
        """The same with rows and columns exchanged."""
        return Table(f"{self.name}.T", self.matrix.T)

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns."""
        return int(self.matrix.rows), int(self.matrix.cols)


class Entry(sympy.Expr):
    """``Entry(table, row, column)``: a number, once row and column are."""

    is_real = True
    is_commutative = True

    def __new__(cls, table: Table, row: Any, column: Any) -> Any:
        """The number where it is known."""
        row, column = sympy.sympify(row), sympy.sympify(column)
        if row.is_Integer and column.is_Integer:
            return table.matrix[int(row), int(column)]
        return super().__new__(cls, table, row, column)

    def _sympystr(self, printer: Any) -> str:
        table, *place = self.args
        return f"{table.name}[{', '.join(printer.doprint(p) for p in place)}]"  # type: ignore[attr-defined]


def entries(op: Any) -> bool:
    """Whether an operation is a sum of such entries, each times the value that is read."""
    return isinstance(op, Stage) and op.reducer == "sum" and _factor(op) is not None


def spelled(op: Stage) -> tuple[Table, int, int]:
    """The matrix of such a sum, and the indices of its row and its column: for each of their values the formula is another one."""
    entry = _factor(op)
    assert entry is not None
    table, *symbols = entry.args
    row, column = (next(k for k in range(len(op.extents)) if index_symbol(k) == s) for s in symbols)
    return table, row, column


def _factor(op: Stage) -> Any:
    """The entry that a body is a product with; ``None`` for any other body."""
    factors = op.body.args if isinstance(op.body, sympy.Mul) else ()
    alone = len(factors) == 2 and read_symbol(0) in factors
    return next((f for f in factors if isinstance(f, Entry)), None) if alone else None
