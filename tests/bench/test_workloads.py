"""The networks that are measured: their declarations, the same in every library, and how many operations they take."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

import graphc as gx
from graphc.bench import WORKLOADS, Workload, drawn, named
from graphc.bench.flops import contraction_flops
from graphc.bench.parts import Dense, Encoder, Latent, Recurrent
from graphc.bench.peers import epochs_of
from graphc.bench.peers.with_graphc import declare
from graphc.bench.workloads import families
from graphc.errors import DataError

DRAWN = drawn(6, seed=7)  # an encoder first, a convolution with batch norm fifth
EVERY = {w.name: w for w in (*WORKLOADS, *DRAWN)}
# Small data; batch norm of too few samples would amplify rounding.
TINY = {name: w.sized(8 if len(w.sample) == 3 else 4, 3) for name, w in EVERY.items()}


def losses(peer: str, workload: Workload) -> dict[str, list[float]]:
    data = workload.data(seed=5)
    return {way: [epoch(data.order(k)) for k in range(2)] for way, epoch in epochs_of(peer, workload, data).items()}


@pytest.fixture(scope="module")
def own() -> dict[str, list[float]]:
    return {}


def expected(own: dict[str, list[float]], name: str) -> list[float]:
    if name not in own:
        (own[name],) = losses("graphc", TINY[name]).values()
    return own[name]


@pytest.mark.parity
@pytest.mark.parametrize("name", EVERY)
def test_a_network_loses_in_pytorch_what_it_loses_here(name: str, own: dict[str, list[float]]) -> None:
    pytest.importorskip("torch")
    found = losses("torch", TINY[name])
    assert list(found) == ["eager"]
    np.testing.assert_allclose(expected(own, name), found["eager"], rtol=1e-3)


OTHERS = [("jax", name) for name in ("mlp30", "lenet", "lstm", "gru", "drawn7.1", "drawn7.5")]
OTHERS += [("keras", name) for name in ("mlp30", "lenet", "lstm", "gru", "encoder", "vae")] + [("pytensor", name) for name in ("mlp30", "vae")]


@pytest.mark.parametrize(("peer", "name"), OTHERS)
@pytest.mark.filterwarnings("ignore")  # what these libraries deprecate is not ours to say
def test_and_in_the_other_libraries(peer: str, name: str, own: dict[str, list[float]]) -> None:
    if not find_spec(peer):
        pytest.skip(f"{peer} is not installed")
    found = losses(peer, TINY[name])
    assert len(found) == (2 if peer == "jax" else 1)
    for values in found.values():
        np.testing.assert_allclose(expected(own, name), values, rtol=1e-3)


def test_pytensor_has_networks_of_dense_layers_alone() -> None:
    assert epochs_of("pytensor", TINY["lstm"], TINY["lstm"].data()) == {}


@pytest.mark.parametrize("name", EVERY)
def test_the_declaration_takes_every_weight(name: str) -> None:
    workload = TINY[name]
    weights = workload.data(3).weights
    x, _, loss = declare(workload, weights)
    made = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    assert sum(int(np.prod(t.shape)) for t in made) == sum(a.size for part in weights for a in part)
    assert x.shape[1:] == workload.sample
    kernels = [a for part, given in zip(workload.parts, weights, strict=True) if isinstance(part, Dense) for a in given[:1]]
    assert all(any(t.shape == k.shape and np.array_equal(t.value, k) for t in made) for k in kernels)


def test_data_follow_from_the_seed() -> None:
    one, again, other = (named(["vae"])[0].sized(4, 2).data(seed) for seed in (1, 1, 2))
    assert np.array_equal(one.x, again.x) and np.array_equal(one.beside, again.beside) and np.array_equal(one.order(3), again.order(3))
    assert not np.array_equal(one.x, other.x)
    assert not np.array_equal(one.order(3), one.order(4))
    assert set(np.unique(one.x)) == {0.0, 1.0} and one.beside.shape == (8, 16)


def test_networks_are_drawn_by_the_seed() -> None:
    assert drawn(7, 3) == drawn(7, 3)
    assert {w.parts for w in drawn(5, 3)}.isdisjoint({w.parts for w in drawn(5, 4)})
    kinds = [{type(p) for p in w.parts} for w in drawn(5, 3)]
    assert all(sum(kind in found for found in kinds) == 1 for kind in (Recurrent, Encoder, Latent))
    for seed in range(30):
        for w in drawn(5, seed):
            _, out = w.shapes()
            assert min(out) >= 1 and w.steps >= 4 and w.name.startswith(f"drawn{seed}.")


def test_names() -> None:
    assert [w.name for w in named([])] == [w.name for w in WORKLOADS]
    assert [w.name for w in named(["vae", "mlp30", "vae"])] == ["vae", "mlp30"]
    with pytest.raises(DataError, match=r"'mlp31'.*mlp30, mlp64"):
        named(["mlp31"])


def test_one_size_grows_in_each_row() -> None:
    for along, row in families().values():
        assert along in ("batch", "width", "depth", "length")
        assert list(row) == sorted(row) and len({(*w.parts, w.batch, w.sample) for w in row.values()}) == len(row)
        assert all(f"{along} {size}" in w.title for size, w in row.items())


def dense(rows: int, *widths: int) -> int:
    """Operations forward of dense layers."""
    return sum(2 * rows * a * b for a, b in pairwise(widths))


FLOPS = {
    # Forward, and for each product the gradients of both factors, but for that of the data.
    "mlp30": 3 * dense(32, 30, 30, 15, 2) - dense(32, 30, 30),
    "lstm": 3 * (dense(32 * 32, 16, 256) + dense(32 * 32, 64, 256) + dense(32, 64, 10)) - dense(32 * 32, 16, 256),
    "lenet": 3 * (2 * 64 * (784 * 25 * 6 + 100 * 25 * 6 * 16) + dense(64, 400, 120, 84, 10)) - 2 * 64 * 784 * 25 * 6,
    "vae": 3 * (dense(128, 784, 256) + 2 * dense(128, 256, 16) + dense(128, 16, 256, 784)) - dense(128, 784, 256),
}


@pytest.mark.parametrize("name", FLOPS)
def test_operations_are_those_of_the_contractions(name: str) -> None:
    workload = EVERY[name]
    _, _, loss = declare(workload, workload.sized(1, 1).data().weights)
    assert contraction_flops(loss, {"n": workload.batch}) == FLOPS[name]
