"""Some hundred random programs, against PyTorch and against each other's targets; ``python -m tests.programs`` runs thousands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import graphc as gx
from tests.programs.compare import Plan, check
from tests.programs.generate import generate, rows
from tests.programs.program import Leaf, Program, Row, Step
from tests.programs.shrink import shrink

SEEDS = range(240)
BLOCK = 8

# Seeds that failed once, and what it was.
KEPT: dict[int, str] = {
    56: "a function of numbers alone was left in a body, and NumPy's source had no text for it",
    350: "a cotangent of numbers was refused for named sizes",
    2080: "half an integer, doubled, was an integer: SymPy had multiplied the two numbers",
    2820: "NumPy's source gave the error function of integers as integers",
    3920: "the same, of a vector",
    5651: "a choice within the same choice, which SymPy drops, had indices of its own",
    5938: "a gradient of PyTorch's that is a tensor of no memory",
    6088: "the logarithm of the softmax of nothing was refused",
    7391: "the gradient by a part of a tensor was NaN beside it: 0 times an exponential of zeros",
    7841: "a derivative by the transpose of a vector, which is the vector itself",
    500010: "kernels: a sum within a recurrence went, though its way was an output",
    50009: "a cotangent of numbers was refused for a slice of a named size",
}


def fails(program: Program, kernels: bool = False, single: bool = False) -> str:
    report = check(program, Plan(kernels=kernels, single=single, again=program.seed % 16 == 0))
    return "\n\n".join([program.text(), *(f"{kind}: {detail}" for kind, detail in report.failures)]) if report.failures else ""


@pytest.mark.parametrize("first", SEEDS[::BLOCK])
def test_programs_against_pytorch(first: int) -> None:
    for seed in range(first, first + BLOCK):
        said = fails(generate(seed))
        assert not said, said


@pytest.mark.parametrize("seed", [3, 14, 27, 58, 91, 112])
def test_programs_as_kernels(seed: int) -> None:
    said = fails(generate(seed), kernels=True, single=seed % 2 == 0)
    assert not said, said


@pytest.mark.parametrize("seed", KEPT, ids=lambda s: f"{s}: {KEPT[s]}")
def test_programs_that_failed_once(seed: int) -> None:
    said = fails(generate(seed), kernels="kernel" in KEPT[seed], single="float32" in KEPT[seed])
    assert not said, said


def test_a_seed_is_one_program() -> None:
    for seed in (0, 7, 21):
        assert generate(seed).text() == generate(seed).text()
    assert len({generate(seed).text() for seed in range(20)}) == 20


def test_every_row_is_drawn() -> None:
    """Of the rows there is none that never fits."""
    drawn = {item.row.name for seed in range(1500) for item in generate(seed).items if isinstance(item, Step)}
    assert {row.name for row in rows()[0]} <= drawn


def wrong(value: float) -> Program:
    """A program whose side of PyTorch says something else."""
    row = Row("twice", lambda c: ((), {}), lambda x: 2 * x, lambda x: value * x)
    other = Row("sine", lambda c: ((), {}), gx.sin, lambda x: x.sin())
    leaves = [Leaf((3,), "float", np.array([0.5, -1.0, 2.0])) for _ in range(2)]
    return Program(0, {}, [*leaves, Step(other, (0,), {}), Step(row, (2,), {}), Step(other, (3,), {}), Step(other, (1,), {})])


def test_what_does_not_agree_is_found_and_made_smaller() -> None:
    assert not check(wrong(2.0)).failures
    program = wrong(2.5)
    kinds = {kind for kind, _ in check(program).failures}
    assert {"evaluator against PyTorch", "as written against PyTorch"} <= kinds
    small = shrink(program, lambda p: bool(check(p).failures))
    assert [type(item) for item in small.items] == [Leaf, Step]


def test_a_wrong_gradient_is_found() -> None:
    row = Row("detached", lambda c: ((), {}), lambda x: x * x, lambda x: x * x.detach())
    failures = check(replace(wrong(2.0), items=[wrong(2.0).items[0], Step(row, (0,), {})])).failures
    assert failures
    assert all("∂loss/∂t0" in detail for _, detail in failures)
