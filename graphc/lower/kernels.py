"""Kernels of the kinds of stages: entry by entry, scattered, random."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from graphc.expr.affine import Affine
from graphc.expr.dims import Extent, product
from graphc.expr.operation import Random
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.emit import Emitter, Scratch
from graphc.lower.loops import collapse, divisible, nest, renumber, resolve
from graphc.lower.short import shortened

__all__ = ["clear_loop", "elementwise_kernel", "finish", "scatter_kernel"]


def finish(emitter: Emitter, body: Sequence[ir.Statement]) -> ir.Kernel:
    """The kernel of an emitter's buffers and parameters."""
    kinds: list[ir.Kind] = [b.dtype for b in emitter.buffers]
    statements = shortened(emitter, renumber(_live(body)[0]))
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
            kept.append(dataclasses.replace(s, body=inner))
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
        emitter.statements.append(ir.Uniform(value, emitter.position(axes, op.shape), number))  # type: ignore[arg-type]
        return value, "float"
    return emitter.value(tensor, axes)


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
