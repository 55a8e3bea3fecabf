"""Calls in which samples do not meet, run for some samples at a time: the same values, whatever the pieces and the threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import cost
from graphc.runtime import bound, explain, table
from graphc.runtime.measure import Measured
from graphc.runtime.pieces import Pieces, counts_of, lane_length, piece_size

D, T = 6, 5
x, y = gx.tensor("x", ("n", T, D)), gx.tensor("y", ("n", 3))
w = gx.parameter("w", (D, D), init=np.random.default_rng(0).normal(size=(D, D)))
v = gx.parameter("v", (D, 3), init=np.random.default_rng(1).normal(size=(D, 3)))
g = gx.parameter("g", (D,), init=np.random.default_rng(2).normal(size=D))
ids = gx.tensor("ids", ("n",), dtype="int")
i, j = gx.indices("i j")


def block(h: Any) -> Any:
    """Attention, a normalisation and a product: what an encoder is made of."""
    scores = gx.softmax(gx.einsum("bik,bjk->bij", h @ w, h))
    h = h + gx.einsum("bij,bjk->bik", scores, gx.tanh(h @ w + g))
    mean = gx.mean(h, axis=2, keepdims=True)
    return (h - mean) / gx.sqrt(gx.mean((h - mean) ** 2, axis=2, keepdims=True) + 1e-3) * g


def logits(h: Any) -> Any:
    return gx.mean(block(block(h)), axis=1) @ v


def loss(out: Any) -> Any:
    return -gx.mean(gx.sum(y * gx.log_softmax(out), axis=1))


CASES: dict[str, Callable[[], list[Any]]] = {
    "forward": lambda: [logits(x)],
    "a loss": lambda: [loss(logits(x))],
    "gradients": lambda: [loss(logits(x)), *gx.grad(loss(logits(x)), [w, v, g])],
    "by inputs": lambda: [gx.grad(loss(logits(x)), x)],
    "intermediate results": lambda: [block(x), logits(x), gx.sum(block(x), axis=(0, 1))],
    "a mean over the batch": lambda: [logits(x - gx.mean(x * x, axis=0)), logits(block(x) - gx.mean(block(x), axis=0))],
    "extremes": lambda: [gx.max(block(x), axis=(0, 1)), gx.min(block(x), axis=0), gx.prod(gx.tanh(block(x)), axis=0)],
    "something of all samples in each": lambda: [gx.tanh(block(x)) * gx.sum(gx.tanh(block(x))), gx.tanh(x)[::-1] + x],
    "its own number": lambda: [gx.define("z", (i, j), gx.mean(block(x), axis=1)[i, j] * i)],
    "an id": lambda: [gx.take(logits(x), ids, axis=1)[:, 0] * 2, gx.take(v, ids, axis=0) + gx.tanh(gx.mean(block(x), axis=1))[:, :3]],
    "a recurrence": lambda: list(gx.scan(lambda h, t: (gx.tanh(h @ w + t), h), gx.transpose(block(x), (1, 0, 2)), gx.mean(block(x), axis=1))),
    "a long window": lambda: [gx.nn.conv1d(block(x), gx.parameter("k", (3, D, 4), init=0.1), padding="same")],
}


def compiled(outputs: list[Any], size: int, threads: int, monkeypatch: pytest.MonkeyPatch, dtype: str = "float64") -> Any:
    """A program whose groups run for so many samples at a time, on so many threads."""
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(threads))
    monkeypatch.setattr(bound, "piece_size", lambda *_: size)
    monkeypatch.setattr(cost, "LEAST", 0)
    monkeypatch.setattr(cost, "CHUNK", 1)
    monkeypatch.setattr(table, "WORTH", 0)
    return gx.compile(outputs, dtype=dtype)


def arrays(f: Any, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(count)
    every = {"x": rng.normal(size=(count, T, D)), "y": rng.random((count, 3)), "ids": rng.integers(0, 3, count)}
    return {t.name: every[t.name] for t in f.inputs}


def pieces_of(f: Any) -> list[Pieces]:
    return [p for p in f._latest.loops.values() if isinstance(p, Pieces)]


@pytest.mark.parametrize("case", CASES)
def test_pieces_give_the_values_of_the_whole(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = CASES[case]()
    programs = [compiled(outputs, 0, threads, monkeypatch) for threads in (1, 2, 3)]
    for count in (1, 2, 7, 13):
        given = arrays(programs[0], count)
        found: dict[int, list[Any]] = {}
        for size in (0, 1, 3):
            monkeypatch.setattr(bound, "piece_size", lambda *_, size=size: size)
            for f in programs:
                f._bound.clear()
                results = f(**given)
                assert bool(pieces_of(f)) is (size > 0)
                for mine, theirs in zip(results, found.setdefault(size, results), strict=True):
                    np.testing.assert_array_equal(mine, theirs)
            for mine, theirs in zip(found[size], found[0], strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


def step(rate: float = 0.0, n: Any = "n") -> list[Any]:
    a, b = gx.tensor("x", (n, T, D)), gx.tensor("y", (n, 3))
    h = gx.nn.dropout(block(a), rate) if rate else block(a)
    value = -gx.mean(gx.sum(b * gx.log_softmax(gx.mean(block(h), axis=1) @ v), axis=1))
    return [value, *gx.optimizers.Adam(1e-2).updates(value, [w, v, g])]


# 12 samples one by one are 6 lanes of 2, so that sums over the last 8 of 20 have 4: as many lanes of 1 had no room.
@pytest.mark.parametrize(("rate", "count", "batch"), [(0.0, 23, 9), (0.4, 23, 9), (0.0, 20, 12), (0.0, 19, 12)])
def test_epochs_with_a_short_last_batch(rate: float, count: int, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    feed = {"x": rng.normal(size=(count, T, D)), "y": rng.random((count, 3))}
    start = {p: p.value.copy() for p in (w, v, g)}
    results: list[Any] = []
    try:
        for size, threads in ((0, 1), (3, 1), (3, 2), (3, 3), (2, 2), (1, 1), (1, 3)):
            for parameter, value in start.items():
                parameter.value = value
            f = compiled(step(rate), size, threads, monkeypatch)
            losses = [f.run({t: feed[t.name] for t in f.inputs}, np.arange(count), batch, first_step=3 * e)[0] for e in range(3)]
            assert len(pieces_of(f)) == (size > 0)
            results.append((np.array(losses), *(p.value.copy() for p in (w, v, g))))
    finally:
        for parameter, value in start.items():
            parameter.value = value
    for result in results[1:]:
        for mine, theirs in zip(result, results[0], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)
    for result in results[2:4]:
        for mine, theirs in zip(result, results[1], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_is_that_of_the_whole_batch(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = gx.random.uniform(x.shape)
    outputs = [noise, gx.nn.dropout(gx.tanh(x), 0.3), gx.tanh(noise * x) + noise]
    given = {"x": np.random.default_rng(0).normal(size=(11, T, D))}
    wanted = compiled(outputs, 0, 1, monkeypatch, dtype)(**given, seed=5, step=7)
    for size in (1, 3, 4):
        for mine, theirs in zip(compiled(outputs, size, 2, monkeypatch, dtype)(**given, seed=5, step=7), wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_sizes_that_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(T, T, D)), "y": rng.random((T, 3))}
    start = {p: p.value.copy() for p in (w, v, g)}
    found: list[Any] = []
    for size in (0, 1, 2):
        f = compiled(step(n=T), size, 2, monkeypatch)  # the number of samples is the length of the sequences too
        found.append((f(**given)[0], *(p.value.copy() for p in (w, v, g))))
        assert bool(pieces_of(f)) is (size > 0)
        for parameter, value in start.items():
            parameter.value = value
    for other in found[1:]:
        for mine, theirs in zip(other, found[0], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_a_bad_id_is_named_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"x": np.ones((7, T, D)), "ids": np.array([0, 1, 2, 3, 9, 0, 11])}
    messages: list[str] = []
    for size, threads in ((0, 1), (2, 1), (2, 3)):
        f = compiled(CASES["an id"]()[1:], size, threads, monkeypatch)
        with pytest.raises(gx.DataError) as error:
            f(**given)
        messages.append(str(error.value))
    assert len(set(messages)) == 1


def test_no_samples_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    f = compiled(CASES["intermediate results"](), 2, 2, monkeypatch)
    f(np.zeros((5, T, D)))
    whole, _, total = f(np.zeros((0, T, D)))
    assert whole.shape == (0, T, D)
    np.testing.assert_array_equal(total, 0)


def test_what_lies_between_needs_memory_for_a_piece_only(monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.zeros((4096, T, D))
    sizes: list[int] = []
    for size in (0, 8):
        f = compiled([gx.sum(block(block(x)), axis=(1, 2))], size, 1, monkeypatch)
        f(given)
        sizes.append(len(f._latest.arena) + sum(len(p.body.arena) for p in pieces_of(f)))
    assert sizes[1] < sizes[0] // 2


def test_they_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    f = compiled(CASES["gradients"](), 2, 2, monkeypatch)
    f(**arrays(f, 7))
    text = f.explain()
    [line] = [line for line in text.splitlines() if "samples at a time" in line]
    count = int(line.split()[2])
    assert f"The next {count} calls run for 2 of 7 samples at a time" in line
    assert text.count("% of the time") == int(text.split()[0])
    assert "in parts" not in f.source.replace("in parts[", "")


def test_what_is_small_is_run_as_a_whole() -> None:
    f = gx.compile(CASES["gradients"](), dtype="float32")
    f(**arrays(f, 13))
    assert pieces_of(f) == []


def test_what_does_not_fit_the_cache_is_run_in_pieces() -> None:
    h = gx.tensor("h", ("n", 32, 64))
    m = gx.parameter("m", (64, 64), init=np.eye(64))
    out = h
    for _ in range(6):
        out = gx.tanh(out @ m) + gx.softmax(out)
        out = (out - gx.mean(out, axis=2, keepdims=True)) * 0.5
    f = gx.compile([gx.mean(out), *gx.grad(gx.mean(out), [m])])
    [group] = [c for c in f._grouped.calls if c.group is not None]
    sizes = {n: piece_size(group, f.program.sizes({"n": n}), np.float32) for n in (1, 3, 8, 32, 48, 64, 96)}
    assert sizes[1] == sizes[3] == 0
    assert 0 < sizes[64] <= 16
    for n in (32, 48, 64, 96):  # two threads have as many samples
        _, lanes = counts_of(n, sizes[n], each := lane_length(group.group, n, sizes[n]))
        assert lanes % 2 == 0
        assert lanes // 2 * each * sizes[n] == n // 2


@pytest.mark.parametrize(("count", "threads"), [(23, 1), (23, 2), (40, 2), (5, 3)])
def test_a_call_takes_as_long_as_its_pieces_together(count: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    f = compiled(CASES["gradients"](), 2, threads, monkeypatch)
    f(**arrays(f, count))
    [group] = pieces_of(f)
    calls = {id(c): 1.0 for c in group.group.body.calls}
    facts = [one for one in explain._known(f._latest, Measured(0.0, calls)) if id(one.call) in calls]
    pieces, lanes = counts_of(count, 2, each := lane_length(group.group, count, 2))
    assert pieces == -(-count // 2)
    assert {one.seconds for one in facts} == {float(min(-(-lanes // threads) * each, pieces))}


@pytest.mark.parametrize("other", ["n in parts", "n before", "n again", "n lanes 1", "n pieces 1"])
def test_sizes_of_any_name_are_none_of_our_own(other: str) -> None:
    p = gx.parameter("p", (4, 4), init=0.1)
    a, b = gx.tensor("a", ("n", 4)), gx.tensor("b", (other, 4))
    f = gx.compile([gx.tanh(gx.tanh(a @ p) @ p), gx.sum(gx.tanh(b @ p))], dtype="float64")
    x, y = np.ones((4000, 4)), np.ones((3, 4))
    for found, wanted in zip(f(x, y), (np.tanh(np.tanh(x * 0.4) * 0.4), np.tanh(0.4) * 12), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
    with pytest.raises(gx.DeclarationError, match="of graphc's own"):
        gx.tensor("c", ("n (in parts)",))
