"""The loop language and what becomes of stages: the verifier, fusion, contractions, loops, memory."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.lower import ir
from graphc.lower.cost import divide
from graphc.lower.verify import verify_kernel
from graphc.runtime import compile
from graphc.runtime.memory import place_blocks

HERE = ir.Place(((0, 1),))
LOAD, SAVE = ir.Load(0, 0, HERE, "float"), ir.Store(1, HERE, 0)


def kernel(*body: ir.Statement, written: tuple[bool, bool] = (False, True), params: int = 1) -> ir.Kernel:
    return ir.Kernel(("float", "float"), written, params, body)


def test_a_right_kernel_has_no_problems() -> None:
    assert verify_kernel(kernel(ir.Loop(0, ir.Param(0), (LOAD, SAVE)))) == []


WRONG: dict[str, tuple[Any, str]] = {
    "no such parameter": (kernel(ir.Loop(0, ir.Param(1), (LOAD, SAVE))), "parameter 1"),
    "used before": (kernel(ir.Loop(0, ir.Param(0), (SAVE, LOAD))), "before it is defined"),
    "outside its loop": (kernel(ir.Loop(0, ir.Param(0), (LOAD,)), ir.Store(1, ir.Place(), 0)), "before it is defined"),
    "loop variable": (kernel(LOAD), "outside its loop"),
    "two loops": (kernel(ir.Loop(0, 3, (LOAD, SAVE)), ir.Loop(0, 3, ())), "two loops"),
    "defined twice": (kernel(ir.Loop(0, 3, (LOAD, LOAD, SAVE))), "defined twice"),
    "no such buffer": (kernel(ir.Loop(0, 3, (ir.Load(0, 7, HERE, "float"), SAVE))), "buffer 7"),
    "secret write": (kernel(ir.Loop(0, 3, (LOAD, SAVE)), written=(False, False)), "is written"),
    "float as a place": (kernel(ir.Loop(0, 3, (LOAD, ir.Store(1, ir.Place(((-1, 1),)), 0)))), "no visible whole number"),
    "no such reducer": (kernel(ir.Start(0, "mean", "float")), "no reducer mean"),
}


def shared(*body: ir.Statement, extent: ir.Coefficient = 3) -> ir.Loop:
    return ir.Loop(0, extent, body, parallel=True)


AGAIN = ir.Loop(1, 4, (ir.Load(1, 0, HERE, "float"), ir.Store(1, ir.Place(((1, 1),)), 1)), parallel=True)
WRONG.update(
    {
        "parallel loops of two extents": (kernel(shared(LOAD, SAVE), AGAIN), "different extents"),
        "parallel loop in another": (kernel(shared(LOAD, SAVE, ir.Loop(1, 3, (), True))), "lies in parallel loop 0"),
        "one place for all iterations": (kernel(shared(LOAD, ir.Store(1, ir.Place(), 0))), "write to one place"),
        "a write beside the parallel loop": (
            kernel(shared(LOAD, SAVE), ir.Literal(1, 0.0, "float"), ir.Store(1, ir.Place(), 1)), "writes outside them",
        ),
        "scratch memory that is none": (ir.Kernel(("float", "float"), (False, True), 1, (shared(LOAD, SAVE),), ((0, 5),)), "no scratch memory"),
    }
)  # fmt: skip


def test_a_loop_that_threads_share_is_right_wherever_it_stands() -> None:
    assert verify_kernel(kernel(shared(LOAD, SAVE))) == []
    assert verify_kernel(kernel(ir.Loop(1, 5, (shared(LOAD, SAVE),)))) == []
    assert kernel(ir.Loop(1, 5, (shared(LOAD, SAVE, extent=ir.Param(0)),))).extent == ir.Param(0)
    assert kernel(ir.Loop(0, 5, (LOAD, SAVE))).extent == 0


def loops(body: tuple[ir.Statement, ...]) -> list[ir.Loop]:
    found = [s for s in body if isinstance(s, ir.Loop)]
    return [x for s in found for x in (s, *loops(s.body))]


DIVIDED: dict[str, tuple[Any, list[bool]]] = {  # which loops of the first kernel threads share, the outermost first
    "one long loop": (gx.tanh(gx.tensor("x", (40, 50))), [True]),
    "short outer loop": (gx.tensor("x", (3, 40, 50))[:, :30, ::2] + 1, [False, True]),
    "rows that are summed": (gx.sum(gx.tensor("x", (40, 50)), axis=1), [True, False]),
    "sums over rows, by columns": (gx.sum(gx.tensor("x", (40, 50)), axis=0), [True, False, True]),
    "ids that are checked": (gx.take(gx.tensor("x", (40, 50)), gx.tensor("k", (30,), dtype="int")), [False, False]),
}


@pytest.mark.parametrize("case", DIVIDED)
def test_which_loops_threads_share(case: str) -> None:
    output, wanted = DIVIDED[case]
    assert [loop.parallel for loop in loops(compile(output).program.calls[0].kernel.body)] == wanted


@pytest.mark.parametrize(("extent", "price", "chunks"), [(100, 7_999, 0), (100, 8_000, 3), (100, 1e9, 34), (2, 1e9, 2), (1, 1e9, 0), (4096, 1e6, 48)])
def test_how_many_chunks_a_call_has(extent: int, price: float, chunks: int) -> None:
    inner = ir.Loop(1, 4, (LOAD, ir.Store(1, ir.Place(((0, 1), (1, 1))), 0)))
    division = divide(kernel(shared(inner)), extent, price, 48)
    assert (0 if division is None else division.chunks) == chunks
    if division is not None:
        assert (division.chunks - 1) * division.grain < extent <= division.chunks * division.grain


_PLAIN = ("c_at", "a_at", "b_at", "d_at", "m", "n", "k", "bn", "an", "others", "starts", "ends", "row_chunks", "column_chunks")


def product_kernel(**changed: Any) -> ir.Kernel:
    """A contraction of one level each, alone in its kernel."""
    names = [name for entry in _PLAIN for name in [entry] * (4 if entry == "others" else 1)]
    words: dict[str, Any] = {name: ir.Param(names.index(name)) for name in _PLAIN}
    words["others"] = tuple(ir.Param(names.index("others") + k) for k in range(4))
    piece = ir.Param(len(names) + 3)
    levels = {name: len(names) + 4 + 3 * k for k, name in enumerate(("rows", "sums", "first"))}
    made = {name: (tuple(ir.Param(first + k) for k in range(3)),) for name, first in levels.items()}
    given: dict[str, Any] = {"chunk": 0, "c": 0, "a": 1, "b": 2, "d": 3, "e": 4, "scratch": 5, **words, **made}
    given |= {"outer": (), "piece": piece, "beside": False}
    contract = ir.Contract(**(given | changed))
    loop = ir.Loop(0, ir.Param(len(names) + 13), (contract,), parallel=True)
    kinds, written = (*(("float",) * 5), "double"), (True, False, False, False, False, True)
    return ir.Kernel(kinds, written, len(names) + 14, (loop,), ((5, piece),))


def test_a_right_contraction_has_no_problems() -> None:
    assert verify_kernel(product_kernel()) == []


WRONG.update(
    {
        "contraction of other numbers": (product_kernel(m=ir.Param(5)), "in their order"),
        "contraction of other buffers": (product_kernel(a=2, b=1), "in their order"),
        "contraction of another loop": (product_kernel(chunk=1), "not alone"),
        "contraction with company": (dataclasses.replace(product_kernel(), body=(*product_kernel().body, ir.Loop(1, 3, (), True))), "not alone"),
        "contraction without scratch memory": (dataclasses.replace(product_kernel(), scratch=()), "not the kernel's"),
    }
)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_kernel_is_found_out(case: str) -> None:
    wrong, text = WRONG[case]
    assert any(text in problem for problem in verify_kernel(wrong))


def kinds(outputs: Any) -> list[str]:
    lines = compile(outputs).explain().splitlines()[1:]
    return [line.split(": ", 1)[1] for line in lines if not line.startswith(" ")]


def test_a_chain_is_one_kernel() -> None:
    x = gx.tensor("x", ("n", 3))
    assert kinds(gx.tanh(gx.exp(x.T) * 2 + 1)) == ["entry by entry"]
    assert kinds(gx.sum(gx.tanh(gx.exp(x) * 2 + 1), axis=0)) == ["reduction by sum"]


def test_what_two_use_is_computed_once() -> None:
    x = gx.tensor("x", ("n", 3))
    h = gx.tanh(x)
    source = compile([gx.exp(h), gx.log(h), gx.sum(h)]).source
    assert source.count("tanh(v") == 1


def test_sums_over_the_same_entries_are_one_kernel() -> None:
    x, y = gx.tensor("x", ("n", 6, 3)), gx.tensor("y", ("n", 6, 3))
    assert kinds([gx.sum(x, axis=(0, 1)), gx.sum(x * y, axis=(0, 1)), gx.max(x - y, axis=(0, 1))]) == ["3 fused reductions"]
    mean = gx.mean(x, axis=(0, 1))
    assert "reduction by sum" in kinds([mean, gx.mean((x - mean) ** 2, axis=(0, 1))])  # the second needs the first


def test_a_normalised_tensor_is_not_stored() -> None:
    x, m, s = gx.tensor("x", ("n", 3)), gx.tensor("m", (3,)), gx.tensor("s", (3,))
    h = (x - m) / s
    assert kinds([gx.sum(h * h, axis=0), gx.sum(gx.exp(h), axis=1)]) == ["reduction by sum"] * 2


def test_what_pools_computes_its_entries_on_the_spot() -> None:
    x = gx.tensor("x", ("n", 6, 6, 4))
    assert kinds(gx.nn.max_pool2d(gx.relu(x * 2 + 1), 2)) == ["reduction by max"]
    assert len(kinds(gx.nn.max_pool2d(gx.tanh(x), 3, strides=1))) == 2  # each entry stands in several windows


CONTRACTIONS: dict[str, tuple[str, bool]] = {
    "nk,kj->nj": ("rows by columns", True),
    "kn,kj->nj": ("left transposed", True),
    "nk,jk->nj": ("right transposed", True),
    "bnk,bkj->bnj": ("stacked", True),
    "nk,kj->jn": ("result transposed", True),
    "nkl,klj->nj": ("two sums", True),
    "nk,k->n": ("a vector", False),
    "nk,nk->n": ("rows with rows", False),
    "nk,jl->nj": ("nothing shared", False),
}


@pytest.mark.parametrize("spec", CONTRACTIONS)
def test_sums_of_products_are_recognised(spec: str) -> None:
    left, right = spec.split("->", maxsplit=1)[0].split(",")
    tensors = [gx.tensor(name, tuple(f"size_{c}" for c in letters)) for name, letters in (("a", left), ("b", right))]
    found = kinds(gx.einsum(spec, *tensors))
    assert ("contraction" in found) == CONTRACTIONS[spec][1]


SIZES = st.integers(min_value=0, max_value=40)


@given(st.sampled_from(sorted(CONTRACTIONS)), st.tuples(*[SIZES] * 4), st.sampled_from(["float32", "float64"]))
def test_products_of_any_size(spec: str, sizes: tuple[int, ...], dtype: str) -> None:
    size = dict(zip("nkjbl", (*sizes, 3), strict=True))
    left, right = spec.split("->", maxsplit=1)[0].split(",")
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=[size[c] for c in letters]) for letters in (left, right))
    if spec not in _COMPILED:
        tensors = [gx.tensor(name, tuple(f"size_{c}" for c in letters)) for name, letters in (("a", left), ("b", right))]
        _COMPILED[spec] = {d: compile(gx.einsum(spec, *tensors), dtype=d) for d in ("float32", "float64")}
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(_COMPILED[spec][dtype](a, b), np.einsum(spec, a, b), rtol=tolerance, atol=tolerance)


_COMPILED: dict[str, Any] = {}


def test_all_contractions_are_one_kernel() -> None:
    x, y = gx.tensor("x", ("n", 9, 9, 3)), gx.tensor("y", ("n", 4, 5))
    layers = [gx.layers.Conv2D(4, 3)(x), gx.layers.Conv2D(5, 2, strides=2)(x), y @ gx.swapaxes(y, 1, 2) if hasattr(gx, "swapaxes") else y @ y.T]
    lines = compile([*layers, gx.sum(layers[0], axis=0) @ gx.tensor("w", (4, 6))]).explain().splitlines()
    assert len({line.split(":")[0] for line in lines if ": contraction" in line}) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(100, 300, 70), (49, 257, 33), (9, 600, 129), (200, 5, 200), (64, 512, 16), (50, 256, 1)])
@pytest.mark.parametrize("spec", ["nk,kj->nj", "kn,kj->nj", "nk,jk->nj"])
def test_products_of_several_slices_and_stripes(spec: str, sizes: tuple[int, int, int], dtype: str) -> None:
    size = dict(zip("nkj", sizes, strict=True))
    left, right = spec.split("->", maxsplit=1)[0].split(",")
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=[size[c] for c in letters]) for letters in (left, right))
    tensors = [gx.tensor(name, tuple(f"size_{c}" for c in letters)) for name, letters in (("a", left), ("b", right))]
    tolerance = 1e-11 if dtype == "float64" else 3e-4
    np.testing.assert_allclose(compile(gx.einsum(spec, *tensors), dtype=dtype)(a, b), np.einsum(spec, a, b), rtol=tolerance, atol=tolerance)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 10), st.integers(0, 5)), max_size=12))
def test_blocks_alive_together_do_not_overlap(raw: list[tuple[int, int, int]]) -> None:
    blocks = [(size, first, first + length) for size, first, length in raw]
    offsets, total = place_blocks(blocks)
    for k, (size, first, last) in enumerate(blocks):
        assert offsets[k] % 64 == 0
        assert offsets[k] + size <= total
        for j in range(k):
            other, start, end = blocks[j]
            if start <= last and first <= end and size and other:
                assert offsets[k] + size <= offsets[j] or offsets[j] + other <= offsets[k]


def test_memory_is_used_again() -> None:
    _, total = place_blocks([(1000, k, k + 1) for k in range(20)])
    assert total == 2 * 1024


def test_a_sum_of_products_starts_from_what_it_is_added_to() -> None:
    x, w, b = gx.tensor("x", ("n", 7)), gx.parameter("w", (7, 5)), gx.parameter("b", (5,))
    u, v = gx.tensor("u", ("n", 5)), gx.tensor("v", ("n",))
    assert kinds(x @ w + b) == ["contraction"]
    assert kinds(gx.tanh(b + x @ w)) == ["contraction", "entry by entry"]
    assert kinds(u @ w.T + x @ w @ w.T) == ["contraction"] * 3  # the second starts from the first
    assert "entry by entry" in kinds(x @ w + v[:, None])  # nothing lies along the columns
    rng = np.random.default_rng(0)
    w.value, b.value = rng.normal(size=(7, 5)), rng.normal(size=5)
    # A part of a product is another size than the product.
    parts = [(x @ w)[:, :4] + u[:, 1:], (x @ w)[:, :3] + b[1:4], (x @ w)[2:] + b, (x @ w)[:, :2] + (x @ w)[:, 3:], gx.relu((x @ w)[:, 1:] + b[1:])]
    given = {x: rng.normal(size=(9, 7)), u: rng.normal(size=(9, 5)), v: rng.normal(size=9)}
    for y in (x @ w + b, gx.tanh(b + x @ w), x @ w + u, x @ w + u.T.T * 2, x @ w + v[:, None], (x @ w)[:, ::-1] + u, u[::-1] + x @ w, *parts):
        used = [t for t in given if t in gx.leaves(y).values()]
        np.testing.assert_allclose(compile(y, inputs=used, dtype="float64")(*(given[t] for t in used)), gx.evaluate(y, given), rtol=1e-12)


def test_a_convolution_starts_from_its_bias() -> None:
    x, k, b = gx.tensor("x", ("n", 6, 5, 2)), gx.parameter("k", (3, 3, 2, 4)), gx.parameter("b", (4,))
    y = gx.nn.conv2d(x, k) + b
    assert kinds(y) == ["contraction"]
    k.value, b.value = np.random.default_rng(0).normal(size=(3, 3, 2, 4)), np.arange(4.0)
    given = np.random.default_rng(1).normal(size=(3, 6, 5, 2))
    np.testing.assert_allclose(compile(y, dtype="float64")(given), gx.evaluate(y, {x: given}), rtol=1e-12)


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_gradient_that_is_read_turned_may_be_a_sum_over_nothing(target: str) -> None:
    x, w = gx.tensor("x", (2, "n")), gx.tensor("w", (2, 5))
    loss = gx.sum(gx.swapaxes(x, 0, 1) @ w * gx.constant(np.zeros((0, 5)), dtype="float"))
    f = gx.compile([loss, *gx.grad(loss, [x, w])], [x, w], target=target)
    for got, shape in zip(f(np.zeros((2, 0)), np.ones((2, 5))), [(), (2, 0), (2, 5)], strict=True):
        np.testing.assert_array_equal(got, np.zeros(shape))
