"""Assignments that a value carries along: who makes them, what each finds its state to be, and which are carried out.

A layer's assignments belong to what it gives in training. A layer used twice assigns twice: what the second call built
reads the state as the first left it, and the last assignment is the one that is stored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.graph import rebuild, replace_inputs, topological, unalias
from graphc.expr.operation import Assign, Carry, Current, Phase, next_number
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Node, Tensor, make, next_serial

__all__ = ["Calls", "carried", "carry", "collecting", "in_a_call", "note", "take_turn"]


class Calls:
    """What is assigned while a layer is called.

    Attributes:
        number: of the first assignment that may be made.
        own: the assignments made by the layer itself.
        inner: those that layers within it made.

    Args:
        since: the serial number after which the nodes of the call come.
    """

    def __init__(self, since: int) -> None:
        self.number = next_number()
        self._since = since
        self.own: list[Tensor] = []
        self.inner: list[Tensor] = []

    def close(self, results: Sequence[Tensor], others: Iterable[Tensor] = ()) -> list[Tensor]:
        """The results, carrying in training whatever was assigned and does not take part in them.

        Args:
            others: tensors that the call made beside its results.
        """
        if not self.own and not self.inner:
            return list(results)
        _once(self.own)
        results = self._find_states(results, others)
        reached = {n.op.number for n in _in_training(results, self._since) if isinstance(n.op, Assign)}
        beside = [a for a in (*self.inner, *self.own) if _number(a) not in reached]
        return [_shown(carry(t, beside), t) for t in results] if beside else results

    def _find_states(self, results: Sequence[Tensor], others: Iterable[Tensor]) -> list[Tensor]:
        """Let what the call built read each state that it assigns to as it is when the call's turn comes."""
        found: dict[Tensor, Tensor] = {}
        for assigned in self.own:
            state = assigned.inputs[0]
            found[state] = current = make(Current(self.number), (state,), state.shape, state.dtype, origin=assigned.origin)
            # It comes before what reads it, and so it does in the order of creation.
            current.node.serial = max(self._since, state.node.serial)
        seen: set[Node] = set()
        stack = [t.node for t in (*results, *self.own, *others)]
        while stack:
            node = stack.pop()
            if node in seen or node.serial <= self._since or isinstance(node.op, Current):
                continue
            seen.add(node)
            # These nodes are the call's own, and nobody else has seen them yet.
            kept = 1 if isinstance(node.op, Assign) else 0
            node.inputs = (*node.inputs[:kept], *(found.get(t, t) for t in node.inputs[kept:]))
            stack.extend(t.node for t in node.inputs)
        return [found.get(t, t) for t in results]


_open: ContextVar[Calls | None] = ContextVar("calls", default=None)


@contextmanager
def collecting(apart: bool = False) -> Generator[Calls]:
    """Collect the assignments made inside; unless ``apart``, they then belong to the call around this one, too."""
    outer = _open.get()
    calls = Calls(next_serial())
    token = _open.set(calls)
    try:
        yield calls
    finally:
        _open.reset(token)
    if outer is not None and not apart:
        outer.inner += [*calls.inner, *calls.own]


def note(assigned: Tensor) -> Tensor:
    """An assignment just made: it belongs to the layer that is being called, if one is."""
    calls = _open.get()
    if calls is not None:
        calls.own.append(assigned)
    return assigned


def in_a_call() -> bool:
    """Whether a layer is being called."""
    return _open.get() is not None


def carry(value: Tensor, assigned: Sequence[Tensor]) -> Tensor:
    """The value, with assignments that are carried out where it is computed for training."""
    return make(Carry(), (value, *assigned), value.shape, value.dtype, call=value.call)


def _shown(training: Tensor, result: Tensor) -> Tensor:
    """A result that in training carries assignments; pictures show it as it was."""
    call = result.call or Call("=", (result,), "{0}")
    return make(Phase(), (training, result), result.shape, result.dtype, name=result.name, call=call)


def _in_training(results: Iterable[Tensor], since: int = -1) -> set[Node]:
    """The nodes that the training reading of some tensors has, as far as they were made after ``since``."""
    seen: set[Node] = set()
    stack = [t.node for t in results]
    while stack:
        node = stack.pop()
        if node not in seen and node.serial > since:
            seen.add(node)
            stack.extend(t.node for t in (node.inputs[:1] if isinstance(node.op, Phase) else node.inputs))
    return seen


def _number(assigned: Tensor) -> int:
    assert isinstance(assigned.op, Assign)
    return assigned.op.number


def _once(assigned: Iterable[Tensor]) -> None:
    found: dict[Tensor, Tensor] = {}
    for t in assigned:
        first = found.setdefault(t.inputs[0], t)
        if first is not t:
            raise _twice(first, t)


def _twice(first: Tensor, second: Tensor) -> DeclarationError:
    return DeclarationError(f"{unalias(first.inputs[0]).label} gets two next values: at {first.origin} and at {second.origin}. Keep one gx.assign")


def take_turn(assigned: Sequence[Tensor], value: Tensor) -> list[Tensor]:
    """Assignments of the user's own as such that ``value`` carries, each in its turn.

    What they alone read finds the states as others before them leave them; what ``value`` reads too does not change.
    """
    _once(assigned)
    fresh = [t for t in assigned if not _chained(t)]
    if not fresh:
        return list(assigned)
    number = next_number()
    shared = _in_training([value])
    current = {t.inputs[0]: make(Current(number), (t.inputs[0],), t.shape, t.dtype, origin=t.origin) for t in fresh}

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        state = node.outputs[0]
        return [current[state]] if state in current else node.outputs if node in shared or inputs == node.inputs else None

    values = rebuild([t.inputs[1] for t in fresh], change)
    made = {
        t: make(Assign(next_number(), True), (t.inputs[0], v), t.shape, t.dtype, name=t.name, call=t.call, origin=t.origin)
        for t, v in zip(fresh, values, strict=True)
    }
    return [made.get(t, t) for t in assigned]


def _chained(tensor: Tensor) -> bool:
    return isinstance(tensor.op, Assign) and tensor.op.chained


# What is carried out ---------------------------------------------------------------------------------------------------


def carried(outputs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """A training reading as what is to be computed: the outputs, and the assignments to be carried out beside them.

    Every state is read as of its turn, and has one assignment at most: the last.

    Raises:
        DeclarationError: where a state gets two next values that do not take turns.
    """
    order = topological(outputs)
    if not any(isinstance(n.op, Assign | Carry | Current) for n in order):
        return list(outputs), []
    turns = _turns(order)
    # For each reading of a state as of its turn, the assignment before that, where there is one.
    numbers = {state: [_number(t) for t in several] for state, several in turns.items()}
    places = {n: bisect_left(numbers.get(_state(n), []), n.op.number) for n in order if isinstance(n.op, Current)}
    before = {n: turns[_state(n)][place - 1] for n, place in places.items() if place}
    kept = {ts[-1].node for state, ts in turns.items() if state.kind in ("state", "parameter")}
    made: dict[Tensor, Tensor] = {}
    for node in topological(outputs, also={n: t.inputs[1] for n, t in before.items()}):
        inputs = tuple(made[t] for t in node.inputs)
        if node in before:
            fresh: Sequence[Tensor] = [_as(made[before[node].inputs[1]], node.outputs[0])]
        elif isinstance(node.op, Carry | Current):
            fresh = inputs[:1]
        elif isinstance(node.op, Assign) and node not in kept:
            fresh = [_as(inputs[1], node.outputs[0])]
        else:
            fresh = node.outputs if inputs == node.inputs else replace_inputs(node, inputs, made).outputs
        made.update(zip(node.outputs, fresh, strict=True))
    beside = [made[ts[-1]] for ts in turns.values() if ts[-1].node in kept and _chained(ts[-1])]
    return [made[t] for t in outputs], beside


def _turns(order: Sequence[Node]) -> dict[Tensor, list[Tensor]]:
    """The assignments to each state in their order, each once: a gradient has copies of what its primal has."""
    found: dict[int, Tensor] = {}
    for node in order:
        if isinstance(node.op, Assign):
            found.setdefault(node.op.number, node.outputs[0])
    turns: dict[Tensor, list[Tensor]] = {}
    for number in sorted(found):
        turns.setdefault(_state(found[number].node), []).append(found[number])
    for several in turns.values():
        plain = [t for t in several if not _chained(t)]
        if plain and len(several) > 1:
            other = next(t for t in several if t is not plain[0])
            raise _twice(*sorted((plain[0], other), key=several.index))
    return turns


def _state(node: Node) -> Tensor:
    return unalias(node.inputs[0])


def _as(value: Tensor, like: Tensor) -> Tensor:
    """A next value in the kind of its state."""
    if value.dtype == like.dtype:
        return value
    here = tuple(Affine.variable(k) for k in range(value.ndim))
    return stage(value.shape, [(value, here)], read_symbol(0), dtype=like.dtype)
