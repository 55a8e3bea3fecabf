"""The adjoints of linear algebra, with the node's own operands and results.

For ``Y = X⁻¹`` the differential is ``-Y dX Y``; that of ``log|det X|`` is ``tr(X⁻¹ dX)``; that of ``det X`` is
``<cof(X), dX>``, right at singular matrices too. The cofactors are entries of a symmetric form: the derivative of
``cof(X)[H₁, ...]`` along a further direction is ``cof(X)[H₁, ..., H]``, and each direction may change places with the
cotangent. So adjoints of cofactors are cofactors with one more direction.

Source: Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008.
"""

from __future__ import annotations

from graphc.errors import DerivationError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.matrices import MOST_DIRECTIONS, linalg
from graphc.expr.operation import Linalg
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Node, Tensor

__all__ = ["linalg_adjoints"]


def linalg_adjoints(node: Node, adjoint: Tensor, wanted: set[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What the node adds to the adjoints of its operands.

    Raises:
        DerivationError: for a derivative of the determinant beyond the third.
    """
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Linalg)
    if op.kind == "cofactor":
        return [(t, _direction(node, op, k, adjoint)) for k, t in enumerate(node.inputs) if t in wanted]
    if x not in wanted:
        return []
    if op.kind == "inverse":
        return [(x, _through_inverse(node.outputs[0], adjoint))]
    if op.kind == "logdet":
        return [(x, _scaled(linalg("inverse", [x], label=op.label, origin=node.origin), adjoint, turned=True))]
    return [(x, _scaled(linalg("cofactor", [x], label=op.label, origin=node.origin), adjoint, turned=False))]


def _axes(x: Tensor) -> tuple[tuple[Affine, ...], int]:
    """The places along the leading axes of matrices, and how many there are."""
    count = x.ndim - 2
    return tuple(Affine.variable(k) for k in range(count)), count


def _scaled(matrices: Tensor, factors: Tensor, turned: bool) -> Tensor:
    """Each matrix, or its transpose, times its number."""
    lead, count = _axes(matrices)
    i, j = Affine.variable(count), Affine.variable(count + 1)
    places = (*lead, j, i) if turned else (*lead, i, j)
    return stage(matrices.shape, [(factors, lead), (matrices, places)], read_symbol(0) * read_symbol(1), dtype="float")


def _through_inverse(y: Tensor, adjoint: Tensor) -> Tensor:
    """``-Yᵀ G Yᵀ``."""
    lead, count = _axes(y)
    i, j, k = (Affine.variable(count + n) for n in range(3))
    extents = [*y.shape, y.shape[-1]]
    body = read_symbol(0) * read_symbol(1)
    left = stage(extents, [(y, (*lead, k, i)), (adjoint, (*lead, k, j))], body, outputs=count + 2, reducer="sum", dtype="float")
    return stage(extents, [(left, (*lead, i, k)), (y, (*lead, j, k))], -body, outputs=count + 2, reducer="sum", dtype="float")


def _direction(node: Node, op: Linalg, number: int, adjoint: Tensor) -> Tensor:
    """The adjoint of cofactors by their matrices (operand 0) or by a direction."""
    x, *directions = node.inputs
    if number:
        directions[number - 1] = adjoint
    elif len(directions) == MOST_DIRECTIONS:
        raise DerivationError(
            f"the determinant of {op.label} is differentiated more than {MOST_DIRECTIONS + 1} times, and its derivatives are known up to that: "
            "where the matrix is regular, write the determinant as exp(logdet) and its sign"
        )
    else:
        directions.append(adjoint)
    return linalg("cofactor", [x, *directions], label=op.label, origin=node.origin)
