"""A program's generated code for its readers: each kernel under the formulas that it computes, and what its buffers are for each."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Sequence
from typing import Any

from graphc.lower import ir
from graphc.lower.emit import Scratch
from graphc.lower.program import Call, Program
from graphc.rewrite.samples import IN_PARTS
from graphc.runtime.formulas import Formulas, Names, calls_of, product_of

__all__ = ["kernel_sources", "program_source"]

_WIDTH = 110
_HEAD = "import math\n\nimport numpy as np\n\nfrom graphc.codegen.kernel import *\n"


def kernel_sources(program: Program, dtype: str, math: str) -> list[str]:
    """The source of each call's kernel, in the order of the calls."""
    from graphc.codegen.executor import REPEAT
    from graphc.codegen.printer import kernel_source

    return [REPEAT if c.loop is not None else kernel_source(c.kernel, dtype, math) for c in calls_of(program)]


def program_source(program: Program, formulas: Formulas, dtype: str, math: str) -> str:
    """Each kernel's source once, under every formula that it computes."""
    groups: dict[str, list[str]] = {}
    for call, lines, source in zip(calls_of(program), formulas.lines, kernel_sources(program, dtype, math), strict=True):
        comments = groups.setdefault(source, [])
        for line in lines:
            comments += _comment(line, "")
        for line in _product(call, formulas.names) or [_uses(call, formulas.names)]:
            comments += _comment(line, "    ") if line else []
    parts: list[str] = []
    for number, (source, comments) in enumerate(groups.items(), 1):
        body = source.split("\n\n", 3)[-1].strip("\n").replace("kernel_(", f"kernel_{number}(")
        parts.append("\n".join([*comments, body]) + "\n")
    return "\n\n".join([_HEAD, *parts])


def _comment(line: str, indent: str) -> list[str]:
    first = f"# {indent}{line[: len(line) - len(line.lstrip())]}"
    rest = f"{first}    "
    return textwrap.wrap(line.lstrip(), _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def _uses(call: Call, names: Names) -> str:
    """What a kernel's buffers and numbers are in a call."""
    if call.loop is not None:
        return ""
    buffers = [f"b{k} = {'memory of its own' if isinstance(b, Scratch) else names(b)}" for k, b in enumerate(call.buffers)]
    return ", ".join([*buffers, *(f"n{k} = {_number(p)}" for k, p in enumerate(call.params))])


def _number(param: Any) -> str:
    if isinstance(param, tuple):
        kind, value = param
        return f"{value} (the random node's number)" if kind == "number" else f"{value} (the check's code)"
    return str(param).replace(f" ({IN_PARTS})", "")


def _product(call: Call, names: Names) -> list[str]:
    """A sum of products as loops over flat memory."""
    s = product_of(call.kernel)
    if s is None:
        return []

    def number(coefficient: ir.Coefficient) -> str:
        return _number(call.params[coefficient.number]) if isinstance(coefficient, ir.Param) else str(coefficient)

    def variables(base: str, levels: Sequence[Any]) -> list[str]:
        return [base if len(levels) == 1 else f"{base}{k}" for k in range(len(levels))]

    def at(buffer: int, start: ir.Coefficient, *terms: tuple[list[str], list[ir.Coefficient]]) -> str:
        strides = [(v, number(c)) for names_of, steps in terms for v, c in zip(names_of, steps, strict=True)]
        flat = [v if c == "1" else f"{f'({c})' if _sum(c) else c}*{v}" for v, c in strides if c != "0"]
        flat += [number(start)] if number(start) != "0" or not flat else []
        return f"{names(call.buffers[buffer])}[{' + '.join(flat)}]".replace("+ -", "- ")

    around, rows, sums = variables("p", s.outer), variables("r", s.rows), variables("s", s.sums)
    one: list[ir.Coefficient] = [1]
    loops = [f"{v} in range({number(level[0])})" for v, level in zip([*around, *rows, *sums], [*s.outer, *s.rows, *s.sums], strict=True)]
    terms = loops[len(around) + len(rows) :]
    several = number(s.others[0]) != "1"
    other, column = ["o"] if several else [], ["j"]
    steps = [[x] if several else [] for x in s.others[1:]]
    places = (around, [x[1] for x in s.outer]), (rows, [x[2] for x in s.rows]), (other, steps[1]), (column, one)
    result, chosen = at(s.c, s.c_at, *places), at(s.e, s.c_at, *places)
    left = at(s.a, s.a_at, (around, [x[2] for x in s.outer]), (rows, [x[1] for x in s.rows]), (sums, [x[1] for x in s.sums]), (column, [s.an]))
    right = at(s.b, s.b_at, (around, [x[3] for x in s.outer]), (sums, [x[2] for x in s.sums]), (other, steps[0]), (column, [s.bn]))
    start = at(s.d, s.d_at, (around, [x[4] for x in s.outer]), (rows, [x[1] for x in s.first]), (other, steps[2]), (column, one))
    begins = f"{start} + " if number(s.starts) != "0" else ""
    total = f"{begins}sum({left} * {right} for {', '.join(terms)})"
    if number(s.ends) != "0":
        total = f"max(0, {total})" if number(s.ends) == "1" else f"select(0 >= {chosen}, 0, {total})"
    heads = [*loops[: len(around) + len(rows)], *(f"o in range({number(s.others[0])})" for _ in other), f"j in range({number(s.n)})"]
    return [f"for {', '.join(heads)}:", f"    {result} = {total}"]


def _sum(text: str) -> bool:
    return any(c not in string.ascii_letters + string.digits + "_*" for c in text)
