"""The measurement itself, on a tiny network: processes, turns, and what they tell; no time is asserted."""

from __future__ import annotations

import os

import pytest

from graphc.bench import Workload, measure
from graphc.bench.parts import Dense, Recurrent
from graphc.bench.peers import chosen, epochs_of
from graphc.bench.worker import library
from graphc.errors import DataError, GraphcError

TINY = Workload("tiny", "MLP 3-2", (3,), 4, (Dense(2),), 2)


def test_a_measurement_of_graphc_alone() -> None:
    before = dict(os.environ)
    results = measure([TINY], ["graphc"], rounds=2, threads=1, seed=3)
    assert dict(os.environ) == before
    (row,) = results.rows
    assert results.peers == ["graphc"] and row.best == "" and row.ways == {"graphc": "run"}
    assert row.flops == 2 * 2 * 4 * 3 * 2  # forward, and the gradient of the weights
    assert row.times["graphc"] > 0 and results.peak > 1e8
    data = TINY.data(3)
    (epoch,) = epochs_of("graphc", TINY, data).values()
    assert row.losses["graphc"] == epoch(data.order(0))


def test_what_a_library_raises_is_told_and_it_goes_on() -> None:
    with library("graphc", 1) as process:
        with pytest.raises(GraphcError, match="graphc failed: KeyError: 'Clockwork'"):
            process.load(Workload("odd", "odd", (3, 2), 4, (Recurrent("Clockwork", 2),), 2))
        assert set(process.load(TINY)) == {"run"}
        assert process.turn()["run"] > 0
        assert process.version()


def test_a_process_that_has_ended_is_told() -> None:
    with library("graphc", 1) as process:
        process._connection.close()
        with pytest.raises(GraphcError, match="the process that runs graphc has ended"):
            process.turn()


def test_which_libraries_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.bench.peers.find_spec", lambda name: name if name in ("jax", "torch") else None)
    assert chosen(None) == ["graphc", "torch", "jax"]
    assert chosen([]) == ["graphc"]
    assert chosen(["jax"]) == ["graphc", "jax"]
    with pytest.raises(DataError, match="keras is not installed: pip install keras jax"):
        chosen(["keras"])
    with pytest.raises(DataError, match="no peer 'theano'"):
        chosen(["theano"])
