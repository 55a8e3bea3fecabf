"""Rows of slices, reshapes, transposes and what moves entries."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from tests.rows.row import Arg, Row

N5, N24 = Arg(("n", 5)), Arg(("n", 2, 4))
WHOLE = Arg((7, 5))


def same(name: str, case: str, args: tuple[Arg, ...], write: Any, **options: Any) -> Row:
    """``write(gx or np, *arguments)`` is one text for both."""
    return Row(name, case, args, lambda *t: write(gx, *t), lambda *a: write(np, *a), **options)


SLICES = [
    Row("getitem", text, (argument,), slices, slices)
    for text, argument, slices in (
        ("one row", WHOLE, lambda a: a[2]),
        ("the last row", WHOLE, lambda a: a[-1]),
        ("the last row of a name", N5, lambda a: a[-1]),
        ("one entry", WHOLE, lambda a: a[3, 1]),
        ("a column", N5, lambda a: a[:, 2]),
        ("a part", WHOLE, lambda a: a[1:6, 2:]),
        ("a part by steps of 3", WHOLE, lambda a: a[::3, 1::2]),
        ("flipped", WHOLE, lambda a: a[::-1, ::-2]),
        ("flipped, from inside", WHOLE, lambda a: a[5:1:-2]),
        ("flipped, of a name", N5, lambda a: a[::-1]),
        ("nothing", WHOLE, lambda a: a[3:3]),
        ("beyond the end", WHOLE, lambda a: a[5:99]),
        ("before the start", WHOLE, lambda a: a[-99:2]),
        ("backwards is nothing", WHOLE, lambda a: a[5:2]),
        ("new axes", N5, lambda a: a[None, :, None]),
        ("dots", N24, lambda a: a[..., 1]),
        ("dots between", N24, lambda a: a[1, ..., ::2]),
        ("dots that stand for nothing", WHOLE, lambda a: a[1, 2, ...]),
        ("all", WHOLE, lambda a: a[...]),
        ("without the first and last, of a name", N5, lambda a: a[1:-1]),
        ("every second, of a name", Arg(("m", 2)), lambda a: a[::2]),
        ("the end before the start, of a name", Arg(("m", 2)), lambda a: a[3:0:-1]),
        ("from inside to the first, of a name", Arg(("m", 2)), lambda a: a[2::-2]),
        ("the last two backwards, of a name", Arg(("m", 2)), lambda a: a[:-3:-1]),
        ("the last but one, of a name", Arg(("m", 2)), lambda a: a[-2:] * a[0:2]),
        ("a place that is a size", Arg(("m", 2)), lambda a: a[a.shape[0] - 2] + a[a.shape[0] - 1, 1]),
        ("an array of rank 0", WHOLE, lambda a: a[np.array(1), : np.int8(2)]),
        ("twice one entry", WHOLE, lambda a: a[2] * a[2] + a[1:3].sum(axis=0)),
        ("overlapping windows", Arg((7,)), lambda a: a[:-1] * a[1:]),
    )
]

MOVES = [
    *(same("transpose", f"axes {axes}", (N24,), lambda m, a, x=axes: m.transpose(a, x)) for axes in (None, (1, 0, 2), (-1, 0, 1))),
    same("transpose", "a vector", (Arg((7,)),), lambda m, a: m.transpose(a)),
    Row("transpose", "a method", (N24,), lambda a: a.transpose(2, 0, 1) * a.transpose((2, 0, 1)), lambda a: a.transpose(2, 0, 1) ** 2),
    Row("transpose", "T", (N5,), lambda a: a.T, lambda a: a.T),
    Row("transpose", "T of rank 0", (Arg(()),), lambda a: a.T, lambda a: a.T),
    *(same("swapaxes", f"{p} and {q}", (N24,), lambda m, a, p=p, q=q: m.swapaxes(a, p, q)) for p, q in ((0, 1), (-1, 0), (1, 1))),
    *(same("expand_dims", f"at {axis}", (N5,), lambda m, a, x=axis: m.expand_dims(a, x)) for axis in (0, 1, -1, (0, 3), (-1, 1))),
    same("squeeze", "all ones", (Arg((1, "n", 1)),), lambda m, a: m.squeeze(a)),
    same("squeeze", "one of them", (Arg((1, "n", 1)),), lambda m, a: m.squeeze(a, axis=-1)),
    same("squeeze", "two of them", (Arg((1, "n", 1)),), lambda m, a: m.squeeze(a, axis=(0, 2))),
    same("squeeze", "nothing to do", (Arg((3, 2)),), lambda m, a: m.squeeze(a)),
    *(
        same("broadcast_to", case, (Arg(shape),), lambda m, a, t=target: m.broadcast_to(a, t))
        for case, shape, target in (("a row", (5,), (3, 5)), ("a column", (3, 1), (3, 5)), ("rank 0", (), (2, 3)), ("to nothing", (1,), (0,)), ("unchanged", (3,), (3,)))
    ),
    *(
        same("reshape", f"{shape} to {target}", (Arg(shape),), lambda m, a, t=target: m.reshape(a, t))
        for shape, target in (((2, 6), (3, 4)), ((2, 6), (-1,)), ((2, 6), (4, -1)), ((), (1, 1)), ((0, 3), (3, 0)), ((1,), ()), ((2, 3, 4), (6, 4)))
    ),
    Row("reshape", "a name flattened", (N24,), lambda a: gx.reshape(a, (a.shape[0], 8)), lambda a: a.reshape(3, 8)),
    Row("reshape", "-1 for a name", (N24,), lambda a: a.reshape(-1, 8), lambda a: a.reshape(-1, 8)),
    Row("reshape", "-1 beside a name", (N24,), lambda a: gx.reshape(a, (a.shape[0], -1)), lambda a: a.reshape(3, -1)),
    Row("reshape", "after a transpose", (N24,), lambda a: gx.reshape(gx.transpose(a), (-1,)) ** 2, lambda a: a.T.reshape(-1) ** 2),
]

JOINS = [
    same("concatenate", "rows", (Arg(("n", 5)), Arg(("m", 5))), lambda m, a, b: m.concatenate([a, b])),
    same("concatenate", "columns", (Arg((3, 2)), Arg((3, 5)), Arg((3, 1))), lambda m, a, b, c: m.concatenate([a, b, c], axis=1)),
    same("concatenate", "the last axis", (N24, Arg(("n", 2, 3))), lambda m, a, b: m.concatenate([a, b], axis=-1)),
    same("concatenate", "with itself", (N5,), lambda m, a: m.concatenate([a, a * a])),
    same("concatenate", "nothing and something", (Arg((0, 2)), Arg((3, 2))), lambda m, a, b: m.concatenate([a, b])),
    same("concatenate", "its first row again", (Arg(("n", 3)),), lambda m, a: m.concatenate([a[:1], a, a[:2]])),
    same("concatenate", "its first column between", (Arg((2, 3)),), lambda m, a: m.concatenate([a[:, :2], a[:, :1], a], axis=1)),
    same("concatenate", "no axis", (Arg(("n", 2)), Arg((3,))), lambda m, a, b: m.concatenate([a, b], axis=None)),
    same("concatenate", "nothing of a name", (Arg(("none", 2)), Arg(("n", 2))), lambda m, a, b: m.concatenate([a, b, a])),
    same("concatenate", "one alone", (N5,), lambda m, a: m.concatenate([a])),
    same("concatenate", "integers", (Arg((3,), -3, 3, "int"), Arg((2,), -3, 3, "int")), lambda m, a, b: m.concatenate([a, b]), smooth=False, dtype="int"),
    *(same("stack", f"axis {axis}", (N5, Arg(("n", 5))), lambda m, a, b, x=axis: m.stack([a, b], axis=x)) for axis in (0, 1, -1)),
    same("stack", "scalars", (Arg(()), Arg(()), Arg(())), lambda m, a, b, c: m.stack([a, b, c])),
    *(same("split", f"into 3, part {k}", (Arg((6, 2)),), lambda m, a, k=k: m.split(a, 3)[k]) for k in range(3)),
    *(same("split", f"at places, part {k}", (Arg((7, 2)),), lambda m, a, k=k: m.split(a, [2, 3])[k]) for k in range(3)),
    *(same("split", f"at {cuts}, part {k}", (Arg((4, 2)),), lambda m, a, c=cuts, k=k: m.split(a, c)[k]) for cuts in ([0, 2], [2, 1], [6], [-1], np.array([1])) for k in range(2)),
    same("split", "columns", (Arg((3, 4)),), lambda m, a: m.split(a, 2, axis=1)[1]),
    same("split", "and joined in another order", (Arg((6, 2)),), lambda m, a: m.concatenate(m.split(a, 3)[::-1])),
    *(same("pad", f"by {width}", (Arg(("n", 4)),), lambda m, a, w=width: m.pad(a, w)) for width in (1, ((1, 2), (0, 3)), ((0, 0), (0, 0)))),
    *(same("pad", f"{mode} by {width}", (Arg(("m", 3)),), lambda m, a, w=width, o=mode: m.pad(a, w, o)) for mode in ("edge", "reflect", "symmetric", "wrap") for width in (1, ((2, 0), (1, 2)), ((0, 0), (0, 0)))),
    same("pad", "with a value an axis alike", (Arg(("n", 2)),), lambda m, a: m.pad(a, ((1, 2),), constant_values=2.5)),
    same("pad", "widths in an array", (Arg(("n", 2)),), lambda m, a: m.pad(a, np.array([[1, 0], [0, 2]]), mode="constant")),
    same("pad", "a vector", (Arg((5,)),), lambda m, a: m.pad(a, (2, 1))),
    same("pad", "nothing", (Arg((0,)),), lambda m, a: m.pad(a, (2, 1))),
    *(same("flip", f"axis {axis}", (N5,), lambda m, a, x=axis: m.flip(a, x)) for axis in (None, 0, -1, (0, 1))),
]

PICKS = [
    *(
        same("take", f"{case} axis={axis}", (Arg((3, 5)), Arg(shape, 0, 2, "int")), lambda m, a, i, x=axis: m.take(a, i, axis=x))
        for axis in (0, 1, -1)
        for case, shape in (("a list", (4,)), ("a table", (2, 3)), ("one", ()), ("none", (0,)))
    ),
    same("take", "one entry again and again", (Arg((3,)), Arg((5,), kind="int", values=[1, 1, 1, 2, 1])), lambda m, a, i: m.take(a, i, axis=0)),
    *(
        Row("one_hot", case, (Arg(shape, 0, 3, "int"),), lambda i: gx.one_hot(i, 4), lambda i: np.eye(4)[i], smooth=False)
        for case, shape in (("a list", (5,)), ("a table", ("n", 2)), ("one", ()), ("none", (0,)))
    ),
    *(same("cumsum", f"axis {axis}", (N24,), lambda m, a, x=axis: m.cumsum(a, axis=x)) for axis in (0, 1, -1)),
    same("cumsum", "a vector", (Arg((7,)),), lambda m, a: m.cumsum(a, axis=0) ** 2),
    same("cumsum", "one entry", (Arg((1,)),), lambda m, a: m.cumsum(a, axis=0)),
    same("cumsum", "nothing", (Arg((0,)),), lambda m, a: m.cumsum(a, axis=0)),
    same("cumsum", "all entries in row order", (Arg((3, 4)),), lambda m, a: m.cumsum(a)),
]

ROWS: list[Row] = [*SLICES, *MOVES, *JOINS, *PICKS]
