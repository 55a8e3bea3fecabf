"""Rows of the products of vectors, matrices and stacks of matrices, and of linear algebra."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.rows.row import Arg, Row

SHAPES: tuple[tuple[tuple[int | str, ...], tuple[int | str, ...]], ...] = (
    (("n", 5), (5, 2)),
    ((3,), (3,)),
    (("n", 5), (5,)),
    ((5,), (5, "n")),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (3, 4, 2)),
    ((4,), (2, 4, 3)),
    ((2, 3, 4), (4,)),
    ((1, 1), (1, 1)),
    ((3, 0), (0, 2)),
    ((0, 3), (3, 2)),
)

MATRICES = [
    *(Row("matmul", f"{a} and {b}", (Arg(a), Arg(b)), gx.matmul, np.matmul) for a, b in SHAPES),
    Row("matmul", "with itself", (Arg((3, 3)),), lambda a: a @ a, lambda a: a @ a),
    Row("matmul", "with its transpose", (Arg((3, 2)),), lambda a: a @ a.T, lambda a: a @ a.T),
    Row("matmul", "a quadratic form", (Arg((3,)), Arg((3, 3))), lambda a, b: a @ b @ a, lambda a, b: a @ b @ a),
    Row("matmul", "a quadratic form of a symmetric matrix", (Arg((3,)), Arg((3, 3), symmetric=True)), lambda a, b: a @ b @ a, lambda a, b: a @ b @ a),
    Row("matmul", "integers", (Arg((2, 3), -3, 3, "int"), Arg((3, 2), -3, 3, "int")), gx.matmul, np.matmul, False, dtype="int"),
    *(Row("dot", f"{a} and {b}", (Arg(a), Arg(b)), gx.dot, np.dot) for a, b in ((("n", 5), (5, 2)), ((3,), (3,)), ((3, 4), (4,)), ((), (3,)), ((3,), ()), ((2, 3, 4), (2, 4, 3)), ((2, 3), (2, 3, 4)), ((4,), (2, 4, 3)))),
    *(Row("outer", f"{a} and {b}", (Arg(a), Arg(b)), gx.outer, np.outer) for a, b in (((3,), (5,)), ((2, 2), (3,)), ((), (2,)), ((0,), (3,)))),
    Row("outer", "with itself", (Arg((3,)),), lambda a: gx.outer(a, a), lambda a: np.outer(a, a)),
]

EINSUM = [
    *(
        Row("einsum", text, tuple(Arg(s) for s in shapes), lambda *t, text=text: gx.einsum(text, *t), lambda *a, text=text: np.einsum(text, *a))
        for text, *shapes in (
            ("ij,jk->ik", (3, 4), (4, 2)),
            ("ij,jk", (3, 4), (4, 2)),
            ("ij->ji", (3, 4)),
            ("ij->", (3, 4)),
            ("ii->", (3, 3)),
            ("ii->i", (3, 3)),
            ("iij->j", (3, 3, 2)),
            ("i,i,i->", (5,), (5,), (5,)),
            ("bik,bjk->bij", (2, 3, 4), (2, 5, 4)),
            ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 2)),
            ("...i,i->...", (2, 3, 4), (4,)),
            ("...ij->...ji", (2, 3, 4)),
            ("i,j->ij", (3,), (2,)),
            ("ij,ij->", (3, 4), (3, 4)),
            ("ba", (3, 4)),
            (",i->i", (), (3,)),
            ("->", ()),
            ("ik,kj,jl->il", (2, 3), (3, 2), (2, 4)),
        )
    ),
    Row("einsum", "one operand twice", (Arg((3, 3)),), lambda a: gx.einsum("ij,ji->", a, a), lambda a: np.einsum("ij,ji->", a, a)),
]

DIAGONALS = [
    Row("trace", "3 by 3", (Arg((3, 3)),), gx.trace, np.trace),
    Row("trace", "of a product", (Arg((3, 4)), Arg((4, 3))), lambda a, b: gx.trace(a @ b), lambda a, b: np.trace(a @ b)),
    Row("trace", "1 by 1", (Arg((1, 1)),), gx.trace, np.trace),
    Row("trace", "nothing", (Arg((0, 0)),), gx.trace, np.trace),
    Row("trace", "a name", (Arg(("n", "n")),), lambda a: gx.trace(a * a), lambda a: np.trace(a * a)),
    Row("trace", "axes", (Arg((3, 2, 4)),), lambda a: gx.trace(a, 1, 0, 2), lambda a: np.trace(a, 1, 0, 2)),
    Row("trace", "axes from the end", (Arg((2, 3, 3, 2)),), lambda a: gx.trace(a, 0, -2, 1), lambda a: np.trace(a, 0, -2, 1)),
    Row("diagonal", "axes", (Arg((3, 2, 4)),), lambda a: gx.diagonal(a, -1, 2, 0), lambda a: np.diagonal(a, -1, 2, 0)),
    Row("diagonal", "a stack", (Arg((3, 3, 2)),), gx.diagonal, np.diagonal),
    Row("diagonal", "3 by 3", (Arg((3, 3)),), gx.diagonal, np.diagonal),
    Row("diagonal", "of a symmetric matrix", (Arg((3, 3), symmetric=True),), lambda a: gx.diagonal(a) ** 2, lambda a: np.diagonal(a) ** 2),
    Row("diag", "of a vector", (Arg((4,)),), gx.diag, np.diag),
    Row("diag", "of a matrix", (Arg((4, 4)),), gx.diag, np.diag),
    Row("diag", "and back", (Arg((4,)),), lambda a: gx.diag(gx.diag(a)) ** 2, lambda a: a**2),
    Row("diag", "in a product", (Arg((3,)), Arg((3, 3))), lambda a, b: gx.diag(a) @ b, lambda a, b: np.diag(a) @ b),
]

# Around 3 times the identity, so that nothing is close to singular.
REGULAR = Arg((3, 3), -0.4, 0.4)
SOLID = Arg((3, 3), -0.4, 0.4, symmetric=True)


def around(a: object) -> object:
    return 3 * np.eye(3) + a


LINALG = [
    Row("linalg.inv", "3 by 3", (REGULAR,), lambda a: gx.linalg.inv(around(a)), lambda a: np.linalg.inv(around(a))),
    Row("linalg.inv", "1 by 1", (Arg((1, 1), 1, 2),), lambda a: gx.linalg.inv(a), lambda a: np.linalg.inv(a)),
    Row("linalg.inv", "in the normal equation", (Arg((5, 2)), Arg((5,))), lambda a, y: gx.linalg.inv(a.T @ a) @ a.T @ y, lambda a, y: np.linalg.inv(a.T @ a) @ a.T @ y, tolerance=10),
    Row("linalg.inv", "of a symmetric matrix", (SOLID,), lambda a: gx.linalg.inv(around(a)), lambda a: np.linalg.inv(around(a))),
    Row("linalg.inv", "a stack", (Arg((2, 1, 3, 3), -0.4, 0.4),), lambda a: gx.linalg.inv(around(a)), lambda a: np.linalg.inv(around(a))),
    Row("linalg.inv", "names", (Arg(("m", "n", "n"), -0.4, 0.4),), lambda a: gx.linalg.inv(around(a)), lambda a: np.linalg.inv(around(a))),
    Row("linalg.inv", "two names of one size", (Arg(("n", 3), -0.4, 0.4),), lambda a: gx.linalg.inv(around(a)), lambda a: np.linalg.inv(around(a))),
    Row("linalg.inv", "nothing", (Arg(("none", "none")),), lambda a: gx.linalg.inv(a), np.linalg.inv),
    Row("linalg.inv", "no matrices", (Arg(("none", 3, 3)),), lambda a: gx.linalg.inv(a), np.linalg.inv),
    Row("linalg.inv", "of a transpose", (REGULAR,), lambda a: gx.linalg.inv(around(a).T), lambda a: np.linalg.inv(around(a).T)),
    Row("linalg.inv", "a permutation", (Arg((3, 3), -0.1, 0.1),), lambda a: gx.linalg.inv(a + np.eye(3)[[2, 0, 1]]), lambda a: np.linalg.inv(a + np.eye(3)[[2, 0, 1]])),
    Row("linalg.det", "a stack", (Arg((2, 3, 3), -0.4, 0.4),), lambda a: gx.linalg.det(around(a)), lambda a: np.linalg.det(around(a))),
    Row("linalg.det", "7 by 7", (Arg((7, 7), -0.8, 0.8),), lambda a: gx.linalg.det(a), lambda a: np.linalg.det(a)),
    Row("linalg.det", "1 by 1", (Arg(("one", "one")),), lambda a: gx.linalg.det(a), lambda a: np.linalg.det(a)),
    Row("linalg.det", "nothing", (Arg((0, 0)),), lambda a: gx.linalg.det(a), lambda a: np.linalg.det(a)),
    Row("linalg.det", "3 by 3", (REGULAR,), lambda a: gx.linalg.det(around(a)), lambda a: np.linalg.det(around(a))),
    Row("linalg.det", "negative", (Arg((2, 2), values=[[0.0, 1.0], [2.0, 0.5]]),), lambda a: gx.linalg.det(a), lambda a: np.linalg.det(a)),
    Row("linalg.det", "rank 1 of 2", (Arg((2, 2), values=[[1.0, 2.0], [2.0, 4.0]]),), lambda a: gx.linalg.det(a), lambda a: np.array(0.0), False,
        lambda a, w: [w * np.array([[4.0, -2.0], [-2.0, 1.0]])]),
    Row("linalg.det", "rank 2 of 3", (Arg((3, 3), values=[[1.0, 0, 0], [0, 2.0, 0], [0, 0, 0]]),), lambda a: gx.linalg.det(a), lambda a: np.array(0.0), False,
        lambda a, w: [w * np.diag([0.0, 0.0, 2.0])]),
    Row("linalg.logdet", "3 by 3", (REGULAR,), lambda a: gx.linalg.logdet(around(a)), lambda a: np.linalg.slogdet(around(a))[1]),
    Row("linalg.logdet", "a stack", (Arg((2, 2, 3, 3), -0.4, 0.4),), lambda a: gx.linalg.logdet(around(a)), lambda a: np.linalg.slogdet(around(a))[1]),
    Row("linalg.logdet", "of a negative determinant", (REGULAR,), lambda a: gx.linalg.logdet(-around(a)), lambda a: np.linalg.slogdet(-around(a))[1]),
    Row("linalg.logdet", "no matrices", (Arg((0, 2, 2)),), lambda a: gx.linalg.logdet(a), lambda a: np.linalg.slogdet(a)[1]),
    Row("linalg.logdet", "of a symmetric matrix", (SOLID,), lambda a: gx.linalg.logdet(around(a)), lambda a: np.linalg.slogdet(around(a))[1]),
]  # fmt: skip

ROWS: list[Row] = [*MATRICES, *EINSUM, *DIAGONALS, *LINALG]
