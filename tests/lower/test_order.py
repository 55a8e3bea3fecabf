"""The order of a program's calls: nothing before what it needs, gradients by weights as soon as they can be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import graphc as gx
from graphc.lower import program
from graphc.lower.order import shallow_first
from graphc.runtime import Compiled, compile

# Of each call: the memory that it reads or writes, and whether it writes it.
touched = st.lists(st.dictionaries(st.integers(0, 6), st.booleans(), min_size=1, max_size=4), max_size=25)


@given(touched)
@settings(deadline=None)
def test_what_touches_the_same_memory_keeps_its_order(drawn: list[dict[int, bool]]) -> None:
    calls: list[Any] = [SimpleNamespace(loop=None, buffers=list(d), kernel=SimpleNamespace(written=tuple(d.values()))) for d in drawn]
    found = shallow_first(calls)
    assert sorted(map(id, found)) == sorted(map(id, calls))
    place = {id(c): k for k, c in enumerate(found)}
    for j, later in enumerate(drawn):
        for i, earlier in enumerate(drawn[:j]):
            if any(earlier[b] or later[b] for b in earlier.keys() & later.keys()):
                assert place[id(calls[i])] < place[id(calls[j])]


X = gx.tensor("x", ("n", 64))
LOSS = gx.mean(gx.Sequential([gx.layers.Dense(64, activation="tanh") for _ in range(6)])(X) ** 2)


def gradients() -> tuple[Compiled, Any]:
    """The gradients of a chain of layers by all weights, compiled, and their values."""
    f = compile(gx.grad(LOSS, [t for t in gx.leaves(LOSS).values() if t.kind == "parameter"]))
    return f, f(np.linspace(-1, 1, 512 * 64).reshape(512, 64))


def room(f: Compiled) -> int:
    """The bytes of a program's memory."""
    ((bound, _),) = f._bound.values()
    return len(bound.arena)


def test_gradients_by_weights_come_one_after_the_other() -> None:
    f, _ = gradients()
    wanted = [f.program.outputs[2 * k] for k in range(6)]  # by weights, of the first layer first
    places = [next(k for k, c in enumerate(f.program.calls) if t in c.tensors) for t in wanted]
    assert places == sorted(places, reverse=True)
    assert places[0] - places[-1] > 6  # with what is needed for the next one in between


def test_less_memory_and_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    f, values = gradients()
    monkeypatch.setattr(program, "ordered", lambda calls, _: list(calls))
    g, others = gradients()
    assert room(f) < 0.9 * room(g)
    for one, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_order_of_the_graph_stays_where_it_needs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    a = gx.tensor("a", (200, 200))
    chain = [a]
    for _ in range(8):
        chain.append(gx.tanh(chain[-1] @ a))
    back = chain[-1]
    for inner in reversed(chain[1:-1]):
        back = (back @ a) * inner
    wanted = [gx.sum(back), *(a @ gx.transpose(a + k) for k in range(8))]
    f = compile(wanted)
    f(np.eye(200))
    monkeypatch.setattr(program, "ordered", lambda calls, _: shallow_first(calls))
    g = compile(wanted)
    g(np.eye(200))
    assert room(f) < room(g)
