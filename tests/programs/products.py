"""Rows of products: matrices, stacks of them, Einstein's sums, and linear algebra."""

from __future__ import annotations

from typing import Any

import graphc as gx
from tests.programs.draw import Draw
from tests.programs.program import Kind, Row, Size, Unfit, apart, torch

__all__ = ["ROWS"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]


def sizes_of(c: Draw, a: int) -> list[Size]:
    return [n if s == "?" else s for s, n in zip(c.kind(a).sizes, c.kind(a).shape, strict=True)]


def matmul_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0)
    mine = c.kind(a)
    inner = mine.shape[-1]

    def fits(other: Kind) -> bool:
        rank = len(other.shape)
        if not rank or other.shape[-2 if rank > 1 else 0] != inner:
            return False
        return rank < 3 or len(mine.shape) < 3 or other.shape[:-2] == mine.shape[:-2]

    if c.chance(0.6):
        return (a, c.find(fits)), {}
    rows = sizes_of(c, a)[-1]
    stack = sizes_of(c, a)[:-2] if len(mine.shape) > 2 and c.chance(0.4) else []
    return (a, c.leaf([*stack, rows, c.size()] if stack or c.chance(0.8) else [rows])), {}


def dot_draw(c: Draw) -> Drawn:
    a = c.find()
    mine = c.kind(a)

    def fits(other: Kind) -> bool:
        rank = len(other.shape)
        return not rank or not mine.shape or other.shape[-2 if rank > 1 else 0] == mine.shape[-1]

    return (a, c.find(fits)), {}


def dot(a: Any, b: Any) -> Any:
    if not a.ndim or not b.ndim:
        return a * b
    return torch.tensordot(a, b, dims=([-1], [b.ndim - 2 if b.ndim > 1 else 0]))


def einsum_draw(c: Draw) -> Drawn:
    letters: dict[str, int] = {}
    parts: list[str] = []
    args: list[int] = []
    dots: tuple[int, ...] | None = None
    with_dots = c.chance(0.25)
    for _ in range(c.pick([1, 2, 2, 2, 3])):
        a = c.find(lambda k: len(k.shape) < 4)
        shape = c.kind(a).shape
        text = ""
        lead = 0
        if with_dots and len(shape) and (dots is None or shape[: len(dots)] == dots):
            lead = c.whole(0, len(shape) - 1) if dots is None else len(dots)
            dots = shape[:lead]
            text = "..."
        for n in shape[lead:]:
            same = [x for x, size in letters.items() if size == n]
            letter = c.pick(same) if same and c.chance(0.6) else "ijklmnop"[len(letters)] if len(letters) < 8 else c.pick(same)
            letters[letter] = n
            text += letter
        parts.append(text)
        args.append(a)
    total = 1
    for n in letters.values():
        total *= n
    if total > 1500:
        raise Unfit("too large")
    out = c.rng.sample(list(letters), c.whole(0, min(len(letters), 3)))
    spec = f"{','.join(parts)}->{'...' if dots is not None else ''}{''.join(out)}"
    return tuple(args), {"spec": spec}


def einsum(*tensors: Any, spec: str) -> Any:
    return torch.einsum(spec, *tensors)


def outer_draw(c: Draw) -> Drawn:
    return (c.find(lambda k: len(k.shape) < 3), c.find(lambda k: len(k.shape) < 3)), {}


def layer_draw(c: Draw) -> Drawn:
    """A product, or some of its columns, with something added to it and a function of it: what is one kernel."""
    a = c.find(lambda k: 0 < len(k.shape) < 4)
    *rows, inner = sizes_of(c, a)
    b = c.leaf([inner, c.size()])
    columns = c.kind(b).shape[-1]
    low = c.whole(0, columns) if c.chance(0.3) else 0
    high = columns if c.chance(0.4) else c.whole(min(low + 1, columns), columns)
    width = sizes_of(c, b)[-1] if (low, high) == (0, columns) else high - low
    starts = [c.leaf([*rows, width] if c.chance(0.4) else [width])] if c.chance(0.7) else []
    return (a, b, *starts), {"low": low, "high": high, "function": c.pick(["", "relu", "relu", "tanh"])}


def layer(relu: Any, tanh: Any) -> Any:
    def call(a: Any, b: Any, *starts: Any, low: int, high: int, function: str) -> Any:
        y = a @ b
        y = y if (low, high) == (0, b.shape[-1]) else y[..., low:high]
        for start in starts:
            y = start + y
        return {"": lambda x: x, "relu": relu, "tanh": tanh}[function](y)

    return call


def rectified(x: Any) -> Any:
    apart(x)
    return torch.relu(x)


def regular(x: Any, eye: Any) -> Any:
    """A matrix that is far from singular, from any square one."""
    return x @ x.T / (1 + (x * x).sum()) + 1.5 * eye + 0.25 * (x - x.T) / (1 + (x * x).sum())


def square_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) == 2 and k.shape[0] == k.shape[1] and 0 < k.shape[0] < 5 and k.plain)
    return (a,), {"size": c.kind(a).shape[0]}


def of_regular(f: Any) -> Any:
    import numpy as np

    return lambda x, size: f(regular(x, np.eye(size)))


def of_regular_torch(f: Any) -> Any:
    return lambda x, size: f(regular(x, torch.eye(size, dtype=torch.float64)))


LINALG = (
    [
        Row("linalg.inv", square_draw, of_regular(lambda m: gx.linalg.inv(m)), of_regular_torch(torch.linalg.inv)),  # type: ignore[attr-defined]
        Row("linalg.det", square_draw, of_regular(lambda m: gx.linalg.det(m)), of_regular_torch(torch.linalg.det), lambda k, o: ()),  # type: ignore[attr-defined]
        Row("linalg.logdet", square_draw, of_regular(lambda m: gx.linalg.logdet(m)), of_regular_torch(torch.logdet), lambda k, o: ()),  # type: ignore[attr-defined]
    ]
    if hasattr(gx, "linalg")
    else []
)

ROWS: list[Row] = [
    Row("matmul", matmul_draw, lambda a, b: a @ b, torch.matmul, weight=2.5),
    Row("layer", layer_draw, layer(gx.relu, gx.tanh), layer(rectified, torch.tanh), weight=1.5),
    Row("dot", dot_draw, gx.dot, dot, weight=0.7),
    Row("outer", outer_draw, gx.outer, lambda a, b: torch.outer(a.reshape(-1), b.reshape(-1)), weight=0.5),
    Row("einsum", einsum_draw, lambda *t, spec: gx.einsum(spec, *t), einsum, weight=2.5),
    *LINALG,
]
