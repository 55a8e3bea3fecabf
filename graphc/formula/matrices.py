"""Linear algebra in derivations: inverses and determinants are quantities of their own, written by what they are made of.

``X⁻¹`` is a given matrix as far as algebra goes. What it adds to the adjoint of ``X`` is ``-X⁻ᵀ G X⁻ᵀ``; for ``log|det X|`` that is
``g X⁻ᵀ``, and for ``det X`` it is ``g det(X) X⁻ᵀ``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy

from graphc.expr.operation import Linalg
from graphc.expr.tensor import Tensor
from graphc.formula.atoms import Entry, Letter, Source, fresh_letters, letter
from graphc.formula.display import Show, atom, latex, text
from graphc.formula.spell import Vocabulary

__all__ = ["formula_name", "matrix_adjoint", "matrix_call", "matrix_names", "matrix_reason", "matrix_show", "matrix_source", "own_transpose"]

_LONGEST = 32  # signs that a matrix may have where its inverse is written
_CALLS = {"inverse": ("np.linalg.inv({})", "inv"), "logdet": ("np.linalg.slogdet({})[1]", "logdet"), "determinant": ("np.linalg.det({})", "det")}


def matrix_source(tensor: Tensor, order: int, symmetric: bool) -> Source:
    """The source of an inverse or a determinant; its place in order does not depend on what else was declared."""
    op = tensor.op
    assert isinstance(op, Linalg)
    symbol: Source = sympy.Symbol.__xnew__(Source, f"s{order:06d}m{op.kind}_{tensor.node.serial}", real=True)  # type: ignore[attr-defined]
    symbol.tensor, symbol.barred, symbol.order, symbol.start, symbol.symmetric = tensor, False, order, None, symmetric
    return symbol


def own_transpose(expr: Any, i: Letter, j: Letter) -> bool:
    """Whether a matrix is certainly its own transpose, as a product with the transpose is."""

    def ordered(formula: Any) -> Any:
        return formula.xreplace({e: sympy.Eq(*sorted(e.args, key=str)) for e in formula.atoms(sympy.Eq)})

    return expr is not None and i.extent == j.extent and ordered(expr.xreplace({i: j, j: i})) == ordered(expr)


def formula_name(expr: Any, letters: Sequence[Letter], words: Vocabulary) -> Show | None:
    """A matrix without a name called by its formula, in brackets; ``None`` where that is long, or no matrix form."""
    from graphc.formula.matrix import MatrixSpeller, NoMatrixFormError

    if expr is None:
        return None
    try:
        shown = MatrixSpeller(words)(expr, letters)
    except NoMatrixFormError:
        return None
    plain = text(shown)
    if shown.kind in ("atom", "inverse"):
        return shown
    return atom(f"({plain})", rf"\left({latex(shown)}\right)") if len(plain) <= _LONGEST else None


def matrix_show(kind: str, base: Show) -> Show:
    """An inverse or a determinant as it is shown; ``base`` is a name, or a formula in brackets."""
    plain, tex = text(base), latex(base)
    if kind == "inverse":
        if base.kind != "atom":
            plain, tex = f"({plain})", rf"\left({tex}\right)"
        return Show("inverse", (base,), f"{plain}⁻¹", f"{tex}^{{-1}}")
    enclosed = plain.startswith("(") and plain.endswith(")")
    plain, tex = (plain, tex) if enclosed else (f"({plain})", rf"\left({tex}\right)")
    return atom(f"det{plain}", rf"\det {tex}") if kind == "determinant" else atom(f"log|det{plain}|", rf"\log\left\lvert\det {tex}\right\rvert")


def matrix_names(tensor: Tensor, base: Show, name: str) -> tuple[Show, str]:
    """How an inverse or a determinant is shown, and a name for the variable that holds it, from those of its matrix."""
    op = tensor.op
    assert isinstance(op, Linalg)
    return matrix_show(op.kind, base), f"{name}_{_CALLS[op.kind][1]}"


def matrix_call(tensor: Tensor) -> str:
    """NumPy's call."""
    op = tensor.op
    assert isinstance(op, Linalg)
    return _CALLS[op.kind][0]


def matrix_adjoint(tensor: Tensor, source: Source, inverse: Source, adjoint: Any, total: Callable[[Any, Sequence[Letter]], Any]) -> Any:
    """What an inverse or a determinant adds to the adjoint of its matrix, at the letters of the matrix's axes.

    Args:
        tensor, source: the inverse or the determinant.
        inverse: the source of the matrix's inverse.
        adjoint: the adjoint of ``tensor`` at the letters of its own axes.
        total: the sum of a formula over letters.

    Source: Petersen, Pedersen, The Matrix Cookbook, 2012, equations 40, 43, 46.
    """
    op = tensor.op
    assert isinstance(op, Linalg)
    *lead, k, m = (letter(n, e) for n, e in enumerate(tensor.inputs[0].shape))
    if op.kind == "inverse":
        p, q = fresh_letters((k.extent, m.extent))
        inner = adjoint.xreplace({k: p, m: q})
        return total(-Entry(inverse, *lead, p, k) * inner * Entry(inverse, *lead, m, q), (p, q))
    turned = Entry(inverse, *lead, m, k)
    return adjoint * turned if op.kind == "logdet" else adjoint * Entry(source, *lead) * turned


def matrix_reason(kind: str, base: Show, own: Show) -> str:
    """Why the adjoint of a matrix is what it is."""
    x, y = base.plain, own.plain
    if kind == "inverse":
        return f"chain rule through {y}: the differential of an inverse is −{y} d{x} {y}"
    if kind == "logdet":
        return f"chain rule through {y}: its differential is tr({matrix_show('inverse', base).plain} d{x})"
    inverse = matrix_show("inverse", base).plain
    return (
        f"chain rule through {y}: its differential is {y} tr({inverse} d{x}), by Jacobi's formula; where {x} is singular, "
        f"its matrix of cofactors stands for {y} {inverse.removesuffix('⁻¹')}⁻ᵀ"
    )
