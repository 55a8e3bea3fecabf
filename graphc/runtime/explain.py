"""What a program does and what that takes: its kernels in their order, with formulas, operations, bytes and times."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.expr.dims import evaluate_extent, product
from graphc.expr.entry import entries
from graphc.expr.feed import numpy_dtype
from graphc.expr.operation import Linalg
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.lower.program import Call, Program
from graphc.runtime.formulas import Formulas, calls_of, product_of
from graphc.runtime.measure import Measured, bandwidth, peak
from graphc.runtime.source import kernel_sources
from graphc.runtime.work import Work, work_of

__all__ = ["explanation"]

_WIDTH = 100
_DEAREST = 5


@dataclass(frozen=True)
class _Facts:
    """What is known about a call: for those in a recurrence's body, of one iteration.

    Attributes:
        depth: in how many recurrences it is.
        work: operations and bytes, where sizes are known.
        seconds: how long it takes, where it was measured.
        runs: how often it runs in a run of the program.
        threads: how many share it.
        piece: for how many samples it runs at a time, where it is the first one of a group; how many those calls are, and the samples.
    """

    call: Call
    depth: int = 0
    work: Work | None = None
    seconds: float | None = None
    runs: int = 1
    threads: int = 1
    piece: tuple[int, int, int] | None = None


def explanation(
    program: Program, dtype: str, math: str, bound: Any, measured: Measured | None = None, formulas: Formulas | None = None
) -> str:  # fmt: skip
    """The program in words.

    Args:
        program: what is explained.
        dtype, math: what its kernels are printed for.
        bound: the program laid out for known sizes, or ``None``.
        measured: the times of its calls, or ``None``.
        formulas: its formulas, with the names in them.
    """
    from graphc.codegen.cache import by_numba
    from graphc.codegen.printer import PLACEHOLDER

    formulas = formulas or Formulas(program)
    sources, calls = kernel_sources(program, dtype, math), calls_of(program)
    numbers = {s: k for k, s in enumerate(dict.fromkeys(sources), 1)}
    others = {s for s in numbers if by_numba(s, PLACEHOLDER)}
    kernels = [f"kernel_{numbers[s]}" for s in sources]
    facts = [_Facts(c, d) for c, d in _depths(program, 0)] if bound is None else list(_known(bound, measured))
    shown = [_Shown(f, k, lines, dtype == "float64", s in others) for f, k, lines, s in zip(facts, kernels, formulas.lines, sources, strict=True)]
    total = sum(f.seconds or 0.0 for f in facts if f.depth == 0)
    lines = [f"{len(calls)} kernel calls of {len(numbers)} kernels"]
    if bound is not None:
        lines += _head(facts, bound, dtype == "float64", measured, total)
        lines += ["", *_dearest(shown, total)] if total else [""]
    for one in shown:
        lines += one.lines(total)
    return "\n".join(lines)


def _depths(program: Program, depth: int) -> Iterator[tuple[Call, int]]:
    for call in program.calls:
        if call.group is None:
            yield call, depth
        if call.inside is not None:
            yield from _depths(call.inside, depth + (call.group is None))


def _known(bound: Any, measured: Measured | None) -> Iterator[_Facts]:
    """The facts of all calls for known sizes."""
    times = {} if measured is None else measured.calls

    def walk(inside: Program, rows: Any, sizes: Mapping[str, int], depth: int, runs: int) -> Iterator[_Facts]:
        for number, call in enumerate(inside.calls):
            extent, grain = (int(x) for x in rows.table[4 * number + 2 : 4 * number + 4])
            threads = min(bound.workers, -(-extent // grain)) if grain else 1
            if call.group is not None:
                yield from together(call, rows.parts[number][0], sizes, extent, threads)
                continue
            yield _Facts(call, depth, work_of(call, sizes, bound.floats), times.get(id(call)), runs, threads)
            if call.loop is not None:
                part = rows.parts[number][0]
                length = evaluate_extent(call.loop.scan.length, sizes)
                yield from walk(call.loop.body, part.rows, call.loop.body.sizes({**sizes, **part.sizes}), depth + 1, runs * length)

    def together(call: Call, part: Any, sizes: Mapping[str, int], lanes: int, threads: int) -> Iterator[_Facts]:
        """The calls of a group: what they do for all samples, and as long as all pieces take, some of which are a lane."""
        assert call.group is not None
        rows, calls = str(call.group.rows), call.group.body.calls
        pieces = -(-sizes[rows] // part.sizes[rows])
        turns = min(-(-lanes // threads) * -(-pieces // lanes), pieces)
        for first, one in zip([True, *[False] * len(calls)], calls, strict=False):
            spent = times.get(id(one))
            seconds = None if spent is None else spent * turns
            piece = (part.sizes[rows], len(calls), sizes[rows]) if first else None
            yield _Facts(one, 0, work_of(one, sizes, bound.floats), seconds, 1, threads, piece)

    yield from walk(bound.program, bound.rows, bound.sizes, 0, 1)


def _head(facts: list[_Facts], bound: Any, double: bool, measured: Measured | None, total: float) -> list[str]:
    """What a run takes, and what its operations and its bytes alone would take."""
    work = sum((f.work for f in facts if f.depth == 0 and f.work is not None), Work())
    tensors = dict.fromkeys(b for f in facts if f.depth == 0 for b in f.call.buffers if isinstance(b, Tensor))
    size = sum(bound.size(product(t.shape)) * numpy_dtype(t.dtype, np.dtype(bound.floats)).itemsize for t in tensors)
    if measured is None:
        return [f"One run has {work.operations:,} operations on {work.bytes:,} bytes; its tensors have {_size(size)}."]
    threads = bound.workers
    top, flow = peak(threads, double), bandwidth(threads, size)
    who = f"{threads} threads" if threads > 1 else "one thread"
    text = (
        f"One run takes {_time(measured.whole)} on {who}; its kernels, one by one, {_time(total)}. "
        f"Its {work.operations:,} operations alone would take {_time(work.operations / top)} at {top / 1e9:.0f} GFLOP/s, the peak of {who}; "
        f"its {work.bytes:,} bytes alone {_time(work.bytes / flow)} at {flow / 1e9:.0f} GB/s, as fast as {_size(size)} are copied, "
        "which is what its tensors have."
    )
    if bound.program.states:
        text += " Where x is a state or a parameter, x' is its next value."
    return textwrap.wrap(text, _WIDTH)


def _dearest(shown: list[_Shown], total: float) -> list[str]:
    """The calls that take most of the time."""
    order = sorted((s for s in shown if s.facts.depth == 0), key=lambda s: -(s.facts.seconds or 0.0))[:_DEAREST]
    rows = [(_time(s.facts.seconds or 0.0), _share(s.facts, total), s.result, f"{s.kernel}, {s.kind}", s.rate) for s in order]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = [f"The {len(rows)} that take longest:" if len(rows) > 1 else "What takes longest:"]
    for seconds, share, result, kernel, rate in rows:
        lines.append(f"  {seconds:>{widths[0]}}  {share:>{widths[1]}}  {result:<{widths[2]}}  {kernel:<{widths[3]}}  {rate}".rstrip())
    return [*lines, ""]


@dataclass(frozen=True)
class _Shown:
    """A call as it is shown."""

    facts: _Facts
    kernel: str
    formulas: list[str]
    double: bool
    by_numba: bool = False

    @property
    def kind(self) -> str:
        """What kind of kernel it is."""
        return f"{_kind(self.facts.call)}{', by Numba' if self.by_numba else ''}"

    @property
    def result(self) -> str:
        """What it computes, by its name."""
        return textwrap.shorten(self.formulas[0].split(" = ")[0].split("[")[0], 30, placeholder=" ...")

    @property
    def rate(self) -> str:
        """How fast it is: a contraction beside the machine's peak, all else by the bytes that it moves."""
        work, seconds = self.facts.work, self.facts.seconds
        if work is None or not seconds or self.facts.call.loop is not None:
            return ""
        if product_of(self.facts.call.kernel) is None:
            return f"{work.bytes / seconds / 1e9:.1f} GB/s"
        flops = work.operations / seconds
        return f"{flops / 1e9:.1f} GFLOP/s, {flops / peak(self.facts.threads, self.double):.0%} of the peak".replace("%", " %")

    def lines(self, total: float) -> list[str]:
        """The call's paragraph."""
        indent = "    " * self.facts.depth
        last = " (after all checks)" if self.facts.call.last else ""
        lines = [f"{indent}{self.kernel}: {self.kind}{last}"]
        if self.facts.piece is not None:
            size, calls, samples = self.facts.piece
            text = f"The next {calls} calls run for {size} of {samples} samples at a time, one after the other, which threads share:"
            lines = [*_wrapped(text, ""), *lines]
        for formula in self.formulas:
            lines += _wrapped(formula, f"{indent}    ")
        cost = self._cost(total)
        return lines + (_wrapped(cost, f"{indent}    ") if cost else [])

    def _cost(self, total: float) -> str:
        facts = self.facts
        if facts.work is None:
            return ""
        parts = [f"{'in an iteration ' if facts.depth else ''}{facts.work.operations:,} operations, {facts.work.bytes:,} bytes"]
        if facts.seconds is not None:
            parts[0] += f": {_time(facts.seconds)}, {_share(facts, total)} of the time"
            parts += [self.rate] if self.rate else []
        parts += [f"shared by {facts.threads} threads"] if facts.threads > 1 else []
        return "; ".join(parts)


def _kind(call: Call) -> str:
    op = call.tensors[0].op
    if call.loop is not None:
        return "loop"
    if isinstance(op, Linalg):
        return f"linear algebra, {op.kind}"
    if not isinstance(op, Stage):
        return "copy" if call.last else "random numbers"
    if call.clears is not None:
        return "cleared"
    if product_of(call.kernel) is not None:
        return "contraction of a part" if call.whole is not None else "contraction"
    if entries(op):
        return "transform"
    if call.whole is not None:
        return "a part" if len(call.tensors) == 1 else f"{len(call.tensors)} parts"
    if op.elementwise:
        return f"{len(call.tensors)} fused stages" if len(call.tensors) > 1 else "entry by entry"
    if op.free is None:
        return "scatter"
    return f"reduction by {op.reducer}" if len(call.tensors) == 1 else f"{len(call.tensors)} fused reductions"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ", break_long_words=False, break_on_hyphens=False)


def _time(seconds: float) -> str:
    micros = seconds * 1e6
    if micros >= 10_000:
        return f"{micros / 1e3:,.1f} ms"
    return f"{micros:,.1f} µs" if micros >= 10 else f"{micros:.2f} µs" if micros >= 0.01 else f"{micros * 1e3:.1f} ns"


def _share(facts: _Facts, total: float) -> str:
    return f"{100 * (facts.seconds or 0.0) * facts.runs / max(total, 1e-12):.0f} %"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
