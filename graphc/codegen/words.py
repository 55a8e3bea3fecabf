"""Whole numbers, addresses, loops and tables in LLVM's language, written as one writes them: ``(i + 1) * step``.

The product of matrices is made with these and not with Numba's own front end, whose typing would take longer than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

__all__ = ["WRITTEN_OUT", "Code", "Variable", "Word", "function"]

WRITTEN_OUT = "graphc.written_out"  # a note on a module: its loops and vectors are as the machine is to have them
WORD, BYTE = ir.IntType(64), ir.IntType(8)


class Word:
    """A whole number of 64 bits while the code runs; an address is one too."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _of(self, other: Word | int) -> Any:
        return other.value if isinstance(other, Word) else ir.Constant(WORD, other)

    def __add__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.add(self.value, self._of(other)))

    def __sub__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.sub(self.value, self._of(other)))

    def __mul__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.mul(self.value, self._of(other)))

    def __floordiv__(self, other: Word | int) -> Word:
        """The quotient of numbers that are not negative."""
        return Word(self.builder, self.builder.udiv(self.value, self._of(other)))

    def __mod__(self, other: Word | int) -> Word:
        """The rest of numbers that are not negative."""
        return Word(self.builder, self.builder.urem(self.value, self._of(other)))

    def __and__(self, other: Word | int) -> Word:
        return Word(self.builder, self.builder.and_(self.value, self._of(other)))

    def compare(self, sign: str, other: Word | int) -> Any:
        """A condition for :meth:`Code.when`."""
        return self.builder.icmp_signed(sign, self.value, self._of(other))

    def least(self, other: Word | int) -> Word:
        """The lesser of two."""
        return Word(self.builder, self.builder.select(self.compare("<", other), self.value, self._of(other)))


class Variable:
    """A whole number that changes: memory on the stack, which LLVM keeps in a register."""

    def __init__(self, code: Code, start: Word | int) -> None:
        self.code = code
        with code.builder.goto_entry_block():
            self.place = code.builder.alloca(WORD)
        self.set(start)

    def set(self, value: Word | int) -> None:
        """Give it another value."""
        self.code.builder.store(self.code.word(value).value, self.place)

    @property
    def now(self) -> Word:
        """Its value."""
        return Word(self.code.builder, self.code.builder.load(self.place, typ=WORD))


class Code:
    """Statements, through an LLVM builder."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def word(self, value: Word | int) -> Word:
        """A number as a :class:`Word`."""
        return value if isinstance(value, Word) else Word(self.builder, ir.Constant(WORD, value))

    def pointer(self, address: Word, kind: Any = BYTE) -> Any:
        """An address as LLVM's pointer."""
        return self.builder.inttoptr(address.value, kind.as_pointer())

    def load(self, address: Word, kind: Any = WORD) -> Any:
        """What lies at an address; whole numbers come as :class:`Word`."""
        found = self.builder.load(self.pointer(address, kind), typ=kind)
        return Word(self.builder, found) if kind is WORD else found

    def store(self, value: Any, address: Word, align: int | None = None) -> None:
        """Write a number or an LLVM value to an address."""
        raw = value.value if isinstance(value, Word) else value
        self.builder.store(raw, self.pointer(address, raw.type), align=align)

    def choose(self, condition: Any, one: Word | int, other: Word | int) -> Word:
        """``one`` where the condition holds, else ``other``."""
        return Word(self.builder, self.builder.select(condition, self.word(one).value, self.word(other).value))

    @contextmanager
    def loop(self, start: Word | int, stop: Word | int, step: Word | int = 1) -> Generator[Word]:
        """The body for each number from ``start`` on below ``stop``."""
        b = self.builder
        before = b.block
        head, body, done = (b.append_basic_block(name) for name in ("loop", "body", "done"))
        first, last = self.word(start), self.word(stop)
        b.branch(head)
        b.position_at_end(head)
        at = b.phi(WORD)
        at.add_incoming(first.value, before)
        b.cbranch(b.icmp_signed("<", at, last.value), body, done)
        b.position_at_end(body)
        yield Word(b, at)
        at.add_incoming((Word(b, at) + step).value, b.block)
        b.branch(head)
        b.position_at_end(done)

    @contextmanager
    def during(self, condition: Callable[[], Any]) -> Generator[None]:
        """The body as long as a condition, computed anew each time, holds."""
        b = self.builder
        head, body, done = (b.append_basic_block(name) for name in ("while", "body", "done"))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(condition(), body, done)
        b.position_at_end(body)
        yield
        b.branch(head)
        b.position_at_end(done)

    def cases(self, condition: Any, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        """One of two pieces of code."""
        b = self.builder
        yes, no, done = (b.append_basic_block(name) for name in ("then", "else", "done"))
        b.cbranch(condition, yes, no)
        for block, piece in ((yes, then), (no, otherwise)):
            b.position_at_end(block)
            if piece is not None:
                piece()
            b.branch(done)
        b.position_at_end(done)

    def call(self, made: Any, arguments: Sequence[Word | int]) -> None:
        """Run a function of whole numbers."""
        self.builder.call(made, [self.word(a).value for a in arguments])


def function(module: Any, name: str, count: int, emit: Callable[[Code, list[Word]], None]) -> Any:
    """A function of the module of ``count`` whole numbers, made once, and never put into its callers."""
    if name in module.globals:
        return module.globals[name]
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), [WORD] * count), name)
    made.linkage = "internal"
    made.attributes.add("noinline")
    made.attributes.add("nounwind")
    made.attributes.add("optsize")
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    emit(Code(builder), [Word(builder, a) for a in made.args])
    builder.ret_void()
    return made
