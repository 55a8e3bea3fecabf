"""Rows that move entries: slices, transposes, reshapes, joining, padding, running sums, picking by integers."""

from __future__ import annotations

from typing import Any

import graphc as gx
from tests.programs.draw import Draw
from tests.programs.program import Kind, Row, Size, Unfit, torch

__all__ = ["ROWS"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]
ALL = ("float", "float", "float", "int", "bool")


def transpose_draw(c: Draw) -> Drawn:
    a = c.find(dtypes=ALL)
    axes = c.rng.sample(range(len(c.kind(a).shape)), len(c.kind(a).shape))
    return (a,), {"axes": tuple(axes) if c.chance(0.7) else None}


def transposed(kinds: list[Kind], options: dict[str, Any]) -> tuple[Size, ...]:
    sizes, axes = kinds[0].sizes, options["axes"]
    return tuple(reversed(sizes)) if axes is None else tuple(sizes[a] for a in axes)


def transpose(x: Any, axes: Any) -> Any:
    return x.permute(tuple(reversed(range(x.ndim))) if axes is None else axes)


def swap_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0, ALL)
    return (a,), {"axis1": c.axis(a), "axis2": c.axis(a)}


def squeeze_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: 1 in k.sizes, ALL)
    ones = [k for k, s in enumerate(c.kind(a).sizes) if s == 1]
    return (a,), {"axis": c.pick([c.pick(ones), c.pick(ones) - len(c.kind(a).shape), tuple(ones)])}


def squeeze(x: Any, axis: Any) -> Any:
    return torch.squeeze(x, axis)


def expand_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) < 4, ALL)
    rank = len(c.kind(a).shape)
    return (a,), {"axis": c.whole(-rank - 1, rank)}


def broadcast_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: k.plain and len(k.shape) < 4, ALL)
    shape = tuple(c.whole(1, 3) if n == 1 and c.chance(0.7) else n for n in c.kind(a).shape)
    return (a,), {"shape": (c.whole(1, 3), *shape) if c.chance(0.4) else shape}


def reshape_draw(c: Draw) -> Drawn:
    a = c.find(dtypes=ALL)
    shape = c.kind(a).shape
    count = 1
    for n in shape:
        count *= n
    if not c.kind(a).plain:
        return (a,), {"shape": (-1,)}
    if not count:
        raise Unfit("nothing to reshape")
    parts: list[int] = []
    rest = count
    for _ in range(c.whole(0, 3)):
        parts.append(c.pick([d for d in range(1, rest + 1) if rest % d == 0]))
        rest //= parts[-1]
    if rest > 1 or not parts:
        parts.insert(c.whole(0, len(parts)), rest)
    if c.chance(0.5):
        parts[c.whole(0, len(parts) - 1)] = -1
    return (a,), {"shape": tuple(parts)}


def slice_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0, ALL)
    key: list[Any] = []
    for size, n in zip(c.kind(a).sizes, c.kind(a).shape, strict=True):
        if c.chance(0.3):
            key.append(slice(None))
        elif c.chance(0.25) and n:
            key.append(c.whole(-n, n - 1))
        elif not isinstance(size, int):
            key.append(
                c.pick([slice(None, None, -1), slice(None, None, 2), slice(None, None, -2), slice(c.whole(0, n), None), slice(None, c.whole(0, n))])
            )
        else:
            ends = [None, *range(-n - 1, n + 2)]
            key.append(slice(c.pick(ends), c.pick(ends), c.pick([None, 1, 2, 3, -1, -2])))
    if c.chance(0.25):
        cut = c.whole(0, len(key))
        key[cut : cut + c.whole(0, 2)] = [Ellipsis]
    for _ in range(c.whole(0, 2) if c.chance(0.3) and len(key) < 4 else 0):
        key.insert(c.whole(0, len(key)), None)
    return (a,), {"key": tuple(key)}


def cut(x: Any, key: tuple[Any, ...]) -> Any:
    """NumPy's basic indexing, axis by axis."""
    named = sum(1 for k in key if k is not None and k is not Ellipsis)
    full: list[Any] = []
    for k in key:
        full += [slice(None)] * (x.ndim - named) if k is Ellipsis else [k]
    full += [slice(None)] * (x.ndim - sum(1 for k in full if k is not None))
    axis = 0
    for k in full:
        if k is None:
            x = x.unsqueeze(axis)
            axis += 1
        elif isinstance(k, slice):
            x = torch.index_select(x, axis, torch.tensor(list(range(*k.indices(x.shape[axis]))), dtype=torch.int64))
            axis += 1
        else:
            x = torch.select(x, axis, k)
    return x


def joinable(c: Draw, a: int, axis: int | None) -> int:
    mine = c.kind(a)
    wanted = [(n, k) for k, n in enumerate(mine.shape) if k != axis]

    def fits(other: Kind) -> bool:
        return len(other.shape) == len(mine.shape) and all(other.shape[k] == n for n, k in wanted)

    if c.chance(0.7):
        return c.find(fits, (mine.dtype,) if c.chance(0.8) else ("float", "int"))
    sizes = [n if s == "?" else s for s, n in zip(mine.sizes, mine.shape, strict=True)]
    if axis is not None:
        sizes[axis] = c.whole(1, 3)
    return c.leaf(sizes, mine.dtype)


def concatenate_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0, ALL)
    axis = c.axis(a)
    others = tuple(joinable(c, a, axis % len(c.kind(a).shape)) for _ in range(c.whole(1, 2)))
    return (a, *others), {"axis": axis}


def stack_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) < 4, ALL)
    rank = len(c.kind(a).shape)
    return (a, *(joinable(c, a, None) for _ in range(c.whole(1, 2)))), {"axis": c.whole(-rank - 1, rank)}


def alike(*tensors: Any) -> list[Any]:
    kind = tensors[0].dtype
    for t in tensors[1:]:
        kind = torch.promote_types(kind, t.dtype)
    return [t.to(kind) for t in tensors]


def split_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: any(isinstance(s, int) for s in k.sizes), ALL)
    axis = c.pick([k for k, s in enumerate(c.kind(a).sizes) if isinstance(s, int)])
    n = c.kind(a).shape[axis]
    if n > 1 and c.chance(0.5):
        sections: Any = c.pick([d for d in range(1, n + 1) if n % d == 0])
        count = sections
    else:
        sections = tuple(sorted(c.whole(0, n) for _ in range(c.whole(1, 2))))
        count = len(sections) + 1
    return (a,), {"sections": sections, "axis": axis - c.pick([0, len(c.kind(a).shape)]), "part": c.whole(0, count - 1)}


def split(x: Any, sections: Any, axis: int, part: int) -> Any:
    return torch.tensor_split(x, sections, dim=axis)[part]


def pad_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: 0 < len(k.shape) < 4, ("float", "float", "int"))
    rank = len(c.kind(a).shape)
    width: Any = c.pick([1, (1, 2), tuple((c.whole(0, 2), c.whole(0, 2)) for _ in range(rank))])
    fill = c.pick([0.0, 0.0, 1.5]) if c.kind(a).dtype == "float" else c.pick([0, 2])
    return (a,), {"pad_width": width, "constant_values": fill}


def pad(x: Any, pad_width: Any, constant_values: float) -> Any:
    pairs = (
        [(pad_width, pad_width)] * x.ndim
        if isinstance(pad_width, int)
        else list(pad_width)
        if isinstance(pad_width[0], tuple)
        else [pad_width] * x.ndim
    )
    flat = [w for pair in reversed(pairs) for w in pair]
    return torch.nn.functional.pad(x, flat, value=constant_values)


def flip_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0, ALL)
    return (a,), {"axis": c.axes(a)}


def flip(x: Any, axis: Any) -> Any:
    return torch.flip(x, list(range(x.ndim)) if axis is None else list(axis) if isinstance(axis, tuple) else [axis])


def cumsum_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) > 0, ("float", "float", "int"))
    return (a,), {"axis": c.axis(a) if c.chance(0.8) else None}


def cumsum(x: Any, axis: Any) -> Any:
    return torch.cumsum(x.reshape(-1) if axis is None else x, 0 if axis is None else axis)


def ids_for(c: Draw, size: int, rank: int | None = None) -> int:
    """Integers in range: an earlier tensor whose entries are, or a new leaf; repeats are likely."""
    if not size:
        raise Unfit("nothing to pick from")

    def fits(k: Kind) -> bool:
        return rank is None or len(k.shape) == rank

    if c.chance(0.35):
        a = c.find(fits, ("int",))
        value = c.values[a]
        if value.numel() and not (int(value.min()) >= 0 and int(value.max()) < size):
            raise Unfit("out of range")
        return a
    shape = tuple(c.size() for _ in range(c.pick([0, 1, 1, 1, 2]) if rank is None else rank))
    return c.leaf(shape, "int", 0, size - 1)


def take_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: 0 < len(k.shape) < 4, ALL)
    axis = c.axis(a)
    return (a, ids_for(c, c.kind(a).shape[axis])), {"axis": axis}


def take(x: Any, ids: Any, axis: int) -> Any:
    axis %= x.ndim
    return torch.index_select(x, axis, ids.reshape(-1)).reshape((*x.shape[:axis], *ids.shape, *x.shape[axis + 1 :]))


def embedding_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) == 2)
    return (a, ids_for(c, c.kind(a).shape[0])), {}


def one_hot_draw(c: Draw) -> Drawn:
    return (c.find(lambda k: len(k.shape) < 3, ("int",)),), {"depth": c.whole(1, 4)}


def one_hot(ids: Any, depth: int) -> Any:
    return (ids[..., None] == torch.arange(depth)).double()


def matrix_draw(c: Draw) -> Drawn:
    a = c.find(lambda k: len(k.shape) == 2 and (k.plain or k.sizes[0] == k.sizes[1] != "?"))
    offset = c.whole(-2, 2) if c.kind(a).plain else 0
    return (a,), {"offset": offset}


ROWS: list[Row] = [
    Row("transpose", transpose_draw, gx.transpose, transpose, transposed, True),
    Row("swapaxes", swap_draw, gx.swapaxes, lambda x, axis1, axis2: x.swapaxes(axis1, axis2), None, True, weight=0.4),
    Row("squeeze", squeeze_draw, gx.squeeze, squeeze, None, True, weight=0.5),
    Row("expand_dims", expand_draw, gx.expand_dims, lambda x, axis: x.unsqueeze(axis), None, True, weight=0.4),
    Row("broadcast_to", broadcast_draw, gx.broadcast_to, lambda x, shape: torch.broadcast_to(x, shape), None, True, weight=0.6),
    Row("reshape", reshape_draw, lambda x, shape: gx.reshape(x, shape), lambda x, shape: x.reshape(shape), None, True, weight=1.2),
    Row("[]", slice_draw, lambda x, key: x[key], cut, None, True, weight=3),
    Row(
        "concatenate",
        concatenate_draw,
        lambda *t, axis: gx.concatenate(t, axis),
        lambda *t, axis: torch.cat(alike(*t), dim=axis),
        None,
        True,
        weight=1.5,
    ),
    Row("stack", stack_draw, lambda *t, axis: gx.stack(t, axis), lambda *t, axis: torch.stack(alike(*t), dim=axis), None, True),
    Row("split", split_draw, lambda x, sections, axis, part: gx.split(x, sections, axis)[part], split, None, True),
    Row("pad", pad_draw, gx.pad, pad, None, True),
    Row("flip", flip_draw, gx.flip, flip, lambda k, _: k[0].sizes, True, weight=0.8),
    Row("cumsum", cumsum_draw, gx.cumsum, cumsum, None, weight=0.8),
    Row("take", take_draw, gx.take, take, None, True, weight=1.5),
    Row("embedding", embedding_draw, gx.nn.embedding, lambda t, ids: torch.nn.functional.embedding(ids, t), None, True),
    Row("one_hot", one_hot_draw, gx.one_hot, one_hot, None, True, weight=0.7),
    Row(
        "diag",
        lambda c: ((c.find(lambda k: len(k.shape) == 1),), {"k": c.whole(-1, 2)}),
        gx.diag,
        lambda x, k: torch.diag(x, k),
        None,
        True,
        weight=0.5,
    ),
    Row("diagonal", matrix_draw, gx.diagonal, lambda x, offset: torch.diagonal(x, offset), None, True, weight=0.5),
    Row("trace", matrix_draw, gx.trace, lambda x, offset: torch.diagonal(x, offset).sum(), None, weight=0.4),
]
