"""Kernels of linear algebra beside the evaluator: sizes, stacks, badly scaled, singular and broken matrices, both precisions."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.codegen.cache import cache_directory, code_digest, kernel_address
from graphc.codegen.printer import PLACEHOLDER, kernel_source
from graphc.expr.operation import Linalg
from graphc.lower.verify import verify_kernel

Array = np.ndarray[Any, Any]
SIZES = (0, 1, 2, 3, 7, 8, 17)


def declared() -> tuple[list[gx.Tensor], list[gx.Tensor]]:
    """Everything that linear algebra computes, up to the third derivative of the determinant, and what it reads."""
    a, h, k = (gx.tensor(name, ("b", "n", "n")) for name in "ahk")
    first = gx.grad(gx.sum(gx.linalg.det(a)), a)
    second = gx.grad(gx.sum(first * h), a)
    third = gx.grad(gx.sum(second * k), a)
    return [gx.linalg.inv(a), gx.linalg.det(a), gx.linalg.logdet(a), first, second, third], [a, h, k]


OUTPUTS, INPUTS = declared()
COMPILED = {dtype: gx.compile(OUTPUTS, INPUTS, dtype=dtype) for dtype in ("float64", "float32")}
ALWAYS = {dtype: gx.compile(OUTPUTS[1:], INPUTS, dtype=dtype) for dtype in ("float64", "float32")}  # without the inverse


def agree(values: list[Array], wanted: list[Array], tolerance: float) -> None:
    for value, want in zip(values, wanted, strict=True):
        assert value.dtype == want.dtype
        scale = np.abs(want[np.isfinite(want)]).max(initial=1e-30)
        np.testing.assert_allclose(value, want, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("n", SIZES)
def test_sizes_and_stacks(n: int, count: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    arrays = [rng.normal(size=(count, n, n)) for _ in range(3)]
    wanted = gx.evaluate(OUTPUTS, dict(zip(INPUTS, arrays, strict=True)), dtype=dtype)
    agree(COMPILED[dtype](*arrays), wanted, 1e-10 if dtype == "float64" else 2e-5)


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_matrices_of_every_rank(rank: int, dtype: str) -> None:
    rng = np.random.default_rng(rank)
    low = rng.integers(-3, 4, (2, 5, rank)) @ rng.integers(-3, 4, (2, rank, 5))
    arrays = [low.astype(float), rng.normal(size=(2, 5, 5)), rng.normal(size=(2, 5, 5))]
    values = ALWAYS[dtype](*arrays)
    wanted = gx.evaluate(OUTPUTS[1:], dict(zip(INPUTS, arrays, strict=True)), dtype=dtype)
    scale = float(np.abs(low).max(initial=1)) ** 4
    for place, (value, want) in enumerate(zip(values, wanted, strict=True)):
        if place != 1:  # the logarithm of a rounding error
            np.testing.assert_allclose(value, want, rtol=1e-9 if dtype == "float64" else 2e-5, atol=1e-11 * scale if dtype == "float64" else 1e-3)
    assert np.all(values[1] < -20)


def hilbert(n: int) -> Array:
    i = np.arange(n)
    return 1.0 / (i[:, None] + i[None, :] + 1)


@pytest.mark.parametrize("n", [2, 3, 7, 8])
def test_hilbert_matrices(n: int) -> None:
    a = hilbert(n)[None]
    zero = np.zeros_like(a)
    inverse, det, logdet, cofactors, *_ = COMPILED["float64"](a, zero, zero)
    error = 1e-15 * np.linalg.cond(a[0])
    exact = np.rint(np.linalg.inv(a[0]))  # whole numbers
    np.testing.assert_allclose(inverse[0], exact, rtol=10 * error)
    np.testing.assert_allclose(det[0], 1 / np.rint(1 / np.linalg.det(a[0])) if n < 4 else np.linalg.det(a[0]), rtol=10 * error)
    np.testing.assert_allclose(logdet[0], np.log(det[0]), rtol=1e-12)
    np.testing.assert_allclose(cofactors[0], det[0] * inverse[0].T, rtol=100 * error)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
def test_rows_and_columns_of_any_scale_are_no_reason_to_call_a_matrix_singular(scale: float) -> None:
    plain, inverse = np.array([[[2.0, 1.0], [1.0, 3.0]]]), np.array([[[0.6, -0.2], [-0.2, 0.4]]])
    rows, columns = np.array([1.0, scale]), np.array([scale, 1.0])
    zero = np.zeros_like(plain)
    for matrix, expected in (
        (plain * rows[:, None], inverse / rows),
        (plain * columns, inverse / columns[:, None]),
        (plain * rows[:, None] * columns, inverse / rows / columns[:, None]),
    ):
        np.testing.assert_allclose(COMPILED["float64"](matrix, zero, zero)[0], expected, rtol=1e-14)
        np.testing.assert_allclose(gx.evaluate(OUTPUTS[0], {INPUTS[0]: matrix}), expected, rtol=1e-14)


SINGULAR = {
    "zeros": np.zeros((3, 3)), "ones": np.ones((2, 2)), "1 by 1": np.zeros((1, 1)), "rank 1": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "rank 2, by rounding alone": np.arange(1.0, 10.0).reshape(3, 3), "rank 2, of decimals": np.arange(1.0, 10.0).reshape(3, 3) / 10,
    "Hilbert's of size 17": hilbert(17),
}  # fmt: skip


@pytest.mark.parametrize("case", SINGULAR)
@pytest.mark.parametrize("target", ["evaluator", "float64", "float32", "numpy"])
def test_a_singular_matrix_is_named_and_nothing_is_assigned(case: str, target: str) -> None:
    a = SINGULAR[case]
    n = len(a)
    s, kept = gx.tensor("covariance", ("b", n, n)), gx.state("kept", (2,), init=1.0)
    inverse = gx.linalg.inv(s)
    stack = np.stack([np.eye(n), a])
    if target == "float32" and case in ("rank 2, of decimals", "Hilbert's of size 17"):
        stack = stack.astype(np.float32)  # regular once it is rounded
        np.testing.assert_allclose(gx.compile(inverse, dtype="float32")(stack), gx.evaluate(inverse, {s: stack}, dtype="float32"), rtol=1e-3)
        return
    if target == "evaluator":
        run = lambda array: gx.evaluate(inverse, {s: array})  # noqa: E731
    else:
        options = {"target": "numpy", "dtype": "float64"} if target == "numpy" else {"dtype": target}
        run = gx.compile([gx.assign(kept, kept + 1), inverse], [s], **options)
    with pytest.raises(gx.DataError, match="matrix 1 of covariance is singular"):
        run(stack)
    np.testing.assert_array_equal(kept.value, [1.0, 1.0])


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("target", ["evaluator", "cpu", "numpy"])
def test_what_is_not_finite_gives_nan_and_leaves_its_neighbours_alone(target: str, broken: float) -> None:
    a = np.stack([np.eye(3), np.eye(3), 2 * np.eye(3)])
    a[1, 0, 2] = broken
    x = INPUTS[0]
    outputs = [*OUTPUTS[:3], gx.grad(gx.sum(OUTPUTS[1]), x)]
    found = gx.evaluate(outputs, {x: a}) if target == "evaluator" else gx.compile(outputs, [x], target=target, dtype="float64")(a)
    for value in found:
        assert np.isnan(value[1]).all()
        assert np.isfinite(value[[0, 2]]).all()


def test_a_determinant_that_leaves_single_precision_has_a_logarithm() -> None:
    a = 10.0 * np.eye(60)
    x = gx.tensor("x", (60, 60))
    det, logdet = gx.compile([gx.linalg.det(x), gx.linalg.logdet(x)])(a)
    assert np.isinf(det)
    np.testing.assert_allclose(logdet, 60 * np.log(10.0), rtol=1e-6)


def test_the_program_says_what_it_does_and_shares_its_kernels() -> None:
    program = COMPILED["float32"]
    text = program.explain()
    for words in ("linear algebra, inverse", "inverse of a", "linear algebra, determinant", "logdet of a", "differentiated along"):
        assert words in text
    assert "inverse(control, " in program.source
    for call in program.program.calls:
        assert verify_kernel(call.kernel) == []
    other = gx.compile(gx.linalg.inv(gx.tensor("other", (4, 4))))
    mine = next(c.kernel for c in program.program.calls if c.tensors[0].label == "inv(a)")
    (theirs,) = (c.kernel for c in other.program.calls)
    assert kernel_address(kernel_source(mine, "float32"), PLACEHOLDER) == kernel_address(kernel_source(theirs, "float32"), PLACEHOLDER)


def test_an_inverse_is_computed_once() -> None:
    x = gx.tensor("x", (3, 3))
    loss = gx.linalg.logdet(x) + gx.trace(gx.linalg.inv(x))
    program = gx.compile([loss, gx.grad(loss, x)])
    assert program.explain().count("linear algebra, inverse") == 1


def test_the_machine_code_is_kept_without_the_interpreter() -> None:
    sources = [kernel_source(c.kernel, dtype) for dtype in COMPILED for c in COMPILED[dtype].program.calls if isinstance(c.tensors[0].op, Linalg)]
    digests = [hashlib.sha256(f"{code_digest()}\n{source}".encode()).hexdigest() for source in sources]
    kept = [cache_directory() / "kernels" / f"{PLACEHOLDER}{digest[:32]}.machine" for digest in digests]
    assert len(kept) == 12
    if sys.platform == "linux":
        outside = {name for path in kept for name in path.read_bytes().split(b"\n", 4)[3].decode().split()}
        assert outside <= {"log", "memset", "memcpy", "memmove"}
