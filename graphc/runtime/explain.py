"""What a program does, in words and in its own source."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.expr.dims import product
from graphc.expr.operation import Linalg
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower.contract import contraction
from graphc.lower.emit import Scratch
from graphc.lower.program import Call, Program
from graphc.lower.scalars import weight
from graphc.lower.text import formula_text

__all__ = ["calls_of", "explanation", "formulas_of", "program_source"]


def _names(program: Program) -> dict[Tensor, str]:
    """A name for each tensor: the user's, or t1, t2, ... in the order of the kernels."""
    names: dict[Tensor, str] = {}
    count = 0
    taken: dict[str, int] = {}

    def add(tensor: Tensor) -> None:
        nonlocal count
        if tensor in names:
            return
        base = tensor.name
        if not base:
            count += 1
            base = f"t{count}"
        taken[base] = taken.get(base, 0) + 1
        names[tensor] = base if taken[base] == 1 else f"{base}_{taken[base]}"

    for call in calls_of(program):
        for tensor in call.tensors:
            for other in (*tensor.inputs, *(tensor.node.outputs if call.whole is None else (call.whole,))):
                add(other)
    return names


def formulas_of(program: Program) -> list[list[str]]:
    """What each of a program's calls computes, by the names of its tensors."""
    names = _names(program)

    def name(tensor: Tensor) -> str:
        if tensor.kind == "constant" and tensor.ndim == 0:
            return str(tensor.value)
        return names.get(tensor) or tensor.label

    made: list[list[str]] = []
    for call in calls_of(program):
        if call.loop is not None:
            made.append([f"{name(call.tensors[0])} = a recurrence over {call.loop.scan.length} items, whose body follows"])
        elif call.clears:
            made.append([f"{name(call.tensors[0])} = 0 everywhere, before its parts are written"])
        elif call.whole is not None:
            whole = name(call.whole)
            made.append([formula_text(t, lambda x, t=t, whole=whole: whole if x is t else name(x)) for t in call.tensors])
        elif call.last and len(call.tensors) == 1 and call.tensors[0].kind in ("state", "parameter"):
            made.append([f"{name(call.tensors[0])} = its next value"])
        else:
            made.append([formula_text(t, name) for t in call.tensors])
    return made


def calls_of(program: Program) -> list[Call]:
    """All calls in order, each scan followed by its body's."""
    found: list[Call] = []
    for call in program.calls:
        found.append(call)
        found += calls_of(call.loop.body) if call.loop is not None else []
    return found


def _sources(program: Program, dtype: str, math: str) -> list[str]:
    from graphc.codegen.executor import REPEAT
    from graphc.codegen.printer import kernel_source

    return [REPEAT if c.loop is not None else kernel_source(c.kernel, dtype, math) for c in calls_of(program)]


def program_source(program: Program, dtype: str, math: str) -> str:
    """Each kernel's source once, under every formula that it computes."""
    sources = _sources(program, dtype, math)
    groups: dict[str, list[str]] = {}
    for lines, source in zip(formulas_of(program), sources, strict=True):
        groups.setdefault(source, []).extend(lines)
    parts: list[str] = []
    for number, (source, lines) in enumerate(groups.items(), 1):
        body = source.split("\n\n", 3)[-1].strip("\n").replace("kernel_(", f"kernel_{number}(")
        parts.append("".join(f"# {line}\n" for line in lines) + body + "\n")
    head = "import math\n\nimport numpy as np\n\nfrom graphc.codegen.kernel import *\n"
    return "\n\n".join([head, *parts])


def explanation(program: Program, dtype: str, math: str, bound: Any) -> str:
    """One paragraph a kernel: what it is, its formulas and, where sizes are known, its operations and bytes."""
    sources, calls = _sources(program, dtype, math), calls_of(program)
    numbers = {s: k for k, s in enumerate(dict.fromkeys(sources), 1)}
    lines = [f"{len(calls)} kernel calls of {len(numbers)} kernels"]
    for call, source, formulas in zip(calls, sources, formulas_of(program), strict=True):
        lines.append(f"kernel_{numbers[source]}: {_kind(call)}{' (after all checks)' if call.last else ''}{_cost(call, bound)}")
        lines += [f"    {f}" for f in formulas]
    return "\n".join(lines)


def _kind(call: Call) -> str:
    op = call.tensors[0].op
    if call.loop is not None:
        return "loop"
    if isinstance(op, Linalg):
        return f"linear algebra, {op.kind}"
    if not isinstance(op, Stage):
        return "copy" if call.last else "random numbers"
    if call.clears:
        return "cleared"
    if contraction(call.tensors[0]) is not None:
        return "contraction of a part" if call.whole is not None else "contraction"
    if call.whole is not None:
        return "a part" if len(call.tensors) == 1 else f"{len(call.tensors)} parts"
    if op.elementwise:
        return f"{len(call.tensors)} fused stages" if len(call.tensors) > 1 else "entry by entry"
    if op.free is None:
        return "scatter"
    return f"reduction by {op.reducer}" if len(call.tensors) == 1 else f"{len(call.tensors)} fused reductions"


def _cost(call: Call, bound: Any) -> str:
    if bound is None or call.loop is not None:
        return ""
    operations = 0
    for tensor in call.tensors:
        if isinstance(tensor.op, Stage):
            box = bound.size(product(tensor.op.extents))
            operations += box * (2 if contraction(tensor) is not None else max(1, weight(tensor.op.body)))
        elif isinstance(tensor.op, Linalg):
            x = tensor.inputs[0]
            operations += bound.size(product((*x.shape, x.shape[-1]))) * 2
    sizes = [bound.size(product(b.shape)) for b in call.buffers if not isinstance(b, Scratch)]
    return f", about {operations:,} operations on {sum(sizes) * np.dtype(bound.floats).itemsize:,} bytes"
