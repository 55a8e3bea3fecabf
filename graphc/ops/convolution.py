"""Convolutions, channels last: sums over the window and the input channels. As everywhere in deep learning, no flip."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.dims import Extent
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.layout import reshape
from graphc.ops.windows import numbers, windows

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
    y = stage(extents, [(x, from_x, outside), (k, from_k)], read_symbol(0) * read_symbol(1), outputs=outs, reducer="sum", call=call, guards=guards)
    return reshape(y, (*y.shape[: count + 1], k.shape[-1])).called(what, x, k, latex=call.latex) if shift else y


def _channels(x: Tensor, k: Tensor, groups: int, what: str) -> tuple[Extent, list[Guard]]:
    """The input channels of one group, and what is left to be checked."""
    numbers(groups, 1, "groups")
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


def conv2d_transpose(x: Any, kernel: Any, strides: Any = 1, padding: Any = "valid") -> Tensor:
    r"""``Y[n, s p + u - crop, s q + v - crop, o] += X[n, p, q, c] K[u, v, o, c]``: the adjoint of a strided convolution.

    Args:
        x: of shape (n, height, width, in).
        kernel: of shape (height, width, out, in).
        strides: whole numbers, or one an axis.
        padding: ``"valid"`` keeps all, ``"same"`` crops to ``height * stride``.

    Raises:
        ShapeError: where the shapes do not fit.
    """
    x, k = operand(x), operand(kernel)
    if x.ndim != 4 or k.ndim != 4:
        raise ShapeError(f"conv2d_transpose of {x.describe()} and {k.describe()}: they are (n, height, width, in) and (height, width, out, in)")
    padding = padding.lower() if isinstance(padding, str) else padding
    if padding not in ("valid", "same"):
        raise DeclarationError(f"padding={padding!r} of conv2d_transpose: it is 'valid' or 'same'")
    steps = numbers(strides, 2, "strides")
    guard = same_extent(x.shape[3], k.shape[3], f"conv2d_transpose of {x.describe()} and {k.describe()}: {x.shape[3]} channels, not {k.shape[3]}")
    sizes: list[Extent] = []
    places: list[Affine] = []
    for axis, stride in enumerate(steps):
        taps, size = k.shape[axis], x.shape[axis + 1]
        if not isinstance(taps, int):
            raise ShapeError(f"conv2d_transpose: the window of {k.describe()} must have sizes that are numbers")
        crop = max(taps - stride, 0) // 2 if padding == "same" else 0
        sizes.append(size * stride if padding == "same" else size * stride + max(taps - stride, 0))
        places.append(Affine.variable(1 + axis).scaled(stride) + Affine.variable(4 + axis) - crop)
    # Indices: n, p, q, o, u, v, c.
    n, p, q, o, u, v, c = (Affine.variable(m) for m in range(7))
    extents = [x.shape[0], x.shape[1], x.shape[2], k.shape[2], k.shape[0], k.shape[1], x.shape[3]]
    return stage(
        extents, [(x, (n, p, q, c)), (k, (u, v, o, c))], read_symbol(0) * read_symbol(1), write=(n, *places, o),
        shape=(x.shape[0], *sizes, k.shape[2]), reducer="sum", guarded=padding == "same",
        call=Call("conv2d_transpose", (x, k), r"{0} \ast^{\top} {1}"), guards=[guard] if guard else [],
    )  # fmt: skip
