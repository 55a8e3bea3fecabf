"""Recurrences: a step repeated along a sequence, traced once whatever the length."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, cast

import sympy

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.graph import substitute, topological, unalias
from graphc.expr.operation import Assign, DType, Leaf, Random, Scan
from graphc.expr.origin import caller
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Node, Tensor, make, make_scan
from graphc.ops.axes import axis_of
from graphc.ops.layout import reshape, transpose

__all__ = ["cumsum", "scan"]


def scan(step: Callable[[Any, Any], tuple[Any, Any]], sequences: Any, initial: Any, reverse: bool = False) -> tuple[Any, Any]:
    """A recurrence over the leading axis of sequences.

    Args:
        step: ``(carry, item) -> (next carry, output)``, called once with symbolic tensors; it may use any tensor from
            outside. Random nodes made in it draw anew in every iteration.
        sequences: a tensor, or a tuple of tensors of equal length, whose slices along the first axis are the items.
        initial: the first carry: a tensor, or a tuple. Tuples may hold tuples.
        reverse: walk from last to first; ``outputs[t]`` still belongs to ``sequences[t]``.

    Returns:
        The last carry, and the outputs stacked along a new first axis; tuples where ``initial`` or the output are.

    Raises:
        ShapeError: where the sequences' lengths differ, or the next carry has another shape than the carry.
        DeclarationError: for a step that does not take a carry and an item, or does not return such a pair.

    Example:
        >>> import graphc as gx
        >>> x = gx.tensor("x", ("t",))
        >>> total, sums = gx.scan(lambda s, item: (s + item, s + item), x, 0.0)
        >>> gx.evaluate(sums, {x: [1.0, 2.0, 3.0]})
        array([1., 3., 6.])
    """
    if isinstance(sequences, list) and all(isinstance(v, int | float | list) for v in cast("list[Any]", sequences)):
        sequences = operand(cast("list[Any]", sequences))  # numbers are one sequence; a tuple holds several
    items, pack_items = _flat(sequences, "the sequences")
    starts, pack_carries = _flat(initial, "the initial carry")
    guards = _one_length(items)
    _takes_two(step)
    body = _trace(step, items, starts, pack_items, pack_carries)
    for _ in range(2):  # a carry may become int, and by that float
        kinds = [_wider(before.dtype, after.dtype) for before, after in zip(starts, body.carries, strict=True)]
        if any(kind != before.dtype for kind, before in zip(kinds, starts, strict=True)):
            starts = [_as(before, kind) for before, kind in zip(starts, kinds, strict=True)]
            body = _trace(step, items, starts, pack_items, pack_carries)
    body.carries = [_as(after, before.dtype) for before, after in zip(starts, body.carries, strict=True)]
    for before, after in zip(starts, body.carries, strict=True):
        guards += _same_shape(before, after)
    return body.close(items, starts, reverse, guards)


Pack = Callable[[Sequence[Any]], Any]


def _flat(value: Any, what: str) -> tuple[list[Tensor], Pack]:
    """A tensor, or a tuple of tensors and tuples, as a list, and how to put such a list together again."""
    if not isinstance(value, tuple | list):
        try:
            return [operand(value)], lambda parts: parts[0]
        except DeclarationError as error:
            raise DeclarationError(f"{what} of gx.scan: {error}") from None
    if not value:
        raise DeclarationError(f"{what} of gx.scan is an empty tuple: give a tensor or several")
    found = [_flat(v, what) for v in value]
    ends = list(accumulate(len(tensors) for tensors, _ in found))

    def pack(parts: Sequence[Any]) -> Any:
        return tuple(part(parts[end - len(tensors) : end]) for (tensors, part), end in zip(found, ends, strict=True))

    return [t for tensors, _ in found for t in tensors], pack


def _takes_two(step: Any) -> None:
    try:
        inspect.signature(step).bind("carry", "item")
    except ValueError:
        return  # written in another language, and so without a signature
    except TypeError:
        name = getattr(step, "__name__", repr(step))
        raise DeclarationError(f"the step of gx.scan is a function of two, (carry, item) -> (next carry, output), not {name}") from None


def _one_length(items: Sequence[Tensor]) -> list[Guard]:
    guards: list[Guard] = []
    for item in items:
        if not item.ndim:
            raise ShapeError(f"gx.scan walks along the first axis of its sequences, and {item.describe()} has none")
        text = f"gx.scan: the sequences {items[0].describe()} and {item.describe()} differ in length"
        guard = same_extent(items[0].shape[0], item.shape[0], text)
        guards += [guard] if guard else []
    return guards


def _same_shape(before: Tensor, after: Tensor) -> list[Guard]:
    text = (
        f"gx.scan: the carry starts as {before.describe()} and goes on as {after.describe()}: a carry keeps its shape, so give the initial one "
        "that shape, with gx.broadcast_to or gx.reshape"
    )
    if before.ndim != after.ndim:
        raise ShapeError(text)
    found = [same_extent(a, b, text) for a, b in zip(before.shape, after.shape, strict=True)]
    return [g for g in found if g]


def _wider(left: DType, right: DType) -> DType:
    order: dict[DType, int] = {"bool": 0, "int": 1, "float": 2}
    return left if order[left] >= order[right] else right


def _as(tensor: Tensor, dtype: Any) -> Tensor:
    if tensor.dtype == dtype:
        return tensor
    here = tuple(Affine.variable(k) for k in range(tensor.ndim))
    return stage(tensor.shape, [(tensor, here)], read_symbol(0), dtype=dtype, name=tensor.name)


class _Body:
    """A traced body: its own leaves, what it computes, and the tensors from outside that it uses."""

    def __init__(
        self, leaves: list[Tensor], carries: list[Tensor], outputs: list[Tensor], pack_carries: Pack, pack_outputs: Pack, since: int
    ) -> None:
        self.leaves, self.carries, self.outputs = leaves, carries, outputs
        self.pack_carries, self.pack_outputs = pack_carries, pack_outputs
        self.since = since

    def close(self, items: Sequence[Tensor], starts: Sequence[Tensor], reverse: bool, guards: Sequence[Guard]) -> tuple[Any, Any]:
        """The scan: what does not change from iteration to iteration is computed outside and handed in."""
        results = [*self.carries, *self.outputs]
        invariants = _invariants(results, self.leaves, self.since)
        inner = [make(Leaf("input"), (), t.shape, t.dtype, name=t.name) for t in invariants]
        results = substitute(results, dict(zip(invariants, inner, strict=True)))
        op = Scan((*self.leaves, *inner), tuple(results), len(starts), len(items), items[0].shape[0], reverse)
        node = make_scan(op, [*starts, *items, *invariants], guards, caller())
        call = Call("scan", (*starts, *items, *invariants))
        for tensor in node.outputs:
            tensor.call = call
        last, stacked = node.outputs[: len(starts)], node.outputs[len(starts) : len(results)]
        return self.pack_carries(last), self.pack_outputs(stacked)


def _trace(step: Any, items: Sequence[Tensor], starts: Sequence[Tensor], pack_items: Pack, pack_carries: Pack) -> _Body:
    carries = [make(Leaf("input"), (), t.shape, t.dtype, name=t.name or "carry") for t in starts]
    parts = [make(Leaf("input"), (), t.shape[1:], t.dtype, name=t.name or "item") for t in items]
    since = parts[-1].node.serial
    result = step(pack_carries(carries), pack_items(parts))
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise DeclarationError(f"the step of gx.scan returns a pair, (next carry, output), not {result!r}")
    following, pack_following = _flat(result[0], "the next carry")
    places = range(max(len(following), len(starts)))
    if len(following) != len(starts) or pack_carries(places) != pack_following(places):
        given, returned = (f"{len(t)} carr{'y' if len(t) == 1 else 'ies'}" for t in (starts, following))
        raise DeclarationError(f"the step of gx.scan returns {returned}, and {given} were given: return tuples of the same form as the initial carry")
    outputs, pack_outputs = _flat(result[1], "the output")
    return _Body([*carries, *parts], following, outputs, pack_carries, pack_outputs, since)


def _invariants(results: Iterable[Tensor], leaves: Sequence[Tensor], since: int) -> list[Tensor]:
    """The tensors from outside that the body reads: the last ones on the way in that no iteration changes."""
    changing: set[Tensor] = set(leaves)
    plain: set[Tensor] = set()  # constants and what is made of them alone may stay inside
    found: dict[Tensor, None] = {}
    order = topological(results)
    for node in order:
        if _changes(node, changing, since):
            changing.update(node.outputs)
        elif _constant(node) and all(t in plain for t in node.inputs):
            plain.update(node.outputs)
    for node in order:
        if any(t in changing for t in node.outputs):
            found.update(dict.fromkeys(t for t in node.inputs if t not in changing and t not in plain))
    found.update(dict.fromkeys(t for t in results if t not in changing and t not in plain))
    return list(found)


def _constant(node: Node) -> bool:
    return node.op.kind == "constant" if isinstance(node.op, Leaf) else not isinstance(node.op, Random)


def _changes(node: Node, changing: set[Tensor], since: int) -> bool:
    if isinstance(node.op, Assign) and node.serial > since:
        label = unalias(node.inputs[0]).label
        if node.op.chained:
            raise DeclarationError(
                f"{label} is assigned to by a layer, or beside a value, inside a gx.scan: call the layer outside, on the whole sequence, "
                "or with training=False; or let the step carry the value, and assign the last carry"
            )
        raise DeclarationError(f"{label} is assigned to inside a gx.scan: carry it instead, and assign the last carry")
    return any(t in changing for t in (*node.inputs, *node.outputs)) or (isinstance(node.op, Random) and node.serial > since)


def cumsum(x: Any, axis: int | None = None) -> Tensor:
    """The running sum along an axis; without one, over all entries in row-major order.

    Example:
        >>> import graphc as gx
        >>> gx.evaluate(gx.cumsum(gx.constant([1.0, 2.0, 3.0])), {})
        array([1., 3., 6.])
    """
    x = operand(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of(x, axis)
    order = [axis, *(a for a in range(x.ndim) if a != axis)]
    first = transpose(x, order)
    zero = stage(first.shape[1:], (), sympy.Integer(0), dtype="int" if x.dtype in ("int", "bool") else "float")
    _, sums = scan(lambda total, item: (total + item, total + item), first, zero)
    return transpose(sums, [order.index(a) for a in range(x.ndim)]).called("cumsum", x)
