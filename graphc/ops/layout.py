"""Layout: slices, transposes, reshapes, broadcasting; each an affine access or a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.define import access, is_index_formula
from graphc.expr.dims import Dim, Extent, as_extent, product, provably_at_least
from graphc.expr.numbers import as_whole, listed
from graphc.expr.operation import Reshape
from graphc.expr.origin import caller
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Tensor, make
from graphc.ops.axes import axes_of, axis_of

__all__ = ["broadcast_to", "expand_dims", "getitem", "reshape", "squeeze", "swapaxes", "transpose"]

_X = read_symbol(0)


def _moved(x: Tensor, shape: Sequence[Extent], places: Sequence[Affine], call: Call, guards: Sequence[Guard] = ()) -> Tensor:
    return stage(shape, [(x, tuple(places))], _X, dtype=x.dtype, call=call, guards=guards)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order; without ``axes`` all of them reversed.

    Example:
        >>> import graphc as gx
        >>> gx.transpose(gx.tensor("x", ("n", 3))).shape
        (3, n)
    """
    x = operand(x)
    if axes is not None and not isinstance(axes, Sequence | np.ndarray):
        raise DeclarationError(
            f"axes={axes!r} of {x.describe()}: name the axes in their new order, gx.transpose(x, (1, 0)); gx.swapaxes exchanges two"
        )
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(axis_of(x, a) for a in axes)
    if sorted(order) != list(range(x.ndim)):
        raise DeclarationError(f"axes={axes} is no order of the {x.ndim} axes of {x.describe()}: name each axis once")
    if x.ndim < 2:
        return x
    places = [Affine.variable(order.index(a)) for a in range(x.ndim)]
    return _moved(x, [x.shape[a] for a in order], places, Call("ᵀ", (x,), r"{0}^\top"))


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged."""
    x = operand(x)
    order = list(range(x.ndim))
    a, b = axis_of(x, axis1), axis_of(x, axis2)
    order[a], order[b] = b, a
    return transpose(x, order)


def expand_dims(x: Any, axis: int | tuple[int, ...]) -> Tensor:
    """New axes of size 1 at the given places of the result."""
    x = operand(x)
    axes = listed(axis)
    given = tuple(axes) if isinstance(axes, tuple | list) else (axes,)
    rank = x.ndim + len(given)
    new = {axis_of(x, a, rank) for a in given}
    if len(new) != len(given):
        raise DeclarationError(f"axis={axis} names a place twice")
    old = [k for k in range(rank) if k not in new]
    shape: list[Extent] = [1] * rank
    for axis_, extent in zip(old, x.shape, strict=True):
        shape[axis_] = extent
    return _moved(x, shape, [Affine.variable(k) for k in old], Call("expand_dims", (x,), "{0}"))


def squeeze(x: Any, axis: Any = None) -> Tensor:
    """The axes of size 1 removed: those named, or all that are certainly 1."""
    x = operand(x)
    gone = [a for a in range(x.ndim) if x.shape[a] == 1] if axis is None else list(axes_of(x, axis))
    guards = [same_extent(x.shape[a], 1, f"axis {a} of {x.describe()} is not 1, so squeeze cannot remove it") for a in gone]
    kept = [a for a in range(x.ndim) if a not in gone]
    places = [Affine.constant(0) if a in gone else Affine.variable(kept.index(a)) for a in range(x.ndim)]
    return _moved(x, [x.shape[a] for a in kept], places, Call("squeeze", (x,), "{0}"), [g for g in guards if g])


def broadcast_to(x: Any, shape: Any) -> Tensor:
    """``x`` repeated to ``shape``, by NumPy's rules."""
    x = operand(x)
    shape = listed(shape)
    target = tuple(as_extent(e) for e in (shape if isinstance(shape, tuple | list) else (shape,)))
    shift = len(target) - x.ndim
    if shift < 0:
        raise ShapeError(f"{x.describe()} has more axes than {target}: broadcast_to only adds axes")
    places: list[Affine] = []
    guards: list[Guard] = []
    for axis, extent in enumerate(x.shape):
        if extent == 1 and target[axis + shift] != 1:
            places.append(Affine.constant(0))
            continue
        guard = same_extent(extent, target[axis + shift], f"{x.describe()} cannot be broadcast to {target}: axis {axis} is {extent}")
        guards += [guard] if guard else []
        places.append(Affine.variable(axis + shift))
    return _moved(x, target, places, Call("broadcast", (x,), "{0}"), guards)


def reshape(x: Any, *shape: Any) -> Tensor:
    """The same entries in row-major order under another shape; one entry may be -1.

    Example:
        >>> import graphc as gx
        >>> gx.reshape(gx.tensor("x", ("n", 2, 3)), (-1, 6)).shape
        (n, 6)
    """
    x = operand(x)
    first = listed(shape[0]) if shape else ()
    given = first if len(shape) == 1 and isinstance(first, tuple | list) else shape
    unknown = [k for k, e in enumerate(given) if not isinstance(e, Dim) and as_whole(e) == -1]
    if len(unknown) > 1:
        raise ShapeError(f"reshape of {x.describe()} to {tuple(given)}: only one entry may be -1")
    target: list[Extent] = [1 if k in unknown else as_extent(e) for k, e in enumerate(given)]
    if unknown:
        target[unknown[0]] = _quotient(x, product(target), tuple(given))
    text = f"reshape of {x.describe()} to {tuple(target)}: {product(x.shape)} entries do not fill {product(target)}"
    guard = same_extent(product(x.shape), product(target), text)
    return make(
        Reshape(tuple(target)), (x,), tuple(target), x.dtype,
        call=Call("reshape", (x,), "{0}"), guards=[guard] if guard else [],
    )  # fmt: skip


def _quotient(x: Tensor, rest: Extent, given: tuple[Any, ...]) -> Extent:
    """What -1 stands for: the entries divided by the rest."""
    total = product(x.shape)
    if isinstance(total, int) and isinstance(rest, int):
        if rest == 0 or total % rest:
            raise ShapeError(f"reshape of {x.describe()} to {given}: {total} entries cannot be split into groups of {rest}")
        return total // rest
    if isinstance(rest, int) and rest > 0:
        return total // rest
    if isinstance(rest, Dim) and isinstance(total, Dim):
        (monomial, factor), *more = rest.terms
        (all_names, count), *others = total.terms
        names = list(all_names)
        if not more and not others and all(m in names for m in monomial) and count % factor == 0:
            for m in monomial:
                names.remove(m)
            return product([count // factor, *(Dim((((m,), 1),)) for m in names)])
    raise ShapeError(f"reshape of {x.describe()} to {given}: what -1 stands for cannot be worked out; give the dimension itself")


def getitem(x: Tensor, key: Any) -> Any:
    """NumPy's basic indexing (integers, slices with steps, ``None``, ``...``), or an access where indices stand in it."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(is_index_formula(k) for k in keys):
        return access(x, keys)
    if any(isinstance(k, Tensor) for k in keys):
        raise DeclarationError(f"{x.describe()} is indexed by a tensor: use gx.take({x.label}, ids, axis=...), or X[ids[n], d] within gx.define")
    keys = _without_ellipsis(x, keys)
    shape: list[Extent] = []
    places: list[Affine] = []
    guards: list[Guard] = []
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        axis = len(places)
        size = x.shape[axis]
        if isinstance(k, slice):
            start, step, count = _slice(k, size, x)
            guards += _slice_guards(k, size, x, axis)
            places.append(Affine.variable(len(shape)).scaled(step) + start)
            shape.append(count)
        else:
            places.append(Affine.constant(_position(k, size, x, axis)))
    guards += [
        Guard(p.offset, s - 1 - p.offset, f"position {p.offset} leaves axis {a} of {x.describe()}", caller(), "inside")
        for a, (p, s, k) in enumerate(zip(places, x.shape, [k for k in keys if k is not None], strict=True))
        if not isinstance(k, slice) and isinstance(s, Dim)
    ]
    return _moved(x, shape, places, Call("[ ]", (x,), f"{{0}}[{_written(keys)}]"), guards)


def _written(keys: tuple[Any, ...]) -> str:
    """Positions and slices as LaTeX: ``1:, 0``; full slices at the end are left out."""
    words: list[str] = []
    for k in keys:
        ends = (k.start, k.stop) if isinstance(k, slice) else ()
        words.append(f"{':'.join('' if e is None else str(e) for e in ends)}{f':{k.step}' if k.step is not None else ''}" if ends else str(k))
    while len(words) > 1 and words[-1] == ":":
        words.pop()
    return ", ".join(words).replace("_", r"\_").replace(":", "{:}")


def _without_ellipsis(x: Tensor, keys: tuple[Any, ...]) -> tuple[Any, ...]:
    dots = [k for k, v in enumerate(keys) if v is Ellipsis]
    if len(dots) > 1:
        raise DeclarationError(f"{x.describe()} is indexed with ... twice")
    named = sum(1 for k in keys if k is not None and k is not Ellipsis)
    if named > x.ndim:
        raise ShapeError(f"{x.describe()} has {x.ndim} axes and is indexed with {named}")
    fill = (slice(None),) * (x.ndim - named)
    place = dots[0] if dots else len(keys)
    return (*keys[:place], *fill, *keys[place + 1 :])


def _position(k: Any, size: Extent, x: Tensor, axis: int) -> Extent:
    if isinstance(k, Dim):
        return k
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise DeclarationError(f"{x.describe()} cannot be indexed with {k!r}: use integers, slices, None and ..., or gx.where and gx.take")
    try:
        number = int(k.__index__())
    except TypeError:
        raise DeclarationError(f"{x.describe()} cannot be indexed with the array {k!r}: use gx.take({x.label}, ids, axis={axis})") from None
    if isinstance(size, int) and not -size <= number < size:
        raise ShapeError(f"position {number} leaves axis {axis} of {x.describe()}, which runs from 0 to {size - 1}")
    return number if number >= 0 else size + number


def _slice(k: slice, size: Extent, x: Tensor) -> tuple[Extent, int, Extent]:
    """Start, step and length of a slice."""
    for value in (k.start, k.stop, k.step):
        if value is not None and not isinstance(value, Dim) and (isinstance(value, bool) or not hasattr(value, "__index__")):
            raise DeclarationError(f"{x.describe()} cannot be sliced with {value!r}: a slice's start, stop and step are whole numbers")
    step = 1 if k.step is None else int(k.step)
    if step == 0:
        raise DeclarationError(f"{x.describe()}[...]: a slice's step is not 0")
    if isinstance(size, int):
        span = range(*k.indices(size))
        return (span.start if span else 0), step, len(span)
    start, stop = _bounds(k, size, step)
    span = stop - start if step > 0 else start - stop
    return start, step, (span + abs(step) - 1) // abs(step)


def _bounds(k: slice, size: Extent, step: int) -> tuple[Extent, Extent]:
    """Where a slice of a named size starts, and the place before which it ends; walking backwards that may be -1."""

    def bound(value: Any, default: Extent) -> Extent:
        if value is None or isinstance(value, Dim):
            return default if value is None else value
        return int(value) if value >= 0 else size + int(value)

    return (bound(k.start, 0), bound(k.stop, size)) if step > 0 else (bound(k.start, size - 1), bound(k.stop, -1))


def _slice_guards(k: slice, size: Extent, x: Tensor, axis: int) -> list[Guard]:
    """What a slice of a named size needs: NumPy would shorten the result, and a shape may not depend on data."""
    if isinstance(size, int) or (k.start is None and k.stop is None):
        return []
    step = 1 if k.step is None else int(k.step)
    start, stop = _bounds(k, size, step)
    shown = [str(v) if v is not None else "" for v in (k.start, k.stop)] + ([str(step)] if step != 1 else [])
    text = f"the slice {':'.join(shown)} leaves axis {axis} of {x.describe()}: give an array that is long enough"
    needs = [start, stop - start, size - stop] if step > 0 else [stop + 1, start - stop, size - 1 - start]
    open_ = [n for n in needs if not provably_at_least(n, 0)]
    return [Guard(n, 0, text, caller(), "inside") for n in open_]
