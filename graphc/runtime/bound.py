"""A program with its sizes known: memory laid out, arguments in rows, a table that the executor runs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.dims import Extent, evaluate_extent, product
from graphc.expr.feed import numpy_dtype
from graphc.expr.tensor import Tensor
from graphc.lower.emit import Scratch
from graphc.lower.fuse import root_of
from graphc.lower.program import Call, Program
from graphc.runtime.loop import Loop, Part
from graphc.runtime.memory import place_blocks
from graphc.runtime.mirror import Mirror, aligned, mirror_of
from graphc.runtime.pieces import Pieces, counts_of, lane_length, piece_size, whole
from graphc.runtime.table import Entry, Table

__all__ = ["Bound", "RoomError", "Rows", "whole"]

_KEPT = 16  # sizes whose rows are kept


class RoomError(Exception):
    """Other sizes need more memory than was laid out."""


class Rows:
    """The rows of arguments of all kernels, and the table of the executor."""

    def __init__(
        self,
        program: Program,
        addresses: Sequence[int],
        memory: Mapping[Any, int],
        sizes: Mapping[str, int],
        control: int,
        scratch: Mapping[int, int],
        loops: Mapping[int, Loop | Pieces],
        workers: int = 1,
        double: bool = False,
        times: int = 1,
    ) -> None:
        words: list[int] = []
        starts: list[int] = []
        params: list[list[int]] = []
        costs: dict[int, float] = {}  # of loops
        self.uses: dict[Tensor, list[int]] = {}
        self.numbers: list[tuple[int, Any]] = []  # the words of whole numbers, and what these are
        self.kept: list[Any] = []
        self.parts: dict[int, list[Part]] = {}  # of loops and groups
        for number, call in enumerate(program.calls):
            starts.append(len(words))
            if number in loops:
                known = len(self.kept)
                row, parts, costs[number] = loops[number].row(sizes, self.kept)
                self.parts[number] = [p for p in self.kept[known:] if isinstance(p, Part)]
                words += row
                params.append([parts])
                continue
            words.append(control)
            for buffer in call.buffers:
                if isinstance(buffer, Tensor):
                    self.uses.setdefault(buffer, []).append(len(words))
                words.append(scratch[number] if isinstance(buffer, Scratch) else memory[buffer])
            self.numbers += enumerate(call.params, len(words))
            params.append([whole(p, sizes) for p in call.params])
            words += params[-1]
        self.words = np.array(words or [0], np.int64)
        base = self.words.ctypes.data
        numbered = enumerate(zip(addresses, starts, program.calls, params, strict=True))
        most = {k: len(p.bodies) for k, p in loops.items() if isinstance(p, Pieces)}
        entries = [Entry(a, base + 8 * s, c.kernel, p, costs.get(k), most.get(k)) for k, (a, s, c, p) in numbered]
        self.division = Table(entries, control, workers, double, times)
        self.table = self.division.words
        self.divided = self.division.divided > 0 or any(r.rows.divided for r in self.kept if isinstance(r, Part))


def opened(program: Program, addresses: Sequence[int], bodies: Mapping[int, Sequence[int]], sizes: Mapping[int, int]) -> tuple[Program, list[int]]:
    """A program and its addresses with the calls of those groups that are not run in pieces, whose size is 0, among the others."""
    pairs: list[tuple[Call, int]] = []
    for number, (call, address) in enumerate(zip(program.calls, addresses, strict=True)):
        group = call.group
        if group is None:
            pairs.append((call, address))
        elif sizes[number]:
            pairs += [(call, address), *zip(group.gathers, bodies[id(group)], strict=True)]
        else:
            pairs += zip(group.body.calls, bodies[id(group.body)], strict=True)
    if not any(sizes.values()):
        pairs.sort(key=lambda pair: program.place(pair[0]))
    return replace(program, calls=[c for c, _ in pairs]), [a for _, a in pairs]


class Bound:
    """A program's memory and arguments for one set of sizes.

    Args:
        program: what to run.
        addresses: of the machine code of its calls.
        sizes: the named sizes.
        constants: the arrays of constants, which outlive this.
        control: the control words.
        bodies: the addresses of the calls inside others, by the ``id`` of their program.
        given: tensors that lie elsewhere, by their address.
        always: tensors that need memory throughout, even where no kernel reads them.
        workers: how many threads may run a call's parts at a time.
        room: the memory that groups of calls have run in, by the thread: they share it.
    """

    def __init__(
        self, program: Program, addresses: Sequence[int], sizes: Mapping[str, int], floats: Any, constants: dict[Tensor, Any], control: Any,
        bodies: Mapping[int, Sequence[int]], given: Mapping[Tensor, int] | None = None, always: Sequence[Tensor] = (),
        workers: int = 1, room: dict[int, Any] | None = None,
    ) -> None:  # fmt: skip
        self.sizes, self.floats, self.control = program.sizes(sizes), floats, control
        pieces = {k: piece_size(c, self.sizes, floats) for k, c in enumerate(program.calls) if c.group is not None}
        self.program, self.addresses = opened(program, addresses, bodies, pieces) if pieces else (program, addresses)
        groups = [(g, n) for k, n in pieces.items() if n and (g := program.calls[k].group) is not None]
        self._pieces = [(g, n, lane_length(g, self.sizes[str(g.rows)], n)) for g, n in groups]
        self.sizes = self.all_sizes(sizes)
        self._room = {} if room is None else room
        self.bodies, self.constants, self.given, self.always = bodies, constants, dict(given or {}), always
        self.workers = workers
        self.mirrors: dict[Tensor, Mirror] = {}
        self.memory: dict[Any, int] = {}
        self.arrays: dict[Tensor, Any] = {}
        self._lay_out(constants)
        self.loops: dict[int, Loop | Pieces] = {}
        chosen = iter(self._pieces)
        for number, call in enumerate(self.program.calls):
            if call.loop is not None:
                self.loops[number] = Loop(self, call, functools.partial(self._body, call))
            elif call.group is not None:
                _, size, each = next(chosen)
                self.loops[number] = Pieces(self, call, size, each, functools.partial(self._piece, call))
        for loop in self.loops.values():
            self.mirrors |= loop.body.mirrors
        self._looped = {t for c in self.program.calls if c.inside is not None for t in c.buffers}
        self._rows: dict[tuple[tuple[str, int], ...], Rows] = {}
        self.rows = self.rows_for(sizes)
        self.inputs = {t: self.arrays[t] for t in self.arrays if t.kind == "input"}
        self.written = [self.mirrors[s] for s in program.states]
        self.outputs = [] if given else [self._view(t) for t in program.outputs]
        self.patched: set[Tensor] = set()

    def rows_for(self, sizes: Mapping[str, int], times: int = 1) -> Rows:
        """The rows for other sizes in the same memory; made once for each. They run ``times`` in a row.

        Raises:
            RoomError: where that is not enough: some tensor has more entries although no size is greater, as one of shape ``(101 - n,)``.
        """
        key = tuple(sizes.items())
        if key not in self._rows:
            found = self.all_sizes(sizes)
            if any(room < self._bytes(block, found) for block, room in self._taken):
                raise RoomError
            while len(self._rows) >= _KEPT:
                del self._rows[next(iter(self._rows))]
            self._rows[key] = Rows(
                self.program, self.addresses, self.memory, found, self.control.ctypes.data, self.scratch, self.loops, self.workers,
                np.dtype(self.floats).itemsize == 8, times,
            )  # fmt: skip
        return self._rows[key]

    def all_sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Named sizes, and all that the program has of its own."""
        found = self.program.sizes(sizes)
        for group, size, each in self._pieces:
            pieces, lanes = counts_of(found[str(group.rows)], size, each)
            found |= {str(group.pieces): pieces, str(group.lanes): lanes}
        return found

    def size(self, extent: Extent, sizes: Mapping[str, int] | None = None) -> int:
        """The number that an extent is; ``sizes``: other ones than those that memory is laid out for."""
        try:
            return evaluate_extent(extent, self.sizes if sizes is None else sizes)
        except KeyError as error:
            raise DataError(f"the dimension {error.args[0]} is not known: give an array that has it") from None

    def _body(self, call: Call, sizes: Mapping[str, int], given: Mapping[Tensor, int], always: Sequence[Tensor], workers: int) -> Bound:
        """The body of a loop laid out: what is given lies elsewhere."""
        assert call.loop is not None
        return Bound(
            call.loop.body, self.bodies[id(call.loop.body)], sizes, self.floats, self.constants, self.control, self.bodies,
            given, always, workers,
        )  # fmt: skip

    def _piece(self, call: Call, sizes: Mapping[str, int], given: Mapping[Tensor, int], worker: int) -> Bound:
        """A group's calls laid out for some samples and a worker, where the groups before them were if they fit."""
        assert call.group is not None
        body, room = call.group.body, {0: self._room[worker]} if worker in self._room else {}
        made = Bound(body, self.bodies[id(body)], sizes, self.floats, self.constants, self.control, self.bodies, given, room=room)
        self._room[worker] = made.arena
        return made

    def _bytes(self, block: Tensor | Scratch, sizes: Mapping[str, int] | None = None) -> int:
        """The bytes of a tensor, or of a thread's scratch memory."""
        if isinstance(block, Scratch):
            return self.size(block.size, sizes) * (8 if block.dtype == "double" else np.dtype(self.floats).itemsize)
        return self.size(product(block.shape), sizes) * numpy_dtype(block.dtype, self.floats).itemsize

    def _lay_out(self, constants: dict[Tensor, Any]) -> None:
        """Addresses for everything that the kernels touch."""
        blocks: list[tuple[int, int, int]] = []
        owners: list[Any] = []
        self._taken: list[tuple[Tensor | Scratch, int]] = []  # what has memory here, and how many bytes
        last = len(self.program.calls)
        life: dict[Tensor, list[int]] = {t: [0, last] for t in self.always}
        for number, call in enumerate(self.program.calls):
            for buffer in call.buffers:
                if isinstance(buffer, Scratch):
                    pieces = self.workers if call.kernel.scratch else 1
                    blocks.append((self._bytes(buffer) * pieces, number, number))
                    owners.append(number)
                    self._taken.append((buffer, self._bytes(buffer)))
                else:
                    life.setdefault(buffer, [number, number])[1] = number
        for output in self.program.outputs:
            root = self.program.in_place.get(root_of(output), root_of(output))
            life.setdefault(root, [0, last])[1] = last
        for tensor, (first, end) in life.items():
            if tensor.kind in ("parameter", "state"):
                self.mirrors[tensor] = mirror_of(tensor, numpy_dtype(tensor.dtype, self.floats), Mirror)
                self.arrays[tensor] = self.mirrors[tensor].array
            elif tensor in self.given:
                continue
            elif tensor.kind == "constant":
                if tensor not in constants:
                    constants[tensor] = np.ascontiguousarray(tensor.value, numpy_dtype(tensor.dtype, self.floats))
                self.arrays[tensor] = constants[tensor]
            else:
                blocks.append((self._bytes(tensor), -1 if tensor.kind == "input" else first, last if tensor.kind == "input" else end))
                owners.append(tensor)
                self._taken.append((tensor, self._bytes(tensor)))
        offsets, total = place_blocks(blocks)
        self.arena = self._room[0] if 0 in self._room and len(self._room[0]) >= total else aligned(max(total, 64), np.uint8)
        base = self.arena.ctypes.data
        self.scratch: dict[int, int] = {}
        for owner, offset, (size, _, _) in zip(owners, offsets, blocks, strict=True):
            if isinstance(owner, int):
                self.scratch[owner] = base + offset
            else:
                shape = tuple(self.size(e) for e in owner.shape)
                flat = self.arena[offset : offset + size].view(numpy_dtype(owner.dtype, self.floats))
                self.arrays[owner] = flat.reshape(shape)
        self.memory = {t: a.ctypes.data if a.size else base for t, a in self.arrays.items()} | self.given

    def _view(self, tensor: Tensor) -> Any:
        root = self.program.in_place.get(root_of(tensor), root_of(tensor))
        return self.arrays[root].reshape(tuple(self.size(e) for e in tensor.shape))

    def feed(self, tensor: Tensor, array: Any) -> None:
        """An input's array: small ones are copied in, large ones are read where they are."""
        place = self.inputs.get(tensor)
        if place is None:
            return
        uses = self.rows.uses.get(tensor, [])
        output = tensor in self._looped or any(root_of(t) is tensor for t in self.program.outputs)
        if array.nbytes < 1 << 16 or output:
            place[...] = array
            if tensor in self.patched:
                self.rows.words[uses] = self.memory[tensor]
                self.patched.discard(tensor)
        else:
            self.rows.words[uses] = array.ctypes.data
            self.patched.add(tensor)

    @property
    def early(self) -> int:
        """How many kernels run before any state changes."""
        return sum(not c.last for c in self.program.calls)
