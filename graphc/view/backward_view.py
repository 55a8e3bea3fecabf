"""The backward graph beside the forward one: for every variable its adjoint, its formula, and the values that it reads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import replace

import sympy

from graphc.errors import GraphcError
from graphc.expr.graph import topological
from graphc.expr.operation import Random, Reshape, Scan
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor
from graphc.view.adjoint import OPAQUE, contribution
from graphc.view.annotate import scalar_target
from graphc.view.detail import operation_detail
from graphc.view.expand import composed
from graphc.view.formula import item_formula
from graphc.view.iteration import Iterations, opened
from graphc.view.names import Text, name_text, shape_text, slug
from graphc.view.op_view import spoken_name
from graphc.view.outline import Arrow, Identifiers, Outline, Vertex
from graphc.view.reading import Item, Reading

__all__ = ["backward_outline"]

LONGEST = 5  # operations in one formula; a longer one gets a name of its own in between
MOST = 120
_LONG = re.compile(r"\d+\.\d{5,}")


class _Steps:
    """The reading reduced to named steps: an unnamed tensor with one user is put into that user's formula."""

    def __init__(self, reading: Reading, own_steps: Collection[Tensor] = ()) -> None:
        self.reading = reading
        users = reading.users()
        self.names: dict[Tensor, str] = {}
        self.plain: dict[Tensor, str] = {}
        taken = {item.name for item in reading.items.values()}
        count = 0
        size: dict[Tensor, int] = {}
        inner = _activated(reading, users, taken)
        drawing = [t for t, item in reading.items.items() if item.kind == "value" and _draws(t, item.inputs)]
        self.draws = {t: f"_{k}" if len(drawing) > 1 else "" for k, t in enumerate(drawing, 1)}
        for tensor, item in reading.items.items():
            if item.name:
                text = name_text(item.name.rpartition("/")[2])
                self.names[tensor], self.plain[tensor] = text.latex or rf"\text{{{_letters(text.plain)}}}", item.name
                continue
            if tensor in inner:
                self.plain[tensor] = inner[tensor]
                self.names[tensor] = name_text(inner[tensor]).latex
                continue
            size[tensor] = 1 + sum(size.get(t, 0) for t in item.inputs)
            own = tensor in self.draws or tensor in own_steps or isinstance(tensor.op, Reshape | Scan)
            if own or item.kind != "value" or tensor in reading.targets or len(users[tensor]) != 1 or size[tensor] >= LONGEST:
                if item.kind == "constant":
                    self.names[tensor], self.plain[tensor] = item.operator.latex, item.operator.plain
                    continue
                count += 1
                while f"v{count}" in taken:
                    count += 1
                self.names[tensor], self.plain[tensor] = f"v_{{{count}}}", f"v{count}"
                size.pop(tensor)
        self.arguments = {t: self._arguments(t) for t in self.names}

    def _arguments(self, tensor: Tensor) -> tuple[Tensor, ...]:
        found: dict[Tensor, None] = {}
        stack = list(reversed(self.reading.items[tensor].inputs))
        while stack:
            t = stack.pop()
            if t in self.names:
                found[t] = None
            else:
                stack.extend(reversed(self.reading.items[t].inputs))
        return tuple(found)

    def within(self, tensor: Tensor) -> list[Tensor]:
        """A step and those that its formula holds."""
        found: dict[Tensor, None] = {}
        stack = [tensor]
        while stack:
            t = stack.pop()
            found[t] = None
            stack.extend(s for s in self.reading.items[t].inputs if s not in self.names and s not in found)
        return list(found)

    def formula(self, item: Item) -> str:
        formula = item_formula(self.reading, item, lambda t: self.names.get(t, ""))
        return rf"\operatorname{{reshape}}({formula})" if isinstance(item.tensor.op, Reshape) and item.pattern == "{0}" else formula


def _activated(reading: Reading, users: dict[Tensor, list[Tensor]], taken: set[str]) -> dict[Tensor, str]:
    """Unnamed sums of products that go into a bent function alone, as ``z``, ``z1``, ...: the chain rule is read through them."""
    holds: dict[Tensor, bool] = {}
    found: list[Tensor] = []
    for tensor, item in reading.items.items():
        if item.name or item.kind != "value":
            continue
        op = tensor.op
        holds[tensor] = (isinstance(op, Stage) and op.reducer == "sum" and len(op.reads) > 1) or any(holds.get(t, False) for t in item.inputs)
        if holds[tensor] and len(users[tensor]) == 1 and _bends(reading.items[users[tensor][0]]):
            found.append(tensor)
            holds[tensor] = False
    if len(found) == 1 and "z" not in taken:
        return {found[0]: "z"}
    numbers = (f"z{k}" for k in itertools.count(1) if f"z{k}" not in taken)
    return dict(zip(found, numbers, strict=False))


def _bends(item: Item) -> bool:
    """Whether an item is a function of one tensor, entry by entry or by rows, that is not linear; a mask may stand beside it."""
    op = item.tensor.op
    if [t.dtype for t in item.inputs].count("float") != 1 or not isinstance(op, Stage) or op.reducer is not None:
        return False
    reads = {read_symbol(k) for k in range(len(op.reads))}
    return any(part.free_symbols & reads for part in op.body.atoms(sympy.Function, sympy.Pow))


def _draws(tensor: Tensor, inputs: tuple[Tensor, ...]) -> bool:
    """Whether random numbers take part in a step, besides what its arguments bring."""
    return any(isinstance(node.op, Random) for node in topological([tensor], stop=inputs) if not any(t in inputs for t in node.outputs))


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " .,-") or "?"


def backward_outline(reading: Reading) -> Outline:
    """Forward above, backward below, a column for each variable; a recurrence is a frame around one iteration in both.

    A step whose adjoint has no formula of its own is drawn as the steps that it is made of.
    """
    scalar_target(reading)
    turns = opened(reading)
    made: frozenset[Tensor] = frozenset()
    while True:
        outline, opaque = _outlined(turns)
        if not opaque - made:
            return outline
        made |= opaque
        turns = replace(turns, reading=turns.again(made), opened=made)


def _outlined(turns: Iterations) -> tuple[Outline, frozenset[Tensor]]:
    """The outline, and the steps that it leaves unexplained though they are made of others."""
    reading, target = turns.reading, turns.reading.targets[0]
    inner = {t for user in turns.opened for t in reading.items[user].inputs if composed(t)}
    steps = _Steps(reading, inner.union(turns.links))
    if len(steps.names) > MOST:
        raise GraphcError(
            f"the backward graph of {reading.items[target].called} has {len(steps.names)} variables, more than {MOST} cannot be read: draw it "
            "with values, at={...}, or draw a part of the graph"
        )
    ids = Identifiers()
    forward = {t: _forward(steps, turns, t, t is target, ids) for t in steps.names}
    arrows = [
        Arrow(forward[s].id, forward[t].id, title=f"{steps.plain[s]} goes into {steps.plain[t]}") for t in steps.names for s in steps.arguments[t]
    ]
    arrows += [_loop(forward, result, carry) for result, pairs in turns.loops.items() for carry, _ in pairs if {result, carry} <= set(forward)]
    pass_ = _Pass(steps, turns, target, forward, _wanted(steps, turns, target), ids)
    for tensor in reversed(list(steps.names)):
        if tensor in pass_.wanted:
            pass_.adjoint(tensor)
    backward = pass_.backward
    for result, pairs in turns.loops.items():
        pass_.arrows += [_loop(backward, carry, result) for carry, _ in pairs if {result, carry} <= set(backward)]
    vertices = [*forward.values(), *backward.values()]
    title = f"Forward and backward graph of {spoken_name(reading.items[target])}"
    formulas = " ".join(f"{v.title}." for v in backward.values())
    outline = Outline(vertices, [*arrows, *pass_.arrows], title, f"{title}. {formulas}", roomy=True, top="forward")
    first = {user: composed(user) and user not in turns.opened for user in pass_.opaque}
    return outline, frozenset(t for user, alone in first.items() for t in ([user] if alone else steps.within(user)) if composed(t))


def _loop(where: dict[Tensor, Vertex], tail: Tensor, head: Tensor) -> Arrow:
    return Arrow(where[tail].id, where[head].id, "loop", title=f"{where[tail].label.plain} goes to the next iteration", constraint=False)


def _wanted(steps: _Steps, turns: Iterations, target: Tensor) -> set[Tensor]:
    """Whose adjoints are drawn: what depends on a parameter; everything where there is none."""
    items = turns.reading.items
    floats = [t for t in steps.names if t.dtype == "float" and items[t].kind not in ("constant", "random", "state")]
    parameters = {t for t in floats if items[t].kind == "parameter"}
    reached: set[Tensor] = set(parameters)
    size = -1
    while size != len(reached):  # what is carried on reaches the iteration again
        size = len(reached)
        reached.update(t for t in steps.names if any(s in reached for s in steps.arguments[t]))
        reached.update(carry for result, pairs in turns.loops.items() if result in reached for carry, _ in pairs)
    return {t for t in floats if t in reached or not parameters} | {target}


def _forward(steps: _Steps, turns: Iterations, tensor: Tensor, is_target: bool, ids: Identifiers) -> Vertex:
    item = turns.reading.items[tensor]
    name, plain, shape = steps.names[tensor], steps.plain[tensor], shape_text(item.tensor.shape)
    role = "output" if is_target else item.kind
    if tensor in turns.labels:
        label = turns.labels[tensor]
        role = "state" if any(tensor is carry for pairs in turns.loops.values() for carry, _ in pairs) else "input"
    elif item.kind == "value":
        label = Text(f"{plain} = {item.operator.plain}(…)", f"{name} = {{{steps.formula(item)}}}")
    elif item.kind == "random" and not item.name:
        label = Text(f"{plain} drawn from {item.operator.plain}", rf"{name} \sim {item.operator.latex}" if item.operator.latex else "")
    else:
        label = item.text if item.name else item.operator
    details = [operation_detail(turns.reading.items[t]) for t in reversed(steps.within(tensor))]
    shape = "\n".join(dict.fromkeys(filter(None, (shape, *details))))
    frame = turns.frame(tensor)
    scope = ("forward", frame) if frame else ("forward",)
    return Vertex(ids.new(slug(plain)), role, label, shape, scope, title=f"{item.kind} {plain}", rank=plain, small=True)


class _Pass:
    """The backward pass as it is drawn, node by node."""

    def __init__(
        self, steps: _Steps, turns: Iterations, target: Tensor, forward: dict[Tensor, Vertex], wanted: set[Tensor], ids: Identifiers
    ) -> None:
        self.steps, self.turns, self.target, self.forward, self.wanted, self.ids = steps, turns, target, forward, wanted, ids
        self.backward: dict[Tensor, Vertex] = {}
        self.arrows: list[Arrow] = []
        self.opaque: dict[Tensor, None] = {}
        self._carried = {carry: symbol for pairs in turns.loops.values() for carry, symbol in pairs}

    def adjoint(self, tensor: Tensor) -> None:
        """The node of a tensor's adjoint, and its arrows; nothing where it is zero."""
        steps, target, items = self.steps, self.target, self.turns.reading.items
        symbol, plain = self._symbol(tensor), f"∂{steps.plain[target]}/∂{steps.plain[tensor]}"
        frame = self.turns.frames.get(self.turns.frame(tensor), "")
        scope = ("backward", frame) if frame else ("backward",)
        vertex = Vertex(self.ids.new(f"grad-{slug(steps.plain[tensor])}"), "adjoint", Text(plain), "", scope, rank=steps.plain[tensor], small=True)
        if tensor is target:
            vertex.label, vertex.title = Text(f"{plain} = 1", f"{symbol} = 1"), f"{plain} is 1"
            self.backward[tensor] = vertex
            return
        read: dict[Tensor, None] = {}
        arrows: list[Arrow] = []
        terms = [self._delta(carry, mark) for carry, mark in self.turns.loops.get(tensor, ()) if carry in self.wanted and carry in steps.names]
        for user in steps.names:
            if tensor not in steps.arguments[user] or user not in self.backward:
                continue
            term = self._term(tensor, user, read)
            if term:
                terms.append(term)
                title = f"{plain} needs ∂{steps.plain[target]}/∂{steps.plain[user]}"
                arrows.append(Arrow(self.backward[user].id, vertex.id, "backward", title=title, constraint=False))
        if not terms:
            return
        right = terms[0] + "".join(t if t.startswith("-") else f" + {t}" for t in terms[1:])
        mark = self._delta(tensor, self._carried[tensor], now=True) + " = " if tensor in self._carried else ""
        vertex.label = Text(f"{plain} = …", f"{mark}{symbol}" if right == symbol else f"{mark}{symbol} = {right}")
        users = [u for u in steps.names if tensor in steps.arguments[u]]
        vertex.title = f"{plain}, from {', '.join('∂' + steps.plain[target] + '/∂' + steps.plain[u] for u in users)}"
        saved = [v for v in read if items[v].kind != "constant"]
        arrows += [Arrow(self.forward[v].id, vertex.id, "saved", title=f"{plain} reads {steps.plain[v]}", constraint=False) for v in saved]
        self.backward[tensor] = vertex
        self.arrows += arrows

    def _delta(self, carry: Tensor, symbol: str, now: bool = False) -> str:
        """What an iteration hands to the one before it, as that one finds it or, ``now``, as it leaves this one."""
        letter = self.turns.sums[self.turns.frame(carry)]
        place = self.steps.plain[carry].rpartition("_")[2] if now else letter
        return f"{symbol}_{{{place}}}"

    def _term(self, tensor: Tensor, user: Tensor, read: dict[Tensor, None]) -> str:
        """What one user adds; what it reads is noted."""
        steps = self.steps
        incoming = None if user is self.target else self._symbol(user)
        if user in self.turns.links:
            return self.turns.links[user].replace("{}", incoming or "1")
        made = contribution(user, steps.arguments[user], tensor, incoming, steps.names, steps.draws.get(user, ""))
        if made is None:
            return ""
        if OPAQUE in made[0]:
            self.opaque[user] = None
        made = _LONG.sub(lambda m: f"{float(m[0]):.4g}", made[0]), *made[1:]
        read.update(dict.fromkeys(made[1]))
        if made[2] and made[2] not in self.forward[user].detail:  # the draw that the gradient reads is told where it is drawn
            self.forward[user].detail = "\n".join(filter(None, (self.forward[user].detail, made[2])))
            read[user] = None
        frame = self.turns.frame(user)
        return rf"\sum_{{{self.turns.sums[frame]}}} {made[0]}" if frame and not self.turns.frame(tensor) else made[0]

    def _symbol(self, tensor: Tensor) -> str:
        return rf"\frac{{\partial {self.steps.names[self.target]}}}{{\partial {self.steps.names[tensor]}}}"
