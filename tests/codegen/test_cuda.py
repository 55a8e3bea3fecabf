"""Kernels for CUDA: which loops threads share out, and that every kernel compiles without a device."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

import graphc as gx
from graphc.codegen.cuda.grid import Launch, launches
from graphc.codegen.cuda.printer import kernel_source
from graphc.lower import ir
from graphc.lower.program import Call
from graphc.runtime.bound import whole
from graphc.runtime.explain import calls_of
from graphc.runtime.prepare import prepare
from tests.runtime.test_compile import CASES

SIZES = {"n": 3, "m": 5}


def calls(outputs: Any) -> list[Call]:
    """The calls of kernels of some outputs; sizes that loops have of their own are noted."""
    program = prepare(outputs if isinstance(outputs, list) else [outputs], None).program()
    SIZES.update(program.sizes(SIZES))
    return [c for c in calls_of(program) if c.loop is None]


def described(launch: Launch) -> str:
    words = (
        [str(len(launch.shared))] + ["atomic"] * launch.atomic + ["product"] * (launch.product is not None) + ["lanes"] * (launch.lanes is not None)
    )
    return " ".join(words)


def shared_cases() -> dict[str, tuple[Any, list[str]]]:
    x, y, q = gx.tensor("x", ("n", 4)), gx.tensor("y", ("n", 4)), gx.tensor("q", (2, "n", 5))
    wide, stack = gx.tensor("wide", ("n", 30)), gx.tensor("stack", (2, "n", 30))
    ids = gx.tensor("ids", ("n",), dtype="int")
    w = gx.tensor("w", (6, 4))
    return {
        "entry by entry": (gx.tanh(x) + y, ["1"]),
        "with a broadcast": (x + y[0], ["2"]),
        "a row for each thread, or block": (gx.max(x, axis=1), ["1 lanes"]),
        "a column for each thread, cleared before": (gx.sum(wide, axis=0), ["1", "1"]),
        "columns of a stack": (gx.sum(stack, axis=1), ["1"]),
        "few columns in one block": (gx.sum(x, axis=0), ["0 lanes"]),
        "few columns of a stack, a block each": (gx.sum(q, axis=1), ["1 lanes"]),
        "everything in one block": (gx.sum(x * x), ["0 lanes"]),
        "with winners": (gx.argmax(x, axis=0), ["1"]),
        "a product of matrices": (x.T @ y, ["0 product"]),
        "stacked products": (q @ gx.swapaxes(q, 1, 2), ["0 product"]),
        "random numbers": (gx.random.uniform((5, 3)), ["1"]),
        "a gather": (gx.take(w, ids, axis=0) * 2, ["2"]),
        "rows added by id": (gx.grad(gx.sum(gx.take(w, ids, axis=0) * x), w), ["1", "2 atomic"]),
        "linear algebra": (gx.linalg.inv(x[:4]), ["0"]),
        "a part of a result": (gx.diag(x[:, 0]), ["1", "1"]),
    }


SHARED = shared_cases()


@pytest.mark.parametrize("case", SHARED)
def test_what_threads_share_out(case: str) -> None:
    outputs, wanted = SHARED[case]
    assert [described(x) for c in calls(outputs) for x in launches(c.kernel)][-len(wanted) :] == wanted


def places(body: Any, given: dict[int, int], number: Any) -> Iterator[tuple[Any, int, int]]:
    """What some statements write: which statement, the buffer, the place; places that depend on data are left out."""
    for s in body:
        if isinstance(s, ir.Loop):
            for value in range(number(s.extent)):
                yield from places(s.body, {**given, s.variable: value}, number)
        elif isinstance(s, ir.Contract):
            levels = [*((x[0], x[1]) for x in s.outer), *((x[0], x[2]) for x in s.rows), (s.others[0], s.others[2]), (s.n, 1)]
            for index in itertools.product(*(range(number(extent)) for extent, _ in levels)):
                yield s, s.c, number(s.c_at) + sum(i * number(stride) for i, (_, stride) in zip(index, levels, strict=True))
        elif isinstance(s, ir.Store | ir.Update) and all(v >= 0 for v, _ in s.place.terms):
            yield s, s.buffer, number(s.place.offset) + sum(number(c) * given[v] for v, c in s.place.terms)


@pytest.mark.parametrize("case", CASES)
def test_no_two_threads_write_to_one_place_and_every_place_is_written(case: str) -> None:
    for call in calls(CASES[case]):
        numbers = [whole(p, SIZES) for p in call.params]

        def number(c: Any, numbers: list[int] = numbers) -> int:
            return numbers[c.number] if isinstance(c, ir.Param) else c

        written: set[tuple[int, int]] = set()
        for launch in launches(call.kernel):
            owners: dict[tuple[int, int], Any] = {}
            for values in itertools.product(*(range(number(s.extent)) for s in launch.shared)):
                given = {s.variable: v for s, v in zip(launch.shared, values, strict=True)}
                for s, buffer, at in places(launch.body, given, number):
                    assert launch.product is None or (buffer, at) not in owners
                    assert launch.atomic or owners.setdefault((buffer, at), values) == values, (launch, s)
                    written.add((buffer, at))
            for loop in (s for s in launch.body if launch.lanes is not None and isinstance(s, ir.Loop)):
                given = {s.variable: 0 for s in launch.shared}
                lanes = [{x[1:] for x in places(loop.body, {**given, loop.variable: k}, number)} for k in range(number(loop.extent))]
                assert sum(map(len, lanes)) == len(set().union(*lanes))
        assert written == {(buffer, at) for _, buffer, at in places(call.kernel.body, {}, number)}


# Compiled ---------------------------------------------------------------------------------------------------------------

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or os.environ.get("NUMBA_ENABLE_CUDASIM") == "1",
    reason='numba-cuda is not installed, pip install "numba-cuda", or its simulator is chosen',
)
DOUBLE = r"= f(add|sub|mul|div|pext|neg|cmp) .*double|itofp .*double"
KERNELS = list(dict.fromkeys(c.kernel for outputs in CASES.values() for c in calls(outputs)))


@pytest.fixture
def capability(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """A compute capability that functions are compiled for, whatever device there is."""
    from types import SimpleNamespace

    import numba.cuda.dispatcher

    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=(8, 0)))
    return 8, 0


def typed(kernel: ir.Kernel, floats: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The functions of a kernel, with the types of their arguments."""
    from numba import types

    from graphc.codegen.cuda.compiled import functions

    kinds = {"float": getattr(types, floats), "double": types.float64, "int": types.int64, "bool": types.boolean}
    for function, launch in functions(kernel, floats):
        arrays = [kinds[kind][::1] for kind in kernel.buffers]
        yield function.py_func, (types.int64[::1], types.int64, *arrays, *[types.int64] * (kernel.params + len(launch.shared)))


@needs_numba_cuda
@pytest.mark.parametrize("floats", ["float32", "float64"])
def test_every_kernel_has_types_and_becomes_code_of_llvm(capability: tuple[int, int], floats: str) -> None:
    from numba import types
    from numba.cuda.compiler import compile_cuda

    for kernel in KERNELS[:: 3 if floats == "float32" else 12]:
        for function, arguments in typed(kernel, floats):
            made = compile_cuda(function, types.void, arguments, debug=False, lineinfo=False, fastmath=False, cc=capability, nvvm_options={"opt": 3})
            text = str(made.library._module)
            assert 'target triple = "nvptx64' in text
            # Nothing of a program in single precision is computed in double precision by accident.
            assert floats == "float64" or not re.search(DOUBLE, text), kernel_source(kernel, floats)


@needs_numba_cuda
@pytest.mark.parametrize("target", [(7, 5), (9, 0)])
def test_kernels_become_assembly_without_a_device(capability: tuple[int, int], target: tuple[int, int]) -> None:
    from numba import cuda, types

    if not _has_compiler():
        pytest.skip('NVIDIA\'s compiler is not installed: pip install "numba-cuda[cu12]" brings it')
    chosen = [c.kernel for outputs, _ in SHARED.values() for c in calls(outputs)]
    for kernel in dict.fromkeys(chosen):
        sources = kernel_source(kernel, "float32").split("@cuda.jit")[1:]
        for (function, arguments), source in zip(typed(kernel, "float32"), sources, strict=True):
            text = cuda.compile_ptx(function, types.void(*arguments), cc=target)[0]
            assert f".target sm_{target[0]}{target[1]}" in text
            assert ".visible .entry" in text
            assert (re.search(r"\b(atom|red)\.", text) is not None) == ("atomic" in source or "checked(" in source), text


def _has_compiler() -> bool:
    from graphc.codegen.cuda.available import compiler_missing

    return compiler_missing() is None
