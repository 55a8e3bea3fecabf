"""Each pass leaves every value as it was, and does what it is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.expr.graph import drop_aliases, leaves, random_numbers, topological
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.reference.evaluate import evaluate_all
from graphc.rewrite.passes import PASSES, rewrite
from graphc.rewrite.products import contraction


def graphs() -> dict[str, list[Tensor]]:
    x, w = gx.tensor("x", ("n", 4)), gx.parameter("w", (4, 3), init=np.linspace(-1, 1, 12).reshape(4, 3))
    i, j, u, r = gx.indices("i j u r")
    n = x.shape[0]
    window = gx.define("z", (i, j), gx.Sum(x[:, ::-1].named("f")[i + u - 1, j], u), outside=0, extents={i: n, u: 3})
    part = gx.define("z", (i,), gx.Sum(x[:, 1:3].named("p")[i, u - 1], u), outside=0, extents={u: 5})
    h = gx.tanh(x @ w)
    loss = gx.sum(gx.softmax(h) * h) / n
    noise = gx.random.normal((4,), key=2)
    return {
        "slices of slices": [x.T[1:, ::-1].T[:, ::2][None] * 2],
        "window of a flip": [window],
        "window of a part": [part],
        "gradient": [loss, gx.grad(loss, w), gx.grad(loss, x)],
        "scaled": [gx.einsum("nk,kj->nj", x * 1, w * 2) / n, gx.sum(x[:, :, None] * w[None] * 3, axis=1)],
        "chains": [
            gx.einsum("nk,kj,mj->nm", x, w, h),
            gx.einsum("nk,kj,nj->n", x, w, h),
            gx.einsum("nk,mj->n", x, h),
            gx.sum(x[:, None] * x[None] * 2),
            gx.define("s", (), gx.Sum(x[i, j] * x[u, j] * h[u, 0], i, j, u, r), extents={r: 3}),  # r stands in no factor: a count
        ],
        "constants": [x + gx.constant([1.0, 2.0, 3.0, 4.0]) * 2 + gx.exp(gx.constant(0.0)), gx.reshape(gx.constant([[1, 2]]) + 1, (2,))],
        "repeated": [gx.exp(x) + gx.exp(x), gx.exp(x) * 2, gx.max(x, axis=0), gx.argmax(x, axis=0)],
        "pinned": [x * noise + gx.random.normal((4,), key=2), gx.random.uniform((4,))],
        "recurrence": [gx.cumsum(x[:, ::-1], axis=0)[::-1]],
        "functions": [
            gx.define("s", (i, j), gx.Sum(gx.tanh(x[u, i]) * w[i, j] * gx.exp(x[u, 0] - x[u, i]), u)),
            gx.tanh(x),
            1 - gx.tanh(x) ** 2,
            gx.exp(x[:, :1] - x) / gx.sum(gx.exp(x[:, :1] - x), axis=1, keepdims=True),
            gx.log(gx.exp(x.T) + 1),
            gx.tanh(x[::-1]) + gx.tanh(x[:, 1:])[:, :1],
            gx.max(gx.exp(x), axis=0),
            gx.argmax(gx.exp(x), axis=0),
            gx.define("e", (i, j), gx.exp(i * x[i, j])),
        ],
        "parts, joined": [gx.concatenate([x[:1], x, x[:, :3].T[:2].T[:2] @ gx.constant(np.ones((2, 4)))])],
        "turned": [
            gx.define("t", (j, i), gx.sin((x @ w + 1).named("a")[i, j])),
            gx.sum(gx.define("t", (j, i), gx.tanh((x @ w).named("b")[i, j] * (i + 1))) * w.T[:, :1], axis=1),
            gx.define("t", (j, i), (gx.max(x[:, :, None] * w, axis=1) + 1).named("c")[i, j] + i),
        ],
        "integers": [gx.reshape(gx.constant([3, 1]), (2, 1)) * gx.constant([5, 6])],
    }


GRAPHS = graphs()


def values(outputs: list[Tensor], prepared: list[Tensor], numbers: Any) -> list[Any]:
    feeds = {t: np.random.default_rng(0).normal(size=(5, 4)) for t in leaves(outputs).values() if t.kind == "input"}
    from graphc.expr.feed import as_array, bind_sizes
    from graphc.reference.evaluate import _apply, _Draw, _leaf_value  # the graph itself, without another numbering

    known = {t: as_array(t, v, np.dtype("float64")) for t, v in feeds.items()}
    sizes = bind_sizes((t, v.shape) for t, v in known.items())
    for node in topological(prepared):
        for leaf in node.outputs[:1]:
            if not node.inputs and leaf not in known and leaf.kind != "computed":
                known[leaf] = _leaf_value(leaf, np.dtype("float64"))
        if node.outputs[0] not in known:
            results = _apply(node, [known[t] for t in node.inputs], sizes, np.dtype("float64"), _Draw(0, 0, numbers))
            known.update(zip(node.outputs, results, strict=True))
    return [known[t] for t in prepared]


@pytest.mark.parametrize("name", [*PASSES, "all"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_values_stay(graph: str, name: str) -> None:
    outputs = GRAPHS[graph]
    numbers = random_numbers(outputs)
    before = drop_aliases(outputs)
    after = rewrite(before, numbers) if name == "all" else PASSES[name](before, numbers)
    for a, b, t in zip(values(outputs, after, numbers), values(outputs, before, numbers), before, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13, err_msg=str(t))
    want = evaluate_all(list(outputs), {t: np.random.default_rng(0).normal(size=(5, 4)) for t in leaves(outputs).values() if t.kind == "input"},
                        np.dtype("float64"), 0, 0, list)  # fmt: skip
    for a, b in zip(values(outputs, after, numbers), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def stages(outputs: list[Tensor]) -> list[Stage]:
    return [n.op for n in topological(outputs) if isinstance(n.op, Stage)]


def test_a_chain_of_products_is_summed_in_turn() -> None:
    a, b, c = gx.tensor("a", ("i", "j")), gx.tensor("b", ("j", "k")), gx.tensor("c", ("k", "l"))
    i, j, k, m = gx.indices("i j k m")
    written = gx.define("Y", (i, m), gx.Sum(a[i, j] * b[j, k] * c[k, m], j, k))
    for y in (gx.einsum("ij,jk,kl->il", a, b, c), written):
        assert [len(s.extents) for s in stages(PASSES["chains"]([y], {}))] == [3, 3]


def test_a_sum_that_needs_every_index_at_once_stays() -> None:
    a, b, c = gx.tensor("a", ("i", "j")), gx.tensor("b", ("i", "j")), gx.tensor("c", ("i", "j"))
    [y] = PASSES["chains"]([gx.einsum("ij,ij,ij->i", a, b, c)], {})
    assert len(stages([y])) == 1


def test_a_function_that_several_stages_need_is_computed_once() -> None:
    x, w = gx.tensor("x", ("n", 4)), gx.parameter("w", (4, 3))
    h = gx.tanh(x @ w)
    after = rewrite(drop_aliases([h, gx.grad(gx.sum(h * h), w)]), {})
    assert sum(s.body.count(sympy.tanh) for s in stages(after)) == 1


def test_a_sum_does_not_repeat_a_function() -> None:
    a, b = gx.tensor("a", ("k", "i")), gx.tensor("b", ("k", "j"))
    i, j, k = gx.indices("i j k")
    after = rewrite([gx.define("Y", (i, j), gx.Sum(gx.tanh(a[k, i]) * b[k, j], k))], {})
    assert contraction(after[0]) is not None


def test_moves_are_read_where_they_are_used() -> None:
    after = PASSES["moves"](drop_aliases(GRAPHS["slices of slices"]), {})
    assert len(stages(after)) == 1


def test_a_part_that_is_read_outside_stays() -> None:
    # Leaving x[:, 1:3] does not mean leaving x.
    before = drop_aliases(GRAPHS["window of a part"])
    assert len(stages(PASSES["moves"](before, {}))) == len(stages(before)) == 2


def test_what_is_read_turned_is_computed_turned() -> None:
    x, w = gx.tensor("x", ("n", 5, 4)), gx.parameter("w", (4, 3))

    def step(carry: gx.Tensor, item: gx.Tensor) -> tuple[gx.Tensor, gx.Tensor]:
        return carry + item, carry

    first = gx.tensor("c", (x.shape[0], 3))
    [y] = rewrite(drop_aliases([gx.scan(step, first, gx.transpose(x @ w + 1, (1, 0, 2)))[0]]), {})
    assert [s.shape[0] for s in stages([y])] == [5, 5]  # time first: the products and what is added, and no copy


def test_equal_stages_are_merged_and_pinned_draws_too() -> None:
    before = drop_aliases(GRAPHS["repeated"])
    assert len(stages(PASSES["common"](before, {}))) < len(stages(before))
    pinned = GRAPHS["pinned"]
    numbers = random_numbers(pinned)
    after = PASSES["common"](drop_aliases(pinned), numbers)
    assert len(random_numbers(after)) == 2


def test_constants_are_computed_once() -> None:
    after = PASSES["constants"](drop_aliases(GRAPHS["integers"]), {})
    assert not stages(after)
    np.testing.assert_array_equal(after[0].value, [[15, 18], [5, 6]])


def test_a_pass_may_be_left_out() -> None:
    before = drop_aliases(GRAPHS["slices of slices"])
    assert len(stages(rewrite(before, {}, without=["moves", "turned"]))) == len(stages(before))
    assert len(stages(rewrite(before, {}))) == 1
