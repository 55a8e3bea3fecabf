"""A program with its sizes known, on a graphics processor: memory laid out, launches in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.codegen.cuda.compiled import functions
from graphc.codegen.cuda.grid import launches
from graphc.codegen.cuda.machine import allocate, copier, copy, launcher, part
from graphc.errors import DataError
from graphc.expr.dims import Extent, evaluate_extent, product
from graphc.expr.feed import numpy_dtype
from graphc.expr.tensor import Tensor
from graphc.lower.emit import Scratch
from graphc.lower.fuse import root_of
from graphc.lower.program import Call, Program
from graphc.runtime.bound import whole
from graphc.runtime.memory import place_blocks
from graphc.runtime.mirror import Mirror, mirror_of

__all__ = ["DeviceBound", "DeviceMirror"]

Run = Callable[[int], None]


class DeviceMirror(Mirror):
    """A parameter or a state in the device's memory, flat; it stays there between calls."""

    __slots__ = ()
    place = "cuda "

    def _allocated(self, dtype: Any) -> Any:
        return allocate(math.prod(self.shape), dtype)

    def _put(self, values: Any) -> None:
        copy(self.array, values)

    def _got(self) -> Any:
        return fetched(self.array, self.shape)


def fetched(memory: Any, shape: tuple[int, ...]) -> Any:
    """What a buffer holds, as an array of the host's."""
    return memory.copy_to_host()[: math.prod(shape)].reshape(shape)


class DeviceBound:
    """A program's memory and launches for one set of sizes.

    Args:
        program: what to run.
        sizes: the named sizes.
        dtype: ``"float32"`` or ``"float64"``.
        control: the control words, in the device's memory.
        given: inputs that lie elsewhere, and where.
        always: inputs that need memory even where no kernel reads them.
    """

    def __init__(
        self, program: Program, sizes: Mapping[str, int], dtype: str, control: Any, given: Mapping[Tensor, Any] | None = None,
        always: Sequence[Tensor] = (),
    ) -> None:  # fmt: skip
        self.program, self.sizes, self.dtype, self.control = program, program.sizes(sizes), dtype, control
        self.memory: dict[Tensor, Any] = dict(given or {})
        self.mirrors: dict[Tensor, DeviceMirror] = {}
        self.scratch: dict[int, Any] = {}
        self._lay_out(always)
        steps = [self._steps(number, call) for number, call in enumerate(program.calls)]
        self.early = [run for call, runs in zip(program.calls, steps, strict=True) if not call.last for run in runs]
        self.late = [run for call, runs in zip(program.calls, steps, strict=True) if call.last for run in runs]
        self.written = [self.mirrors[s] for s in program.states]
        self.outputs = [self.memory[self._root(t)] for t in program.outputs]

    def size(self, extent: Extent) -> int:
        """The number that an extent is."""
        try:
            return evaluate_extent(extent, self.sizes)
        except KeyError as error:
            raise DataError(f"the dimension {error.args[0]} is not known: give an array that has it") from None

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """A tensor's shape in numbers."""
        return tuple(self.size(e) for e in tensor.shape)

    def count(self, tensor: Tensor) -> int:
        """How many entries a tensor has."""
        return self.size(product(tensor.shape))

    def fetch(self, number: int) -> Any:
        """An output, as an array of the host's."""
        return fetched(self.outputs[number], self.shape(self.program.outputs[number]))

    def _root(self, tensor: Tensor) -> Tensor:
        return self.program.in_place.get(root_of(tensor), root_of(tensor))

    def _lay_out(self, always: Sequence[Tensor]) -> None:
        """Memory for everything that the kernels touch: one piece, shared by what is never needed at the same time."""
        last = len(self.program.calls)
        life: dict[Any, list[int]] = {t: [0, last] for t in always}
        sizes: dict[Any, tuple[int, Any]] = {}
        for number, call in enumerate(self.program.calls):
            unused = {launch.product.scratch for launch in launches(call.kernel) if launch.product is not None}
            for place, buffer in enumerate(call.buffers):
                if place in unused:  # a product takes no copies here
                    sizes[buffer] = (1, np.dtype(np.float64))
                life.setdefault(buffer, [number, number])[1] = number
        for output in self.program.outputs:
            life.setdefault(self._root(output), [0, last])[1] = last
        for buffer in [b for b in life if b not in self.memory]:
            if buffer in sizes:
                continue
            if isinstance(buffer, Scratch):
                kind = np.dtype("float64" if buffer.dtype == "double" else self.dtype)
                sizes[buffer] = (self.size(buffer.size), kind)
                continue
            kind = numpy_dtype(buffer.dtype, self.dtype)
            if buffer.kind in ("parameter", "state"):
                self.mirrors[buffer] = mirror_of(buffer, kind, DeviceMirror)
                self.memory[buffer] = self.mirrors[buffer].array
            elif buffer.kind == "constant":
                self.memory[buffer] = allocate(self.count(buffer), kind)
                copy(self.memory[buffer], buffer.value)
            else:
                sizes[buffer] = (self.count(buffer), kind)
                life[buffer] = [-1, last] if buffer.kind == "input" else life[buffer]
        offsets, total = place_blocks([(count * kind.itemsize, life[b][0], life[b][1]) for b, (count, kind) in sizes.items()])
        arena = allocate(max(total, 64), np.uint8)
        for (buffer, (count, kind)), offset in zip(sizes.items(), offsets, strict=True):
            self.memory[buffer] = part(arena, offset, count, kind)

    def _steps(self, number: int, call: Call) -> list[Run]:
        """What a call launches."""
        if call.loop is not None:
            return [_Loop(self, call).run]
        buffers = [self.control, *(self.memory[b] for b in call.buffers)]
        numbers = [whole(p, self.sizes) for p in call.params]
        made = (launcher(function, launch, buffers, numbers) for function, launch in functions(call.kernel, self.dtype))
        return [run for run in made if run is not None]


class _Loop:
    """A scan laid out: its body in memory of its own, but for what does not change, which is read where it is."""

    def __init__(self, outer: DeviceBound, call: Call) -> None:
        assert call.loop is not None
        loop = call.loop
        op = loop.scan
        n, moving, m = op.carries, op.carries + op.sequences, len(op.results)
        given = {p: outer.memory[t] for p, t in zip(op.parameters[moving:], loop.inputs[moving:], strict=True)}
        body = DeviceBound(loop.body, outer.sizes, outer.dtype, outer.control, given, op.parameters[:moving])
        outer.mirrors |= body.mirrors
        self.steps = [*body.early, *body.late]
        self.length, self.reverse = evaluate_extent(op.length, outer.sizes), op.reverse
        parts = [body.memory[p] for p in op.parameters[:moving]]
        sizes, made = [body.count(p) for p in op.parameters], [body.count(r) for r in op.results]
        sources = [outer.memory[t] for t in loop.inputs]
        targets = [None if t is None else outer.memory[t] for t in loop.outputs]
        # What `loop.py` does by addresses that move: items in, carries saved; then outputs out, next carries in; around the loop the carries alone.
        self.before = [copier(sources[k], sizes[k], parts[k], 0, sizes[k]) for k in range(n, moving)]
        self.before += [copier(parts[k], 0, t, sizes[k], sizes[k]) for k, t in enumerate(targets[m:]) if t is not None]
        self.after = [copier(body.outputs[k], 0, t, made[k], made[k]) for k in range(n, m) if (t := targets[k]) is not None]
        self.after += [copier(body.outputs[k], 0, parts[k], 0, made[k]) for k in range(n)]
        self.first = [copier(sources[k], 0, parts[k], 0, sizes[k]) for k in range(n)]
        self.final = [copier(parts[k], 0, t, 0, sizes[k]) for k in range(n) if (t := targets[k]) is not None]

    def run(self, outer: int) -> None:
        """All iterations; ``outer`` is that of the scan around this one."""
        for step in self.first:
            step(0)
        for k in range(self.length):
            t = self.length - 1 - k if self.reverse else k
            for step in self.before:
                step(t)
            for step in self.steps:
                step(outer * self.length + t)
            for step in self.after:
                step(t)
        for step in self.final:
            step(0)
