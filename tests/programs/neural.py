"""Rows of the neural operations, PyTorch's own with the channels moved."""

from __future__ import annotations

import math
from typing import Any

import graphc as gx
from tests.programs.draw import Draw
from tests.programs.extremes import first_extreme
from tests.programs.layout import ids_for
from tests.programs.products import sizes_of
from tests.programs.program import Row, Size, Unfit, torch

__all__ = ["ROWS"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]
functional: Any = torch.nn.functional


def first(x: Any) -> Any:
    """Channels after the batch."""
    return x.movedim(-1, 1).contiguous()


def last(x: Any) -> Any:
    return x.movedim(1, -1)


def each(value: Any, count: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * count


def pads(sizes: Any, taps: Any, strides: Any, dilation: Any, padding: Any) -> list[tuple[int, int]]:
    """Before and after each axis; "same" as in Keras: the result has ceil(size / stride) places."""
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        total = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in zip(sizes, taps, strides, dilation, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    entries = padding if isinstance(padding, tuple) else (padding,) * len(sizes)
    return [p if isinstance(p, tuple) else (p, p) for p in entries]


def padded(x: Any, pairs: list[tuple[int, int]], value: float) -> Any:
    """``x`` with its channels first, its axes after them padded."""
    return functional.pad(x, [w for pair in reversed(pairs) for w in pair], value=value)


def padding_of(c: Draw, count: int, most: int = 2) -> Any:
    return c.pick(["valid", "same", c.whole(0, most), tuple((c.whole(0, most), c.whole(0, most)) for _ in range(count))])


def image(c: Draw, count: int, channels: int = 0) -> int:
    """A tensor (n, ..., channels), new or at hand."""
    if c.chance(0.35):
        return c.find(lambda k: len(k.shape) == count + 2 and all(isinstance(s, int) for s in k.sizes[1:]) and 0 not in k.shape)
    size = (c.whole(3, 9),) if count == 1 else (c.whole(2, 6), c.whole(2, 5))
    batch: Size = c.pick([*c.program.names, 1, 1, 2]) if count == 1 else c.pick([*c.program.names, 1])
    return c.leaf((batch, *size, channels or c.pick([1, 1, 2, 4])))


def conv_draw(count: int) -> Any:
    def draw(c: Draw) -> Drawn:
        x = image(c, count)
        inputs = c.kind(x).shape[-1]
        groups = c.pick([g for g in (1, 1, 2, inputs) if inputs % g == 0])
        taps = [c.whole(1, 3) for _ in range(count)]
        per_axis = count > 1 and c.chance(0.3)
        strides: Any = tuple(c.whole(1, 3) for _ in range(count)) if per_axis else c.pick([1, 1, 2, 3, 4])
        dilation: Any = tuple(c.whole(1, 2) for _ in range(count)) if per_axis else c.pick([1, 1, 1, 2, 3])
        kernel = c.leaf((*taps, inputs // groups, groups * c.whole(1, 2)))
        return (x, kernel), {"strides": strides, "padding": padding_of(c, count), "dilation": dilation, "groups": groups}

    return draw


def conv(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, groups: int) -> Any:
    count = x.ndim - 2
    strides, dilation = each(strides, count), each(dilation, count)
    pairs = pads(x.shape[1:-1], kernel.shape[:count], strides, dilation, padding)
    weight = kernel.permute(count + 1, count, *range(count)).contiguous()
    f = functional.conv1d if count == 1 else functional.conv2d
    return last(f(padded(first(x), pairs, 0.0), weight, stride=strides, dilation=dilation, groups=groups))


def transpose_draw(c: Draw) -> Drawn:
    x = image(c, 2)
    kernel = c.leaf((c.whole(1, 4), c.whole(1, 3), c.whole(1, 2), c.kind(x).shape[-1]))
    return (x, kernel), {"strides": c.pick([1, 2, 3, (1, 2), (3, 1)]), "padding": c.pick(["valid", "same"])}


def conv_transpose(x: Any, kernel: Any, strides: Any, padding: str) -> Any:
    """PyTorch's full result; then Keras's size: as large as all strides need, or cropped to size * stride."""
    strides = each(strides, 2)
    full = functional.conv_transpose2d(first(x), kernel.permute(3, 2, 0, 1).contiguous(), stride=strides)
    for axis in (0, 1):
        n, k, s = x.shape[1 + axis], kernel.shape[axis], strides[axis]
        crop = max(k - s, 0) // 2 if padding == "same" else 0
        wanted = n * s if padding == "same" else n * s + max(k - s, 0)
        size = full.shape[2 + axis]
        if size < crop + wanted:
            extra = [0, 0, 0, crop + wanted - size] if axis == 0 else [0, crop + wanted - size]
            full = functional.pad(full, extra)
        full = full.narrow(2 + axis, crop, wanted)
    return last(full)


def pool_draw(count: int) -> Any:
    def draw(c: Draw) -> Drawn:
        x = image(c, count)
        size: Any = tuple(c.whole(1, 3) for _ in range(count)) if count > 1 and c.chance(0.4) else c.whole(1, 3)
        strides: Any = c.pick([None, None, 1, 2, 3])
        padding = c.pick(["valid", "same"])
        if any(k > n for k, n in zip(each(size, count), c.kind(x).shape[1:-1], strict=True)) and padding == "valid":
            raise Unfit("the window does not fit")
        return (x,), {"size": size, "strides": strides, "padding": padding}

    return draw


def windows(x: Any, size: Any, strides: Any, padding: Any, fill: float) -> tuple[Any, list[int]]:
    """Every window, its taps as last axes: (n, channels, ..., taps...)."""
    count = x.ndim - 2
    taps = each(size, count)
    steps = taps if strides is None else each(strides, count)
    wide = padded(first(x), pads(x.shape[1:-1], taps, steps, (1,) * count, padding), fill)
    for axis in range(count):
        wide = wide.unfold(2 + axis, taps[axis], steps[axis])
    return wide, list(range(2 + count, 2 + 2 * count))


def max_pool(x: Any, size: Any, strides: Any, padding: Any) -> Any:
    cut, axes = windows(x, size, strides, padding, -math.inf)
    return last(first_extreme(cut, axes, False, 1))


def avg_pool(x: Any, size: Any, strides: Any, padding: Any) -> Any:
    cut, axes = windows(x, size, strides, padding, 0.0)
    counted, _ = windows(torch.ones_like(x), size, strides, padding, 0.0)
    return last(cut.sum(dim=axes) / counted.sum(dim=axes))


def norm_draw(axes: bool) -> Any:
    def draw(c: Draw) -> Drawn:
        x = c.find(lambda k: len(k.shape) > 1 and 0 not in k.shape)
        axis = c.pick([-1, -1, c.axis(x), c.axes(x)]) if axes else None
        gamma, beta = (c.leaf((sizes_of(c, x)[-1],)) for _ in range(2))
        return (x, gamma, beta), {"epsilon": c.pick([1e-5, 1e-3, 0.1])} | ({"axis": axis} if axes else {})

    return draw


def normalised(x: Any, gamma: Any, beta: Any, epsilon: float, axis: Any) -> Any:
    axes = list(range(x.ndim)) if axis is None else list(axis) if isinstance(axis, tuple) else [axis]
    centred = x - x.mean(dim=axes, keepdim=True)
    square = (centred**2).mean(dim=axes, keepdim=True)
    if float(square.detach().min()) + epsilon < 0.01:
        raise Unfit("the variance is nearly 0")
    return gamma * centred / torch.sqrt(square + epsilon) + beta


def batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Written out: the third derivative of PyTorch's own is not right."""
    if x.shape[0] < 2 and x.ndim == 2:
        raise Unfit("one entry has no variance")
    return normalised(x, gamma, beta, epsilon, tuple(range(x.ndim - 1)))


def attention_draw(c: Draw) -> Drawn:
    q = c.find(lambda k: len(k.shape) in (2, 3) and k.shape[-1] > 0)
    lead, (queries, width) = sizes_of(c, q)[:-2], sizes_of(c, q)[-2:]
    keys = c.pick([1, 2, 3, 4])
    k, v = c.leaf((*lead, keys, width)), c.leaf((*lead, keys, c.whole(1, 3)))
    args = [q, k, v]
    if c.chance(0.7):
        args.append(c.leaf(c.pick([(queries, keys), (keys,), (*lead, queries, keys), (queries, 1)]), "bool"))
    return tuple(args), {"scale": c.pick([None, None, 0.5, 1])}


def attention(q: Any, k: Any, v: Any, mask: Any = None, scale: Any = None) -> Any:
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is None:
        return torch.softmax(scores, -1) @ v
    seen = torch.broadcast_to(mask, scores.shape)
    some = seen.any(dim=-1, keepdim=True)
    weights = torch.softmax(torch.where(seen | ~some, scores, -math.inf), -1)
    return torch.where(some, weights, 0.0) @ v


def loss_draw(c: Draw) -> Drawn:
    z = c.find(lambda k: len(k.shape) == 2 and 0 not in k.shape)
    rows, classes = c.kind(z).shape
    return (z, ids_for(c, classes, 1) if rows == 0 else c.leaf((sizes_of(c, z)[0],), "int", 0, classes - 1)), {}


def picked_loss(z: Any, ids: Any) -> Any:
    """The cross-entropy of class labels, with the labels' places as one-hot rows."""
    return -gx.mean(gx.sum(gx.one_hot(ids, z.shape[1]) * gx.log(gx.softmax(z)), axis=1))


ROWS: list[Row] = [
    Row("conv1d", conv_draw(1), gx.nn.conv1d, conv, weight=1.5),
    Row("conv2d", conv_draw(2), gx.nn.conv2d, conv, weight=2),
    Row("conv2d_transpose", transpose_draw, gx.nn.conv2d_transpose, conv_transpose, weight=1.2),
    Row("max_pool1d", pool_draw(1), gx.nn.max_pool1d, max_pool, None, True, weight=0.7),
    Row("max_pool2d", pool_draw(2), gx.nn.max_pool2d, max_pool, None, True),
    Row("avg_pool1d", pool_draw(1), gx.nn.avg_pool1d, avg_pool, weight=0.7),
    Row("avg_pool2d", pool_draw(2), gx.nn.avg_pool2d, avg_pool),
    Row("batch_norm", norm_draw(False), gx.nn.batch_norm, batch_norm),
    Row("layer_norm", norm_draw(True), gx.nn.layer_norm, normalised),
    Row("attention", attention_draw, gx.nn.attention, attention, weight=2),
    Row("cross-entropy of labels", loss_draw, picked_loss, functional.cross_entropy, lambda k, o: ()),
]
