"""Kernels of the kinds of stages: entry by entry, reduced, scattered, random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product
from graphc.expr.operation import Random
from graphc.expr.places import written
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.loops import collapse, divisible, nest, renumber, resolve

__all__ = ["clear_loop", "elementwise_kernel", "finish", "reduction_kernel", "scatter_kernel"]


def finish(emitter: Emitter, body: Sequence[ir.Statement]) -> ir.Kernel:
    """The kernel of an emitter's buffers and parameters."""
    kinds: list[ir.Kind] = [b.dtype for b in emitter.buffers]
    statements = renumber(_live(body)[0])
    shared = [(k, b) for k, b in enumerate(emitter.buffers) if isinstance(b, Scratch)]
    scratch = tuple((k, emitter.own_param(b.size)) for k, b in shared) if _divided(statements) else ()
    return ir.Kernel(tuple(kinds), tuple(emitter.written), len(emitter.params), statements, scratch)


def _divided(body: Sequence[ir.Statement]) -> bool:
    return any(isinstance(s, ir.Loop) and (s.parallel or _divided(s.body)) for s in body)


def _live(body: Sequence[ir.Statement], used: set[int] | None = None) -> tuple[tuple[ir.Statement, ...], set[int]]:
    """The statements without values that nothing uses."""
    used = set() if used is None else used
    kept: list[ir.Statement] = []
    for s in reversed(body):
        if isinstance(s, ir.Loop):
            inner, used = _live(s.body, used)
            kept.append(ir.Loop(s.variable, s.extent, inner, s.parallel))
            continue
        pure = isinstance(s, ir.Literal | ir.Load | ir.Integer | ir.Compute | ir.Uniform)
        if pure and s.value not in used:
            continue
        used |= _uses(s)
        kept.append(s)
    return tuple(reversed(kept)), used


def _uses(s: Any) -> set[int]:
    places = [getattr(s, name, None) for name in ("place", "position")]
    found = {-v - 1 for p in places if isinstance(p, ir.Place) for v, _ in p.terms if v < 0}
    found |= {v for v in (getattr(s, name, None) for name in ("argument", "condition", "target", "winner")) if v is not None}
    return found | set(getattr(s, "arguments", ()))


def elementwise_kernel(emitter: Emitter, members: Sequence[tuple[Tensor, Tensor]]) -> ir.Kernel:
    """Tensors of one shape, entry by entry; each is ``(tensor, the tensor whose memory it is written to)``."""
    axes = tuple(Affine.variable(k) for k in range(len(emitter.extents)))
    stores: list[Any] = []
    for tensor, target in members:
        # Members have one shape, so every one of them lies at the same flat positions.
        made = _member(emitter, tensor, axes)
        emitter.know(tensor, axes, made)
        value = emitter.scalars.convert(made, tensor.dtype)
        stores.append(ir.Store(emitter.buffer(target, True), emitter.flat(axes, tensor.shape), value))  # type: ignore[arg-type]
    statements, sizes, (order,) = collapse([*emitter.statements, *stores], emitter.extents, [range(len(emitter.extents))])
    body = [resolve(emitter, s) for s in statements]
    return finish(emitter, nest(emitter, order, sizes, body, divided=divisible(emitter, order, sizes)))


def _member(emitter: Emitter, tensor: Tensor, axes: tuple[Affine, ...]) -> tuple[int, ir.Kind]:
    op = tensor.op
    if isinstance(op, Stage):
        assert op.free is not None
        made = emitter.stage(op, tensor.inputs, {index: axes[axis] for axis, index in enumerate(op.free)})
        return emitter.scalars.convert(made, tensor.dtype if tensor.dtype == "float" else "int" if made[1] != "float" else "float"), (
            "float" if tensor.dtype == "float" or made[1] == "float" else "int"
        )
    if isinstance(op, Random):
        value = emitter.fresh()
        number = emitter.param(("number", emitter.numbers[tensor.node]))
        emitter.statements.append(ir.Uniform(value, emitter.flat(axes, op.shape), number))  # type: ignore[arg-type]
        return value, "float"
    return emitter.value(tensor, axes)


def reduction_kernel(emitter: Emitter, tensor: Tensor, wanted: tuple[bool, bool], into: Tensor | None = None) -> ir.Kernel:
    """A stage that reduces; ``wanted``: whether its value and its winners are stored; ``into``: whose memory, if not its own."""
    op = tensor.op
    assert isinstance(op, Stage)
    assert op.reducer is not None
    free = list(written(op) or ())
    reduced = [k for k in range(len(op.extents)) if k not in free]
    places = {k: Affine.variable(k) for k in range(len(op.extents))}
    made = emitter.stage(op, tensor.inputs, places)
    kind: ir.Kind = "float" if tensor.dtype == "float" else "int"
    argument = emitter.scalars.convert(made, kind)
    winners = wanted[1]
    position = Affine()
    if winners:
        position = emitter.flat([Affine.variable(k) for k in reduced], [op.extents[k] for k in reduced])
    at = emitter.flat(op.write, tensor.shape)
    result, winner = emitter.fresh(), (emitter.fresh() if winners else None)
    accumulate = ir.Accumulate(result, op.reducer, argument, kind, winner, position if winners else None)  # type: ignore[arg-type]
    value, arg = tensor.node.outputs[0], tensor.node.outputs[-1]
    stores: list[Any] = []
    target = emitter.buffer(value if into is None else into, True) if wanted[0] else -1
    if wanted[0]:
        stores.append(ir.Store(target, at, result))  # type: ignore[arg-type]
    if winner is not None:
        stores.append(ir.Store(emitter.buffer(arg, True), at, winner))  # type: ignore[arg-type]
    inner_count = len(emitter.statements) + 1
    statements, sizes, (outer, inner) = collapse([*emitter.statements, accumulate, *stores], op.extents, [free, reduced])
    if not winners and _by_rows(statements[: inner_count - 1], outer, inner):
        return _row_kernel(emitter, statements, sizes, outer, inner, target, (op.reducer, kind, argument))
    body = [resolve(emitter, s) for s in statements]
    loops = nest(emitter, inner, sizes, body[:inner_count])
    start = ir.Start(result, op.reducer, kind, winner)
    return finish(emitter, nest(emitter, outer, sizes, [start, *loops, *body[inner_count:]], divided=divisible(emitter, outer, sizes)))


def _by_rows(statements: Sequence[Any], outer: list[int], inner: list[int]) -> bool:
    """Whether memory runs along the last output axis and not along the last reduced one."""
    if not outer or not inner:
        return False
    loads: list[Any] = [s.place for s in statements if isinstance(s, ir.Load)]
    along = sum(p.coefficient(outer[-1]) == 1 and p.coefficient(inner[-1]) != 1 for p in loads)
    return along > sum(p.coefficient(inner[-1]) == 1 for p in loads)


def _row_kernel(
    emitter: Emitter, statements: Sequence[Any], sizes: dict[int, Extent], outer: list[int], inner: list[int], target: int,
    what: tuple[str, ir.Kind, int],
) -> ir.Kernel:  # fmt: skip
    """The loop over the last output axis innermost: whole rows are combined into the row of the result."""
    reducer, kind, argument = what
    store = resolve(emitter, statements[-1])
    assert isinstance(store, ir.Store)
    body = [resolve(emitter, s) for s in statements[:-2]]
    body.append(ir.Update(target, store.place, reducer, argument, kind))
    last = outer[-1]
    again = len(emitter.extents)  # the first loop over the row has a variable of its own
    identity = emitter.fresh()
    renamed = ir.Place(tuple((again if v == last else v, c) for v, c in store.place.terms), store.place.offset)
    clear = [ir.Start(identity, reducer, kind), ir.Store(target, renamed, identity)]
    divided = divisible(emitter, outer, sizes)
    rows = [
        *nest(emitter, [last], sizes, clear, {last: again}, divided),
        *nest(emitter, [*inner, last], sizes, body, divided=divided),
    ]
    return finish(emitter, nest(emitter, outer[:-1], sizes, rows, divided=divided))


def scatter_kernel(emitter: Emitter, tensor: Tensor) -> ir.Kernel:
    """A stage that writes to computed places: the result is cleared, then every value is combined into its place."""
    op = tensor.op
    assert isinstance(op, Stage)
    reducer = op.reducer or "sum"
    kind: ir.Kind = "float" if tensor.dtype == "float" else "int"
    places = {k: Affine.variable(k) for k in range(len(op.extents))}
    reads = []
    for read in op.reads:
        reads.append(emitter.read(tensor.inputs[read.operand], read, places, reads))
    made = emitter.stage(op, tensor.inputs, places)
    argument = emitter.scalars.convert(made, kind)
    replaced = places | {-(k + 1): Affine.variable(-(r[0] + 1)) for k, r in enumerate(reads)}
    coords = [p.substitute(replaced) for p in op.write]
    condition: int | None = None
    if op.guarded:
        condition = emitter.inside(coords, op.shape)
        where = emitter.flat(coords, op.shape)
        if condition is not None:
            position = emitter.integer(where)
            safe = emitter.scalars.apply("select", [condition, position[0], emitter.scalars.number(0, "int")[0]], "int")
            where = Affine.variable(-(safe[0] + 1))
    else:
        coords = [emitter.checked(p, tensor, a) if any(v < 0 for v in p.variables) else p for a, p in enumerate(coords)]
        where = emitter.flat(coords, op.shape)
    target = emitter.buffer(tensor, True)
    update = ir.Update(target, where, reducer, argument, kind, condition)  # type: ignore[arg-type]
    count = len(op.extents)
    statements, sizes, (order,) = collapse([*emitter.statements, update], op.extents, [range(count)])
    body = nest(emitter, order, sizes, [resolve(emitter, s) for s in statements])
    return finish(emitter, [clear_loop(emitter, count, op.shape, target, reducer, kind), *body])


def clear_loop(
    emitter: Emitter, variable: int, shape: Sequence[Extent], target: int, reducer: str, kind: ir.Kind, parallel: bool = False
) -> ir.Loop:  # fmt: skip
    """A whole buffer set to the reducer's identity; ``parallel``: it is all that a kernel does."""
    identity = emitter.fresh()
    clear = (ir.Start(identity, reducer, kind), ir.Store(target, ir.Place(((variable, 1),)), identity))
    return ir.Loop(variable, emitter.param(product(shape)), clear, parallel)
