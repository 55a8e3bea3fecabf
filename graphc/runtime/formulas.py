"""What each call of a program computes, by names that its reader knows: formulas of what is in memory."""

from __future__ import annotations

from graphc.expr.operation import Leaf, Reshape
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower import ir
from graphc.lower.fuse import root_of
from graphc.lower.program import Call, Program
from graphc.lower.text import formula_text
from graphc.rewrite.walk import subformulas

__all__ = ["Formulas", "Names", "calls_of", "formulas_of", "product_of"]

_CLEARED = {"rest": "where no part is written", "all": "everywhere, before its parts are written"}
_LARGEST = 12  # operations of a formula that is written where it is used; larger ones have a line of their own


def calls_of(program: Program) -> list[Call]:
    """All calls in order, each scan followed by its body's; those of groups stand for these."""
    found: list[Call] = []
    for call in program.calls:
        found += [call] if call.group is None else []
        found += calls_of(call.inside) if call.inside is not None else []
    return found


def formulas_of(program: Program) -> list[list[str]]:
    """The lines of each call."""
    return Formulas(program).lines


class Names:
    """A name for each tensor: the user's, made unique, or t1, t2, ... in the order in which they are asked for."""

    def __init__(self) -> None:
        self._names: dict[Tensor, str] = {}
        self._taken: dict[str, int] = {}
        self._count = 0

    def __call__(self, tensor: Tensor) -> str:
        """The name of a tensor; a single constant is its number."""
        if tensor.kind == "constant" and tensor.ndim == 0:
            return str(tensor.value)
        if tensor not in self._names:
            if isinstance(tensor.op, Reshape) and tensor.ndim and tensor.shape[1:] == tensor.inputs[0].shape[1:]:
                self._names[tensor] = self(tensor.inputs[0])
            elif isinstance(tensor.op, Reshape) and not tensor.name:
                self._names[tensor] = f"reshape({self(tensor.inputs[0])})"
            else:
                self._add(tensor)
        return self._names[tensor]

    def call(self, tensor: Tensor, name: str) -> None:
        """Give a tensor a name that it does not bear itself."""
        if tensor not in self._names:
            self._add(tensor, name)

    def known(self, tensor: Tensor) -> bool:
        """Whether a tensor has been named."""
        return tensor in self._names

    def share(self, tensor: Tensor, known: Tensor) -> None:
        """Let a tensor have the name of another, which is the same in another graph."""
        self._names.setdefault(tensor, self._names[known])

    def _add(self, tensor: Tensor, base: str = "") -> None:
        base = base or tensor.name or (tensor.label if tensor.kind == "constant" else "")
        if not base:
            self._count += 1
            base = f"t{self._count}"
        self._taken[base] = self._taken.get(base, 0) + 1
        self._names[tensor] = base if self._taken[base] == 1 else f"{base}_{self._taken[base]}"


class Formulas:
    """The formulas of a program's calls. What a kernel computes on its way without storing it is written into the formula that
    uses it, or, where that is large, on a line of its own below it.

    Attributes:
        names: of the tensors, by which the formulas speak of them.
        lines: those of each call, in the order of :func:`calls_of`.
    """

    def __init__(self, program: Program) -> None:
        self.names = Names()
        self.made = {} if program.samples is None else program.samples.made  # what became of tensors after the passes
        self.lines: list[list[str]] = []
        calls = calls_of(program)
        self._stored = {t for c in calls for t in (c.tensors if c.whole is None else [c.whole])}
        self._stored |= {t for c in calls if c.loop is not None for t in (*c.loop.outputs, *c.loop.scan.parameters) if t is not None}
        self._started = {t for c in calls if _started(c) for t in c.tensors[:-1]}
        self._stored -= self._started
        self._add(program)

    def _add(self, program: Program) -> None:
        for value, state in program.in_place.items():
            self.names.call(value, f"{self.names(state)}'")
        for call in program.calls:
            if call.group is None:
                self.lines.append(self._of(call, program))
            if call.inside is not None:
                self._add(call.inside)

    def _of(self, call: Call, program: Program) -> list[str]:
        """The lines of one call."""
        if call.loop is not None:
            return self._loop(call)
        first = call.tensors[0]
        if call.clears is not None:
            return [f"{self.names(first)} = 0 {_CLEARED[call.clears]}"]
        if call.last and len(call.tensors) == 1 and first.kind in ("state", "parameter"):
            value = next((v for v, s in program.copies if s is first), None)
            return [f"{self.names(first)}' = {self.names(value) if value is not None else 'its next value'}"]
        whole = self.names(call.whole) if call.whole is not None else ""
        named: dict[Tensor, None] = {}
        tensors = call.tensors[-1:] if _started(call) else call.tensors
        lines = [self._text(t, named, whole) for t in tensors]
        done: set[Tensor] = set()
        while len(done) < len(named):
            tensor = next(t for t in named if t not in done)
            done.add(tensor)
            lines.append(f"where {self._text(tensor, named)}")
        return lines

    def _text(self, tensor: Tensor, named: dict[Tensor, None], left: str = "") -> str:
        """A formula; what it uses and is too large to stand in it is added to ``named``."""

        def written_out(other: Tensor) -> bool:
            if self._in_memory(other) or not isinstance(other.op, Stage):
                return False
            if other in self._started or self._size(other) <= _LARGEST:
                return True
            named.setdefault(other)
            return False

        return formula_text(tensor, self.names, written_out, left)

    def _in_memory(self, tensor: Tensor) -> bool:
        return root_of(tensor) in self._stored or isinstance(root_of(tensor).op, Leaf)

    def _size(self, tensor: Tensor) -> int:
        """How many operations a formula has, with what is written into it."""
        sizes: dict[Tensor, int] = {}
        stack = [tensor]
        while stack:
            top = stack[-1]
            op = top.op
            if top in sizes or not isinstance(op, Stage):
                sizes.setdefault(top, 0)
                stack.pop()
                continue
            parts = [top.inputs[r.operand] for r in op.reads]
            waiting = [p for p in parts if p not in sizes and not self._in_memory(p)]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            within = sum(n for p in parts if (n := sizes.get(p, 0)) <= _LARGEST)
            sizes[top] = within + sum(bool(part.args) for part in subformulas(op.body))
        return sizes[tensor]

    def _loop(self, call: Call) -> list[str]:
        """What a recurrence reads and gives, and how its body's tensors follow from one iteration to the next."""
        loop = call.loop
        assert loop is not None
        scan, name = loop.scan, self.names
        order = "from the last one to the first" if scan.reverse else "one after the other"
        first = next((t for t in loop.outputs if t is not None), call.tensors[0])
        lines = [f"{name(first)} = from a recurrence over {scan.length} items, {order}, whose body follows"]
        count, moving = len(scan.results), scan.carries + scan.sequences
        for k, (parameter, given) in enumerate(zip(scan.parameters, loop.inputs, strict=True)):
            if k < scan.carries:
                last, saved = loop.outputs[k], loop.outputs[count + k]
                ends = [f" and ends as {name(last)}"] if last is not None else []
                kept = [f"; {name(saved)} keeps it before each iteration"] if saved is not None else []
                lines.append("".join([f"{name(parameter)} begins as {name(given)}, becomes {name(scan.results[k])}", *ends, *kept]))
            elif k < moving:
                lines.append(f"{name(parameter)} is the iteration's item of {name(given)}")
            elif name(parameter) != name(given):
                lines.append(f"{name(parameter)} is {name(given)}")
        stacks = [(loop.outputs[k], scan.results[k]) for k in range(scan.carries, count)]
        return [*lines, *(f"{name(t)} is {name(result)} of each iteration" for t, result in stacks if t is not None)]


def _started(call: Call) -> bool:
    """Whether a call is a sum of products that starts from another tensor or does more at its end: only the last of its tensors is stored."""
    return len(call.tensors) > 1 and call.whole is None and product_of(call.kernel) is not None


def product_of(kernel: ir.Kernel) -> ir.Contract | None:
    """The sum of products that a kernel is, if it is one."""
    return next((s for loop in kernel.body if isinstance(loop, ir.Loop) for s in loop.body if isinstance(s, ir.Contract)), None)
