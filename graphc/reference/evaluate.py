"""The reference evaluator: it interprets stages, plainly, and is the oracle for every compiled target.

It knows index sets, accesses, bodies and reducers, and no operation by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.affine import Affine
from graphc.expr.build import operand
from graphc.expr.carry import carried
from graphc.expr.dims import evaluate_extent
from graphc.expr.feed import as_array, bind_sizes, check_guards, extent_value, float_name, id_message, numpy_dtype
from graphc.expr.graph import drop_aliases, guards, leaves, random_numbers, substitute, topological, training
from graphc.expr.operation import Assign, Leaf, Linalg, Random, Reshape, Scan
from graphc.expr.stage import Read, Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor, make
from graphc.reference.matrices import linalg_value
from graphc.reference.philox import uniform
from graphc.reference.scalars import body_value

__all__ = ["Prepared", "evaluate", "evaluate_all", "evaluate_stage"]

Array = Any
_DOUBLE = np.dtype(np.float64)
_BOX = 1 << 22  # entries of an index box that are computed at once
_COMBINE: dict[str, tuple[Any, Any]] = {
    "sum": (np.add, 0), "prod": (np.multiply, 1), "max": (np.maximum, -np.inf), "min": (np.minimum, np.inf),
}  # fmt: skip


@dataclass(frozen=True)
class _Draw:
    """What random numbers are a function of, besides their place."""

    seed: int
    step: int
    numbers: Mapping[Node, int]
    iteration: int = 0


def evaluate(
    outputs: Any,
    feeds: Mapping[Tensor, Any] | None = None,
    dtype: Any = "float64",
    *,
    seed: int = 0,
    step: int = 0,
    stabilise: bool = True,
) -> Any:
    """The value of a tensor, or of a list of tensors, by interpreting their stages in NumPy.

    Args:
        outputs: a tensor, or a list of tensors.
        feeds: an array for each input; parameters and states stand at their current value unless given.
        dtype: ``"float64"`` or ``"float32"``.
        seed, step: what the random nodes are a function of.
        stabilise: whether formulas such as ``log(1 + exp(z))`` are first put into their stable form.

    Raises:
        DataError: for a missing array, or one that does not fit.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.scalars("a b")
        >>> float(gx.evaluate((a + b) * (b + 1), {a: 2, b: 1}))
        6.0
    """
    many = isinstance(outputs, list | tuple)
    if feeds is not None and not (isinstance(feeds, Mapping) and all(isinstance(t, Tensor) for t in feeds)):
        raise DataError("the arrays are given as a dict from tensors to arrays: gx.evaluate(y, {x: array})")
    dtype = float_name(dtype)
    if dtype not in ("float64", "float32"):
        raise DataError(f"dtype={dtype!r}: values are computed in 'float64' or 'float32'")
    for what, number in (("seed", seed), ("step", step)):
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise DataError(f"{what}={number!r}: it is a whole number")
    wanted = [operand(t) for t in (outputs if many else [outputs])]
    leaves(wanted)  # two leaves of one name are an error
    values = evaluate_all(wanted, dict(feeds or {}), np.dtype(dtype), seed, step, _stable if stabilise else list)
    return values if many else values[0]


def _stable(outputs: Sequence[Tensor]) -> list[Tensor]:
    from graphc.stable import stabilise

    return stabilise(outputs)


def evaluate_all(
    outputs: list[Tensor], feeds: dict[Tensor, Any], floats: Any, seed: int, step: int, prepare: Callable[[Sequence[Tensor]], list[Tensor]]
) -> list[Array]:
    """The values of several tensors; ``prepare`` rewrites the graph first, and keeps the tensors fed as they are."""
    return Prepared(outputs, feeds, prepare)(feeds, floats, seed, step)


class Prepared:
    """A graph made ready once, to be evaluated at many points.

    Args:
        outputs: the tensors whose values are wanted.
        fed: the tensors that arrays will be given for; intermediates among them are cut off from what computes them.
        prepare: what rewrites the graph first; by default what puts formulas into their stable form.
    """

    def __init__(self, outputs: Sequence[Tensor], fed: Iterable[Tensor] = (), prepare: Callable[[Sequence[Tensor]], list[Tensor]] = _stable) -> None:
        self._numbers = random_numbers(training(outputs))
        # Intermediate tensors that are given a value become inputs, before a choice of phase makes them others.
        self._inputs = {t: make(Leaf("input"), (), t.shape, t.dtype, name=t.label, origin=t.origin) for t in fed if t.kind == "computed"}
        self._outputs = drop_aliases(prepare(carried(training(substitute(outputs, self._inputs) if self._inputs else outputs))[0]))
        self._nodes = topological(self._outputs)
        self._guards = guards(self._outputs)

    def __call__(self, feeds: Mapping[Tensor, Any], floats: Any = _DOUBLE, seed: int = 0, step: int = 0) -> list[Array]:
        """The outputs' values; a leaf without an array stands at its current value."""
        given = {self._inputs.get(t, t): v for t, v in feeds.items()}
        values: dict[Tensor, Array] = {t: as_array(t, v, floats) for t, v in given.items()}
        for node in self._nodes:
            leaf = node.outputs[0]
            if isinstance(node.op, Leaf) and leaf not in values:
                values[leaf] = _leaf_value(leaf, floats)
        sizes = bind_sizes((t, v.shape) for t, v in values.items())
        check_guards(self._guards, sizes)
        draw = _Draw(seed, step, self._numbers)
        with np.errstate(all="ignore"):
            for node in self._nodes:
                if any(t not in values for t in node.outputs):
                    results = _apply(node, [values[t] for t in node.inputs], sizes, floats, draw)
                    values.update(zip(node.outputs, results, strict=True))
        return [values[t].copy() for t in self._outputs]


def _leaf_value(leaf: Tensor, floats: Any) -> Array:
    if leaf.kind == "input":
        raise DataError(f"{leaf.describe()} has no array: give one, gx.evaluate(..., {{{leaf.name}: array}})")
    return as_array(leaf, leaf.value, floats)


def _apply(node: Node, inputs: list[Array], sizes: Mapping[str, int], floats: Any, draw: _Draw) -> list[Array]:
    op, out = node.op, node.outputs[0]
    if isinstance(op, Stage):
        return evaluate_stage(op, inputs, sizes, numpy_dtype(out.dtype, floats), [t.label for t in node.inputs])
    if isinstance(op, Scan):
        return _scan(op, inputs, sizes, floats, draw)
    if isinstance(op, Linalg):
        return [linalg_value(op, inputs, floats, node.origin)]
    shape = tuple(extent_value(e, sizes, out) for e in out.shape)
    if isinstance(op, Reshape):
        return [inputs[0].reshape(shape)]
    if isinstance(op, Random):
        return [uniform(shape, draw.seed, draw.step, draw.numbers[node], draw.iteration).astype(floats)]
    assert isinstance(op, Assign), op
    return [inputs[1]]


def _scan(op: Scan, inputs: list[Array], sizes: Mapping[str, int], floats: Any, draw: _Draw) -> list[Array]:
    """The body, once for each item."""
    carries, sequences = inputs[: op.carries], inputs[op.carries : op.carries + op.sequences]
    invariants = inputs[op.carries + op.sequences :]
    length = evaluate_extent(op.length, sizes)
    nodes = [n for n in topological(op.results) if n.outputs[0] not in op.parameters]
    rows: list[list[Array]] = [[] for _ in range(len(op.results))]  # outputs, then the carries before each iteration
    for t in reversed(range(length)) if op.reverse else range(length):
        values = dict(zip(op.parameters, [*carries, *(s[t] for s in sequences), *invariants], strict=True))
        for node in nodes:
            if isinstance(node.op, Leaf):
                values[node.outputs[0]] = _leaf_value(node.outputs[0], floats)
            else:
                results = _apply(node, [values[i] for i in node.inputs], sizes, floats, replace(draw, iteration=draw.iteration * length + t))
                values.update(zip(node.outputs, results, strict=True))
        results = [values[r] for r in op.results]
        for row, value in zip(rows, [*results[op.carries :], *carries], strict=True):
            row.append(value)
        carries = results[: op.carries]
    stacked = [np.array(row[::-1] if op.reverse else row) for row in rows]
    if not length:
        of = [*op.results[op.carries :], *op.results[: op.carries]]
        stacked = [np.zeros((0, *(evaluate_extent(e, sizes) for e in t.shape)), numpy_dtype(t.dtype, floats)) for t in of]
    return [*carries, *stacked]


def evaluate_stage(stage: Stage, inputs: Sequence[Array], sizes: Mapping[str, int], dtype: Any, labels: Sequence[str]) -> list[Array]:
    """The outputs of one stage: its value, and the winners' positions where it reduces by max or min."""
    extents = [evaluate_extent(e, sizes) for e in stage.extents]
    shape = tuple(evaluate_extent(e, sizes) for e in stage.shape)
    dims = {dimension_symbol(k): evaluate_extent(d, sizes) for k, d in enumerate(stage.dims)}
    box = _Box(stage, inputs, extents, sizes, dims, dtype, labels)
    free = stage.free
    rows = max(1, _BOX // max(1, int(np.prod(extents[1:], dtype=np.int64))))
    starts = range(0, max(extents[0], 1) if extents else 1, rows)
    if free is None:
        result = np.full(shape, _COMBINE[stage.reducer or "sum"][1], dtype=dtype)
        for a in starts:
            box.scatter(result, a, min(a + rows, extents[0]) if extents else 0)
        return [result]
    if 0 not in free:
        return box.gather(free, 0, extents[0] if extents else 0)
    axis = free.index(0)
    parts = [box.gather(free, a, min(a + rows, extents[0])) for a in starts]
    return parts[0] if len(parts) == 1 else [np.concatenate([part[k] for part in parts], axis) for k in range(len(parts[0]))]


class _Box:
    """A stage's body over a box of indices: the whole range of each, but a part of the first."""

    def __init__(
        self, stage: Stage, inputs: Sequence[Array], extents: list[int], sizes: Mapping[str, int], dims: dict[Any, int],
        dtype: Any, labels: Sequence[str],
    ) -> None:  # fmt: skip
        self.stage, self.inputs, self.extents, self.sizes, self.dims = stage, inputs, extents, sizes, dims
        self.dtype, self.labels = dtype, labels

    def _values(self, start: int, stop: int) -> tuple[Array, list[Array], list[Array]]:
        """The body's value on the box, the index arrays, and the values read."""
        rank = len(self.extents)
        grid = [np.arange(start, stop) if k == 0 else np.arange(e) for k, e in enumerate(self.extents)]
        indices = [a.reshape([-1 if axis == k else 1 for axis in range(rank)]) for k, a in enumerate(grid)]
        reads: list[Array] = []
        for read in self.stage.reads:  # one that goes through another comes after it: see the verifier
            reads.append(self._read(read, indices, reads))
        symbols = {index_symbol(k): a for k, a in enumerate(indices)} | self.dims
        value = body_value(self.stage.body, symbols | {read_symbol(k): a for k, a in enumerate(reads)})
        return np.broadcast_to(np.asarray(value), [len(g) for g in grid]), indices, reads

    def _ids(self, place: Affine) -> str:
        """What the user calls the tensor that a place goes through."""
        return next((self.labels[self.stage.reads[-v - 1].operand] for v in place.variables if v < 0), "")

    def _read(self, read: Read, indices: list[Array], earlier: list[Array]) -> Array:
        array = self.inputs[read.operand]
        inside: Any = True
        places: list[Array] = []
        for axis, place in enumerate(read.coords):
            at, size = self._place(place, indices, earlier), array.shape[axis]
            within = (at >= 0) & (at < size)
            if read.outside is None and not np.all(within):
                bad = np.asarray(at)[~np.asarray(within)].flat[0]
                raise DataError(id_message(self._ids(place), int(bad), self.labels[read.operand], axis, size))
            inside = inside & within
            places.append(np.clip(at, 0, max(size - 1, 0)))
        # An id read outside is 0 and stays a whole number; minus infinity, which never wins a maximum, is a float.
        outside: Any = int(read.outside) if array.dtype.kind != "f" and read.outside is not None and np.isfinite(read.outside) else read.outside
        if read.outside is None or np.all(inside):
            value = array[tuple(places)] if places else array
        elif array.size == 0:
            value = np.full(np.shape(inside), outside)
        else:
            value = np.where(inside, array[tuple(places)], outside)
        if value.dtype.kind == "b":
            return value.astype(self.dtype if self.dtype.kind == "f" else np.int64)
        used_as_place = any(v < 0 for places in (self.stage.write, *(r.coords for r in self.stage.reads)) for p in places for v in p.variables)
        return value.astype(self.dtype) if self.dtype.kind == "f" and value.dtype.kind == "i" and not used_as_place else value

    def _place(self, place: Affine, indices: list[Array], earlier: list[Array]) -> Array:
        offset = self._number(place.offset)
        total: Array = np.asarray(offset)
        for variable, coefficient in place.terms:
            source = indices[variable] if variable >= 0 else earlier[-variable - 1]
            total = total + self._number(coefficient) * source
        return total

    def _number(self, extent: Any) -> int:
        return evaluate_extent(extent, self.sizes)

    def gather(self, free: tuple[int, ...], start: int, stop: int) -> list[Array]:
        """The outputs where each index tuple's place is plain."""
        value, _, _ = self._values(start, stop)
        reduced = tuple(k for k in range(len(self.extents)) if k not in free)
        ordered = value.transpose(*free, *reduced)
        kept = ordered.shape[: len(free)]
        reducer = self.stage.reducer
        if reducer is None:
            return [ordered.astype(self.dtype)]
        flat = ordered.reshape(*kept, int(np.prod(ordered.shape[len(free) :], dtype=np.int64)))
        combine, identity = _COMBINE[reducer]
        if flat.shape[-1] == 0:
            result = np.full(kept, identity)
        elif reducer in ("sum", "prod") and self.dtype.kind == "f":
            result = combine.reduce(flat.astype(self.dtype, copy=False), axis=-1)
        else:
            result = combine.reduce(flat, axis=-1)
        outputs = [np.asarray(result).astype(self.dtype)]
        if reducer in ("max", "min"):
            winner = (np.argmax if reducer == "max" else np.argmin)(flat, axis=-1) if flat.shape[-1] else np.zeros(kept)
            outputs.append(np.asarray(winner, dtype=np.int64))
        return outputs

    def scatter(self, result: Array, start: int, stop: int) -> None:
        """Combine values with what stands at their computed places in ``result``."""
        value, indices, reads = self._values(start, stop)
        combine, shape = _COMBINE[self.stage.reducer or "sum"][0], result.shape
        places = [np.broadcast_to(self._place(p, indices, reads), value.shape) for p in self.stage.write]
        inside: Any = np.ones(value.shape, dtype=bool)
        for axis, at in enumerate(places):
            inside = inside & (at >= 0) & (at < shape[axis])
        if not self.stage.guarded and not inside.all():
            axis = next(a for a, at in enumerate(places) if np.any((at < 0) | (at >= shape[a])))
            bad = next(p for p in places[axis].flat if not 0 <= p < shape[axis])
            raise DataError(id_message(self._ids(self.stage.write[axis]), int(bad), "", axis, shape[axis]))
        combine.at(result, tuple(at[inside] for at in places), value[inside].astype(self.dtype))
