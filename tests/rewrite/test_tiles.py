"""Filters that slide tile by tile: the matrices are right for any numbers, every value stays, and what pays is found."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.errors import CompileError
from graphc.expr.entry import Entry, Table, entries
from graphc.expr.graph import drop_aliases, topological
from graphc.expr.stage import Stage, index_symbol
from graphc.expr.tensor import Tensor
from graphc.expr.verify import verify
from graphc.reference.evaluate import evaluate_all
from graphc.rewrite import tiles
from graphc.rewrite.passes import rewrite
from graphc.rewrite.products import nominal
from graphc.rewrite.winograd import fast
from graphc.runtime import compile

SHAPES = [(m, r) for m in range(1, 6) for r in range(1, 6) if fast(m, r) is not None]


@pytest.mark.parametrize(("m", "r"), SHAPES)
def test_the_matrices_are_those_of_a_filter_at_several_places(m: int, r: int) -> None:
    by = fast(m, r)
    assert by is not None
    x, w, y = (sympy.Matrix(sympy.symbols(f"{name}:{count}")) for name, count in (("x", m + r - 1), ("w", r), ("y", m)))
    places, terms = range(m), range(r)
    a, g, b = by.places.matrix, by.taps.matrix, by.values.matrix
    product = (g * w).multiply_elementwise(b * x)
    image: Any = [[x[o + t] for t in terms] for o in places]
    assert (a.T * product - sympy.Matrix(image) * w).expand() == sympy.zeros(m, 1)
    gradient = g.T * (a * y).multiply_elementwise(b * x)
    assert (gradient - sympy.Matrix(image).T * y).expand() == sympy.zeros(r, 1)
    assert all(v.is_Integer for v in b)  # what is transformed most often has whole numbers


def test_more_products_than_there_are_numbers_have_no_matrices() -> None:
    assert fast(4, 4) is None
    assert len(SHAPES) == 19


def test_an_entry_is_a_number_once_its_place_is() -> None:
    table, (i, j) = Table("B", sympy.Matrix([[1, 0], [sympy.Rational(1, 2), -3]])), (index_symbol(0), index_symbol(1))
    entry = Entry(table, i, j)
    assert entry.xreplace({i: sympy.Integer(1)}).xreplace({j: sympy.Integer(0)}) == sympy.Rational(1, 2)
    assert str(Entry(table.T, i, j)) == "B.T[i0, i1]"
    assert (Table("B", sympy.Matrix([[1]])), table.shape) != (table, (1, 2))


def weights(*shape: int, name: str = "w") -> Tensor:
    return gx.tensor(name, shape)


def image(*shape: Any) -> Tensor:
    return gx.tensor("x", shape)


FIRST = gx.tanh(gx.nn.conv2d(image(2, 8, 8, 3), weights(3, 3, 3, 3), padding="same"))
SECOND = gx.nn.conv2d(FIRST, weights(3, 3, 3, 3, name="v"), padding="same")
# name -> the result, and how many of it and of its gradients by x and w are computed by tiles
ROWS: dict[str, tuple[Tensor, int]] = {
    "same": (gx.nn.conv2d(image("n", 8, 12, 3), weights(3, 3, 3, 5), padding="same"), 3),
    "valid": (gx.nn.conv2d(image("n", 10, 6, 3), weights(3, 3, 3, 2)), 3),
    "tiles of two": (gx.nn.conv2d(image(2, 6, 10, 2), weights(3, 3, 2, 3), padding="same"), 3),
    "tiles of four and two": (gx.nn.conv2d(image(2, 8, 6, 2), weights(3, 3, 2, 3), padding="same"), 3),
    "one axis": (gx.nn.conv1d(image("n", 12, 3), weights(3, 3, 4), padding="same"), 3),
    "a filter of a row": (gx.nn.conv2d(image(2, 5, 8, 3), weights(1, 3, 3, 4), padding="same"), 3),
    "one axis of two": (gx.nn.conv2d(image(2, 7, 8, 3), weights(3, 3, 3, 4), padding="same"), 3),
    "five taps": (gx.nn.conv2d(image(2, 8, 8, 2), weights(5, 5, 2, 3), padding="same"), 3),
    "three and five taps": (gx.nn.conv2d(image(2, 8, 8, 2), weights(3, 5, 2, 3), padding="same"), 3),
    "groups": (gx.nn.conv2d(image(2, 8, 8, 4), weights(3, 3, 2, 6), padding="same", groups=2), 2),  # the gradient by the filter is a scatter
    "one channel": (gx.nn.conv2d(image(1, 8, 8, 1), weights(3, 3, 1, 1), padding="same"), 0),
    "odd": (gx.nn.conv2d(image(2, 7, 9, 3), weights(3, 3, 3, 4), padding="same"), 0),
    "steps": (gx.nn.conv2d(image(2, 9, 9, 3), weights(3, 3, 3, 4), strides=2), 0),
    "gaps": (gx.nn.conv2d(image(2, 8, 8, 3), weights(3, 3, 3, 4), padding="same", dilation=2), 0),
    "transposed": (gx.nn.conv2d_transpose(image(2, 8, 8, 3), weights(3, 3, 4, 3), padding="same"), 3),
    "bias and activation": (gx.tanh(gx.nn.conv2d(image("n", 8, 8, 3), weights(3, 3, 3, 5), padding="same") + gx.constant(np.arange(5.0))), 3),
    "two": (SECOND, 5),
}  # fmt: skip


@pytest.fixture
def everything_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_WORTH", 1)
    monkeypatch.setattr(tiles, "_CHANNELS", 2)
    monkeypatch.setattr(tiles, "_FEWEST", 1)


def with_gradients(result: Tensor) -> list[Tensor]:
    loss = gx.sum(result * gx.constant(np.random.default_rng(1).normal(size=[3 if not isinstance(e, int) else e for e in result.shape])))
    leaves = {t.name: t for t in gx.leaves(loss).values() if t.kind == "input"}
    return [result, *gx.grad(loss, [leaves["x"], leaves["w"]])]


def feeds(outputs: Sequence[Tensor]) -> dict[Tensor, Any]:
    rng = np.random.default_rng(0)
    return {
        t: rng.normal(size=[3 if not isinstance(e, int) else e for e in t.shape])
        for t in gx.leaves(list(outputs)).values() if t.kind == "input"
    }  # fmt: skip


def rewritten(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The graph after all passes, which left every value as it was."""
    before = drop_aliases(list(outputs))
    after = rewrite(before, {})
    verify(after)
    fed = feeds(before)
    want, got = (evaluate_all(list(o), fed, np.dtype("float64"), 0, 0, list) for o in (before, after))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
    return after


def transforms(outputs: Sequence[Tensor]) -> int:
    return sum(entries(n.op) for n in topological(outputs))


def table(op: Any) -> str:
    return str(next(iter(op.body.atoms(Entry)))).split("[")[0]


def tiled(outputs: Sequence[Tensor]) -> int:
    """How many sums are computed by tiles: the transforms back that no other one goes on with."""
    found = [n for n in topological(outputs) if entries(n.op)]
    inner = {t for n in found for t in n.inputs}
    return sum(table(n.op).endswith(".T") and n.outputs[0] not in inner for n in found)


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("name", ROWS)
def test_values_stay_and_tiles_are_found(name: str) -> None:
    result, count = ROWS[name]
    assert tiled(rewritten(with_gradients(result))) == count


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ROWS)
def test_kernels_agree_with_the_reference(name: str, dtype: Any) -> None:
    outputs = with_gradients(ROWS[name][0])
    fed = feeds(outputs)
    f = compile(outputs, dtype=dtype)
    got = f(*(fed[t] for t in f.inputs))
    want = [gx.evaluate(o, fed) for o in outputs]
    near = 1e-12 if dtype == "float64" else 1e-5
    for a, b in zip(got, want, strict=True):
        assert np.max(np.abs(a - b)) <= near * np.max(np.abs(b))


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("name", ["same", "groups", "one axis"])
def test_gradients_of_gradients(name: str) -> None:
    result, _ = ROWS[name]
    x, w = (next(t for t in gx.leaves(result).values() if t.name == k) for k in "xw")
    slope = gx.grad(gx.sum(gx.tanh(result)), x)
    outputs = [slope, gx.grad(gx.sum(slope**2), w)]
    fed = feeds(outputs)
    f = compile(outputs, dtype="float64")
    assert transforms(f.program.outputs) > 0
    for a, b in zip(f(*(fed[t] for t in f.inputs)), [gx.evaluate(o, fed) for o in outputs], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("everything_pays")
def test_a_recurrence_may_slide_a_filter() -> None:
    x, w, s = gx.tensor("x", (2, 8, 8, 3)), gx.tensor("w", (3, 3, 3, 3)), gx.tensor("s", (4, 2, 8, 8, 3))
    _, last = gx.scan(lambda h, item: (gx.tanh(gx.nn.conv2d(h, w, padding="same") + item), h[0, 0, 0]), s, x)
    outputs = [last, gx.grad(gx.sum(last**2), w)]
    fed = feeds(outputs)
    f = compile(outputs, dtype="float64")
    for a, b in zip(f(*(fed[t] for t in f.inputs)), [gx.evaluate(o, fed) for o in outputs], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("size", "channels", "filters", "pays"),
    [(32, 32, 32, True), (16, 16, 64, True), (16, 8, 64, False), (16, 64, 8, False), (4, 16, 16, False), (4, 128, 128, False)],
)
def test_what_pays(size: int, channels: int, filters: int, pays: bool) -> None:
    outputs = drop_aliases(with_gradients(gx.nn.conv2d(image(2, size, size, channels), weights(3, 3, channels, filters), padding="same")))
    after = rewrite(outputs, {})
    assert (transforms(after) > 0) == pays
    products = [nominal(n.op.extents) for n in topological(after) if isinstance(n.op, Stage) and len(n.op.reads) == 2]
    direct = 2 * size**2 * channels * filters * 9
    assert max(products) == (direct / 4 if pays else direct)


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("kept", [True, False])
def test_transforms_are_shared(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kept:
        monkeypatch.setattr(tiles, "_KEPT", 1)
    outputs = with_gradients(ROWS["same"][0])
    after = rewrite(drop_aliases(outputs), {})
    tables = [table(n.op) for n in topological(after) if entries(n.op)]
    # Two axes each: the image for the value and the gradient by the filter, and where it is large for each of them; the
    # result's gradient in two ways, the filter in two directions, three results.
    assert sorted(tables) == sorted(["B"] * (4 if kept else 6) + ["A"] * 2 + ["G"] * 4 + ["A.T"] * 4 + ["G.T"] * 2)


def test_images_of_which_little_memory_could_hold_the_transform_are_summed_plainly() -> None:
    result = gx.nn.conv2d(image(16, 512, 512, 64), weights(3, 3, 64, 64), padding="same")
    assert transforms(rewrite(drop_aliases([result]), {})) == 0


def test_direct_sums_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    result = gx.nn.conv2d(image(4, 16, 16, 32), weights(3, 3, 32, 32), padding="same")
    assert transforms(compile(result).program.outputs) == 4 + 2
    monkeypatch.setenv("GRAPHC_CONVOLUTIONS", "direct")
    assert transforms(compile(result).program.outputs) == 0
    monkeypatch.setenv("GRAPHC_CONVOLUTIONS", "fast")
    with pytest.raises(CompileError, match="GRAPHC_CONVOLUTIONS='fast' is not \"direct\""):
        compile(result)


@pytest.mark.usefixtures("everything_pays")
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_drawn_convolutions(data: st.DataObject) -> None:
    def drawn(low: int, high: int, label: str) -> int:
        return data.draw(st.integers(low, high), label)

    axes = drawn(1, 2, "axes")
    taps = [drawn(1, 5, "taps") for _ in range(axes)]
    sizes = [drawn(r + 3, 13, "size") for r in taps]
    groups, inner, filters = drawn(1, 2, "groups"), drawn(2, 4, "channels"), drawn(1, 4, "filters")
    padding: Any = data.draw(st.sampled_from(["same", "valid", 1]), "padding")
    turned = axes == 2 and data.draw(st.booleans(), "transposed")
    convolve = getattr(gx.nn, f"conv{axes}d{'_transpose' if turned else ''}")
    shape = (*taps, *((filters, inner * groups) if turned else (inner, filters * groups)))
    x, w = image(drawn(1, 3, "batch"), *sizes, inner * groups), weights(*shape)
    rewritten(with_gradients(convolve(x, w, padding=padding, **({} if turned else {"groups": groups}))))


@pytest.mark.usefixtures("everything_pays")
def test_the_explanation_names_the_matrices() -> None:
    text = compile(ROWS["valid"][0]).explain()
    assert "transform" in text
    assert "*B[" in text
    assert "*A.T[" in text


@pytest.mark.usefixtures("everything_pays")
def test_one_kernel_serves_images_of_all_sizes() -> None:
    made = []
    for size, channels in itertools.product((8, 16, 24), (3, 5)):
        f = compile(gx.nn.conv2d(image(2, size, size, channels), weights(3, 3, channels, channels), padding="same"))
        made.append({c.kernel for c in f.program.calls if entries(c.tensors[0].op)})
    assert all(kernels == made[0] for kernels in made)
