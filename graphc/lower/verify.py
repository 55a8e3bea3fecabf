"""The verifier of the loop language: every rule that :mod:`graphc.lower.ir` states and that can be read off a kernel."""

from __future__ import annotations

from graphc.lower import ir

__all__ = ["verify_kernel"]

_REDUCERS = ("sum", "prod", "max", "min")


def verify_kernel(kernel: ir.Kernel) -> list[str]:
    """What is wrong with a kernel, in words; an empty list where nothing is."""
    checker = _Checker(kernel)
    checker.block(kernel.body, frozenset(), {})
    checker.parallel(kernel.body, None)
    checker.contraction(kernel.body)
    if len(checker.extents) > 1:
        checker.problems.append("parallel loops have different extents")
    for buffer, size in kernel.scratch:
        checker.coefficient(size)
        if not 0 <= buffer < len(kernel.buffers) or not kernel.written[buffer]:
            checker.problems.append(f"buffer {buffer} is no scratch memory")
    for number, (written, wanted) in enumerate(zip(checker.written, kernel.written, strict=True)):
        if written and not wanted:
            checker.problems.append(f"buffer {number} is written, and the kernel does not say so")
    return checker.problems


class _Checker:
    def __init__(self, kernel: ir.Kernel) -> None:
        self.kernel = kernel
        self.problems: list[str] = []
        self.defined: set[int] = set()
        self.loops: set[int] = set()
        self.written = [False] * len(kernel.buffers)
        self.extents: set[ir.Coefficient] = set()  # of parallel loops

    def block(self, body: tuple[ir.Statement, ...], loops: frozenset[int], known: dict[int, ir.Kind]) -> None:
        """Check the statements of one loop; ``known`` are the values visible, with their kinds."""
        visible = dict(known)
        for statement in body:
            if isinstance(statement, ir.Loop):
                if statement.variable in self.loops:
                    self.problems.append(f"loop variable {statement.variable} is used by two loops")
                self.loops.add(statement.variable)
                self.coefficient(statement.extent)
                self.block(statement.body, loops | {statement.variable}, visible)
            else:
                self.statement(statement, loops, visible)

    def parallel(self, body: tuple[ir.Statement, ...], around: int | None) -> None:
        """Check that what is written in a kernel with parallel loops is written in one of them; ``around``: its variable."""
        for s in body:
            if isinstance(s, ir.Loop):
                if s.parallel and around is not None:
                    self.problems.append(f"parallel loop {s.variable} lies in parallel loop {around}")
                self.extents |= {s.extent} if s.parallel else set()
                self.parallel(s.body, s.variable if s.parallel else around)
            elif around is None and self.kernel.extent != 0 and any(writes for _, writes in _buffers(s)):
                self.problems.append(f"a kernel with parallel loops writes outside them: {s}")
            elif around is not None and isinstance(s, ir.Store) and not any(v == around or v < 0 for v, _ in s.place.terms):
                self.problems.append(f"all iterations of the parallel loop {around} write to one place: {s}")

    def contraction(self, body: tuple[ir.Statement, ...]) -> None:
        """Check that a contraction is alone in its kernel, with its numbers as parameters, in their order."""
        found = [s for s in _all(body) if isinstance(s, ir.Contract)]
        for s in found:
            loop = body[0]
            if len(body) != 1 or not isinstance(loop, ir.Loop) or not loop.parallel or loop.body != (s,) or loop.variable != s.chunk:
                self.problems.append("a contraction is not alone in its kernel, in a parallel loop over its chunks")
            numbers = all(not isinstance(n, ir.Param) or n.number == k for k, n in enumerate(s.numbers))
            if not numbers or (s.c, s.a, s.b, s.d, s.e, s.scratch) != (0, 1, 2, 3, 4, 5):
                self.problems.append("a contraction's buffers or numbers are not the kernel's, in their order")
            if dict(self.kernel.scratch) != {s.scratch: s.piece}:
                self.problems.append("a contraction's scratch memory is not the kernel's")

    def statement(self, s: ir.Statement, loops: frozenset[int], visible: dict[int, ir.Kind]) -> None:
        """Check one statement that is no loop, and make its value visible."""
        for place in _places(s):
            self.place(place, loops, visible)
        for argument in _arguments(s):
            if argument not in visible:
                self.problems.append(f"value {argument} is used before it is defined, or outside its loop: {s}")
        for buffer, writes in _buffers(s):
            if not 0 <= buffer < len(self.kernel.buffers):
                self.problems.append(f"buffer {buffer} does not exist: {s}")
            elif writes:
                self.written[buffer] = True
        for number in _coefficients(s):
            self.coefficient(number)
        if isinstance(s, ir.Start | ir.Accumulate | ir.Update) and s.reducer not in _REDUCERS:
            self.problems.append(f"there is no reducer {s.reducer}")
        made = [] if isinstance(s, ir.Accumulate) else [v for v in (getattr(s, "value", None), getattr(s, "winner", None)) if v is not None]
        for value in made:
            if value in self.defined:
                self.problems.append(f"value {value} is defined twice")
            self.defined.add(value)
            kind: ir.Kind = getattr(s, "kind", "int")
            visible[value] = "int" if value == getattr(s, "winner", None) else kind

    def place(self, place: ir.Place, loops: frozenset[int], visible: dict[int, ir.Kind]) -> None:
        """Check the variables and coefficients of a place."""
        for variable, coefficient in place.terms:
            self.coefficient(coefficient)
            if variable >= 0 and variable not in loops:
                self.problems.append(f"loop variable {variable} is used outside its loop")
            if variable < 0 and visible.get(-variable - 1) != "int":
                self.problems.append(f"value {-variable - 1} serves as a place and is no visible whole number")
        self.coefficient(place.offset)

    def coefficient(self, number: ir.Coefficient) -> None:
        """Check that a parameter exists."""
        if isinstance(number, ir.Param) and not 0 <= number.number < self.kernel.params:
            self.problems.append(f"parameter {number.number} does not exist")


def _all(body: tuple[ir.Statement, ...]) -> list[ir.Statement]:
    return [x for s in body for x in (s, *(_all(s.body) if isinstance(s, ir.Loop) else ()))]


def _places(s: ir.Statement) -> list[ir.Place]:
    found = [getattr(s, name, None) for name in ("place", "position")]
    return [p for p in found if p is not None]


def _arguments(s: ir.Statement) -> list[int]:
    if isinstance(s, ir.Compute):
        return list(s.arguments)
    found = [getattr(s, name, None) for name in ("argument", "target", "condition")]
    found += [s.winner] if isinstance(s, ir.Accumulate) else []
    return [v for v in found if v is not None]


def _buffers(s: ir.Statement) -> list[tuple[int, bool]]:
    if isinstance(s, ir.Load):
        return [(s.buffer, False)]
    if isinstance(s, ir.Store | ir.Update):
        return [(s.buffer, True)]
    if isinstance(s, ir.Contract):
        return [(s.c, True), (s.a, False), (s.b, False), (s.d, False), (s.e, False), (s.scratch, True)]
    if isinstance(s, ir.Matrices):
        return [(s.result, True), *((b, False) for b in s.operands), (s.scratch, True)]
    return []


def _coefficients(s: ir.Statement) -> list[ir.Coefficient]:
    if isinstance(s, ir.Contract):
        return list(s.numbers)
    if isinstance(s, ir.Matrices):
        return [s.count, s.size, *([s.code] if s.code is not None else [])]
    if isinstance(s, ir.Uniform):
        return [s.number]
    return [s.size, s.code] if isinstance(s, ir.Checked) else []
