"""Convolutions, channels last: sums over the window and the input channels. As everywhere in deep learning, no flip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.dims import Extent
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.layout import reshape
from graphc.ops.windows import not_negative, numbers, sides, windows

__all__ = ["conv1d", "conv2d", "conv2d_transpose"]


def conv1d(x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""``Y[n, p, o] = sum over u, c of X[n, s p + d u - pad, c] K[u, c, o]``.

    Args:
        x: of shape (n, length, in).
        kernel: of shape (size, in/groups, out).
        strides, dilation: whole numbers.
        padding: ``"valid"``, ``"same"`` as Keras pads, or numbers.
        groups: the channels are split into that many groups, convolved each for itself.

    Raises:
        ShapeError: where the shapes do not fit.
    """
    return _convolve(x, kernel, 1, strides, padding, dilation, groups, "conv1d")


def conv2d(x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""``Y[n, p, q, o] = sum over u, v, c of X[n, s p + d u - pad, s q + d v - pad, c] K[u, v, c, o]``.

    Args:
        x: of shape (n, height, width, in).
        kernel: of shape (height, width, in/groups, out).
        strides, dilation: whole numbers, or one an axis.
        padding: ``"valid"``, ``"same"`` as Keras pads, or numbers.
        groups: the channels are split into that many groups, convolved each for itself.

    Large ones by filters of 3 or 5 taps are compiled tile by tile (Winograd), right to about 1e-5 of the largest entry in float32;
    ``GRAPHC_CONVOLUTIONS=direct`` compiles plain sums.

    Raises:
        ShapeError: where the shapes do not fit.

    Example:
        >>> import graphc as gx
        >>> gx.nn.conv2d(gx.tensor("x", ("n", 28, 28, 1)), gx.parameter("K", (3, 3, 1, 8)), padding="same").shape
        (n, 28, 28, 8)
    """
    return _convolve(x, kernel, 2, strides, padding, dilation, groups, "conv2d")


def _convolve(value: Any, kernel: Any, count: int, strides: Any, padding: Any, dilation: Any, groups: int, what: str) -> Tensor:
    x, k = operand(value), operand(kernel)
    if x.ndim != count + 2 or k.ndim != count + 2:
        raise ShapeError(f"{what} of {x.describe()} and {k.describe()}: both have {count + 2} axes, (n, ..., in) and (..., in/groups, out)")
    slides = windows(x, k.shape[:count], strides, padding, dilation, what)
    (groups,) = numbers(groups, 1, "groups")
    inputs, guards = _channels(x, k, groups, what)
    each = _each(k, groups, what)
    # Indices: n, the steps, (the group,) the output channel; then the taps and the input channel.
    shift = groups > 1
    outs = count + 2 + shift
    taps = [outs + axis for axis in range(count)]
    channel = outs + count
    group = Affine.variable(count + 1)
    filter_ = Affine.variable(outs - 1)
    from_x = (
        Affine.variable(0),
        *(w.place(1 + axis, taps[axis]) for axis, w in enumerate(slides)),
        Affine.variable(channel) + (group.scaled(inputs) if shift else 0),
    )
    from_k = (*(Affine.variable(t) for t in taps), Affine.variable(channel), filter_ + (group.scaled(each) if shift else 0))
    extents = [x.shape[0], *(w.steps for w in slides), *([groups] if shift else []), each, *(w.taps for w in slides), inputs]
    outside = 0.0 if any(w.padded for w in slides) else None
    call = Call(what, (x, k), r"{0} \ast {1}")
    guards += [g for w in slides for g in w.guards]
    y = stage(extents, [(x, from_x, outside), (k, from_k)], read_symbol(0) * read_symbol(1), outputs=outs, reducer="sum", call=call, guards=guards)
    return reshape(y, (*y.shape[: count + 1], k.shape[-1])).called(what, x, k, latex=call.latex) if shift else y


def _channels(x: Tensor, k: Tensor, groups: int, what: str) -> tuple[Extent, list[Guard]]:
    """The input channels of one group, and what is left to be checked."""
    inputs = k.shape[-2]
    text = f"{what} of {x.describe()} and {k.describe()}: {x.shape[-1]} channels in {groups} group{'s' if groups > 1 else ''} do not fit {inputs}"
    guard = same_extent(x.shape[-1], inputs * groups, text)
    return inputs, [guard] if guard else []


def _each(k: Tensor, groups: int, what: str) -> Extent:
    """The output channels of one group."""
    outs = k.shape[-1]
    if groups == 1:
        return outs
    if not isinstance(outs, int) or outs % groups:
        raise ShapeError(f"{what}: the {outs} output channels of {k.describe()} cannot be split into {groups} groups")
    return outs // groups


def conv2d_transpose(x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid", dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""``Y[n, s p + d u - crop, s q + d v - crop, o] += X[n, p, q, c] K[u, v, o, c]``: the adjoint of a strided convolution.

    Args:
        x: of shape (n, height, width, in).
        kernel: of shape (height, width, out/groups, in), which is that of the convolution it is the adjoint of.
        strides, dilation: whole numbers, or one an axis.
        padding: ``"valid"`` keeps all, ``"same"`` crops to ``height * stride``; numbers, as of the convolution, are cropped from
            ``(height - 1) * stride + size``.
        groups: the channels are split into that many groups, each for itself.

    Raises:
        ShapeError: where the shapes do not fit.
    """
    x, k = operand(x), operand(kernel)
    if x.ndim != 4 or k.ndim != 4:
        raise ShapeError(f"conv2d_transpose of {x.describe()} and {k.describe()}: they are (n, height, width, in) and (height, width, out, in)")
    what = f"conv2d_transpose of {x.describe()} and {k.describe()}"
    steps, gaps = numbers(strides, 2, "strides"), numbers(dilation, 2, "dilation")
    (groups,) = numbers(groups, 1, "groups")
    each = _each(k, groups, "conv2d_transpose")
    guard = same_extent(x.shape[3], k.shape[3], f"{what}: {x.shape[3]} channels, not {k.shape[3]}")
    sizes, places, cropped, guards = _spread(x, k, steps, gaps, padding, what)
    # Indices: n, p, q, o, u, v, c, and the group.
    n, p, q, o, u, v, c, g = (Affine.variable(m) for m in range(8))
    grouped = groups > 1
    channel, out = (g.scaled(each) + c, g.scaled(k.shape[2]) + o) if grouped else (c, o)
    extents = [x.shape[0], x.shape[1], x.shape[2], k.shape[2], k.shape[0], k.shape[1], each, *([groups] if grouped else [])]
    return stage(
        extents, [(x, (n, p, q, channel)), (k, (u, v, o, channel))], read_symbol(0) * read_symbol(1), write=(n, *places, out),
        shape=(x.shape[0], *sizes, k.shape[2] * groups), reducer="sum", guarded=cropped,
        call=Call("conv2d_transpose", (x, k), r"{0} \ast^{\top} {1}"), guards=[*([guard] if guard else []), *guards],
    )  # fmt: skip


def _spread(
    x: Tensor, k: Tensor, steps: Sequence[int], gaps: Sequence[int], padding: Any, what: str
) -> tuple[list[Extent], list[Affine], bool, list[Guard]]:  # fmt: skip
    """The sizes of the axes that a transposed convolution makes, where it writes on them, whether something is cropped, what must hold."""
    named = padding.lower() if isinstance(padding, str) else None
    sizes: list[Extent] = []
    places: list[Affine] = []
    guards: list[Guard] = []
    cropped = False
    for axis, (stride, gap) in enumerate(zip(steps, gaps, strict=True)):
        taps, size = k.shape[axis], x.shape[axis + 1]
        if not isinstance(taps, int):
            raise ShapeError(f"conv2d_transpose: the window of {k.describe()} must have sizes that are numbers")
        reach = (taps - 1) * gap + 1
        before = max(reach - stride, 0) // 2
        if named == "same":
            made, cropped = size * stride, True
        elif named == "valid":
            made, before = size * stride + max(reach - stride, 0), 0
        else:
            before, after = sides(padding, axis, 2, size, reach, stride, what)
            made = size * stride + (reach - stride - before - after)
            cropped |= before + after > 0
            guards += not_negative(made, f"{what}: padding={padding!r} crops more than there is on axis {axis + 1}; give smaller numbers")
        sizes.append(made)
        places.append(Affine.variable(1 + axis).scaled(stride) + Affine.variable(4 + axis).scaled(gap) - before)
    return sizes, places, cropped, guards
