"""Which loops of a kernel the threads of a graphics processor share out.

A kernel becomes launches, one after the other: one for each loop at its top, or a single one of one thread where values pass
from one loop to the next. In a launch every loop whose iterations are independent is shared out, wherever it stands in the
nest: a thread takes one tuple of those variables and runs the loops that are left.

A loop is independent where its variable stands in every place that is written in it. That is enough, because no two stores
of a kernel meet in one place unless they are of one tuple of their place's variables. An update combines into its place what
is there already, so it must be known to have places of its own: those of a store to the same buffer, or of one variable.
Where it is not, sums are added atomically, in any order, and other reducers are left to one thread.

Where few results are reduced, the threads of a block share one: each takes a part of the loops that accumulate, and the parts
are combined in a tree, always in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.lower import ir

__all__ = ["Launch", "Shared", "gathering", "launches", "walk"]

_Pure = ir.Literal | ir.Integer | ir.Compute | ir.Uniform | ir.Load


@dataclass(frozen=True)
class Shared:
    """A loop that is shared out."""

    variable: int
    extent: ir.Coefficient


@dataclass(frozen=True)
class Launch:
    """One launch.

    Attributes:
        body: what a thread runs; loops that are shared out are not in it.
        shared: the loops that are shared out, the outermost first.
        atomic: whether updates add atomically.
        product: the product of matrices that ``body`` is, whose entries are shared out as well.
        lanes: the extent of the loop that several threads may share out among themselves, each taking a part of a running result,
            and of loops beside it; ``None`` where there is no such loop.
    """

    body: tuple[ir.Statement, ...]
    shared: tuple[Shared, ...] = ()
    atomic: bool = False
    product: ir.Contract | None = None
    lanes: ir.Coefficient | None = None


def launches(kernel: ir.Kernel) -> tuple[Launch, ...]:
    """The launches that a kernel becomes."""
    written = {s.buffer for s in walk(kernel.body) if isinstance(s, ir.Store | ir.Update)}
    if not all(isinstance(s, ir.Loop | ir.Contract | ir.Matrices) or _pure(s, written) for s in kernel.body):
        return (Launch(kernel.body, lanes=_lanes(kernel.body)),)
    found: list[Launch] = []
    before: list[ir.Statement] = []  # what all launches from here on may need
    for s in kernel.body:
        if isinstance(s, _Pure):
            before.append(s)
        else:
            found.append(_launch(kernel, s, before, written))
    return tuple(found)


def _pure(s: ir.Statement, written: set[int]) -> bool:
    """Whether a statement may be repeated in every launch."""
    return isinstance(s, _Pure) and not (isinstance(s, ir.Load) and s.buffer in written)


def _launch(kernel: ir.Kernel, s: ir.Statement, before: Sequence[ir.Statement], written: set[int]) -> Launch:
    nest: list[ir.Loop] = []
    level: tuple[ir.Statement, ...] = (s,)
    while level and isinstance(level[-1], ir.Loop) and all(_pure(x, written) for x in level[:-1]):
        nest.append(level[-1])
        level = level[-1].body
    known = _Places(kernel)
    updates = [x for x in walk((s,)) if isinstance(x, ir.Update)]
    atomic = bool(updates) and not all(known.apart(x) for x in updates) and all(x.reducer == "sum" for x in updates)
    product = level[0] if len(level) == 1 and isinstance(level[0], ir.Contract) else None
    if product is not None:  # the loop over chunks is for processors: here a thread takes an entry
        return Launch((product,), (), False, product)
    shared = tuple(Shared(loop.variable, loop.extent) for loop in nest if known.independent(loop, atomic))
    always = {x.variable for x in shared}
    body = (*before, *_without((s,), always))
    return Launch(body, shared, atomic and bool(shared), lanes=_lanes(body))


def _lanes(body: Sequence[ir.Statement]) -> ir.Coefficient | None:
    """The extent of the first loop of a body that several threads may share, where they may run the whole body together."""
    extent: ir.Coefficient | None = None
    for s in body:
        if isinstance(s, ir.Loop):
            gathered = gathering(s)
            if gathered is None:
                return None
            extent = s.extent if gathered and extent is None else extent
        elif not isinstance(s, _Pure | ir.Store) and not (isinstance(s, ir.Start) and s.winner is None):
            return None
    return extent


def gathering(loop: ir.Loop) -> list[ir.Accumulate] | None:
    """What threads that share a loop out have to gather after it; ``None`` where they cannot share it."""
    inside = list(walk(loop.body))
    started = {s.value for s in inside if isinstance(s, ir.Start)}
    stores = [s for s in inside if isinstance(s, ir.Store)]
    found = [s for s in inside if isinstance(s, ir.Accumulate) and s.target not in started]
    apart = all(loop.variable in dict(s.place.terms) for s in stores)
    if not apart or any(isinstance(s, ir.Update | ir.Contract | ir.Matrices) for s in inside) or any(s.winner is not None for s in found):
        return None
    return list({s.target: s for s in found}.values())


def _without(body: Sequence[ir.Statement], variables: set[int]) -> Iterator[ir.Statement]:
    """The statements with some of their loops taken away."""
    for s in body:
        if not isinstance(s, ir.Loop):
            yield s
        elif s.variable in variables:
            yield from _without(s.body, variables)
        else:
            yield ir.Loop(s.variable, s.extent, tuple(_without(s.body, variables)))


def walk(body: Sequence[ir.Statement]) -> Iterator[ir.Statement]:
    """The statements, and those inside them."""
    for s in body:
        yield s
        if isinstance(s, ir.Loop):
            yield from walk(s.body)


class _Places:
    """What is known of where a kernel writes."""

    def __init__(self, kernel: ir.Kernel) -> None:
        self.scratch = {b for b, _ in kernel.scratch}
        self.extents = {s.variable: s.extent for s in walk(kernel.body) if isinstance(s, ir.Loop)}
        self.stored = {(s.buffer, *self._form(s.place)) for s in walk(kernel.body) if isinstance(s, ir.Store)}

    def _form(self, place: ir.Place) -> list[str]:
        """A place but for how its variables are called."""
        return sorted(f"{self.extents.get(v)} {c}" for v, c in place.terms)

    def apart(self, s: ir.Update) -> bool:
        """Whether an update certainly meets no place twice for different values of its place's variables."""
        plain = all(v >= 0 for v, _ in s.place.terms)
        return plain and (len(s.place.terms) <= 1 or (s.buffer, *self._form(s.place)) in self.stored)

    def independent(self, loop: ir.Loop, atomic: bool) -> bool:
        """Whether the iterations of a loop may run in any order and at the same time."""
        inside = list(walk(loop.body))
        started = {s.value for s in inside if isinstance(s, ir.Start)}
        written = {s.buffer: s.place for s in inside if isinstance(s, ir.Store | ir.Update)}
        for s in inside:
            if isinstance(s, ir.Store):
                fine = s.buffer not in self.scratch and loop.variable in dict(s.place.terms)
            elif isinstance(s, ir.Update):
                fine = atomic or (self.apart(s) and loop.variable in dict(s.place.terms))
            elif isinstance(s, ir.Load) and s.buffer in written:
                fine = dict(s.place.terms).get(loop.variable, 0) == dict(written[s.buffer].terms).get(loop.variable, 0) != 0
            elif isinstance(s, ir.Accumulate):
                fine = s.target in started
            else:
                fine = not isinstance(s, ir.Contract | ir.Matrices)
            if not fine:
                return False
        return True
