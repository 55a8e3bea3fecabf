"""Loops and memory of their own in code that intrinsics emit."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

__all__ = ["copied", "local", "steps"]

_WORD = ir.IntType(64)


@contextmanager
def steps(builder: Any, start: Any, stop: Any, step: Any) -> Generator[Any]:
    """A loop whose number runs from ``start`` to before ``stop``; what is emitted inside is its body."""
    before = builder.block
    head, body, end = (builder.append_basic_block(name) for name in ("steps", "step", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    number = builder.phi(_WORD)
    number.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<", number, stop), body, end)
    builder.position_at_end(body)
    yield number
    number.add_incoming(builder.add(number, step), builder.block)
    builder.branch(head)
    builder.position_at_end(end)


def local(builder: Any, kind: Any) -> Any:
    """The address of memory on the stack, reserved once a call of the kernel."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def copied(builder: Any, target: Any, source: Any, count: Any) -> None:
    """Copy bytes between addresses that do not overlap."""
    pointer = ir.IntType(8).as_pointer()
    copy = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _WORD])
    builder.call(copy, [target, source, count, ir.Constant(ir.IntType(1), 0)])
