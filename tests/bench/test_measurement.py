"""The measurement itself, on a tiny network: processes, turns, and what they tell; no time is asserted."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest

from graphc.bench import Workload, measure, table
from graphc.bench.parts import Dense, Recurrent
from graphc.bench.peers import chosen, epochs_of
from graphc.bench.worker import library
from graphc.codegen.peak import peak_flops
from graphc.errors import DataError, GraphcError

TINY = Workload("tiny", "MLP 3-2", (3,), 4, (Dense(2),), 2)


def test_a_peak_is_found_however_late_threads_begin() -> None:
    assert peak_flops(3, 0.0) > 1e8


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


class Fake:
    """A library that takes as long as it is told, or fails."""

    def __init__(self, name: str, ways: dict[str, list[float]]) -> None:
        self.name, self.ways, self.turns = name, ways, 0

    def load(self, *_: object) -> dict[str, float]:
        if not self.ways:
            raise GraphcError(f"{self.name} failed: too big")
        return dict.fromkeys(self.ways, 1.0)

    def turn(self) -> dict[str, float]:
        self.turns += 1
        return {way: times[self.turns - 1] for way, times in self.ways.items()}

    def version(self) -> str:
        return "1"


def test_medians_count_and_of_several_ways_the_better(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = {
        "graphc": Fake("graphc", {"run": [5.0, 90.0, 4.0]}),
        "torch": Fake("torch", {}),
        "jax": Fake("jax", {"scan": [20.0, 20.0, 1.0], "step": [15.0, 70.0, 14.0]}),
        "pytensor": Fake("pytensor", {"function": [60.0, 60.0, 60.0]}),
    }
    monkeypatch.setattr("graphc.bench.timing.library", lambda name, threads: nullcontext(fakes[name]))
    monkeypatch.setattr("graphc.codegen.peak.peak_flops", lambda threads: 96e6 * threads)
    results = measure([TINY], list(fakes), rounds=3, threads=2)
    (row,) = results.rows
    assert row.times == {"graphc": 5.0, "jax": 15.0, "pytensor": 60.0}
    assert row.ways == {"graphc": "run", "jax": "step", "pytensor": "function"}
    assert (row.best, row.ratio) == ("jax", 3.0)
    assert results.notes == ["MLP 3-2: torch failed: too big"]
    assert results.limit(row) == pytest.approx(0.5)  # 96 operations at 192 million a second
    assert "torch failed: too big" in table(results)


def test_a_library_that_fails_in_its_turn_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Fake):
        def turn(self) -> dict[str, float]:
            if self.turns == 2:
                raise GraphcError("the process that runs jax has ended")
            return super().turn()

    fakes = {"graphc": Fake("graphc", {"run": [5.0] * 6}), "jax": Failing("jax", {"scan": [9.0] * 6}), "torch": Fake("torch", {"run": [7.0] * 6})}
    monkeypatch.setattr("graphc.bench.timing.library", lambda name, threads: nullcontext(fakes[name]))
    monkeypatch.setattr("graphc.codegen.peak.peak_flops", lambda threads: 1e9)
    monkeypatch.setattr("graphc.bench.timing._LONGEST", 0.0)
    results = measure([TINY, TINY], list(fakes), rounds=4, threads=1)
    assert [set(row.times) for row in results.rows] == [{"graphc", "torch"}, {"graphc", "torch"}]
    assert results.notes[:2] == ["MLP 3-2: the process that runs jax has ended", "MLP 3-2: 3 rounds, which took longer than 0 s"]


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
